//! Everything that a decision about one function needs, put together.

use rightsizer_records::{Arch, Day, EvidenceWindow, Megabytes, Millis, Timestamp};

use super::change::History;
use super::usage::Usage;
use super::viewpoint::{Span, Viewpoint};
use crate::evidence::FunctionKey;
use crate::policy::{Configured, DayPeak, FunctionEvidence, Leak, Successes};
use crate::price;
use crate::window::PEAK_MEMORY_DAYS;

/// Everything a decision about one function needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Assessment {
    /// The function.
    pub function: FunctionKey,
    /// The version with the traffic.
    pub version: String,
    /// Architecture, if known.
    pub arch: Option<Arch>,
    /// The input of the policies.
    pub evidence: FunctionEvidence,
    /// Highest peak of the window and the open days.
    pub peak_mb: Megabytes,
    /// The billed usage in the window.
    pub usage: price::Usage,
    /// 99th percentile of the durations at the current size, if there are any.
    pub p99: Option<Millis>,
    /// Whether the inventory or history knows it.
    pub known: bool,
}

impl Assessment {
    /// Whether its last change is not judged yet.
    pub fn is_on_trial(&self) -> bool {
        let last = self.evidence.changes.last;
        last.is_some_and(|change| !change.verified)
    }
}

/// What is known of a function itself.
#[derive(Debug, Clone)]
pub struct Known {
    /// The function.
    pub function: FunctionKey,
    /// The version with the traffic.
    pub version: String,
    /// Architecture, if known.
    pub arch: Option<Arch>,
    /// The size that it has.
    pub current_mb: Megabytes,
    /// When it was first seen, for W4.
    pub known_since: Timestamp,
    /// Facts from the inventory and the tags.
    pub configured: Configured,
    /// 95th percentile of the durations before the first decrease.
    pub baseline_p95: Option<Millis>,
    /// Whether its logs contain only reports of failures.
    pub failures_only: bool,
    /// Whether the inventory or history knows it.
    pub known: bool,
    /// A CloudWatch alarm on it that is in `ALARM`.
    pub alarm: Option<String>,
    /// When someone else changed it last.
    pub deployed: Option<Timestamp>,
}

/// The other facts that a decision needs.
#[derive(Debug, Clone, Copy)]
pub struct Around {
    /// Its applied and pending changes.
    pub history: History,
    /// Whether its environments climb.
    pub leak: Option<Leak>,
    /// See [`largest_censored`].
    pub censored: Option<(Day, Megabytes)>,
    /// The highest use in the days of the floor that does not rest on one environment.
    pub agreed: Megabytes,
}

/// P3: returns the largest size that hid the demand among all remembered `days` after those that were cleared, and
/// the day it did so last. `closed` is the last closed day.
pub fn largest_censored(
    days: impl Iterator<Item = DayPeak>,
    cleared: Option<Day>,
    closed: Day,
) -> Option<(Day, Megabytes)> {
    let remembered = closed.plus(-PEAK_MEMORY_DAYS);
    let after = cleared.map(|day| day.plus(1));
    let from = after.map_or(remembered, |day| remembered.max(day));
    let counting = days.filter(|d| d.day >= from);
    let largest = counting.max_by_key(|d| (d.peak, d.day))?;
    Some((largest.day, largest.peak))
}

/// Returns the peaks of the days with a success, or of all days if there is none. The memory of a failed
/// invocation is only a lower bound of its demand, which the floor covers.
fn peaks_of(decided: &[DayPeak], with_success: &[Day]) -> Vec<Megabytes> {
    let proven = decided
        .iter()
        .filter(|p| with_success.binary_search(&p.day).is_ok());
    let proven: Vec<Megabytes> = proven.map(|p| p.peak).collect();
    if proven.is_empty() {
        return decided.iter().map(|p| p.peak).collect();
    }
    proven
}

/// Puts an assessment together. `peaks` are the days with a memory figure, oldest first, from
/// [`Viewpoint::history_from`] on.
pub fn assemble(
    known: Known,
    peaks: Vec<DayPeak>,
    span: &Span,
    usage: &Usage,
    around: Around,
    view: Viewpoint<'_>,
) -> Assessment {
    let floor_from = view.floor_from();
    let floor_peak = peaks.iter().filter(|p| p.day >= floor_from);
    let floor_peak = floor_peak.max_by_key(|p| p.peak);
    let mut changes = around.history.changes;
    changes.baseline_p95 = known.baseline_p95;
    if let Some(last) = &mut changes.last {
        last.invocations = usage.since(last.at.day(), last.to_mb);
    }
    let pending = around.history.pending_mb;
    let evidence = FunctionEvidence {
        current_mb: known.current_mb,
        pending_mb: pending.filter(|mb| *mb > known.current_mb),
        window: EvidenceWindow {
            from: span.from,
            to: span.to,
            days: u32::try_from(span.decided.len()).unwrap_or(u32::MAX),
            invocations: usage.invocations,
        },
        successes: Successes {
            days: u32::try_from(usage.days_with_success.len()).unwrap_or(u32::MAX),
            invocations: usage.succeeded,
        },
        daily_peaks: peaks_of(&span.decided, &usage.days_with_success),
        floor_peak: floor_peak.map(|p| (p.day, p.peak)),
        agreed_mb: Some(around.agreed),
        censored: around.censored,
        leak: around.leak,
        changes,
        configured: known.configured,
        sizes: usage.size_facts(),
        health: usage.health(),
        alarm: known.alarm,
        deployed_at: known.deployed,
        failures_only: known.failures_only && usage.by_logs,
        wrapped: usage.wrapped(),
        first_report: known.known_since,
        present: view.present(),
        history: peaks,
    };
    Assessment {
        evidence,
        peak_mb: span.peak_mb,
        usage: price::Usage {
            billed_ms: usage.billed_ms,
            invocations: usage.invocations,
            days: span.calendar_days,
        },
        p99: usage.p99(known.current_mb),
        known: known.known,
        function: known.function,
        version: known.version,
        arch: known.arch,
    }
}
