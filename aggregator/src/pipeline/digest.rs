//! What a unit of work reports to its caller.

use rightsizer_records::Day;

/// What a unit of work did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest {
    /// Reports merged.
    pub accepted: u64,
    /// Records quarantined.
    pub quarantined: u64,
    /// The last day closed by it.
    pub closed: Option<Day>,
    /// Functions decided.
    pub decided: u64,
    /// Records kept until the clock reaches their time.
    pub early: u64,
    /// What other tools found out about functions that the store does not know.
    pub unplaced: u64,
    /// Days of functions that had evidence from another file, if what was added names no log events: their first
    /// and last, and how many there are.
    pub overlapping: Option<(Day, Day, u64)>,
    /// Reports that came again, by their ids.
    pub again: u64,
    /// The day that stays closed after later closes were undone: a wrong clock had made them.
    pub undone: Option<Day>,
}

impl Digest {
    /// Adds what another unit of work did.
    pub fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.quarantined += other.quarantined;
        self.closed = other.closed.or(self.closed);
        self.decided += other.decided;
        self.early += other.early;
        self.unplaced += other.unplaced;
        self.again += other.again;
        self.overlapping = match (self.overlapping, other.overlapping) {
            (Some(one), Some(two)) => Some((one.0.min(two.0), one.1.max(two.1), one.2 + two.2)),
            (one, two) => one.or(two),
        };
        self.undone = other.undone.or(self.undone);
    }
}
