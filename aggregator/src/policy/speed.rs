//! P6: no size at which a function would come near its timeout, get slower than its strategy allows,
//! or cost more.

use rightsizer_records::{Megabytes, Millis};

use super::evidence::{FunctionEvidence, PolicySettings};
use super::project::{Basis, Factors, Projector};
use super::reasons::Reasons;

/// What P6 makes of a decrease.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Allowed {
    /// The smallest size, at or above the policy's, that the evidence allows.
    pub(super) target: Megabytes,
    /// The smallest size that is safe whatever the evidence leaves open: how far an automatic step may
    /// go. `None`: a person decides.
    pub(super) automatic: Option<Megabytes>,
}

/// What a size must not do.
struct Limits<'a> {
    seen: &'a FunctionEvidence,
    projector: Projector<'a>,
    /// 99th percentiles above this come too near the timeout; `None` where the timeout is not known.
    p99_ms: Option<f64>,
    p95_tolerance: f64,
    settings: &'a PolicySettings,
}

/// What a size would do.
enum Breach {
    Timeout { p99: f64 },
    TooSlow { p95: f64 },
    Dearer { factor: f64 },
}

/// Holds the decrease to `policy_mb` against P6.
pub(super) fn allowed(
    policy_mb: Megabytes,
    seen: &FunctionEvidence,
    settings: &PolicySettings,
    reasons: &mut Reasons,
) -> Allowed {
    let Some(projector) = Projector::new(&seen.sizes, seen.current_mb) else {
        reasons.add("durations-unknown", || [("mb", seen.current_mb.0.into())]);
        return Allowed {
            target: policy_mb,
            automatic: None,
        };
    };
    let timeout = seen.configured.timeout.map(Millis::as_ms_f64);
    let limits = Limits {
        seen,
        projector,
        p99_ms: timeout.map(|ms| ms * settings.timeout_share),
        p95_tolerance: settings.p95_tolerance.of(seen.strategy(settings)),
        settings,
    };
    let target = limits.smallest(policy_mb, Limits::expected_breach);
    if let Some(breach) = limits.expected_breach(policy_mb) {
        limits.explain(breach.code(), (policy_mb, target), &breach, reasons);
    }
    if target >= seen.current_mb {
        return Allowed {
            target,
            automatic: None,
        };
    }
    if timeout.is_none() {
        reasons.add("timeout-unknown", || [("mb", target.0.into())]);
    }
    let step = limits.smallest(target, Limits::worst_breach);
    if let Some(breach) = limits.worst_breach(target) {
        limits.explain("careful-step", (target, step), &breach, reasons);
    }
    Allowed {
        target,
        automatic: (timeout.is_some() && step < seen.current_mb).then_some(step),
    }
}

impl Breach {
    const fn code(&self) -> &'static str {
        match self {
            Self::Timeout { .. } => "timeout-near",
            Self::TooSlow { .. } => "too-slow",
            Self::Dearer { .. } => "no-saving",
        }
    }
}

impl Limits<'_> {
    /// The smallest size from `least` up to the present one that does not breach; the present one
    /// where every smaller one does. A larger size never is slower, so halving finds it.
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

    /// By what the evidence says. Where nothing is known of the CPU only the timeout binds, at worst:
    /// a slower function can be measured and taken back, one that cannot finish fails.
    fn expected_breach(&self, size: Megabytes) -> Option<Breach> {
        let projection = self.projector.to(size);
        if projection.basis == Basis::Unknown {
            return self.timeout_breach(projection.worst);
        }
        self.breach(size, projection.expected)
    }

    /// By what the evidence cannot exclude.
    fn worst_breach(&self, size: Megabytes) -> Option<Breach> {
        self.breach(size, self.projector.to(size).worst)
    }

    fn breach(&self, size: Megabytes, factors: Factors) -> Option<Breach> {
        let billed = factors.mean * f64::from(size.0) / f64::from(self.seen.current_mb.0);
        self.timeout_breach(factors).or_else(|| {
            if factors.p95 > self.p95_tolerance + ROUNDING {
                let p95 = self.projector.here().p95.as_ms_f64() * factors.p95;
                Some(Breach::TooSlow { p95 })
            } else {
                (billed > 1.0 + ROUNDING).then_some(Breach::Dearer { factor: billed })
            }
        })
    }

    fn timeout_breach(&self, factors: Factors) -> Option<Breach> {
        let p99 = self.projector.here().p99.as_ms_f64() * factors.p99;
        let most = self.p99_ms?;
        (p99 > most).then_some(Breach::Timeout { p99 })
    }

    /// Why it is `mb` and not `wanted`.
    fn explain(
        &self,
        code: &'static str,
        (wanted, mb): (Megabytes, Megabytes),
        breach: &Breach,
        reasons: &mut Reasons,
    ) {
        let here = self.projector.here();
        let (p95, p99) = (here.p95.as_ms_f64(), here.p99.as_ms_f64());
        let (figure, now, then, most) = match breach {
            Breach::Timeout { p99: then } => ("p99", p99, *then, self.p99_ms.unwrap_or_default()),
            Breach::TooSlow { p95: then } => ("p95", p95, *then, p95 * self.p95_tolerance),
            Breach::Dearer { factor } => ("cost", 1.0, *factor, 1.0),
        };
        reasons.add(code, || {
            [
                ("wanted_mb", wanted.0.into()),
                ("figure", figure.into()),
                ("now", rounded(now).into()),
                ("then", rounded(then).into()),
                ("most", rounded(most).into()),
                ("basis", self.projector.to(wanted).basis.name().into()),
                ("strategy", self.seen.strategy(self.settings).name().into()),
                ("mb", mb.0.into()),
            ]
        });
    }
}

/// Factors are quotients of binary fractions.
const ROUNDING: f64 = 1e-9;

/// To two decimals, as people read them.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::super::case::{Case, codes, figure, size};
    use super::super::facts::{SizeFacts, Strategy};
    use super::*;

    fn mb(size: Megabytes) -> u32 {
        size.0
    }

    /// One core at 1769 MB. At 1769 with half a core used: at 885 half a core is given, as fast; at 708
    /// 0.4: 1.25 times as long, which `balanced` allows; so 708 and not the policy's 300.
    #[test]
    fn p6_a_size_that_slows_down_beyond_the_tolerance_is_not_the_target() {
        let decision = Case::new(1769, &[200; 14]).using_cores(50).decide();
        assert_eq!(mb(decision.policy_mb), 300);
        assert_eq!(mb(decision.target_mb), 708);
        assert_eq!(figure(&decision, "too-slow", "now"), 200.0);
        // 0.5 ÷ (300 ÷ 1769) = 2.948
        assert_eq!(figure(&decision, "too-slow", "then"), 589.67);
        assert_eq!(figure(&decision, "too-slow", "most"), 250.0);
        assert_eq!(figure(&decision, "too-slow", "basis"), "cpu-time");
    }

    /// 1769 × 0.5 = 884.5: `cost` twice as slow at 443, `speed` 5 % at 843.
    #[test]
    fn p6_the_strategy_says_how_much_slower() {
        for (strategy, target) in [(Strategy::Cost, 443), (Strategy::Speed, 843)] {
            let mut case = Case::new(1769, &[200; 14]).using_cores(50);
            case.0.configured.strategy = Some(strategy);
            assert_eq!(mb(case.decide().target_mb), target, "{strategy:?}");
        }
    }

    /// Two cores used at 3538: all there is. Single-threaded or not, less memory is slower in
    /// proportion, and saves nothing: 3538 ÷ 1.25 = 2830.4.
    #[test]
    fn p6_several_cores_are_counted() {
        let decision = Case::new(3538, &[200; 14]).using_cores(200).decide();
        assert_eq!(mb(decision.target_mb), 2831);
    }

    /// 99 % within 400 ms; timeout 1 s: 0.7 × 1000 = 700 = 1.75 × 400. Tolerance aside (`cost` allows
    /// twice), 0.5 ÷ 1.75 × 1769 = 505.4.
    #[test]
    fn p6_the_timeout_is_kept_away_from() {
        let mut case = Case::new(1769, &[200; 14]).using_cores(50);
        case.0.configured.strategy = Some(Strategy::Cost);
        case.0.configured.timeout = Some(Millis::from_ms(1000));
        let decision = case.decide();
        assert_eq!(mb(decision.target_mb), 506);
        assert_eq!(figure(&decision, "timeout-near", "most"), 700.0);
        // Too near already: nothing smaller at all.
        case.0.configured.timeout = Some(Millis::from_ms(571));
        assert_eq!(
            (case.decide().target_mb, case.step()),
            (Megabytes(1769), (None, false))
        );
    }

    #[test]
    fn p6_without_a_timeout_a_person_decides() {
        let mut case = Case::new(1024, &[200; 14]);
        case.0.configured.timeout = None;
        assert_eq!(case.step(), (Some(300), false));
        assert!(codes(&case.decide()).contains(&"timeout-unknown"));
    }

    #[test]
    fn p6_without_durations_a_person_decides() {
        let mut case = Case::new(1024, &[200; 14]);
        case.0.sizes.clear();
        assert_eq!(case.step(), (Some(300), false));
        assert!(codes(&case.decide()).contains(&"durations-unknown"));
        assert_eq!(case.decide().projection, None);
    }

    /// Nothing known of the CPU: at worst 1024 ÷ 1.25 = 819.2 → 820 is 25 % slower, so that is the step,
    /// and measures. A person may go the whole way, unless it might time out: 400 ms × 1024 ÷ 300 is
    /// 1365 ms, and 0.7 × 1.5 s = 1050: 1024 ÷ 2.625 = 390.1.
    #[test]
    fn p6_where_cpu_is_unknown_a_step_measures() {
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
    fn p6_what_was_measured_opens_the_way() {
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
        // Had it taken as much longer as it had less, it would be all CPU: no further than 820 ÷ 1.25.
        case.0.sizes[0].billed_ms = 625_000;
        assert_eq!(case.decide().target_mb, Megabytes(656));
    }

    /// Measured at 512: three times as slow. Whatever the CPU says, that is so; and so is what lies below.
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
        let mut case = Case::new(1769, &[200; 14]).using_cores(50);
        case.0.configured.mode = Some(super::super::facts::ApplyMode::Recommend);
        let projection = case.decide().projection.unwrap();
        assert!((projection.expected.mean - 0.5 * 1769.0 / 708.0).abs() < 1e-9);
        assert!(projection.worst.mean > projection.expected.mean);
    }
}
