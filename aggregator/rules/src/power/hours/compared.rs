//! Compares the invocations after a change with those before it at the same hours.

use super::{
    COVERED, Cells, Effects, LEAST_SHIFT, PartOfDay, SizeHours, Times, is_weekend, weighted_mean,
};

/// The bounds of the ratio are this many standard errors away from it: 95 % of such ratios lie on the side of each.
const ERRORS: f64 = 1.645;

/// Durations after a change beside those before it at the same hours and on the same days of the week.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct HoursCompared {
    /// The earlier 95th percentile at the hours after the change ÷ as it was measured.
    pub(crate) p95_factor: f64,
    /// The lower confidence bound of the ratio of the geometric means, after ÷ before, at the same hours.
    pub(crate) least_ratio: f64,
    /// Its upper confidence bound.
    pub(crate) most_ratio: f64,
}

/// Compares two sizes. The effects of the hours are those of `before` alone, so that nothing that came with the change
/// is taken for one. `None` if the hours of either side are not known, or if a tenth or more of what ran after the change
/// ran at hours or on days of the week that were not seen before.
pub(crate) fn compare_hours(before: &SizeHours, after: &SizeHours) -> Option<HoursCompared> {
    if !before.is_covered() || !after.is_covered() {
        return None;
    }
    let mut cells = Cells::default();
    cells.add(0, before);
    let effects = cells.seasons();
    let (earlier, later) = (rows(before, &effects), rows(after, &effects));
    let count = |rows: &[Row]| rows.iter().map(|row| row.count).sum::<f64>();
    let all: f64 = after.parts.iter().map(|part| part.count).sum();
    if count(&later) < COVERED * all {
        return None;
    }
    let times = |rows: &[Row]| Times::of(rows.iter().map(|row| (row.count, row.effect)));
    let (was, is) = (times(&earlier), times(&later));
    let deviation = was.deviation_within(before.spread);
    let shift = is.quantile(0.95, deviation) - was.quantile(0.95, deviation);
    let level =
        |rows: &[Row]| weighted_mean(rows.iter().map(|row| (row.count, row.log - row.effect)));
    let spread = before.spread.max(after.spread);
    let error = spread * (1.0 / count(&earlier) + 1.0 / count(&later)).sqrt();
    let ratio = level(&later) - level(&earlier);
    Some(HoursCompared {
        p95_factor: if shift.abs() < LEAST_SHIFT {
            1.0
        } else {
            shift.exp()
        },
        least_ratio: (ratio - ERRORS * error).exp(),
        most_ratio: (ratio + ERRORS * error).exp(),
    })
}

/// What ran in one part of a day, with what that time adds to a logarithm.
struct Row {
    count: f64,
    log: f64,
    effect: f64,
}

/// The parts of days at times whose effects are known.
fn rows(size: &SizeHours, effects: &Effects) -> Vec<Row> {
    let row = |part: &PartOfDay| {
        Some(Row {
            count: part.count,
            log: part.log,
            effect: effects.at(part.part, is_weekend(part.day))?,
        })
    };
    size.parts.iter().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{hours, usual};
    use super::*;

    fn week(first: i32, factor: f64) -> impl Iterator<Item = (i32, i64, f64, u32)> {
        (first..first + 7).flat_map(move |day| {
            (0..24).map(move |hour| (day, hour, factor * usual(day, hour), 10))
        })
    }

    /// A week, then a Saturday from midnight to 06:00: 130 × 1.2 = 156 ms. Before, 2 ÷ 7 × 6 ÷ 24 = 7 % of the invocations
    /// took as long, so the earlier 95th percentile is 156 ms as well: nothing to shift, and the same speed.
    #[test]
    fn slow_hours_that_the_earlier_percentile_is_of_shift_nothing() {
        let night = |factor: f64| hours((0..6).map(|hour| (9, hour, factor * usual(9, hour), 10)));
        let same = compare_hours(&hours(week(0, 1.0)), &night(1.0)).unwrap();
        assert!((same.p95_factor - 1.0).abs() < 0.02, "{same:?}");
        assert!((0.85..=1.0).contains(&same.least_ratio), "{same:?}");
        // 1.5 times as long at the same hours; the error is that of 60 invocations.
        let slower = compare_hours(&hours(week(0, 1.0)), &night(1.5)).unwrap();
        assert!((same.p95_factor - slower.p95_factor).abs() < 1e-9);
        assert!((1.3..=1.5).contains(&slower.least_ratio), "{slower:?}");
    }

    /// At noon of a weekday all take 100 ms, of which the earlier 95th percentile is 156.
    #[test]
    fn fast_hours_have_a_lower_percentile() {
        let noon = hours((9..15).map(|hour| (11, hour, usual(11, hour), 10)));
        let found = compare_hours(&hours(week(0, 1.0)), &noon).unwrap();
        assert!((found.p95_factor * 1.56 - 1.0).abs() < 0.03, "{found:?}");
        assert!((0.85..=1.0).contains(&found.least_ratio), "{found:?}");
    }

    /// Before, it ran from 06:00 to 18:00 on weekdays. At noon of a Saturday, and at midnight, it is not known how long it
    /// took before.
    #[test]
    fn times_that_were_not_seen_before_are_not_compared() {
        let office = (0..2)
            .chain(4..7)
            .flat_map(|day| (6..18).map(move |hour| (day, hour)));
        let office = hours(office.map(|(day, hour)| (day, hour, 100.0, 10)));
        let at = |day: i32, hour: i64, calls: u32| (day, hour, 100.0, calls);
        assert!(compare_hours(&office, &hours([at(11, 12, 50)])).is_some());
        assert_eq!(compare_hours(&office, &hours([at(9, 12, 50)])), None);
        assert_eq!(compare_hours(&office, &hours([at(11, 3, 50)])), None);
        assert!(compare_hours(&office, &hours([at(11, 3, 5), at(11, 12, 45)])).is_some());
        assert_eq!(
            compare_hours(&office, &hours([at(11, 3, 6), at(11, 12, 44)])),
            None
        );
    }
}
