//! P6: no size at which a function would come near its timeout, get slower than its objective allows,
//! or cost more.

use rightsizer_records::{
    DurationBasis, LimitedFigure, Megabytes, Millis, Objective, Reason, SpeedLimit,
};

use super::evidence::FunctionEvidence;
use super::facts::{SizeFacts, SizeHealth};
use super::project::{Basis, Factors, Projector, cores};
use super::reasons::Reasons;
use super::settings::PolicySettings;
use crate::power::RESTORED_WITHIN_MS;

/// The result of P6 for a decrease.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Allowed {
    /// The smallest size, at or above the policy's, that the evidence allows.
    pub(super) target: Megabytes,
    /// The smallest size that is safe whatever the evidence leaves open: how far an automatic step
    /// may go. `None`: it needs an approval.
    pub(super) automatic: Option<Megabytes>,
}

/// What a size must not do.
struct Limits<'a> {
    seen: &'a FunctionEvidence,
    projector: Projector<'a>,
    /// 99th percentiles above this are too near the timeout; `None` if the timeout is unknown.
    p99_ms: Option<f64>,
    /// 95th percentiles above this are too slow.
    p95_ms: f64,
    /// What init and restores take, and their limits; `None` if one of them is unknown.
    starts: [Option<Start>; 2],
    settings: &'a PolicySettings,
}

/// A start that fails is made again inside of the first invocation: within the function's timeout, and
/// without the CPU that a start is given beyond the size's own.
#[derive(Clone, Copy)]
struct Start {
    /// As measured, with that CPU: one core or more.
    boosted_ms: f64,
    /// So long it may take without.
    most_ms: f64,
}

impl Start {
    /// Init and restores, each with its limit.
    fn of(seen: &FunctionEvidence, settings: &PolicySettings) -> [Option<Self>; 2] {
        let Some(timeout) = seen.configured.timeout.map(Millis::as_ms_f64) else {
            return [None; 2];
        };
        [
            Self::by(seen, |size| size.init, timeout * settings.timeout_share),
            Self::by(seen, |size| size.restore, timeout.max(RESTORED_WITHIN_MS)),
        ]
    }

    /// Of the size that is decided on; if no start at it is known, of all sizes.
    fn by(
        seen: &FunctionEvidence,
        takes: fn(&SizeHealth) -> Option<Millis>,
        most_ms: f64,
    ) -> Option<Self> {
        let here = seen.health.iter().find(|h| h.memory_mb == seen.current_mb);
        let all = || seen.health.iter().filter_map(takes).max();
        let boosted = here.and_then(takes).or_else(all)?;
        Some(Self {
            boosted_ms: boosted.as_ms_f64(),
            most_ms,
        })
    }

    /// What it takes at `size` at worst: one core computes all the time.
    fn at(self, size: Megabytes) -> f64 {
        self.boosted_ms / cores(size).min(1.0)
    }
}

/// What a size would do.
enum Breach {
    /// A start made again takes so long, in ms.
    Start {
        takes: f64,
        start: Start,
    },
    Timeout {
        p99: f64,
    },
    TooSlow {
        p95: f64,
    },
    Dearer {
        factor: f64,
    },
}

/// Holds the decrease to `policy_mb` against P6.
pub(super) fn allowed(
    policy_mb: Megabytes,
    seen: &FunctionEvidence,
    settings: &PolicySettings,
    reasons: &mut Reasons,
) -> Allowed {
    let Some(projector) = Projector::new(&seen.sizes, seen.current_mb) else {
        reasons.add(|| Reason::DurationsUnknown {
            mb: seen.current_mb,
        });
        return Allowed {
            target: policy_mb,
            automatic: None,
        };
    };
    let timeout = seen.configured.timeout.map(Millis::as_ms_f64);
    let tolerance = settings.p95_tolerance.of(seen.objective(settings));
    let limits = Limits {
        seen,
        p99_ms: timeout.map(|ms| ms * settings.timeout_share),
        p95_ms: baseline_p95(seen, settings, &projector) * tolerance,
        starts: Start::of(seen, settings),
        projector,
        settings,
    };
    let least = limits.smallest(policy_mb, Limits::expected_breach);
    if let Some(breach) = limits.expected_breach(policy_mb) {
        reasons.add(|| breach.reason(limits.explain((policy_mb, least), &breach)));
    }
    let target = limits.faster_for_nothing(least, reasons);
    if target >= seen.current_mb {
        return Allowed {
            target,
            automatic: None,
        };
    }
    if timeout.is_none() {
        reasons.add(|| Reason::TimeoutUnknown { mb: target });
    }
    let step = limits.smallest(target, Limits::worst_breach);
    if let Some(breach) = limits.worst_breach(target) {
        reasons.add(|| Reason::CarefulStep(limits.explain((target, step), &breach)));
    }
    Allowed {
        target,
        automatic: (timeout.is_some() && step < seen.current_mb).then_some(step),
    }
}

/// What the function took before it was made smaller: a tolerance of each step by itself would add up.
/// What it took before it was made larger for power: the speed gained since is what may be given up again.
/// Sizes ran at different hours: if one took less at the hours of all, that counts.
fn baseline_p95(
    seen: &FunctionEvidence,
    settings: &PolicySettings,
    projector: &Projector<'_>,
) -> f64 {
    if let Some(smaller) = before_power(seen, settings) {
        return smaller;
    }
    let before = seen.changes.baseline_p95.map(Millis::as_ms_f64);
    let larger = projector.larger().map(shorter);
    let now = shorter(projector.here());
    larger.chain(before).fold(now, f64::min)
}

/// The 95th percentile at the size before the first change, if an objective made the function larger since.
fn before_power(seen: &FunctionEvidence, settings: &PolicySettings) -> Option<f64> {
    if seen.objective(settings) == Objective::Memory {
        return None;
    }
    let before = seen
        .changes
        .before_mb
        .filter(|before| *before < seen.current_mb)?;
    let measured = seen.sizes.iter().find(|size| size.memory_mb == before)?;
    Some(shorter(measured))
}

fn shorter(size: &SizeFacts) -> f64 {
    size.shorter_p95().as_ms_f64()
}

impl Breach {
    const fn reason(&self, limit: SpeedLimit) -> Reason {
        match self {
            Self::Start { .. } => Reason::InitNear(limit),
            Self::Timeout { .. } => Reason::TimeoutNear(limit),
            Self::TooSlow { .. } => Reason::TooSlow(limit),
            Self::Dearer { .. } => Reason::NoSaving(limit),
        }
    }
}

impl Limits<'_> {
    /// The smallest size from `least` up to the present one that does not breach; the present one
    /// if every smaller one does. A larger size never is slower, so halving finds it.
    fn smallest(
        &self,
        least: Megabytes,
        breach: fn(&Self, Megabytes) -> Option<Breach>,
    ) -> Megabytes {
        let (mut low, mut high) = (least.0, self.seen.current_mb.0);
        while low < high {
            let middle = low.midpoint(high);
            if breach(self, Megabytes(middle)).is_some() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Megabytes(high)
    }

    /// A larger size that costs the same and is faster: below the size at which a function has the CPU
    /// it uses, it takes as much longer as it has less, and saves nothing.
    fn faster_for_nothing(&self, least: Megabytes, reasons: &mut Reasons) -> Megabytes {
        let slower = self.projector.to(least).expected.mean;
        let most = self.billed(least) * (1.0 + AS_CHEAP);
        let (mut low, mut high) = (least.0, self.seen.current_mb.0);
        while low < high {
            let middle = high - (high - low) / 2;
            if self.billed(Megabytes(middle)) <= most {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        let larger = Megabytes(low);
        if slower < self.projector.to(larger).expected.mean * WORTH_IT {
            return least;
        }
        reasons.add(|| Reason::OnlySlower {
            cost: rounded(self.billed(least)),
            mb: larger,
            slower: rounded(slower),
            wanted_mb: least,
        });
        larger
    }

    /// GB-seconds at a size ÷ GB-seconds now, expected.
    fn billed(&self, size: Megabytes) -> f64 {
        let mean = self.projector.to(size).expected.mean;
        mean * f64::from(size.0) / f64::from(self.seen.current_mb.0)
    }

    /// By the evidence. If nothing is known about the CPU, only the timeout limits it, in the worst
    /// case: a slower function can be measured and rolled back, one that cannot finish fails.
    fn expected_breach(&self, size: Megabytes) -> Option<Breach> {
        let projection = self.projector.to(size);
        if projection.basis == Basis::Unknown {
            let start = self.start_breach(size);
            return start.or_else(|| self.timeout_breach(projection.worst));
        }
        self.breach(size, projection.expected)
    }

    /// By what the evidence cannot exclude.
    fn worst_breach(&self, size: Megabytes) -> Option<Breach> {
        self.breach(size, self.projector.to(size).worst)
    }

    fn breach(&self, size: Megabytes, factors: Factors) -> Option<Breach> {
        let billed = factors.mean * f64::from(size.0) / f64::from(self.seen.current_mb.0);
        let start = self.start_breach(size);
        start.or_else(|| self.timeout_breach(factors)).or_else(|| {
            let p95 = self.projector.here().longer_p95_ms() * factors.p95;
            if p95 > self.p95_ms * (1.0 + ROUNDING) {
                Some(Breach::TooSlow { p95 })
            } else {
                (billed > 1.0 + ROUNDING).then_some(Breach::Dearer { factor: billed })
            }
        })
    }

    fn start_breach(&self, size: Megabytes) -> Option<Breach> {
        self.starts.into_iter().flatten().find_map(|start| {
            let takes = start.at(size);
            (takes > start.most_ms).then_some(Breach::Start { takes, start })
        })
    }

    fn timeout_breach(&self, factors: Factors) -> Option<Breach> {
        let p99 = self.projector.here().p99.as_ms_f64() * factors.p99;
        let most = self.p99_ms?;
        (p99 > most).then_some(Breach::Timeout { p99 })
    }

    /// Why it is `mb` and not `wanted`.
    fn explain(&self, (wanted, mb): (Megabytes, Megabytes), breach: &Breach) -> SpeedLimit {
        let here = self.projector.here();
        let (p95, p99) = (here.p95.as_ms_f64(), here.p99.as_ms_f64());
        let (figure, now, then, most) = match breach {
            Breach::Start { takes, start } => (
                LimitedFigure::Start,
                start.boosted_ms,
                *takes,
                start.most_ms,
            ),
            Breach::Timeout { p99: then } => {
                let most = self.p99_ms.unwrap_or_default();
                (LimitedFigure::P99, p99, *then, most)
            }
            Breach::TooSlow { p95: then } => (LimitedFigure::P95, p95, *then, self.p95_ms),
            Breach::Dearer { factor } => (LimitedFigure::Cost, 1.0, *factor, 1.0),
        };
        let basis = match breach {
            Breach::Start { .. } => DurationBasis::OneCore,
            Breach::Timeout { .. } | Breach::TooSlow { .. } | Breach::Dearer { .. } => {
                self.projector.to(wanted).basis.shown()
            }
        };
        SpeedLimit {
            basis,
            figure,
            mb,
            most: rounded(most),
            now: rounded(now),
            objective: self.seen.objective(self.settings),
            then: rounded(then),
            wanted_mb: wanted,
        }
    }
}

/// Costs that differ by less are the same.
const AS_CHEAP: f64 = 0.001;
/// What is that much faster at the same cost is worth its memory.
const WORTH_IT: f64 = 1.05;
/// Factors are quotients of binary fractions.
const ROUNDING: f64 = 1e-9;

/// To two decimals, as people read them.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests;
