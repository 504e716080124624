//! From the days before and after a change to the evidence of its trial.

use rightsizer_records::{Day, Megabytes, Millis, Timestamp};

use super::hours::same_hours;
use super::trial::{After, Before, Failures, Reverted, Silences, Trial, slow_above};
use crate::window::{DayKey, DaySource, DayStats, Distribution, Hours};

/// Longest time between a change and the updater's outcome; environments that begin in between begin at the new
/// size.
pub const OUTCOME_WITHIN_MS: i64 = 900_000;

/// The invocations at one size on one day.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedDay {
    /// The day.
    pub day: Day,
    /// The kind of its source.
    pub kind: u8,
    /// The size.
    pub size: Megabytes,
    /// Invocations.
    pub invocations: u64,
    /// Environments that reported.
    pub environments: u64,
    /// Failures that are neither timeouts nor out of memory.
    pub errors: u64,
    /// Invocations that ran into the timeout.
    pub timeouts: u64,
    /// Whether the size hid the demand.
    pub censored: bool,
    /// Invocations that ran out of memory.
    pub ooms: u64,
    /// Billed milliseconds.
    pub billed_ms: u64,
    /// Durations in ms.
    pub durations: Distribution,
    /// Durations by the time of the day.
    pub hours: Hours,
}

impl ObservedDay {
    /// Returns a day as a trial sees it.
    pub(crate) fn of(key: &DayKey, stats: &DayStats) -> Self {
        Self {
            day: key.day,
            kind: DaySource::kind(key.source.rank()),
            size: key.memory_mb,
            invocations: stats.invocations,
            environments: stats.environments,
            errors: stats.errors,
            timeouts: stats.timeouts,
            censored: stats.censored,
            ooms: stats.ooms,
            billed_ms: stats.billed_ms,
            durations: stats.durations.clone(),
            hours: stats.hours.clone(),
        }
    }
}

/// A change that was applied and has no verdict yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenTrial {
    /// The recommendation that brought it.
    pub id: String,
    /// The size before.
    pub from_mb: Megabytes,
    /// The size that was applied.
    pub to_mb: Megabytes,
    /// When, by the window's clock.
    pub applied_at: Timestamp,
}

/// What a trial needs besides the days.
#[derive(Debug, Clone, Copy)]
pub struct TrialFacts {
    /// The present, by the window's clock.
    pub now: Timestamp,
    /// The newest report.
    pub last: Timestamp,
    /// Environments that began at the new size since [`OUTCOME_WITHIN_MS`] before the change.
    pub begun: u32,
    /// Environments that began at the old size after those.
    pub reverted: Reverted,
    /// See [`Trial::p95_tolerance`].
    pub p95_tolerance: f64,
}

impl OpenTrial {
    /// Returns the evidence on this change. `days` ascend by day and then by source, from
    /// [`crate::window::WINDOW_DAYS`] before the change on; of each day the first source counts (W7). Invocations on
    /// the day of the change are assigned by their size.
    pub fn evidence(
        &self,
        days: impl IntoIterator<Item = ObservedDay>,
        facts: TrialFacts,
    ) -> Trial {
        let changed = self.applied_at.day();
        let (mut earlier, mut later) = (Vec::new(), Vec::new());
        for day in counting(days) {
            if day.size == self.from_mb {
                if day.day <= changed {
                    earlier.push(day);
                }
            } else if day.size == self.to_mb && day.day >= changed {
                later.push(day);
            }
        }
        let before = before(&earlier);
        let limit = before
            .p95
            .and_then(|p95| slow_above(p95, facts.p95_tolerance));
        let since = facts.last.max(self.applied_at);
        let silent_ms = facts.now.as_ms() - since.as_ms();
        let silent_hours = u32::try_from(silent_ms / 3_600_000).unwrap_or(0);
        // Sources that cannot distinguish environments count them by day.
        let counted = later.iter().filter(|day| day.kind > 1);
        let counted: u64 = counted.map(|day| day.environments).sum();
        let environments = facts.begun.max(u32::try_from(counted).unwrap_or(u32::MAX));
        Trial {
            from_mb: self.from_mb,
            to_mb: self.to_mb,
            applied_at: self.applied_at,
            now: facts.now,
            before,
            after: After {
                environments: Some(environments),
                ..after(&later, limit, silent_hours)
            },
            same_hours: limit.and_then(|limit| same_hours(&earlier, &later, limit)),
            p95_tolerance: facts.p95_tolerance,
            reverted_sightings: facts.reverted.sightings(),
        }
    }
}

/// The days of the source that counts on each (W7).
fn counting(days: impl IntoIterator<Item = ObservedDay>) -> impl Iterator<Item = ObservedDay> {
    let mut counts: Option<(Day, u8)> = None;
    days.into_iter().filter(move |day| match counts {
        Some((on, kind)) if on == day.day => kind == day.kind,
        _ => {
            counts = Some((day.day, day.kind));
            true
        }
    })
}

fn before(days: &[ObservedDay]) -> Before {
    let mut durations = Distribution::default();
    let mut sum = Before::default();
    let mut dates: Vec<Day> = Vec::new();
    for day in days {
        sum.invocations += day.invocations;
        sum.billed_ms += day.billed_ms;
        add(&mut sum.errors, day.errors, day.invocations);
        add(&mut sum.timeouts, day.timeouts, day.invocations);
        durations.merge(&day.durations);
        if dates.last() != Some(&day.day) {
            dates.push(day.day);
        }
    }
    sum.p95 = durations.quantile(0.95).map(Millis::from_ms);
    let gaps = dates
        .windows(2)
        .map(|pair| pair[1].number() - pair[0].number());
    let longest = gaps.max().and_then(|days| u32::try_from(days).ok());
    sum.silences = Silences {
        count: dates.len() as u64,
        longest_hours: longest.unwrap_or(1) * 24,
    };
    sum
}

fn add(failures: &mut Failures, count: u64, of: u64) {
    failures.count += count;
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let share = count as f64 / of.max(1) as f64;
    failures.worst_day_share = failures.worst_day_share.max(share);
}

fn after(days: &[ObservedDay], slow_above: Option<Millis>, silent_hours: u32) -> After {
    let mut sum = After {
        silent_hours,
        ..After::default()
    };
    for day in days {
        sum.invocations += day.invocations;
        sum.billed_ms += day.billed_ms;
        sum.errors += day.errors;
        sum.timeouts += day.timeouts;
        // A failure at the size may be one (P3): the day remembers that there was one.
        sum.out_of_memory += day.ooms.max(u64::from(day.censored));
        sum.timed += day.durations.count();
        if let Some(limit) = slow_above {
            sum.slow += day.durations.above(limit.ceil_ms());
        }
    }
    sum
}
