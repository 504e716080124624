//! Both sides of a change at the same hours: a change at three in the morning is not judged by the days before it alone.

use rightsizer_records::Millis;

use super::days::ObservedDay;
use super::trial::{SameHours, slow_above};
use crate::power::{PartOfDay, SizeHours, compare_hours};
use crate::window::Distribution;

/// Compares the days at the old size with those at the new one; `limit` is what an invocation has to exceed to count as
/// slow. `None` if hours are not known.
pub(super) fn same_hours(
    earlier: &[ObservedDay],
    later: &[ObservedDay],
    limit: Millis,
) -> Option<SameHours> {
    let compared = compare_hours(&hours(earlier), &hours(later))?;
    let limit = slow_above(limit, compared.p95_factor)?.ceil_ms();
    Some(SameHours {
        p95_factor: compared.p95_factor,
        slow: later.iter().map(|day| day.durations.above(limit)).sum(),
        least_ratio: compared.least_ratio,
        most_ratio: compared.most_ratio,
    })
}

/// The hours of all days, which ascend.
fn hours(days: &[ObservedDay]) -> SizeHours {
    let mut durations = Distribution::default();
    let mut parts = Vec::new();
    for day in days {
        durations.merge(&day.durations);
        parts.extend(day.hours.parts().map(|part| PartOfDay::of(day.day, part)));
    }
    SizeHours::of(
        parts,
        durations.count(),
        durations.ln_spread().unwrap_or(0.0),
    )
}
