//! A change and what was counted on both sides of it.

use rightsizer_records::{Megabytes, Millis, Timestamp};

/// One applied change, as it is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trial {
    /// The size before.
    pub from_mb: Megabytes,
    /// The size that was applied.
    pub to_mb: Megabytes,
    /// When it was applied.
    pub applied_at: Timestamp,
    /// The present.
    pub now: Timestamp,
    /// What ran at `from_mb` in the 14 days before.
    pub before: Before,
    /// What ran at `to_mb` since.
    pub after: After,
    /// Both sides at the same hours; `None` if hours are not known.
    pub same_hours: Option<SameHours>,
    /// How much slower the 95th percentile may be: what the function's strategy allows, or what was
    /// projected when a person approved it, if that is more.
    pub p95_tolerance: f64,
    /// Environments that started at `from_mb` after environments had started at `to_mb`: someone
    /// else restores the old size. See `Reverted::sightings`.
    pub reverted_sightings: u32,
}

/// Environments that started at the old size after every one that started at the new size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reverted {
    /// How many.
    pub environments: u32,
    /// Their invocations.
    pub invocations: u64,
    /// Whether the account has another size for the function than the old one.
    pub contradicted: bool,
}

/// The number of environments, and of invocations among them, that have to agree before a change is
/// rolled back or counts as reverted, so that a few rows of one writer cannot cause it.
const LEAST_ENVIRONMENTS: u32 = 2;
const LEAST_INVOCATIONS: u64 = 10;

impl Reverted {
    /// How many of them count: none that the account contradicts, or that served next to nothing.
    pub(crate) fn sightings(self) -> u32 {
        if self.contradicted || self.invocations < LEAST_INVOCATIONS {
            0
        } else {
            self.environments
        }
    }
}

impl After {
    /// Whether more than one environment reports it; true if environments are not counted.
    pub(super) fn is_consistent(&self) -> bool {
        self.environments.is_none_or(|environments| {
            environments >= LEAST_ENVIRONMENTS && self.invocations >= LEAST_INVOCATIONS
        })
    }
}

/// What ran at the old size.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Before {
    /// Invocations.
    pub invocations: u64,
    /// Their billed milliseconds.
    pub billed_ms: u64,
    /// Invocations with status error.
    pub errors: Failures,
    /// Invocations with status timeout.
    pub timeouts: Failures,
    /// Environments that failed to start.
    pub init_failures: Failures,
    /// 95th percentile of the durations.
    pub p95: Option<Millis>,
    /// How long it was silent between its calls.
    pub silences: Silences,
}

/// How often something failed before.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Failures {
    /// How many did.
    pub count: u64,
    /// The share of its invocations that did on the worst single day; a day as bad as an earlier
    /// one is not evidence against the change. 0 if only sums are known.
    pub worst_day_share: f64,
}

/// How long the function was silent, before the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Silences {
    /// How many there were: hours with calls if hours are known, else days with calls.
    pub count: u64,
    /// The longest, in hours. If only days are known: 24 × (idle days in a row + 1).
    pub longest_hours: u32,
}

/// What ran at the new size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct After {
    /// Environments that started at the new size after the change, if known.
    pub environments: Option<u32>,
    /// Invocations.
    pub invocations: u64,
    /// Their billed milliseconds.
    pub billed_ms: u64,
    /// Invocations with status error.
    pub errors: u64,
    /// Invocations with status timeout.
    pub timeouts: u64,
    /// Environments that failed to start.
    pub init_failures: u64,
    /// Invocations that ran out of memory, or failed at the size (P3).
    pub out_of_memory: u64,
    /// Invocations with a duration.
    pub timed: u64,
    /// Those of them that took longer than `slow_above`.
    pub slow: u64,
    /// Hours since its last call, or since the change if there was none.
    pub silent_hours: u32,
}

/// What ran at the new size beside what ran at the old one at the same hours and on the same days of the week.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SameHours {
    /// The earlier 95th percentile at the hours of the new size ÷ as it was measured.
    pub p95_factor: f64,
    /// Invocations at the new size that took longer than `slow_above` × this factor.
    pub slow: u64,
    /// The lower confidence bound of the ratio of the geometric means, after ÷ before.
    pub least_ratio: f64,
    /// Its upper confidence bound.
    pub most_ratio: f64,
}

/// What an invocation has to exceed to count as slow: the earlier 95th percentile × the tolerance.
pub(crate) fn slow_above(p95_before: Millis, tolerance: f64) -> Option<Millis> {
    Millis::from_ms_f64(p95_before.as_ms_f64() * tolerance)
}

impl Trial {
    /// Whether the function got less.
    pub(super) fn is_decrease(&self) -> bool {
        self.to_mb < self.from_mb
    }

    /// Whole hours since the change.
    pub(super) fn hours(&self) -> i64 {
        (self.now.as_ms() - self.applied_at.as_ms()).max(0) / 3_600_000
    }
}
