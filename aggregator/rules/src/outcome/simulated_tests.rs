//! How often the verdict is wrong, by simulation with a fixed seed: false alarms without a change,
//! and harm that is missed.

use rightsizer_records::{Megabytes, Millis, Timestamp};

use super::judge::{Verdict, judge};
use super::trial::{After, Before, Failures, Silences, Trial};

/// Functions a case.
const FUNCTIONS: u32 = 1000;
/// Looks at each of them: as it would be judged every hour for four days.
const LOOKS: u32 = 100;

/// A small generator (splitmix64): the same figures in every run.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        #[expect(clippy::cast_precision_loss, reason = "53 bits")]
        let unit = ((z ^ (z >> 31)) >> 11) as f64 / 9_007_199_254_740_992.0;
        unit
    }

    /// Of `n` tries with chance `p`.
    fn of(&mut self, n: u64, p: f64) -> u64 {
        (0..n).map(|_| u64::from(self.next() < p)).sum()
    }
}

/// What a function does: chance of an error and of being slower than the earlier 95th percentile × the
/// tolerance, before and after; invocations an hour; hours of the day that it is called in.
#[derive(Clone, Copy)]
struct Function {
    errors: (f64, f64),
    slow: f64,
    calls_an_hour: u64,
    hours_a_day: u32,
}

/// Rollbacks among the functions, each looked at until the first.
fn rollbacks(function: Function, seed: u64) -> u32 {
    let mut chance = Chance(seed);
    (0..FUNCTIONS)
        .map(|_| u32::from(is_rolled_back(function, &mut chance)))
        .sum()
}

fn is_rolled_back(function: Function, chance: &mut Chance) -> bool {
    let hours = 14 * u64::from(function.hours_a_day);
    let invocations = hours * function.calls_an_hour;
    let at = Timestamp::parse("2026-03-01T00:00:00Z").unwrap();
    let mut trial = Trial {
        from_mb: Megabytes(1024),
        to_mb: Megabytes(512),
        applied_at: at,
        now: at,
        before: Before {
            invocations,
            billed_ms: invocations * 100,
            errors: Failures {
                count: chance.of(invocations, function.errors.0),
                worst_day_share: 0.0,
            },
            p95: Some(Millis::from_ms(200)),
            silences: Silences {
                count: hours,
                longest_hours: 25 - function.hours_a_day,
            },
            ..Before::default()
        },
        after: After::default(),
        same_hours: None,
        p95_tolerance: 1.25,
        reverted_sightings: 0,
    };
    (0..LOOKS).any(|hour| {
        trial.now = at.plus_ms(i64::from(hour) * 3_600_000);
        let active = hour % 24 < function.hours_a_day;
        let calls = if active { function.calls_an_hour } else { 0 };
        let seen = &mut trial.after;
        seen.invocations += calls;
        seen.timed += calls;
        seen.errors += chance.of(calls, function.errors.1);
        seen.slow += chance.of(calls, function.slow);
        seen.silent_hours = if active { 0 } else { seen.silent_hours + 1 };
        matches!(judge(&trial), Verdict::Rollback(_))
    })
}

const CALM: Function = Function {
    errors: (0.01, 0.01),
    slow: 0.03,
    calls_an_hour: 20,
    hours_a_day: 24,
};

/// Nothing changed, 100 looks each: at most one function in a thousand is rolled back; also those that are
/// called by day only, that fail often, and that never failed.
#[test]
fn false_alarms_are_rare() {
    let cases = [
        CALM,
        Function {
            hours_a_day: 8,
            ..CALM
        },
        Function {
            errors: (0.2, 0.2),
            ..CALM
        },
        Function {
            errors: (0.0, 0.0),
            calls_an_hour: 200,
            ..CALM
        },
        Function {
            errors: (0.001, 0.001),
            calls_an_hour: 5,
            ..CALM
        },
    ];
    for (n, function) in cases.into_iter().enumerate() {
        let alarms = rollbacks(function, n as u64);
        assert!(
            alarms <= FUNCTIONS / 1000,
            "case {n}: {alarms} of {FUNCTIONS}"
        );
    }
}

/// Even with the 95th percentile exactly at the tolerance, a hundred checks cause few false
/// alarms.
#[test]
fn at_the_tolerance_looking_often_does_not_add_up() {
    let edge = Function { slow: 0.05, ..CALM };
    let alarms = rollbacks(edge, 7);
    assert!(alarms <= FUNCTIONS / 100, "{alarms} of {FUNCTIONS}");
}

/// 5 % errors after 1 %, or every ninth invocation beyond the tolerance: found in four days of 20
/// calls an hour, in 99 of 100 functions.
#[test]
fn harm_is_found() {
    for (name, harmed) in [
        (
            "errors",
            Function {
                errors: (0.01, 0.05),
                ..CALM
            },
        ),
        (
            "first errors",
            Function {
                errors: (0.0, 0.01),
                ..CALM
            },
        ),
        ("slower", Function { slow: 0.11, ..CALM }),
    ] {
        let found = rollbacks(harmed, 3);
        assert!(
            found * 100 >= FUNCTIONS * 99,
            "{name}: {found} of {FUNCTIONS}"
        );
    }
}
