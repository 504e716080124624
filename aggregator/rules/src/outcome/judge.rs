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
    /// It harms: back to `rollback_size`, and no decrease for [`HOLD_DAYS`].
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
        /// The tolerance; × `hours`, if that is known.
        tolerance: f64,
        /// The chance of as many, were all as it was.
        chance: f64,
        /// If they are only slow for their hours: the earlier 95th percentile at these hours ÷ at all.
        hours: Option<f64>,
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
    if seen_enough && !may_be_slower(trial) {
        Verdict::Verified(Saving::of(trial))
    } else {
        Verdict::Wait
    }
}

/// The size of a rollback: the last verified size, else the one before; or P3's bump of a size
/// that ran out, if that is larger.
pub(crate) fn rollback_size(
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
/// about how durations are distributed. If hours are known, two of three signs have to agree: the days as they were
/// measured, the same with the 95th percentile at the hours of the new size, and the mean logarithms at the same hours.
/// With equal hours the first two are one.
fn slower(trial: &Trial) -> Option<Cause> {
    let [measured, matched] = slow_signs(trial);
    let Some(same) = trial.same_hours else {
        return measured;
    };
    let both = measured.is_some() && matched.is_some();
    let agree = both || same.least_ratio > trial.p95_tolerance;
    measured.or(matched).filter(|_| agree)
}

/// Whether one of the signs shows a slowdown, and the mean logarithms do not exclude it. Such a change waits for more
/// invocations.
fn may_be_slower(trial: &Trial) -> bool {
    let one_sign = || slow_signs(trial).iter().any(Option::is_some);
    let doubt = |most_ratio: f64| most_ratio > trial.p95_tolerance;
    trial.is_decrease() && trial.same_hours.is_some_and(|same| doubt(same.most_ratio)) && one_sign()
}

/// As measured, and with the 95th percentile at the hours of the new size.
fn slow_signs(trial: &Trial) -> [Option<Cause>; 2] {
    if trial.before.p95.is_none() {
        return [None; 2];
    }
    let matched = trial.same_hours.map(|same| (same.slow, same.p95_factor));
    [
        many_slow(trial, trial.after.slow, None),
        matched.and_then(|(slow, factor)| many_slow(trial, slow, Some(factor))),
    ]
}

fn many_slow(trial: &Trial, slow: u64, hours: Option<f64>) -> Option<Cause> {
    let of = trial.after.timed;
    let chance = at_least(slow, of, 0.05);
    let tolerance = hours.map_or(trial.p95_tolerance, |hours| {
        (trial.p95_tolerance * hours * 100.0).round() / 100.0
    });
    (chance <= ALPHA).then_some(Cause::Slower {
        slow,
        of,
        tolerance,
        chance,
        hours,
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
    pub(crate) const fn reason(&self) -> Reason {
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
                hours: _,
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
            Self::OutOfMemory(count) => match count {
                1 => write!(f, "ran out of memory 1 time"),
                _ => write!(f, "ran out of memory {count} times"),
            },
            Self::Errors(rise) => write!(f, "more errors: {}", rose(rise)),
            Self::Timeouts(rise) => write!(f, "more timeouts: {}", rose(rise)),
            Self::InitFailures(rise) => write!(f, "environments do not start: {}", rose(rise)),
            Self::Slower {
                slow,
                of,
                tolerance,
                hours,
                ..
            } => {
                let earlier = "the earlier 95th percentile";
                write!(
                    f,
                    "slower: {slow} of {of} invocations took over {tolerance} × {earlier}"
                )?;
                hours.map_or(Ok(()), |hours| {
                    write!(f, ", which was {hours:.2} × as long at the same hours")
                })
            }
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
mod tests;
