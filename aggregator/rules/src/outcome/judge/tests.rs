//! Tests of `judge`.

use rightsizer_records::{Millis, Timestamp};

use super::super::trial::{After, Before, Reverted, SameHours, Silences};
use super::*;

/// 1024 → 512 two days ago: 100,000 invocations before, 1 % errors, 0.1 % timeouts, 95 % within
/// 200 ms; calls in each of 300 hours, never 3 hours without; since then 10,000 as they were.
fn trial() -> Trial {
    let failures = |count| Failures {
        count,
        worst_day_share: 0.0,
    };
    Trial {
        from_mb: Megabytes(1024),
        to_mb: Megabytes(512),
        applied_at: Timestamp::parse("2026-03-01T00:00:00Z").unwrap(),
        now: Timestamp::parse("2026-03-03T00:00:00Z").unwrap(),
        before: Before {
            invocations: 100_000,
            billed_ms: 10_000_000,
            errors: failures(1000),
            timeouts: failures(100),
            init_failures: failures(0),
            p95: Some(Millis::from_ms(200)),
            silences: Silences {
                count: 300,
                longest_hours: 3,
            },
        },
        after: After {
            invocations: 10_000,
            billed_ms: 1_050_000,
            errors: 100,
            timeouts: 10,
            timed: 10_000,
            slow: 500,
            ..After::default()
        },
        same_hours: None,
        p95_tolerance: 1.25,
        reverted_sightings: 0,
    }
}

fn after(change: impl Fn(&mut After)) -> Verdict {
    let mut trial = trial();
    change(&mut trial.after);
    judge(&trial)
}

fn is_verified(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Verified(Some(_)))
}

#[test]
fn a_harmless_change_is_verified_with_its_saving() {
    let Verdict::Verified(Some(saving)) = judge(&trial()) else {
        panic!("{:?}", judge(&trial()));
    };
    // 105 ms × 512 MB ÷ (100 ms × 1024 MB)
    assert!((saving.gb_seconds_factor() - 0.525).abs() < 1e-12);
}

#[test]
fn nothing_is_verified_within_a_day_or_on_fewer_than_50_invocations() {
    let mut early = trial();
    early.now = early.applied_at.plus_ms(24 * 3_600_000 - 1);
    assert_eq!(judge(&early), Verdict::Wait);
    early.now = early.applied_at.plus_ms(24 * 3_600_000);
    assert!(is_verified(judge(&early)));
    let few = |invocations| {
        after(|a| {
            *a = After {
                invocations,
                ..After::default()
            }
        })
    };
    assert_eq!(few(49), Verdict::Wait);
    assert!(is_verified(few(50)));
}

#[test]
fn one_out_of_memory_is_enough() {
    let verdict = after(|a| a.out_of_memory = 1);
    assert_eq!(verdict, Verdict::Rollback(Cause::OutOfMemory(1)));
}

/// 1 % before, so up to 1.5 % is none: 150 of 10,000 is that, 250 is beyond chance. No failed start
/// before: 5 are 0.13^5 = 4e-5, 4 are 3e-4 (0.13 = 15,000 ÷ 115,000).
#[test]
fn a_jump_in_errors_timeouts_or_starts_is_a_rollback() {
    assert!(is_verified(after(|a| a.errors = 150)));
    assert!(matches!(
        after(|a| a.errors = 250),
        Verdict::Rollback(Cause::Errors(_))
    ));
    assert!(matches!(
        after(|a| a.timeouts = 50),
        Verdict::Rollback(Cause::Timeouts(_))
    ));
    assert!(is_verified(after(|a| a.init_failures = 4)));
    assert!(matches!(
        after(|a| a.init_failures = 5),
        Verdict::Rollback(Cause::InitFailures(_))
    ));
}

/// Two errors in 60 invocations, after none in 100,000: beyond chance, and still only two.
#[test]
fn two_failures_are_not_a_jump() {
    let first = |errors| {
        let mut trial = trial();
        trial.before.errors.count = 0;
        trial.after = After {
            invocations: 60,
            errors,
            ..After::default()
        };
        judge(&trial)
    };
    assert!(is_verified(first(2)));
    assert!(matches!(first(3), Verdict::Rollback(Cause::Errors(_))));
}

/// It may not start at all: no invocation, only failed starts.
#[test]
fn a_function_that_does_not_start_is_rolled_back() {
    let verdict = after(|a| {
        *a = After {
            init_failures: 5,
            ..After::default()
        }
    });
    assert!(matches!(verdict, Verdict::Rollback(Cause::InitFailures(_))));
}

/// 2.5 % errors on the worst day before: 250 of 10,000 is a day like that one.
#[test]
fn a_day_as_bad_as_an_earlier_one_does_not_count() {
    let mut trial = trial();
    trial.after.errors = 250;
    trial.before.errors.worst_day_share = 0.025;
    assert!(is_verified(judge(&trial)));
    trial.after.errors = 400;
    assert!(matches!(judge(&trial), Verdict::Rollback(Cause::Errors(_))));
}

/// 5 % of 10,000 are 500, standard deviation 22: 560 is chance (0.3 %), 700 is not.
#[test]
fn a_95th_percentile_beyond_the_tolerance_is_a_rollback() {
    assert!(is_verified(after(|a| a.slow = 560)));
    assert!(matches!(
        after(|a| a.slow = 700),
        Verdict::Rollback(Cause::Slower { .. })
    ));
    assert_eq!(slow_above_200(), Some(Millis::from_ms(250)));
}

/// 700 of 10,000 beyond the limit are too many, 500 are not. The mean logarithms show between which ratios the change lies.
#[test]
fn one_sign_of_a_slowdown_waits_until_the_mean_excludes_it() {
    let with = |measured, slow, [least_ratio, most_ratio]: [f64; 2]| {
        let mut trial = trial();
        trial.after.slow = measured;
        trial.same_hours = Some(SameHours {
            p95_factor: 1.1,
            slow,
            least_ratio,
            most_ratio,
        });
        judge(&trial)
    };
    for (measured, slow) in [(700, 500), (500, 700)] {
        assert!(matches!(
            with(measured, slow, [1.26, 1.4]),
            Verdict::Rollback(_)
        ));
        assert_eq!(with(measured, slow, [1.1, 1.26]), Verdict::Wait);
        assert!(is_verified(with(measured, slow, [0.9, 1.25])));
    }
    assert!(matches!(with(700, 700, [0.9, 1.1]), Verdict::Rollback(_)));
    assert!(is_verified(with(500, 500, [1.26, 1.4])));
}

fn slow_above_200() -> Option<Millis> {
    super::super::trial::slow_above(Millis::from_ms(200), 1.25)
}

/// 300 silences before, 3 h at most: 6 h is twice that, 2 ÷ (301 × 302) = 2.2e-5. A function that ran
/// on 10 days with a weekend between, (2 + 1) × 24 h: three times that, 6 ÷ (11·12·13) = 0.0035, is
/// chance; four times, 24 ÷ (11·12·13·14) = 0.000999, is not.
#[test]
fn silence_is_a_rollback_if_there_never_was_one_as_long() {
    assert!(is_verified(after(|a| a.silent_hours = 5)));
    assert!(matches!(
        after(|a| a.silent_hours = 6),
        Verdict::Rollback(Cause::Silent { .. })
    ));
    let weekly = |silent_hours| {
        let mut trial = trial();
        trial.before.silences = Silences {
            count: 10,
            longest_hours: 72,
        };
        trial.after.silent_hours = silent_hours;
        judge(&trial)
    };
    assert!(is_verified(weekly(4 * 72 - 1)));
    assert!(matches!(
        weekly(4 * 72),
        Verdict::Rollback(Cause::Silent { .. })
    ));
}

/// A thousand failures of one environment are one environment's word, and so are nine of nine.
#[test]
fn one_environment_takes_nothing_back() {
    for (environments, invocations) in [(1, 10_000), (2, 9), (0, 9)] {
        let verdict = after(|a| {
            (a.environments, a.invocations) = (Some(environments), invocations);
            (a.out_of_memory, a.errors, a.slow) = (3, invocations, invocations);
        });
        assert!(!matches!(verdict, Verdict::Rollback(_)), "{verdict:?}");
    }
    let two = after(|a| (a.environments, a.out_of_memory) = (Some(2), 1));
    assert_eq!(two, Verdict::Rollback(Cause::OutOfMemory(1)));
    let silent = after(|a| (a.environments, a.silent_hours) = (Some(0), 6));
    assert!(matches!(silent, Verdict::Rollback(Cause::Silent { .. })));
}

#[test]
fn the_old_size_is_back_if_environments_with_traffic_have_it_and_the_account_does_not_deny_it() {
    let seen = Reverted {
        environments: 2,
        invocations: 10,
        contradicted: false,
    };
    let few = Reverted {
        invocations: 9,
        ..seen
    };
    let denied = Reverted {
        contradicted: true,
        ..seen
    };
    let sightings = [seen, few, denied].map(Reverted::sightings);
    assert_eq!(sightings, [2, 0, 0]);
}

#[test]
fn two_sightings_of_the_old_size_are_a_revert() {
    let mut trial = trial();
    trial.reverted_sightings = 1;
    assert!(is_verified(judge(&trial)));
    trial.reverted_sightings = 2;
    trial.after.out_of_memory = 1;
    assert_eq!(judge(&trial), Verdict::Reverted);
}

#[test]
fn an_increase_is_never_rolled_back() {
    let mut trial = trial();
    (trial.from_mb, trial.to_mb) = (Megabytes(512), Megabytes(1024));
    trial.after.errors = 9000;
    assert!(is_verified(judge(&trial)));
    trial.after.out_of_memory = 1;
    assert_eq!(judge(&trial), Verdict::Wait);
}

/// Ran out at 512: max(615, 612) = 615. At 900: 1080.
#[test]
fn a_rollback_goes_to_the_last_good_size_or_the_bump() {
    let trial = trial();
    let mb = Megabytes;
    assert_eq!(rollback_size(&trial, None, None), mb(1024));
    assert_eq!(rollback_size(&trial, Some(mb(768)), Some(mb(512))), mb(768));
    assert_eq!(rollback_size(&trial, Some(mb(600)), Some(mb(512))), mb(615));
    assert_eq!(rollback_size(&trial, None, Some(mb(900))), mb(1080));
    assert_eq!(
        rollback_size(&trial, Some(mb(256)), None),
        mb(1024),
        "never further down"
    );
}
