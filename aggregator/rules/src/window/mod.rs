//! Keyed window state: what a day of a function keeps, how evidence is merged into it, and which
//! days are closed. Pure: no SQL, no clock; `docs/ALGORITHM.md` states the laws (W1–W9) that the
//! tests here cite.

mod cadence;
mod clock;
mod crowd;
mod crowding;
mod day;
mod delta;
mod distribution;
mod environment;
mod figures;
mod fold;
mod hours;
mod peak;
mod sighting;
mod witnesses;

pub use cadence::{Cadence, WindowSettings};
pub use clock::{ClockDoubt, ClockMode, DayClock, FUTURE_TOLERANCE_MS, close_of};
pub use crowd::{Crowd, FailedCrowd, Levels, fold_crowds};
pub(crate) use crowding::OTHER_VERSIONS;
pub use crowding::{Crowding, MOST_SIZES, MOST_VERSIONS, OTHER_SIZES};
pub use day::{DayKey, DaySource, DayStats};
pub use delta::{DayDelta, Delta, EnvironmentKey, Mark};
pub use distribution::{Distribution, DistributionError};
pub use environment::{EnvironmentState, HighWater, SeqMarks, UsedCounts};
pub use fold::{fold_into, fold_observation, fold_reports};
pub use hours::Hours;
pub use peak::PeakOfDay;
pub use sighting::{Newest, Sighting};
pub use witnesses::Witnesses;

/// Length of the window in UTC days (W3).
pub const WINDOW_DAYS: i32 = 14;
/// For how many days peaks alone are remembered (W3).
pub const PEAK_MEMORY_DAYS: i32 = 400;
/// For how many days the details of a day are kept.
pub const DETAIL_DAYS: i32 = 60;
