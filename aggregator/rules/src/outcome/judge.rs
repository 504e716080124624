//! The verdict. Each sign of harm has its test; the first that speaks decides.

use std::fmt;

use rightsizer_records::{Megabytes, Reason, Rise};

use super::saving::Saving;
use super::trial::{Failures, Trial};
use crate::exact_tests::{at_least, rate_rose, silence};
use crate::policy::after_running_out;

/// The days after a rollback without a decrease.
pub const HOLD_DAYS: u32 = 14;
/// The chance of each false alarm that is accepted, at each look.
const ALPHA: f64 = 1e-4;
/// The same for a silence, which comes once and not at each look.
const ALPHA_SILENCE: f64 = 1e-3;
/// A rate of failures up to this many times the earlier one is not a jump.
const LEAST_RISE: f64 = 1.5;
/// Fewer failures than this are not a jump, however unlikely.
const LEAST_FAILURES: u64 = 3;
/// A silence has to be at least this many times the longest earlier one.
const LEAST_SILENCE: u32 = 2;
/// Nothing is verified sooner, or on fewer invocations (P5).
const VERIFY_HOURS: i64 = 24;
const VERIFY_INVOCATIONS: u64 = 50;
/// With this number of environments at the old size, someone else restored it.
const REVERTED: u32 = 2;

/// The result of a change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// Too early to judge.
    Wait,
    /// It does no harm; with what it saved, if that was measured on both sides.
    Verified(Option<Saving>),
    /// It harms: back to [`rollback_size`], and no decrease for [`HOLD_DAYS`].
    Rollback(Cause),
    /// Someone else restored the old size: not to be fought.
    Reverted,
}

/// The harm that a change did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cause {
    /// How often it ran out of memory.
    OutOfMemory(u64),
    /// More errors.
    Errors(Rise),
    /// More timeouts.
    Timeouts(Rise),
    /// More environments that do not start.
    InitFailures(Rise),
    /// More than 5 % of the invocations took longer than the earlier 95th percentile × the tolerance.
    Slower {
        /// How many did.
        slow: u64,
        /// Of how many.
        of: u64,
        /// The tolerance.
        tolerance: f64,
        /// The chance of as many, were all as it was.
        chance: f64,
    },
    /// It has no calls for longer than ever before.
    Silent {
        /// The hours without a call.
        hours: u32,
        /// The longest silence before.
        longest_hours: u32,
        /// The chance of such a silence, were all as it was.
        chance: f64,
    },
}

/// Judges a change. The more often it is asked the sooner it speaks; the tests leave room for that.
pub fn judge(trial: &Trial) -> Verdict {
    if trial.reverted_sightings >= REVERTED {
        return Verdict::Reverted;
    }
    if trial.is_decrease() {
        if let Some(cause) = harm(trial) {
            return Verdict::Rollback(cause);
        }
    } else if trial.after.out_of_memory > 0 {
        // An increase is not rolled back: P3 asks for more.
        return Verdict::Wait;
    }
    let seen_enough =
        trial.hours() >= VERIFY_HOURS && trial.after.invocations >= VERIFY_INVOCATIONS;
    if seen_enough {
        Verdict::Verified(Saving::of(trial))
    } else {
        Verdict::Wait
    }
}

/// The size of a rollback: the last verified size, else the one before; or P3's bump of a size
/// that ran out, if that is larger.
pub fn rollback_size(
    trial: &Trial,
    verified: Option<Megabytes>,
    ran_out: Option<Megabytes>,
) -> Megabytes {
    let good = verified
        .filter(|mb| *mb > trial.to_mb)
        .unwrap_or(trial.from_mb);
    ran_out.map_or(good, |size| good.max(after_running_out(size)))
}

fn harm(trial: &Trial) -> Option<Cause> {
    let after = &trial.after;
    if !after.is_consistent() {
        // No environment can claim that it is not called.
        return silent(trial);
    }
    if after.out_of_memory > 0 {
        return Some(Cause::OutOfMemory(after.out_of_memory));
    }
    let before = &trial.before;
    let rise = |earlier, later| rise(trial, earlier, later);
    rise(before.init_failures, after.init_failures)
        .map(Cause::InitFailures)
        .or_else(|| rise(before.timeouts, after.timeouts).map(Cause::Timeouts))
        .or_else(|| rise(before.errors, after.errors).map(Cause::Errors))
        .or_else(|| slower(trial))
        .or_else(|| silent(trial))
}

/// A jump: unlikely even if the rate had risen by half, and unlike the worst day before.
fn rise(trial: &Trial, earlier: Failures, later: u64) -> Option<Rise> {
    let before = (earlier.count, trial.before.invocations);
    // An environment that does not start serves no invocation: it counts as one.
    let after = (later, trial.after.invocations.max(later));
    if later < LEAST_FAILURES || before.1 == 0 {
        return None;
    }
    let chance = rate_rose(before, after, LEAST_RISE);
    let as_the_worst_day = at_least(later, after.1, earlier.worst_day_share);
    (chance <= ALPHA && as_the_worst_day <= ALPHA).then_some(Rise {
        after: after.0,
        after_of: after.1,
        before: before.0,
        before_of: before.1,
        chance,
    })
}

/// The lower confidence bound of the 95th percentile lies above the tolerance, by ranks: no assumption
/// about how durations are distributed.
fn slower(trial: &Trial) -> Option<Cause> {
    trial.before.p95?;
    let (slow, of) = (trial.after.slow, trial.after.timed);
    let chance = at_least(slow, of, 0.05);
    (chance <= ALPHA).then_some(Cause::Slower {
        slow,
        of,
        tolerance: trial.p95_tolerance,
        chance,
    })
}

fn silent(trial: &Trial) -> Option<Cause> {
    let before = trial.before.silences;
    let hours = trial.after.silent_hours;
    let times = hours.checked_div(before.longest_hours)?;
    let chance = silence(before.count, times);
    (times >= LEAST_SILENCE && chance <= ALPHA_SILENCE).then_some(Cause::Silent {
        hours,
        longest_hours: before.longest_hours,
        chance,
    })
}

impl Cause {
    /// As a recommendation's reason, with its figures.
    pub const fn reason(&self) -> Reason {
        match *self {
            Self::OutOfMemory(count) => Reason::RollbackOutOfMemory { count },
            Self::Errors(rise) => Reason::RollbackErrors(rise),
            Self::Timeouts(rise) => Reason::RollbackTimeouts(rise),
            Self::InitFailures(rise) => Reason::RollbackInitFailures(rise),
            Self::Slower {
                slow,
                of,
                tolerance,
                chance,
            } => Reason::RollbackSlower {
                chance,
                of,
                slow,
                tolerance,
            },
            Self::Silent {
                hours,
                longest_hours,
                chance,
            } => Reason::RollbackSilent {
                chance,
                hours,
                longest_hours,
            },
        }
    }
}

fn rose(rise: &Rise) -> String {
    format!(
        "{} of {} invocations, {} of {} before",
        rise.after, rise.after_of, rise.before, rise.before_of
    )
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfMemory(count) => write!(f, "ran out of memory {count} times"),
            Self::Errors(rise) => write!(f, "more errors: {}", rose(rise)),
            Self::Timeouts(rise) => write!(f, "more timeouts: {}", rose(rise)),
            Self::InitFailures(rise) => write!(f, "environments do not start: {}", rose(rise)),
            Self::Slower {
                slow,
                of,
                tolerance,
                ..
            } => write!(
                f,
                "slower: {slow} of {of} invocations took over {tolerance} × the earlier 95th percentile"
            ),
            Self::Silent {
                hours,
                longest_hours,
                ..
            } => write!(
                f,
                "silent for {hours} h; before the change never for more than {longest_hours} h"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use rightsizer_records::{Millis, Timestamp};

    use super::super::trial::{After, Before, Reverted, Silences};
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
    fn the_old_size_is_back_if_environments_with_traffic_have_it_and_the_account_does_not_deny_it()
    {
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
}
