//! What an objective does to a decision (P9).

use rightsizer_records::{Millis, Timestamp};

use super::super::case::{Case, figure, has, health, size};
use super::super::facts::{CpuUse, SizeChange, SizeFacts};
use super::*;
use crate::power::Workload;

/// 10,000 invocations at a size of a function that does this work.
fn measured(work: Workload, mb: u32) -> SizeFacts {
    let ms = work.duration_ms(Megabytes(mb));
    let millis = |ms| Millis::from_ms_f64(ms).unwrap();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "milliseconds"
    )]
    let whole = |ms: f64| (ms * 10_000.0) as u64;
    SizeFacts {
        invocations: 10_000,
        billed_ms: whole(ms),
        p50: millis(ms),
        p95: millis(ms * 1.2),
        p99: millis(ms * 1.4),
        cpu: Some(CpuUse {
            cpu_ms: whole(work.cpu_ms),
            wall_ms: whole(ms),
        }),
        ..size(mb)
    }
}

/// The last of `sizes` is the present one; the others came before it, in this order.
fn case(objective: Option<Objective>, work: Workload, sizes: &[u32]) -> Case {
    let (now, before) = sizes.split_last().unwrap();
    let mut case = Case::new(*now, &[200; 14]);
    case.0.configured.objective = objective;
    case.0.sizes = sizes.iter().map(|mb| measured(work, *mb)).collect();
    case.0.sizes.sort_unstable_by_key(|size| size.memory_mb);
    case.0.health = case
        .0
        .sizes
        .iter()
        .map(|size| health(size.memory_mb.0))
        .collect();
    case.0.changes.before_mb = before.first().copied().map(Megabytes);
    case.0.changes.last = before.last().map(|from| SizeChange {
        at: Timestamp::parse("2026-01-30T00:00:00Z").unwrap(),
        from_mb: Megabytes(*from),
        to_mb: Megabytes(*now),
        verified: true,
        invocations: 10_000,
    });
    case
}

const COMPUTES: Workload = Workload::serial(0.0, 100.0, 1.0);
const WAITS: Workload = Workload::serial(300.0, 0.1, 1.0);

/// Every size up to one core costs the same. With one measured size it is not certain that all CPU time comes in
/// one piece, so the first step is small; each further one knows more.
#[test]
fn p9_speed_for_the_same_money_is_taken_in_steps() {
    let decision = case(Some(Objective::Speed), COMPUTES, &[512]).decide();
    assert_eq!(
        (decision.to_mb, decision.auto),
        (Some(Megabytes(640)), true)
    );
    assert_eq!(figure(&decision, "objective", "objective"), "speed");
    let further = case(Some(Objective::Speed), COMPUTES, &[512, 640, 1024]).decide();
    assert!(
        further.to_mb.is_some_and(|mb| mb > Megabytes(1024)),
        "{:?}",
        further.reasons
    );
}

/// A person has to set an objective first. Without one, 512 MB stay.
#[test]
fn p9_nothing_grows_for_power_without_an_objective() {
    for objective in [None, Some(Objective::Memory)] {
        let to = case(objective, COMPUTES, &[512]).decide().to_mb;
        assert!(to.is_none_or(|mb| mb < Megabytes(512)), "{to:?}");
    }
}

/// 300 ms at 512 MB and at 1024: twice the cost for nothing, so it goes back. 512 MB is what it had before, and it
/// goes on down to 300, what P1 asks for.
#[test]
fn p9_a_step_that_brought_no_speed_is_taken_back() {
    let case = case(Some(Objective::Speed), WAITS, &[512, 1024]);
    let decision = case.decide();
    assert!(
        decision.to_mb.is_some_and(|mb| mb <= Megabytes(512)) && decision.auto,
        "{:?}",
        decision.reasons
    );
}

/// An unproven change, an alarm, little evidence: a step up for power waits for all of them.
#[test]
fn p9_a_step_up_waits_for_proof() {
    let mut unverified = case(Some(Objective::Speed), COMPUTES, &[512, 640, 1024]);
    unverified.0.changes.last.as_mut().unwrap().verified = false;
    assert_eq!(unverified.step(), (None, false));
    assert!(has(&unverified.decide(), "step-waits"));
    let mut alarm = case(Some(Objective::Speed), COMPUTES, &[512]);
    alarm.0.alarm = Some("slow".to_owned());
    assert_eq!(alarm.step(), (None, false));
    let mut new = case(Some(Objective::Speed), COMPUTES, &[512]);
    new.0.successes.days = 6;
    assert_eq!(new.step(), (None, false));
}

/// P1 asks for 300 MB. Whatever the objective, no decision goes below it, or above the function's own maximum.
#[test]
fn p9_no_objective_leaves_the_bounds() {
    for objective in Objective::ALL {
        for work in [COMPUTES, WAITS, Workload::serial(50.0, 50.0, 4.0)] {
            let mut case = case(Some(objective), work, &[512]);
            case.0.configured.max_mb = Some(Megabytes(600));
            let decision = case.decide();
            let (target, to) = (decision.target_mb, decision.to_mb.unwrap_or(Megabytes(512)));
            assert!(
                target >= Megabytes(300) && (300..=600).contains(&to.0),
                "{decision:?}"
            );
        }
    }
}

/// The tolerance of `balanced` is that of `memory`, and these functions were not made larger for power, so P1 to P6
/// allow the same size, whatever P9 chooses.
#[test]
fn p9_no_objective_moves_the_safe_size() {
    let mut moved = 0;
    for work in [COMPUTES, WAITS, Workload::serial(50.0, 50.0, 4.0)] {
        for sizes in [&[512][..], &[2048, 1024], &[2048, 512, 1024]] {
            let safe = case(None, work, sizes).decide().target_mb;
            let decision = case(Some(Objective::Balanced), work, sizes).decide();
            assert_eq!(decision.safe_mb(), safe, "{:?}", decision.reasons);
            moved += u32::from(decision.target_mb != safe);
        }
    }
    assert!(moved > 0);
}
