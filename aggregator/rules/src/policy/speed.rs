//! P6: no size at which a function would come near its timeout, get slower than its objective allows,
//! or cost more.

use rightsizer_records::{
    DurationBasis, LimitedFigure, Megabytes, Millis, Objective, Reason, SpeedLimit,
};

use super::evidence::FunctionEvidence;
use super::project::{Basis, Factors, Projector, cores};
use super::reasons::Reasons;
use super::settings::PolicySettings;

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
    /// What a start takes, and its limit; `None` if one of them is unknown.
    start: Option<Start>,
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

/// Environments that are started beforehand or restored from a snapshot have so long, or the timeout if that
/// is longer.
const BEFOREHAND_MS: f64 = 130_000.0;

impl Start {
    /// Of the size that is decided on; if no start at it is known, of all sizes.
    fn of(seen: &FunctionEvidence, settings: &PolicySettings) -> Option<Self> {
        let timeout = seen.configured.timeout?.as_ms_f64();
        let here = seen.health.iter().find(|h| h.memory_mb == seen.current_mb);
        let all = || seen.health.iter().filter_map(|size| size.start).max();
        let boosted = here.and_then(|size| size.start).or_else(all)?;
        let most_ms = if seen.configured.snap_start {
            timeout.max(BEFOREHAND_MS)
        } else {
            timeout * settings.timeout_share
        };
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
        start: Start::of(seen, settings),
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
fn baseline_p95(
    seen: &FunctionEvidence,
    settings: &PolicySettings,
    projector: &Projector<'_>,
) -> f64 {
    if let Some(smaller) = before_power(seen, settings) {
        return smaller;
    }
    let before = seen.changes.baseline_p95.map(Millis::as_ms_f64);
    let larger = projector.larger().map(|size| size.p95.as_ms_f64());
    let now = projector.here().p95.as_ms_f64();
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
    Some(measured.p95.as_ms_f64())
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
            let p95 = self.projector.here().p95.as_ms_f64() * factors.p95;
            if p95 > self.p95_ms * (1.0 + ROUNDING) {
                Some(Breach::TooSlow { p95 })
            } else {
                (billed > 1.0 + ROUNDING).then_some(Breach::Dearer { factor: billed })
            }
        })
    }

    fn start_breach(&self, size: Megabytes) -> Option<Breach> {
        let start = self.start?;
        let takes = start.at(size);
        (takes > start.most_ms).then_some(Breach::Start { takes, start })
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
mod tests {
    use rightsizer_records::ApplyMode;

    use super::super::case::{Case, figure, has, size};
    use super::super::facts::{SizeFacts, SizeHealth};
    use super::*;

    fn mb(size: Megabytes) -> u32 {
        size.0
    }

    fn starting(takes_ms: u64, timeout_ms: u64) -> Case {
        let mut case = Case::new(2048, &[115; 14]);
        case.0.configured.timeout = Some(Millis::from_ms(timeout_ms));
        case.0.health[0].start = Some(Millis::from_ms(takes_ms));
        case
    }

    /// 4.8 s of 6 s: more than 0.7 × 6 = 4.2 at any size. If all of the timeout may be used, 4800
    /// × 1769 ÷ 6000 = 1415.2 MB gives one busy core the time.
    #[test]
    fn p6_an_environment_must_be_able_to_start_again_without_boost() {
        let kept = starting(4800, 6000).decide();
        assert_eq!((kept.to_mb, kept.target_mb), (None, Megabytes(2048)));
        assert_eq!(figure(&kept, "init-near", "now"), 4800.0);
        let mut whole = starting(4800, 6000);
        whole.1.timeout_share = 1.0;
        assert_eq!(whole.decide().target_mb, Megabytes(1416));
        assert_eq!(figure(&whole.decide(), "init-near", "mb"), 1416);
    }

    /// 4800 × 1769 ÷ 130,000 is 66 MB: below every size.
    #[test]
    fn p6_what_is_restored_from_a_snapshot_has_longer_to_start() {
        let mut case = starting(4800, 6000);
        case.0.configured.snap_start = true;
        assert!(!has(&case.decide(), "init-near"));
    }

    /// The size was changed and nothing started there yet: what starts took before counts.
    #[test]
    fn p6_starts_of_other_sizes_count_if_the_present_one_was_never_started() {
        let mut case = starting(4800, 6000);
        let larger = super::super::case::health(3008);
        case.0.health = vec![
            SizeHealth {
                start: None,
                ..case.0.health[0]
            },
            SizeHealth {
                start: case.0.health[0].start,
                ..larger
            },
        ];
        assert_eq!(case.decide().to_mb, None);
    }

    /// 1000 MB, with half of the time computing: measured at 1500 it takes 1 ÷ 1.2 of the time,
    /// and 1.2 = 1 + 0.4 × (1500 ÷ 1000 − 1), of which 0.6 ÷ 1.2 computes. At m it takes 1 + 0.5 ×
    /// (1000 ÷ m − 1) as long.
    fn half_computing() -> Case {
        let mut case = Case::new(1000, &[200; 14]);
        let at = |mb, billed_ms| SizeFacts {
            billed_ms,
            cpu: None,
            ..size(mb)
        };
        case.0.sizes = vec![at(1000, 600_000), at(1500, 500_000)];
        case
    }

    /// 1.25 times as long at 1000 ÷ 1.5 = 666.7, which `balanced` allows; so 667 and not the policy's 300.
    #[test]
    fn p6_a_size_that_slows_down_beyond_the_tolerance_is_not_the_target() {
        let decision = half_computing().decide();
        assert_eq!(mb(decision.policy_mb), 300);
        assert_eq!(mb(decision.target_mb), 667);
        assert_eq!(figure(&decision, "too-slow", "now"), 200.0);
        // 1 + 0.5 × (1000 ÷ 300 − 1) = 2.167
        assert_eq!(figure(&decision, "too-slow", "then"), 433.33);
        assert_eq!(figure(&decision, "too-slow", "most"), 250.0);
        assert_eq!(figure(&decision, "too-slow", "basis"), "slope");
    }

    /// `cost` twice as long at 1000 ÷ 3, `speed` 5 % at 1000 ÷ 1.1.
    #[test]
    fn p6_the_objective_limits_how_much_slower() {
        for (objective, target, most) in [
            (Objective::Memory, 667, 250.0),
            (Objective::Cost, 334, 400.0),
            (Objective::Speed, 910, 210.0),
        ] {
            let mut case = half_computing();
            case.0.configured.objective = Some(objective);
            let decision = case.decide();
            assert_eq!(figure(&decision, "too-slow", "mb"), target, "{objective:?}");
            assert_eq!(figure(&decision, "too-slow", "most"), most);
            assert_eq!(figure(&decision, "too-slow", "strategy"), objective.name());
        }
    }

    /// Half a core used; one core is 1769 MB, so 885 MB give it. `balanced` allows 708, at which it
    /// is 25 % slower, but costs the same: 886 is as cheap within 0.1 %.
    #[test]
    fn p6_below_the_cpu_that_it_uses_it_is_only_slower() {
        let decision = Case::new(1769, &[200; 14]).using_cores(50).decide();
        assert_eq!(mb(decision.target_mb), 885);
        assert_eq!(figure(&decision, "only-slower", "wanted_mb"), 708);
        assert_eq!(figure(&decision, "only-slower", "slower"), 1.25);
        // All of two cores used at 3538: nothing smaller saves.
        let decision = Case::new(3538, &[200; 14]).using_cores(200).decide();
        assert_eq!((mb(decision.target_mb), decision.to_mb), (3538, None));
    }

    /// 99 % within 400 ms; timeout 800 ms: 0.7 × 800 = 560 = 1.4 × 400. Tolerance aside (`cost` allows
    /// twice), 1 + 0.5 × (1000 ÷ m − 1) = 1.4 at 1000 ÷ 1.8 = 555.6.
    #[test]
    fn p6_the_timeout_is_kept_away_from() {
        let mut case = half_computing();
        case.0.configured.objective = Some(Objective::Cost);
        case.0.configured.timeout = Some(Millis::from_ms(800));
        let decision = case.decide();
        assert_eq!(mb(decision.target_mb), 556);
        assert_eq!(figure(&decision, "timeout-near", "most"), 560.0);
        // Too near already: nothing smaller at all.
        case.0.configured.timeout = Some(Millis::from_ms(571));
        let decision = case.decide();
        assert_eq!((mb(decision.target_mb), decision.to_mb), (1000, None));
    }

    /// It took 180 ms before its first step down: at most 225 now, and 200 are gone already, so
    /// 1.125 of what it takes now: 1 + 0.5 × (1000 ÷ m − 1) at 800. A larger size in the window
    /// gives the same.
    #[test]
    fn p6_many_steps_do_not_add_up_to_a_slow_function() {
        let mut case = half_computing();
        case.0.changes.baseline_p95 = Some(Millis::from_ms(180));
        assert_eq!(mb(case.decide().target_mb), 800);
        let mut case = half_computing();
        case.0.sizes[1].p95 = Millis::from_ms(180);
        assert_eq!(mb(case.decide().target_mb), 800);
        // Slower than that already: no further.
        case.0.sizes[1].p95 = Millis::from_ms(159);
        assert_eq!(mb(case.decide().target_mb), 1000);
    }

    #[test]
    fn p6_without_a_timeout_a_person_decides() {
        let mut case = Case::new(1024, &[200; 14]);
        case.0.configured.timeout = None;
        assert_eq!(case.step(), (Some(300), false));
        assert!(has(&case.decide(), "timeout-unknown"));
    }

    #[test]
    fn p6_without_durations_a_person_decides() {
        let mut case = Case::new(1024, &[200; 14]);
        case.0.sizes.clear();
        assert_eq!(case.step(), (Some(300), false));
        assert!(has(&case.decide(), "durations-unknown"));
        assert_eq!(case.decide().projection, None);
    }

    /// Nothing known of the CPU: at worst 1024 ÷ 1.25 = 819.2 → 820 is 25 % slower, so that is the step,
    /// and measures. A person may go the whole way, unless it might time out: 400 ms × 1024 ÷ 300 is
    /// 1365 ms, and 0.7 × 1.5 s = 1050: 1024 ÷ 2.625 = 390.1.
    #[test]
    fn p6_if_cpu_is_unknown_a_step_measures() {
        let mut case = Case::new(1024, &[200; 14]);
        case.0.sizes[0].cpu = None;
        assert_eq!(case.decide().target_mb, Megabytes(300));
        assert_eq!(case.step(), (Some(820), true));
        assert_eq!(figure(&case.decide(), "careful-step", "basis"), "unknown");
        case.0.configured.timeout = Some(Millis::from_ms(1500));
        assert_eq!(case.decide().target_mb, Megabytes(391));
    }

    /// After that step 820 took as long as 1024 had (5 % of measuring error): next, as much as that
    /// leaves open.
    #[test]
    fn p6_a_measurement_allows_the_next_step() {
        let without_cpu = |mb| SizeFacts {
            cpu: None,
            ..size(mb)
        };
        let mut case = Case::new(820, &[200; 14]);
        case.0.sizes = vec![without_cpu(820), without_cpu(1024)];
        assert_eq!(case.decide().target_mb, Megabytes(300));
        // Share at 1024 at most 0.05 ÷ (1024 ÷ 820 − 1) = 0.201, at 820 0.201 × 1.2488 ÷ 1.05 = 0.239;
        // 1 + 0.239 × (820 ÷ m − 1) = 1.25 at m = 400.9; half of 820 is 410.
        assert_eq!(case.step(), (Some(410), true));
        // Had it taken as much longer as it had less, it would be all computing: no saving in going on.
        case.0.sizes[0].billed_ms = 625_000;
        assert_eq!(case.decide().target_mb, Megabytes(820));
    }

    /// Measured at 512: three times as slow. That counts, whatever the CPU time shows, also for
    /// smaller sizes.
    #[test]
    fn p6_a_measured_size_beats_a_projection() {
        let mut case = Case::new(1024, &[200; 14]);
        let slow = SizeFacts {
            p95: Millis::from_ms(600),
            ..size(512)
        };
        case.0.sizes.insert(0, slow);
        let decision = case.decide();
        assert_eq!(mb(decision.target_mb), 513);
        // 51 invocations would do, 49 do not.
        case.0.sizes[0].invocations = 49;
        assert_eq!(mb(case.decide().target_mb), 300);
    }

    /// No faster, no cheaper: measured at 512 each invocation takes 2.1 times the time.
    #[test]
    fn p6_a_size_that_costs_more_is_none() {
        let mut case = Case::new(1024, &[412; 14]);
        case.0.sizes.insert(0, size(512));
        case.0.sizes[0].billed_ms = 1_050_000;
        let decision = case.decide();
        assert_eq!(figure(&decision, "no-saving", "then"), 1.05);
        assert!(decision.target_mb > Megabytes(512));
    }

    #[test]
    fn p6_the_projection_goes_with_the_decision() {
        let mut case = half_computing();
        case.0.configured.mode = Some(ApplyMode::Recommend);
        let projection = case.decide().projection.unwrap();
        let by_hand = 1.0 + 0.5 * (1000.0 / 667.0 - 1.0);
        assert!((projection.expected.mean - by_hand).abs() < 1e-9);
        assert!(projection.worst.mean > projection.expected.mean);
    }
}
