//! P6: whether the evidence shows that less memory is enough. A failed invocation shows the least
//! that was needed, and never that less would be enough.

use rightsizer_records::{FailureKind, Reason, Timestamp};

use super::evidence::FunctionEvidence;
use super::facts::SizeHealth;
use super::reasons::Reasons;
use crate::exact_tests::rates_are_equal;

/// Crashes of the platform block decreases from this share of the invocations on, in percent,
const CRASHES_PERCENT: u64 = 1;
/// and from this number.
const LEAST_CRASHES: u64 = 3;
/// Failures of any kind block decreases from this share of the invocations on, in percent.
const FAILURES_PERCENT: u64 = 50;
/// With this number of invocations at each of two sizes, equal rates show that memory is not the
/// cause of failures.
const COMPARED_INVOCATIONS: u64 = 50;
/// How long after a deployment no decrease is automatic, because the use of the new code is not
/// known yet.
const SETTLING_MS: i64 = 3_600_000;
/// Clocks may differ by so much.
const CLOCK_SKEW_MS: i64 = 300_000;

/// Whether nothing of the evidence justifies a decrease: it fails too often, or reached a limit of its own
/// runtime's heap.
pub(super) fn is_missing(seen: &FunctionEvidence, reasons: &mut Reasons) -> bool {
    let failing = fails(seen, reasons);
    heap_is_full(seen, reasons) || failing
}

/// How the invocations ended at the size that is decided on; if it has not been called yet, at all
/// sizes of its version.
fn present(seen: &FunctionEvidence) -> SizeHealth {
    let of_all = || {
        let none = SizeHealth::none(seen.current_mb);
        seen.health.iter().fold(none, SizeHealth::add)
    };
    let here = seen.health.iter().find(|h| h.memory_mb == seen.current_mb);
    here.copied()
        .filter(|here| here.invocations > 0)
        .unwrap_or_else(of_all)
}

fn fails(seen: &FunctionEvidence, reasons: &mut Reasons) -> bool {
    let here = present(seen);
    let of_all = |count: u64, percent: u64| {
        count > 0 && count.saturating_mul(100) >= here.invocations.saturating_mul(percent)
    };
    let crashing = here.crashes >= LEAST_CRASHES && of_all(here.crashes, CRASHES_PERCENT);
    let failing = of_all(here.failures, FAILURES_PERCENT);
    // What never succeeded proves nothing, at however many sizes.
    let never = here.invocations > 0 && here.failures >= here.invocations;
    if !(never || ((crashing || failing) && !is_the_same_elsewhere(&here, seen))) {
        return false;
    }
    reasons.add(|| {
        let (kind, count) = if failing || never {
            (FailureKind::Failures, here.failures)
        } else {
            (FailureKind::Crashes, here.crashes)
        };
        Reason::Failing {
            count,
            invocations: here.invocations,
            kind,
            mb: here.memory_mb,
            percent: percent(count, here.invocations),
        }
    });
    true
}

/// Whether it fails as often at another size: then it is not for want of memory.
fn is_the_same_elsewhere(here: &SizeHealth, seen: &FunctionEvidence) -> bool {
    let enough = |size: &SizeHealth| size.invocations >= COMPARED_INVOCATIONS;
    let same = |other: &SizeHealth| {
        let rates = |count: fn(&SizeHealth) -> u64| {
            rates_are_equal(
                (count(here), here.invocations),
                (count(other), other.invocations),
            )
        };
        rates(|size| size.crashes) && rates(|size| size.failures)
    };
    let others = seen
        .health
        .iter()
        .filter(|other| other.memory_mb != here.memory_mb);
    seen.health.contains(here) && enough(here) && others.filter(|other| enough(other)).any(same)
}

/// A full heap of the runtime's own may be a limit that was set for it, or one that follows the memory size:
/// with less memory it is not larger.
fn heap_is_full(seen: &FunctionEvidence, reasons: &mut Reasons) -> bool {
    let full = seen.health.iter().filter(|size| size.heap_limits > 0);
    let Some(size) = full.max_by_key(|size| size.memory_mb) else {
        return false;
    };
    reasons.add(|| Reason::HeapLimit {
        count: size.heap_limits,
        mb: size.memory_mb,
        used_mb: size.peak_mb,
    });
    true
}

/// Whether an automatic decrease has to wait for what happens around the function.
pub(super) fn waits(seen: &FunctionEvidence, reasons: &mut Reasons) -> bool {
    if let Some(alarm) = &seen.alarm {
        reasons.add(|| Reason::Alarm {
            name: alarm.clone(),
        });
    }
    let since = seen.deployed_at.map(|at| since_ms(at, seen.present));
    // Under a clock of events of long ago, what was deployed since then is not what ran.
    let fresh = since.filter(|ms| (-CLOCK_SKEW_MS..SETTLING_MS).contains(ms));
    if let Some(ms) = fresh {
        reasons.add(|| Reason::JustDeployed {
            minutes: ms.max(0) / 60_000,
        });
    }
    seen.alarm.is_some() || fresh.is_some()
}

const fn since_ms(at: Timestamp, present: Timestamp) -> i64 {
    present.as_ms().saturating_sub(at.as_ms())
}

/// A share in percent, to one decimal.
fn percent(count: u64, of: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let share = count as f64 / of.max(1) as f64;
    (share * 1000.0).round() / 10.0
}

impl SizeHealth {
    fn add(self, other: &Self) -> Self {
        Self {
            memory_mb: self.memory_mb,
            invocations: self.invocations.saturating_add(other.invocations),
            failures: self.failures.saturating_add(other.failures),
            crashes: self.crashes.saturating_add(other.crashes),
            heap_limits: self.heap_limits.saturating_add(other.heap_limits),
            peak_mb: self.peak_mb.max(other.peak_mb),
            init: self.init.max(other.init),
            restore: self.restore.max(other.restore),
        }
    }
}

#[cfg(test)]
mod tests {
    use rightsizer_records::Megabytes;

    use super::super::case::{Case, figure, has, health};
    use super::*;

    /// 5000 invocations at 1024 MB, of which the given numbers ended in these ways.
    fn ended(failures: u64, crashes: u64) -> Case {
        let mut case = Case::new(1024, &[200; 14]);
        case.0.health = vec![SizeHealth {
            failures,
            crashes,
            ..health(1024)
        }];
        case
    }

    fn kept(case: &Case) -> bool {
        let decision = case.decide();
        let blocked = has(&decision, "failing");
        assert_eq!(blocked, decision.to_mb.is_none());
        assert!(!blocked || decision.target_mb == Megabytes(1024));
        blocked
    }

    /// Of 5000 invocations 1 % is 50, and half is 2500.
    #[test]
    fn p6_failures_do_not_prove_that_memory_is_enough() {
        assert!(kept(&ended(50, 50)) && !kept(&ended(49, 49)));
        assert!(kept(&ended(2500, 0)) && !kept(&ended(2499, 0)));
        let decision = ended(2500, 0).decide();
        assert_eq!(figure(&decision, "failing", "percent"), 50.0);
        // Of 100 invocations 1 % is one, but three crashes are wanted.
        let few = |crashes| {
            let mut case = ended(crashes, crashes);
            case.0.health[0].invocations = 100;
            case
        };
        assert!(kept(&few(3)) && !kept(&few(2)));
    }

    /// 55 % of 5000 fail at 1024 MB, and 55 % of 5000 at 2048: whatever it is, it is not memory. With 49
    /// invocations there, or with 45 %, nothing is shown.
    #[test]
    fn p6_failures_as_often_at_another_size_are_not_for_want_of_memory() {
        let with = |other: SizeHealth| {
            let mut case = ended(2750, 0);
            case.0.health.push(other);
            kept(&case)
        };
        let other = |failures, invocations| SizeHealth {
            invocations,
            failures,
            ..health(2048)
        };
        assert!(!with(other(2750, 5000)));
        assert!(with(other(27, 49)) && with(other(2250, 5000)));
        // What never succeeded proves nothing.
        let mut never = ended(5000, 0);
        never.0.health.push(other(5000, 5000));
        assert!(kept(&never));
    }

    /// Its former size of 2048 is judged if the present one was not called yet.
    #[test]
    fn p6_a_size_without_invocations_is_judged_by_the_others() {
        let mut case = ended(4000, 0);
        case.0.health[0].memory_mb = Megabytes(2048);
        assert!(kept(&case));
    }

    /// 2210 of 3008 MB: more than the dead band above the policy's size, but the heap was full.
    #[test]
    fn p6_a_full_heap_of_the_runtime_blocks_a_decrease() {
        let mut case = Case::new(3008, &[2210; 14]);
        case.0.health = vec![SizeHealth {
            heap_limits: 1,
            peak_mb: Megabytes(2210),
            ..health(3008)
        }];
        let decision = case.decide();
        assert_eq!(
            (decision.to_mb, decision.target_mb),
            (None, Megabytes(3008))
        );
        assert_eq!(figure(&decision, "heap-limit", "used_mb"), 2210);
    }

    /// The present is 2026-02-01T01:00.
    #[test]
    fn p6_no_automatic_decrease_while_an_alarm_rings_or_the_code_is_new() {
        let deployed = |at: &str| {
            let mut case = Case::new(1024, &[200; 14]);
            case.0.deployed_at = Some(Timestamp::parse(at).unwrap());
            case.decide()
        };
        let fresh = deployed("2026-02-01T00:00:00.001Z");
        assert_eq!((fresh.to_mb, fresh.target_mb), (None, Megabytes(300)));
        assert_eq!(figure(&fresh, "just-deployed", "minutes"), 59);
        assert!(deployed("2026-02-01T00:00:00Z").auto);
        assert_eq!(deployed("2026-02-01T01:05:00Z").to_mb, None);
        assert!(deployed("2026-02-01T01:05:00.001Z").auto);
        let mut case = Case::new(1024, &[200; 14]);
        case.0.alarm = Some("orders-errors".to_owned());
        assert_eq!(case.step(), (None, false));
        assert_eq!(figure(&case.decide(), "alarm", "name"), "orders-errors");
        // Nothing delays an increase.
        let mut case = Case::new(256, &[250; 14]).ran_out_at(256);
        case.0.alarm = Some("orders-errors".to_owned());
        assert_eq!(case.step(), (Some(356), true));
    }
}
