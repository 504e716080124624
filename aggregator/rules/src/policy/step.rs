//! P5: how far one decrease goes, and when the next may follow. Decreases only: nothing ever delays
//! an increase.

use rightsizer_records::{Megabytes, Reason};

use super::evidence::FunctionEvidence;
use super::facts::SizeChange;
use super::increase::within_tags;
use super::proof;
use super::reasons::Reasons;
use super::settings::PolicySettings;
use super::speed::Allowed;

const HOUR_MS: i64 = 3_600_000;

/// The next change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// The size after it; `None` if nothing should change now.
    pub(super) to: Option<Megabytes>,
    /// Whether the updater may make it without a person.
    pub(super) auto: bool,
}

impl Step {
    pub(super) const NONE: Self = Self {
        to: None,
        auto: false,
    };
}

/// The step towards a smaller size: the whole decrease for an approval, a smaller step if
/// automatic.
pub(super) fn down(
    allowed: Allowed,
    seen: &FunctionEvidence,
    settings: &PolicySettings,
    reasons: &mut Reasons,
) -> Step {
    let (current, target) = (seen.current_mb, allowed.target);
    let least = dead_band(current, settings);
    let less = current.0.saturating_sub(target.0);
    if less == 0 {
        return Step::NONE;
    }
    if less < least {
        reasons.add(|| Reason::DeadBand {
            change_mb: Megabytes(less),
            least_mb: Megabytes(least),
        });
        return Step::NONE;
    }
    let by_person = Step {
        to: Some(target),
        auto: false,
    };
    let Some(safe) = allowed.automatic.filter(|_| within_tags(target, seen)) else {
        return by_person;
    };
    let half = smallest_step(current, settings);
    let to = target.max(safe).max(half);
    if current.0 - to.0 < least {
        return by_person;
    }
    if proof::waits(seen, reasons) || waits(seen, settings, reasons) {
        return Step::NONE;
    }
    if half >= to && half > target {
        reasons.add(|| Reason::Step {
            mb: to,
            target_mb: target,
        });
    }
    Step {
        to: Some(to),
        auto: true,
    }
}

/// A decrease by less is not worth new environments.
fn dead_band(current: Megabytes, settings: &PolicySettings) -> u32 {
    let share = u64::from(current.0) * u64::from(settings.dead_band_percent);
    let share = u32::try_from(share.div_ceil(100)).unwrap_or(u32::MAX);
    share.max(settings.dead_band_mb.0)
}

/// The size that one automatic step may reach.
fn smallest_step(current: Megabytes, settings: &PolicySettings) -> Megabytes {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of the size, between 0 and 1"
    )]
    let mb = (f64::from(current.0) * (1.0 - settings.max_step_down) - 1e-6).ceil() as u32;
    Megabytes(mb)
}

/// Whether the last step down is not proven yet.
fn waits(seen: &FunctionEvidence, settings: &PolicySettings, reasons: &mut Reasons) -> bool {
    let last = seen.changes.last.filter(SizeChange::is_decrease);
    last.is_some_and(|last| is_unproven(last, seen, settings, reasons))
}

/// Whether the last step in either direction is not proven yet, which a step for power waits for.
pub(super) fn waits_for_any(
    seen: &FunctionEvidence,
    settings: &PolicySettings,
    reasons: &mut Reasons,
) -> bool {
    let last = seen.changes.last;
    last.is_some_and(|last| is_unproven(last, seen, settings, reasons))
}

fn is_unproven(
    last: SizeChange,
    seen: &FunctionEvidence,
    settings: &PolicySettings,
    reasons: &mut Reasons,
) -> bool {
    let waited_ms = seen.present.as_ms().saturating_sub(last.at.as_ms());
    let proven = last.verified
        && waited_ms >= i64::from(settings.step_hours) * HOUR_MS
        && last.invocations >= settings.step_invocations;
    if !proven {
        reasons.add(|| Reason::StepWaits {
            from_mb: last.from_mb,
            hours: waited_ms / HOUR_MS,
            invocations: last.invocations,
            least_hours: settings.step_hours,
            least_invocations: settings.step_invocations,
            to_mb: last.to_mb,
            verified: last.verified,
        });
    }
    !proven
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rightsizer_records::ApplyMode;

    use super::super::case::{Case, codes, figure, has, size};
    use super::*;

    /// 14 days at 200: 300 is wanted. From 332 that is 32 less: made. From 331: not. From 1000, 5 % is
    /// 50: 950 is made, 951 is not.
    #[test]
    fn p5_small_decreases_are_not_made() {
        assert_eq!(Case::new(332, &[200; 14]).step(), (Some(300), true));
        let small = Case::new(331, &[200; 14]).decide();
        assert_eq!((small.to_mb, small.target_mb), (None, Megabytes(300)));
        assert_eq!(figure(&small, "dead-band", "least_mb"), 32);
        assert_eq!(Case::new(1000, &[850; 14]).step(), (Some(950), true));
        assert_eq!(Case::new(1000, &[851; 14]).step(), (None, false));
    }

    #[test]
    fn p5_there_is_no_dead_band_for_increases() {
        // 1.1 × 910 = 1001 is more than there is: 910 + 100.
        assert_eq!(Case::new(1000, &[910; 14]).step(), (Some(1010), true));
    }

    /// From 1024 to 300: 512 by itself, then 300 (256 would be half).
    #[test]
    fn p5_an_automatic_step_is_at_most_half() {
        let first = Case::new(1024, &[200; 14]);
        assert_eq!(first.step(), (Some(512), true));
        assert_eq!(first.decide().target_mb, Megabytes(300));
        assert_eq!(figure(&first.decide(), "step", "mb"), 512);
        assert_eq!(Case::new(512, &[200; 14]).step(), (Some(300), true));
        assert_eq!(Case::new(1023, &[200; 14]).step(), (Some(512), true));
    }

    #[test]
    fn p5_a_person_decides_on_the_whole_way() {
        let mut case = Case::new(1024, &[200; 14]);
        case.0.configured.mode = Some(ApplyMode::Recommend);
        assert_eq!(case.step(), (Some(300), false));
    }

    #[test]
    fn p5_what_a_stack_made_goes_the_whole_way_in_its_template() {
        let mut case = Case::new(1024, &[200; 14]);
        case.0.configured.of_a_pipeline = true;
        assert_eq!(case.step(), (Some(300), false));
        assert!(has(&case.decide(), "stack-owned"));
        // If nothing should change, there is no reason to add.
        let mut fine = Case::new(300, &[200; 14]);
        fine.0.configured.of_a_pipeline = true;
        assert!(!has(&fine.decide(), "stack-owned"));
    }

    /// 24 hours before the present is 2026-01-31T01:00.
    #[test]
    fn p5_the_next_step_waits_for_the_last_one_to_be_proven() {
        let stepped = |at| Case::new(512, &[200; 14]).changed(at, 1024, 512);
        let proven = stepped("2026-01-31T01:00:00Z");
        assert_eq!(proven.step(), (Some(300), true));
        let early = stepped("2026-01-31T01:00:00.001Z").decide();
        assert_eq!((early.to_mb, early.target_mb), (None, Megabytes(300)));
        assert_eq!(figure(&early, "step-waits", "hours"), 23);
        let without = |change: fn(&mut SizeChange)| {
            let mut case = stepped("2026-01-20T00:00:00Z");
            change(case.0.changes.last.as_mut().unwrap());
            case.step()
        };
        assert_eq!(without(|last| last.invocations = 49), (None, false));
        assert_eq!(without(|last| last.verified = false), (None, false));
    }

    #[test]
    fn p5_nothing_waits_for_an_increase() {
        let mut case = Case::new(256, &[240; 14]).changed("2026-02-01T00:59:00Z", 512, 256);
        case.0.changes.last.as_mut().unwrap().verified = false;
        assert_eq!(case.step(), (Some(340), true));
    }

    proptest! {
        /// Whatever is known: an automatic decrease is at most half, never below the target, and at
        /// least the dead band; an increase goes the whole way at once.
        #[test]
        fn p5_steps_keep_their_bounds(
            current in 128_u32..10_240, peak in 1_u32..10_240, cores in 0_u64..200, timeout in 1_u64..900,
        ) {
            let mut case = Case::new(current, &[peak; 14]).using_cores(cores);
            case.0.configured.timeout = Some(rightsizer_records::Millis::from_ms(timeout * 1000));
            case.0.sizes.push(size(current + 100));
            let decision = case.decide();
            if let Some(Megabytes(to)) = decision.to_mb {
                if to < current && decision.auto {
                    prop_assert!(to * 2 >= current && Megabytes(to) >= decision.target_mb);
                }
                if to < current {
                    prop_assert!(current - to >= 32 && u64::from(current - to) * 20 >= u64::from(current));
                } else {
                    prop_assert_eq!(Megabytes(to), decision.policy_mb);
                }
            }
            prop_assert!(decision.target_mb >= decision.policy_mb);
            prop_assert!(!codes(&decision).is_empty());
        }
    }
}
