//! P9: a size for cost or speed, if a person set such an objective. The curve of the power model proposes it from
//! what the function did; it never goes below what P1 to P6 allow.

use rightsizer_records::{Megabytes, Reason};

use super::evidence::FunctionEvidence;
use super::increase::within_tags;
use super::proof;
use super::reasons::Reasons;
use super::seen_curve::drawn;
use super::settings::PolicySettings;
use super::step::{self, Step};
use crate::power::{Bounds, Candidate, Drawn, Objective, Point, choose};
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
    let most = seen.configured.most(settings);
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

#[cfg(test)]
mod tests;
