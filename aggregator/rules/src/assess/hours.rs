//! The hours of a size, from its days.

use rightsizer_records::Day;

use crate::power::{PartOfDay, SizeHours};
use crate::window::{Distribution, Hours};

/// Returns the hours of a size from its days, in any order, and all of its durations.
pub fn size_hours<'a>(
    days: impl IntoIterator<Item = (Day, &'a Hours)>,
    durations: &Distribution,
) -> SizeHours {
    let parts = days
        .into_iter()
        .flat_map(|(day, hours)| hours.parts().map(move |part| PartOfDay::of(day, part)));
    SizeHours::of(
        parts.collect(),
        durations.count(),
        durations.ln_spread().unwrap_or(0.0),
    )
}

#[cfg(test)]
mod tests {
    use rightsizer_records::{Megabytes, Millis};

    use super::super::{SizeDay, Usage};
    use super::*;
    use crate::window::{DaySource, DayStats};

    /// A day of 512 MB at which each hour has 10 invocations, of 200 ms in the first six hours and 100 in the others; or
    /// only the first six hours, at 1024 MB.
    fn day_until(hour: i64, day: Day) -> DayStats {
        let mut stats = DayStats::default();
        for hour in 0..hour {
            let ms = if hour < 6 { 200 } else { 100 };
            for _ in 0..10 {
                stats.invocations += 1;
                stats.billed_ms += ms;
                stats.durations.record(ms);
                let at = day.start().plus_ms(hour * 3_600_000 + 1);
                stats.hours.add(at, Millis::from_ms(ms));
            }
        }
        stats
    }

    /// A decision sees the hours of the days that count, and none of a function with one size.
    #[test]
    fn the_sizes_of_a_decision_have_their_hours_matched() {
        let first = Day::parse("2026-01-05").unwrap();
        let mut usage = Usage::default();
        let add = |usage: &mut Usage, day: i32, size: u32, hours: i64| {
            let day = first.plus(day);
            let stats = day_until(hours, day);
            let row = SizeDay::of(&stats);
            assert!(usage.count(day, DaySource::Layer.rank(), row.counts));
            usage.add(day, Megabytes(size), &row);
        };
        for day in 0..4 {
            add(&mut usage, day, 512, 24);
        }
        assert_eq!(usage.size_facts()[0].hours_factor, None);
        add(&mut usage, 4, 1024, 6);
        let facts = usage.size_facts();
        let factor = |at: usize| facts[at].hours_factor.unwrap();
        assert_eq!(
            (facts[0].p50, facts[1].p50),
            (Millis::from_ms(100), Millis::from_ms(200))
        );
        assert!((factor(1) / factor(0) - 0.5).abs() < 0.005, "{facts:?}");
    }
}
