//! A decision: the rules in their order, and what they leave to a person.

use rightsizer_records::{Confidence, Megabytes, Reason, Slowdown};

use super::evidence::FunctionEvidence;
use super::facts::Wrapped;
use super::increase;
use super::power::{self, Wanted};
use super::project::{Basis, Factors, Projection, cores, project};
use super::proof;
use super::reasons::Reasons;
use super::settings::PolicySettings;
use super::size::policy_size;
use super::speed::{self, Allowed};
use super::step::{self, Step};
use crate::window::WINDOW_DAYS;

/// Fewer active days than this, or fewer invocations than the next, and confidence is low (W6).
pub(super) const ENOUGH_DAYS: u32 = 7;
pub(super) const ENOUGH_INVOCATIONS: u64 = 50;

/// A memory size with the rules that shaped it (P8).
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// After P1–P4.
    pub policy_mb: Megabytes,
    /// The size that the policy aims for (after P6).
    pub target_mb: Megabytes,
    /// This step (after P5); `None` if nothing should change now.
    pub to_mb: Option<Megabytes>,
    /// The rules that shaped it, with their figures.
    pub reasons: Vec<Reason>,
    /// How far the evidence carries.
    pub confidence: Confidence,
    /// The demand outgrew the size: not to be delayed by anything (W9).
    pub urgent: bool,
    /// Whether the updater may act on it without a person (W4, W6, P3, P5, P6).
    pub auto: bool,
    /// Durations at `to_mb` ÷ durations now; `None` if nothing should change or none were measured.
    /// The cost of a month is then `Usage::at` `expected.mean`.
    pub projection: Option<Projection>,
}

impl Decision {
    /// Returns the smallest size that P1 to P6 allow, whatever the objective chose (P9).
    pub(crate) fn safe_mb(&self) -> Megabytes {
        power::safe_size(self.policy_mb, self.target_mb, &self.reasons)
    }
}

/// Decides one function. `None` if no report has a memory figure.
pub fn decide(seen: &FunctionEvidence, settings: &PolicySettings) -> Option<Decision> {
    let mut reasons = Reasons::kept();
    let (policy_mb, urgent) = policy_size(seen, settings, &mut reasons)?;
    let confidence = confidence(seen, &mut reasons);
    if let Some(leak) = seen.leak {
        reasons.add(|| Reason::Leak {
            climbing: leak.climbing,
            judged: leak.judged,
            mb_per_1000: leak.mb_per_1000,
        });
    }
    let (target_mb, step) = if policy_mb > seen.current_mb {
        let auto = increase::may_be_automatic(policy_mb, urgent, seen, settings, &mut reasons);
        let to = Some(policy_mb);
        (policy_mb, Step { to, auto })
    } else if proof::is_missing(seen, &mut reasons) {
        (seen.current_mb, Step::NONE)
    } else {
        let may = confidence == Confidence::High && seen.leak.is_none();
        without_danger(policy_mb, may, seen, settings, &mut reasons)
    };
    let projection = step
        .to
        .and_then(|to| project(&seen.sizes, seen.current_mb, to));
    if let Some(to) = step.to.filter(|to| *to < seen.current_mb) {
        slower(seen.current_mb, to, projection, &mut reasons);
    }
    if step.to.is_some() && seen.configured.is_exported() {
        reasons.add(|| Reason::StackOwned);
    }
    Some(Decision {
        policy_mb,
        target_mb,
        to_mb: step.to,
        confidence,
        urgent: urgent && policy_mb > seen.current_mb,
        auto: step.auto && seen.wrapped != Wrapped::All,
        projection,
        reasons: reasons.into_vec(),
    })
}

/// The target and the step of a function that has enough memory: down to what P1 to P6 allow, or to what its
/// objective asks for (P9).
fn without_danger(
    policy_mb: Megabytes,
    may_be_automatic: bool,
    seen: &FunctionEvidence,
    settings: &PolicySettings,
    reasons: &mut Reasons,
) -> (Megabytes, Step) {
    let allowed = if policy_mb < seen.current_mb {
        speed::allowed(policy_mb, seen, settings, reasons)
    } else {
        Allowed {
            target: policy_mb,
            automatic: None,
        }
    };
    let allowed = Allowed {
        automatic: allowed.automatic.filter(|_| may_be_automatic),
        ..allowed
    };
    match power::wanted(seen, allowed.target, may_be_automatic, settings, reasons) {
        Some(Wanted::Stay) => (seen.current_mb, Step::NONE),
        Some(Wanted::Up(step, target)) => (target, step),
        Some(Wanted::DownTo(least)) => {
            let allowed = Allowed {
                target: allowed.target.max(least),
                automatic: allowed.automatic.map(|step| step.max(least)),
            };
            (allowed.target, step::down(allowed, seen, settings, reasons))
        }
        None => (allowed.target, step::down(allowed, seen, settings, reasons)),
    }
}

/// Computes how much slower a decrease may make the function, expected and at worst: a function
/// that takes three times as long in a third of the memory saves nothing.
fn slower(from: Megabytes, to: Megabytes, projection: Option<Projection>, reasons: &mut Reasons) {
    let (expected, worst, basis) = projection.map_or_else(
        || {
            let worst = Factors::all(cores(from) / cores(to));
            (Factors::all(1.0), worst, Basis::Unknown)
        },
        |known| (known.expected, known.worst, known.basis),
    );
    reasons.add(|| {
        Reason::Slower(Slowdown {
            basis: basis.shown(),
            mb: to,
            mean: hundredths(expected.mean),
            mean_worst: hundredths(worst.mean),
            p95: hundredths(expected.p95),
            p95_worst: hundredths(worst.p95),
        })
    });
}

fn hundredths(factor: f64) -> f64 {
    (factor * 100.0).round() / 100.0
}

/// W4 and W6, by successful invocations; logs of failures alone do not represent the rest.
fn confidence(seen: &FunctionEvidence, reasons: &mut Reasons) -> Confidence {
    let proven = seen.successes;
    if seen.failures_only {
        reasons.add(|| Reason::PartialEvidence {
            invocations: seen.window.invocations,
        });
        return Confidence::Low;
    }
    if proven.days < ENOUGH_DAYS || proven.invocations < ENOUGH_INVOCATIONS {
        reasons.add(|| Reason::LittleEvidence {
            days: proven.days,
            invocations: proven.invocations,
        });
        return Confidence::Low;
    }
    let seen_ms = seen
        .present
        .as_ms()
        .saturating_sub(seen.first_report.as_ms());
    if seen_ms < i64::from(WINDOW_DAYS) * 86_400_000 {
        reasons.add(|| Reason::WindowNotFull {
            seen_days: seen_ms / 86_400_000,
            window_days: WINDOW_DAYS,
        });
        return Confidence::Medium;
    }
    if seen.wrapped != Wrapped::None {
        reasons.add(|| Reason::WrappedEvidence);
        return Confidence::Medium;
    }
    Confidence::High
}

#[cfg(test)]
mod tests {
    use rightsizer_records::Timestamp;

    use super::super::case::{Case, has};
    use super::*;

    #[test]
    fn p3_a_pending_bump_is_not_urgent_again() {
        let mut case = Case::new(256, &[140; 3]).ran_out_at(256);
        case.0.pending_mb = Some(Megabytes(356));
        assert!(!case.decide().urgent);
    }

    #[test]
    fn w6_little_evidence_is_never_auto_for_a_decrease() {
        let mut case = Case::new(1024, &[200; 6]);
        let decision = case.decide();
        assert_eq!(
            (decision.confidence, decision.auto),
            (Confidence::Low, false)
        );
        case = Case::new(1024, &[200; 14]);
        case.0.successes.invocations = 49;
        assert_eq!(case.decide().confidence, Confidence::Low);
    }

    #[test]
    fn logs_of_failures_alone_are_never_auto_for_a_decrease() {
        let mut case = Case::new(1024, &[200; 14]);
        case.0.failures_only = true;
        let decision = case.decide();
        assert_eq!(
            (decision.confidence, decision.auto),
            (Confidence::Low, false)
        );
        assert!(has(&decision, "partial-evidence"));
    }

    /// What surrounds reports in the file of an unknown tool is read by likeness: a person looks at it.
    #[test]
    fn files_of_unknown_tools_change_nothing_automatically() {
        for mut case in [
            Case::new(1024, &[200; 14]),
            Case::new(256, &[250; 14]).ran_out_at(256),
        ] {
            case.0.wrapped = Wrapped::All;
            let decision = case.decide();
            assert!(decision.to_mb.is_some() && !decision.auto);
            assert_eq!(decision.confidence, Confidence::Medium);
            // If other sources have it too, nothing delays an increase.
            case.0.wrapped = Wrapped::Some;
            assert_eq!(case.decide().auto, case.0.current_mb == Megabytes(256));
        }
    }

    #[test]
    fn w4_until_14_days_have_passed_confidence_is_at_most_medium() {
        let mut case = Case::new(1024, &[200; 13]);
        case.0.first_report = Timestamp::parse("2026-01-18T01:00:00.001Z").unwrap();
        let decision = case.decide();
        assert_eq!(
            (decision.confidence, decision.auto),
            (Confidence::Medium, false)
        );
        case.0.first_report = Timestamp::parse("2026-01-18T01:00:00Z").unwrap();
        assert_eq!(case.decide().confidence, Confidence::High);
    }

    /// One day at 120 in 128: 220 is wanted; an increase waits for nothing.
    #[test]
    fn p5_nothing_delays_an_increase() {
        let decision = Case::new(128, &[120]).decide();
        assert_eq!(
            (decision.confidence, decision.auto),
            (Confidence::Low, true)
        );
    }

    #[test]
    fn no_memory_figure_no_decision() {
        let case = Case::new(1024, &[]);
        assert_eq!(decide(&case.0, &case.1), None);
    }
}
