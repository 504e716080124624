//! Functions whose durations and traffic follow the hours and the week.

use rightsizer_records::{Day, Millis};

use super::*;
use crate::assess::size_hours;
use crate::window::{Distribution, Hours};

/// A Thursday.
const FIRST: i32 = 20_601;

/// Hours of days: durations in ms by day and hour of the day, with this number of invocations.
pub(super) fn hours(of: impl IntoIterator<Item = (i32, i64, f64, u32)>) -> SizeHours {
    let mut days: Vec<(Day, Hours)> = Vec::new();
    let mut durations = Distribution::default();
    for (day, hour, ms, calls) in of {
        let day = Day::from_number(FIRST + day);
        if days.last().is_none_or(|(last, _)| *last != day) {
            days.push((day, Hours::default()));
        }
        let at = day.start().plus_ms(hour * 3_600_000 + 1);
        let duration = Millis::from_ms_f64((ms * 1000.0).round() / 1000.0).unwrap();
        for _ in 0..calls {
            days.last_mut().unwrap().1.add(at, duration);
            durations.record(duration.ceil_ms());
        }
    }
    size_hours(days.iter().map(|(day, hours)| (*day, hours)), &durations)
}

/// 30 % longer from midnight to 06:00, and 20 % longer on the weekend.
pub(super) fn usual(day: i32, hour: i64) -> f64 {
    let night = if hour < 6 { 1.3 } else { 1.0 };
    let weekend = if matches!(day % 7, 2 | 3) { 1.2 } else { 1.0 };
    100.0 * night * weekend
}

fn near(factors: &[Option<f64>], wanted: f64) {
    let [Some(before), Some(after)] = factors[..] else {
        panic!("{factors:?}");
    };
    let found = after / before;
    assert!(
        (found / wanted - 1.0).abs() < 0.01,
        "{found}, wanted {wanted}"
    );
}

/// A week at one size, then the night of a Saturday at another: ten calls an hour. The second takes 130 × 1.2 = 156 ms,
/// the first mostly 100: (5 ÷ 7) × (18 ÷ 24) = 54 % of its calls. Equally fast sizes have equal medians at the same
/// hours.
#[test]
fn the_night_of_a_weekend_is_compared_with_others() {
    let week = (0..7).flat_map(|day| (0..24).map(move |hour| (day, hour, usual(day, hour), 10)));
    let night = (0..6).map(|hour| (9, hour, usual(9, hour), 10));
    let factors = match_hours(&[hours(week), hours(night)]);
    near(&factors, 100.0 / 156.0);
    // The hours of all are those of 1,680 and 60 invocations, so the first hardly changes.
    assert!((factors[0].unwrap() - 1.0).abs() < 0.02, "{factors:?}");
}

/// Twice as fast at the same hours: nothing to shift.
#[test]
fn sizes_at_the_same_hours_are_left_as_they_are() {
    let week = |first: i32, factor: f64| {
        (0..7).flat_map(move |day| {
            (0..24).map(move |hour| (first + day, hour, factor * usual(day, hour), 3))
        })
    };
    let factors = match_hours(&[hours(week(0, 1.0)), hours(week(7, 0.5))]);
    near(&factors, 1.0);
}

/// Each day takes 3 % longer than the day before, and nothing depends on the hour or the week.
#[test]
fn a_drift_is_not_an_effect_of_the_hours() {
    let ms = |day: i32| 100.0 * 1.03_f64.powi(day);
    let week = (0..7).flat_map(|day| (0..24).map(move |hour| (day, hour, ms(day), 3)));
    let day = (0..12).map(|hour| (7, hour, ms(7), 3));
    near(&match_hours(&[hours(week), hours(day)]), 1.0);
}

/// Noise of up to 20 % from part to part, without a pattern: the shift is 1.2 % on average, without the shrinking 1.9 %.
#[test]
fn noise_is_not_an_effect() {
    let (mut sum, mut most) = (0.0, 0.0_f64);
    for seed in 0..40_u64 {
        let mut state = seed;
        let mut noisy = |day: i32, hour: i64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            #[expect(clippy::cast_precision_loss, reason = "31 bits")]
            let unit = (state >> 33) as f64 / f64::from(1_u32 << 31);
            (day, hour, 100.0 * (0.4 * (unit - 0.5)).exp(), 5)
        };
        let week: Vec<_> = (0..7)
            .flat_map(|day| (0..24).step_by(3).map(move |hour| (day, hour)))
            .collect();
        let week: Vec<_> = week
            .into_iter()
            .map(|(day, hour)| noisy(day, hour))
            .collect();
        let night: Vec<_> = (0..9).step_by(3).map(|hour| noisy(9, hour)).collect();
        let factors = match_hours(&[hours(week), hours(night)]);
        let shift = (factors[1].unwrap() / factors[0].unwrap() - 1.0).abs();
        sum += shift;
        most = most.max(shift);
    }
    println!("{:.1} % mean, {:.1} % at most", sum / 0.4, most * 100.0);
    assert!(sum / 40.0 < 0.015, "{sum} {most}");
}

/// A weekday at one size and a Sunday at another: whether the size or the weekend makes the difference is not known.
#[test]
fn what_is_not_compared_within_a_size_is_not_shifted() {
    let day = |day| (0..24).map(move |hour| (day, hour, usual(day, hour), 5));
    let factors = match_hours(&[hours(day(0)), hours(day(3))]);
    near(&factors, 1.0);
}

/// 89 of 100 durations with a time of day are too few, 90 are enough.
#[test]
fn hours_of_a_part_of_the_invocations_are_not_matched() {
    let of = |durations| SizeHours {
        durations,
        ..hours((0..9).map(|day| (day, 12, 100.0, 10)))
    };
    assert_eq!(match_hours(&[of(100), of(102)]), [None, None]);
    assert_eq!(
        match_hours(&[of(100), of(100), of(102)]),
        [Some(1.0), Some(1.0), None]
    );
    assert_eq!(match_hours(&[of(100)]), [None]);
    assert_eq!(
        match_hours(&[SizeHours::of(Vec::new(), 0, 0.0), of(90)]),
        [None, None]
    );
}
