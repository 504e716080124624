//! The time, as a call gets it.

use rightsizer_records::{Day, Timestamp};

/// The time at which a state is brought forward.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The machine's clock.
    pub now: Timestamp,
    /// The event time that has passed for certain: the last close of a day.
    pub event: Timestamp,
    /// The last day that is closed for this function.
    pub closed: Option<Day>,
    /// Whether that day closes now.
    pub closes: bool,
}
