//! P9: a size for cost or speed, if a person set such an objective. The curve of the power model proposes it from
//! what the function did; it never goes below what P1 to P6 allow.

use rightsizer_records::{Arch, Day, Megabytes, Reason};

use super::evidence::FunctionEvidence;
use super::increase::within_tags;
use super::proof;
use super::reasons::Reasons;
use super::settings::PolicySettings;
use super::step::{self, Step};
use crate::power::{
    Bounds, Candidate, Drawn, Durations, Objective, Offers, Point, SizeUse, Subject, choose, draw,
    may_be_faster,
};
use crate::price::Rates;

/// A size that is better by less is not worth new environments.
const WORTH_IT: f64 = 0.03;
/// Nor is one by less than this against the direction of the last change: a day's durations differ from another
/// day's, and a function that moves to and fro never rests.
const WORTH_TURNING: f64 = 0.10;
/// Costs above the budget by less are within it, because durations are not measured more exactly.
const SAME_MONEY: f64 = 1.02;
/// A function that costs more than this share of its budget goes back.
const OVER_BUDGET: f64 = 1.04;
/// An automatic step goes up by at most this factor, and is measured before the next one.
const MOST_UP: u32 = 2;

/// What the objective asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The present size is the best, or a change has to wait.
    Stay,
    /// A larger size.
    Up(Step, Megabytes),
    /// A size that is not below this one.
    DownTo(Megabytes),
}

/// Returns what the objective of a function asks for, with `safe` as the smallest size that P1 to P6 allow; `None` if
/// the objective is memory, or if there is no curve.
pub(super) fn wanted(
    seen: &FunctionEvidence,
    safe: Megabytes,
    may_be_automatic: bool,
    settings: &PolicySettings,
    reasons: &mut Reasons,
) -> Option<Wanted> {
    let objective = seen.objective(settings);
    if objective == Objective::Memory {
        return None;
    }
    let gb_seconds = Rates {
        x86_gb_second: 1.0,
        arm64_gb_second: 1.0,
        million_requests: 0.0,
        insights_gb: 0.0,
    };
    let drawn = drawn(seen, "", safe, (None, gb_seconds, None), settings)?;
    let at = |size: Megabytes| drawn.points.iter().find(|point| point.memory_mb == size);
    let here = at(seen.current_mb).and_then(priced)?;
    let before = seen
        .changes
        .before_mb
        .and_then(at)
        .and_then(priced)
        .unwrap_or(here);
    let budget = before.monthly_usd * settings.power.speed_budget;
    let best = best(objective, &drawn, seen, settings, budget)?;
    let over = objective == Objective::Speed && here.monthly_usd > budget * OVER_BUDGET;
    let last = seen.changes.last;
    let turns = last.is_some_and(|last| last.is_increase() == (best.memory_mb < here.memory_mb));
    let least = if turns { WORTH_TURNING } else { WORTH_IT };
    let better = gain(objective, &here, &best, settings) > least;
    if best.memory_mb == here.memory_mb || !(over || better) {
        reasons.add(|| Reason::ObjectiveReached {
            mb: here.memory_mb,
            objective,
        });
        return Some(Wanted::Stay);
    }
    explain(objective, &here, &best, at(best.memory_mb), reasons);
    if best.memory_mb < here.memory_mb {
        return Some(Wanted::DownTo(best.memory_mb));
    }
    if !may_be_automatic
        || proof::waits(seen, reasons)
        || step::waits_for_any(seen, settings, reasons)
    {
        return Some(Wanted::Stay);
    }
    let to = best
        .memory_mb
        .min(Megabytes(here.memory_mb.0.saturating_mul(MOST_UP)));
    let auto = within_tags(to, seen);
    Some(Wanted::Up(Step { to: Some(to), auto }, best.memory_mb))
}

/// Returns the best size that the function may have. A larger one counts only if the function itself was measured: a
/// prior alone promises nothing.
fn best(
    objective: Objective,
    drawn: &Drawn,
    seen: &FunctionEvidence,
    settings: &PolicySettings,
    budget_usd: f64,
) -> Option<Candidate> {
    let most = seen
        .configured
        .max_mb
        .unwrap_or(settings.max_mb)
        .min(settings.max_mb);
    let may = |point: &&Point| {
        let larger = point.memory_mb > seen.current_mb;
        !larger || (point.memory_mb <= most && point.basis.is_own())
    };
    let candidates: Vec<Candidate> = drawn.points.iter().filter(may).filter_map(priced).collect();
    let bounds = Bounds {
        safe_mb: drawn.safe_mb,
        weight: settings.power.weight,
        budget_usd: budget_usd * SAME_MONEY,
    };
    // If no size is within the budget, the cheapest is nearest to it.
    let size = choose(objective, &candidates, bounds)
        .or_else(|| choose(Objective::Cost, &candidates, bounds))?;
    candidates
        .into_iter()
        .find(|candidate| candidate.memory_mb == size)
}

/// Returns the share by which the objective's score falls.
fn gain(
    objective: Objective,
    here: &Candidate,
    best: &Candidate,
    settings: &PolicySettings,
) -> f64 {
    let weight = settings.power.weight;
    let (dearest, slowest) = (
        here.monthly_usd.max(best.monthly_usd),
        here.p50_ms.max(best.p50_ms),
    );
    let score = |size: &Candidate| match objective {
        Objective::Memory => f64::from(size.memory_mb.0),
        Objective::Cost => size.monthly_usd,
        Objective::Balanced => {
            weight * size.monthly_usd / dearest + (1.0 - weight) * size.p50_ms / slowest
        }
        Objective::Speed => size.p50_ms,
    };
    1.0 - score(best) / score(here).max(f64::MIN_POSITIVE)
}

fn explain(
    objective: Objective,
    here: &Candidate,
    best: &Candidate,
    point: Option<&Point>,
    reasons: &mut Reasons,
) {
    let high = point
        .and_then(|point| point.p50_high)
        .unwrap_or(best.p50_ms);
    reasons.add(|| Reason::Objective {
        at_most_ms: rounded(high),
        cost: rounded(best.monthly_usd / here.monthly_usd.max(f64::MIN_POSITIVE)),
        mb: best.memory_mb,
        now_ms: rounded(here.p50_ms),
        objective,
        then_ms: rounded(best.p50_ms),
    });
}

/// To two decimals, as people read them.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn priced(point: &Point) -> Option<Candidate> {
    Some(Candidate {
        memory_mb: point.memory_mb,
        p50_ms: point.p50_ms?,
        monthly_usd: point.monthly_usd?,
    })
}

/// Returns the smallest size that P1 to P6 allow, from a decision of which P9 may have chosen the target: the size of
/// P1 to P4, and what P6's reasons ask for beyond it.
pub fn safe_size(policy_mb: Megabytes, target_mb: Megabytes, reasons: &[Reason]) -> Megabytes {
    let by_objective = |reason: &Reason| {
        matches!(
            reason,
            Reason::Objective { .. } | Reason::ObjectiveReached { .. }
        )
    };
    if !reasons.iter().any(by_objective) {
        return target_mb;
    }
    let held = reasons.iter().filter_map(|reason| match reason {
        Reason::InitNear(limit)
        | Reason::TimeoutNear(limit)
        | Reason::TooSlow(limit)
        | Reason::NoSaving(limit) => Some(limit.mb),
        Reason::OnlySlower { mb, .. } => Some(*mb),
        _ => None,
    });
    held.fold(policy_mb, Megabytes::max)
}

/// Returns larger sizes at which what a decision sees would be faster for the same or little more money; `None` if there
/// are none.
pub fn offers(
    seen: &FunctionEvidence,
    safe_mb: Megabytes,
    bill: (Option<f64>, Rates, Option<Arch>),
    settings: &PolicySettings,
) -> Option<Offers> {
    // With another prior, other functions may have an offer.
    let shipped = settings.power.own_prior.is_none();
    if shipped && !may_be_faster(seen.current_mb, &sizes(seen)) {
        return None;
    }
    let offers = drawn(seen, "", safe_mb, bill, settings)?.offers;
    (offers != Offers::default()).then_some(offers)
}

/// Returns the curve of what a decision sees: the monthly cost at the present size, prices, and architecture.
pub(super) fn drawn(
    seen: &FunctionEvidence,
    function: &str,
    safe_mb: Megabytes,
    (monthly_usd, rates, arch): (Option<f64>, Rates, Option<Arch>),
    settings: &PolicySettings,
) -> Option<Drawn> {
    let sizes = sizes(seen);
    let subject = Subject {
        version: "",
        now_mb: seen.current_mb,
        before_mb: seen.changes.before_mb,
        safe_mb,
        max_mb: settings.max_mb,
        sizes: &sizes,
        elsewhere: &[],
        monthly_usd,
        rates,
        arch,
        weight: settings.power.weight,
        speed_budget: settings.power.speed_budget,
    };
    draw(function, &subject, settings.power.prior()).ok()
}

fn sizes(seen: &FunctionEvidence) -> Vec<SizeUse> {
    let days: (Day, Day) = (seen.window.from, seen.window.to);
    let size = |facts: &super::facts::SizeFacts| {
        let health = seen
            .health
            .iter()
            .find(|health| health.memory_mb == facts.memory_mb);
        let (p50, p95) = (facts.p50.as_ms_f64(), facts.p95.as_ms_f64());
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of two weeks, far below 2^52"
        )]
        let mean_ms = facts.billed_ms as f64 / facts.invocations.max(1) as f64;
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of two weeks, far below 2^52"
        )]
        let cores = |cpu: super::facts::CpuUse| cpu.cpu_ms as f64 / cpu.wall_ms.max(1) as f64;
        SizeUse {
            version: String::new(),
            memory_mb: facts.memory_mb,
            first_day: days.0,
            last_day: days.1,
            invocations: facts.invocations,
            failures: health.map_or(0, |health| health.failures),
            timeouts: 0,
            ooms: 0,
            billed_ms: facts.billed_ms,
            durations: Some(Durations {
                count: facts.invocations,
                mean_ms,
                p50_ms: p50,
                p95_ms: p95,
                p99_ms: facts.p99.as_ms_f64(),
                // The 95 % quantile of a normal distribution is 1.645 deviations above its median.
                spread: (p95 / p50.max(f64::MIN_POSITIVE)).max(1.0).ln() / 1.645,
            }),
            cores_used: facts.cpu.filter(|cpu| cpu.wall_ms >= 1000).map(cores),
            used_mb: health
                .filter(|health| health.peak_mb.0 > 0)
                .map(|health| f64::from(health.peak_mb.0)),
            peak_mb: health.map_or(Megabytes(0), |health| health.peak_mb),
            starts: None,
            inits: None,
            restores: None,
            failed_inits: None,
            failed_restores: None,
            deployment: None,
            first_hours: None,
            firsts: None,
            arch: None,
        }
    };
    seen.sizes.iter().map(size).collect()
}

#[cfg(test)]
mod tests {
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
}
