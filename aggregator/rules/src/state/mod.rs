//! Everything that the rules keep of one function, by itself: what another engine than the store holds for each
//! key. Evidence goes in by [`FunctionState::apply`], a day's end by [`FunctionState::close`], what became of a
//! recommendation by [`FunctionState::outcome`]; [`FunctionState::to_bytes`] is what is kept in between.
//!
//! It must not know what holds it, or when. The rules are those that the store's tables are read with
//! ([`crate::assess`]); a property test of the aggregator holds the two equal. It keeps less than the store: of days
//! and environments what the window and an open trial need.

mod apply;
mod decide;
mod delta_bytes;
mod keep;
mod listed;
mod notice;
mod seen;
mod sent;
mod state_bytes;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use rightsizer_records::{Day, Megabytes, Millis, Timestamp};

pub use apply::Applied;
pub use decide::{Closed, Decided, Ended, Terms};
pub use delta_bytes::{delta_from_bytes, delta_to_bytes};
pub use listed::Listed;
pub use sent::Sent;
pub use state_bytes::{OLDEST_STATE_VERSION, STATE_VERSION, StateError};

use crate::evidence::FunctionKey;
use crate::window::{DayKey, DayStats, EnvironmentKey, EnvironmentState, PeakOfDay, Sighting};

/// What the rules keep of one function. The parts are open, so that a store can write them as rows and read them back.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionState {
    /// The function.
    pub function: FunctionKey,
    /// `None` until the first evidence.
    pub seen: Option<Seen>,
    /// The days by day, source, size and version.
    pub days: BTreeMap<DayKey, DayStats>,
    /// The remembered peaks.
    pub peaks: BTreeMap<Day, PeakOfDay>,
    /// The environments that can still send.
    pub environments: BTreeMap<EnvironmentKey, EnvironmentState>,
    /// Ids of log events of the last days.
    pub events: BTreeSet<(Day, u64)>,
    /// Its facts in the inventory.
    pub listed: Option<Listed>,
    /// Recommendations that were sent, the oldest first.
    pub sent: Vec<Sent>,
    /// The size that was applied last, and when by the window's clock.
    pub applied: Option<(Timestamp, Megabytes)>,
    /// Out-of-memory up to this day no longer counts.
    pub cleared: Option<Day>,
    /// 95th percentile of the durations before the first decrease since the code last changed.
    pub baseline_p95: Option<Millis>,
    /// The last closed day that it has seen.
    pub closed: Option<Day>,
    /// The last decision, as far as the next one needs it.
    pub last: Option<LastDecision>,
    /// When a person had it forgotten last.
    pub forgotten: Option<Timestamp>,
}

/// What reports show of the function itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Its first and newest report, and what they show of it.
    pub sighting: Sighting,
    /// When the first report arrived (W4).
    pub first_arrival: Timestamp,
    /// The counts of its reports.
    pub counts: Counts,
}

/// Counts of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Reports that were merged.
    pub seen: u64,
    /// Reports that were repeated.
    pub duplicates: u64,
    /// Reports that arrived after their window.
    pub late: u64,
    /// Reports that environments saw and that never arrived.
    pub lost: i64,
    /// The extension's own largest resident size in KiB.
    pub self_kib: u64,
    /// Whether a person imported evidence.
    pub imported: bool,
}

/// The last decision, as far as the next one needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastDecision {
    /// Its day.
    pub day: Day,
    /// The highest peak that it knew (W9).
    pub peak_mb: Megabytes,
    /// The size that it wants, if that is a decrease.
    pub decrease_to: Option<Megabytes>,
    /// The size of the decrease of this day that a peak withdrew (W9). The same decision does not open it again.
    pub withdrawn_to: Option<Megabytes>,
    /// Whether it stands: not if the function has had no reports in the window since.
    pub stands: bool,
}

impl FunctionState {
    /// The state of a function of which nothing is known.
    pub const fn new(function: FunctionKey) -> Self {
        Self {
            function,
            seen: None,
            days: BTreeMap::new(),
            peaks: BTreeMap::new(),
            environments: BTreeMap::new(),
            events: BTreeSet::new(),
            listed: None,
            sent: Vec::new(),
            applied: None,
            cleared: None,
            baseline_p95: None,
            closed: None,
            last: None,
            forgotten: None,
        }
    }

    /// The function.
    pub const fn function(&self) -> &FunctionKey {
        &self.function
    }

    /// The days that it keeps, by day, source, size and version.
    pub fn days(&self) -> impl Iterator<Item = (&DayKey, &DayStats)> {
        self.days.iter()
    }

    /// The remembered peaks.
    pub fn peaks(&self) -> impl Iterator<Item = (Day, PeakOfDay)> {
        self.peaks.iter().map(|(day, peak)| (*day, *peak))
    }

    /// The number of environments that it keeps.
    pub fn environments(&self) -> usize {
        self.environments.len()
    }

    /// The counts of its reports.
    pub fn counts(&self) -> Counts {
        self.seen
            .as_ref()
            .map_or(Counts::default(), |seen| seen.counts)
    }

    /// The time of its newest report.
    pub fn newest(&self) -> Option<Timestamp> {
        self.seen.as_ref().map(|seen| seen.sighting.newest.at)
    }

    /// The last closed day that it has seen.
    pub const fn closed(&self) -> Option<Day> {
        self.closed
    }

    /// Whether it holds anything that a later day could need.
    pub fn is_empty(&self) -> bool {
        self.peaks.is_empty()
            && self.days.is_empty()
            && self.listed.as_ref().is_none_or(|l| l.gone_at.is_some())
            && self.sent.is_empty()
    }
}
