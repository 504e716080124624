//! P1–P4: the size that the evidence calls for, before anything asks how to get there.

use rightsizer_records::{Megabytes, Reason};

use super::evidence::FunctionEvidence;
use super::lone;
use super::name::FloorRule;
use super::reasons::{Reasons, after_running_out, times};
use super::recurring::RecurringPeak;
use super::settings::PolicySettings;

/// P1–P4: the size by the policy in force, and whether a size ran out that is not answered yet.
/// `None` if no report has a memory figure.
pub fn policy_size(
    seen: &FunctionEvidence,
    settings: &PolicySettings,
    reasons: &mut Reasons,
) -> Option<(Megabytes, bool)> {
    let (wanted, urgent) = wanted(seen, settings, reasons)?;
    let bounded = lone::bound(wanted, seen, settings, reasons);
    Some((clamp(bounded, seen, settings, reasons), urgent))
}

/// P1–P3, from any source.
pub(super) fn wanted(
    seen: &FunctionEvidence,
    settings: &PolicySettings,
    reasons: &mut Reasons,
) -> Option<(Megabytes, bool)> {
    let policy = settings.name.estimator(settings);
    let wanted = policy.estimate(seen, reasons)?;
    let floored = if settings.floor {
        floor(wanted, seen, settings, reasons)
    } else {
        wanted
    };
    let (mb, urgent) = bump(floored, seen, reasons);
    Some((without_danger(mb, seen, settings, reasons), urgent))
}

/// An increase needs a danger: a floor (P2) or a size that ran out (P3) above the present size. The buffer
/// may hold a decrease up; by itself it never raises a size. Without the floor the highest peak takes its
/// place.
fn without_danger(
    mb: Megabytes,
    seen: &FunctionEvidence,
    settings: &PolicySettings,
    reasons: &mut Reasons,
) -> Megabytes {
    if mb <= seen.current_mb {
        return mb;
    }
    let highest = seen.floor_peak.map(|(_, peak)| peak);
    let floor = match (settings.floor, settings.floor_rule) {
        (false, _) => highest,
        (true, FloorRule::Highest) => highest.map(|peak| times(peak, settings.floor_headroom)),
        (true, FloorRule::Recurring) => {
            let most = settings.recurring_headroom;
            (RecurringPeak { most }).of(seen).map(|found| found.mb)
        }
    };
    let ran_out = seen.censored.map(|(_, size)| after(size, seen));
    let needed = floor.max(ran_out).unwrap_or_default();
    if needed > seen.current_mb {
        return mb;
    }
    reasons.add(|| Reason::NoDanger {
        mb: seen.current_mb,
        needed_mb: needed,
        wanted_mb: mb,
    });
    seen.current_mb
}

/// P2: never below `ceil(headroom × highest peak)`. The mean alone under-sizes whenever
/// max − mean exceeds the buffer.
fn floor(
    mb: Megabytes,
    seen: &FunctionEvidence,
    settings: &PolicySettings,
    reasons: &mut Reasons,
) -> Megabytes {
    match settings.floor_rule {
        FloorRule::Highest => floor_of_highest(mb, seen, settings.floor_headroom, reasons),
        FloorRule::Recurring => floor_of_recurring(mb, seen, settings.recurring_headroom, reasons),
    }
}

fn floor_of_highest(
    mb: Megabytes,
    seen: &FunctionEvidence,
    headroom: f64,
    reasons: &mut Reasons,
) -> Megabytes {
    let Some((day, peak)) = seen.floor_peak else {
        return mb;
    };
    let least = times(peak, headroom);
    if least <= mb {
        return mb;
    }
    reasons.add(|| Reason::Floor {
        day,
        headroom,
        mb: least,
        peak_mb: peak,
    });
    least
}

/// The same, of the level that recurs: a lone spike holds it up for two days only.
fn floor_of_recurring(
    mb: Megabytes,
    seen: &FunctionEvidence,
    most: f64,
    reasons: &mut Reasons,
) -> Megabytes {
    let Some(found) = (RecurringPeak { most }).of(seen) else {
        return mb;
    };
    if found.mb <= mb {
        return mb;
    }
    reasons.add(|| Reason::RecurringFloor {
        headroom: found.factor,
        mb: found.mb,
        movement_percent: found.movement_percent,
        peak_mb: found.level,
    });
    found.mb
}

/// P3: a size that ran out hides the demand: at least `max(1.2 × s, s + 100)`, and never below that
/// again. It is urgent if the current and any pending size are smaller.
fn bump(mb: Megabytes, seen: &FunctionEvidence, reasons: &mut Reasons) -> (Megabytes, bool) {
    let Some((day, size)) = seen.censored else {
        return (mb, false);
    };
    let least = after(size, seen);
    let urgent = least > seen.pending_mb.unwrap_or_default().max(seen.current_mb);
    if least <= mb {
        return (mb, urgent);
    }
    reasons.add(|| Reason::OutOfMemory {
        day,
        mb: least,
        size_mb: size,
    });
    (least, urgent)
}

/// What a function gets that ran out at `size` (P3).
pub(super) fn after(size: Megabytes, seen: &FunctionEvidence) -> Megabytes {
    after_running_out(size).max(back_to(size, seen))
}

/// What ran out at a size that a decrease gave and that is not verified gets at least the size
/// before: one environment is enough for that, and costs no more than there was. That the decrease
/// counts as rolled back, with all that follows, takes several (`outcome`).
fn back_to(size: Megabytes, seen: &FunctionEvidence) -> Megabytes {
    let change = seen.changes.last.filter(|change| {
        let on_trial = change.is_decrease() && !change.verified;
        on_trial && change.to_mb == size && seen.current_mb == size
    });
    change.map_or(Megabytes(0), |change| change.from_mb)
}

/// P4: sizes that Lambda has, and that the settings and the function's tags allow. The maximum caps
/// an increase; it never takes a function below what the rules before call for: that would be running
/// it out of memory.
fn clamp(
    mb: Megabytes,
    seen: &FunctionEvidence,
    settings: &PolicySettings,
    reasons: &mut Reasons,
) -> Megabytes {
    let tags = &seen.configured;
    let most = tags
        .max_mb
        .map_or(settings.max_mb, |tag| tag.min(settings.max_mb));
    let least = tags
        .min_mb
        .map_or(settings.min_mb, |tag| tag.max(settings.min_mb));
    let most = most.max(mb.min(seen.current_mb));
    let clamped = mb.max(least).min(most);
    if clamped < mb && clamped <= seen.current_mb && mb > seen.current_mb {
        let ran_out = seen
            .censored
            .is_some_and(|(_, size)| after(size, seen) > clamped);
        reasons.add(|| Reason::HeldByMaximum {
            mb: clamped,
            ran_out,
            wanted_mb: mb,
        });
    } else if clamped > mb {
        reasons.add(|| Reason::Minimum {
            mb: clamped,
            wanted_mb: mb,
        });
    } else if clamped < mb {
        reasons.add(|| Reason::Maximum {
            mb: clamped,
            wanted_mb: mb,
        });
    }
    clamped
}

#[cfg(test)]
mod tests {
    use super::super::case::{Case, codes, figure, has};
    use super::super::evidence::tests::seen;
    use super::super::name::PolicyName;
    use super::*;

    /// 14 days at 200: mean 200, + 100 = 300; the floor 1.10 × 200 = 220 is lower.
    #[test]
    fn p1_average_plus_buffer() {
        let decision = Case::new(1024, &[200; 14]).decide();
        assert_eq!(decision.policy_mb, Megabytes(300));
        assert_eq!(codes(&decision)[0], "average-plus-buffer");
        assert!(!has(&decision, "floor"));
        assert!(decision.auto && !decision.urgent);
    }

    /// 60 of 128: 60 + 100 = 160, but its floor is 66: nothing is in danger. Peaks of 200 to 204 in 300: 302,
    /// with a floor of 225. At 118 of 128 the floor is 130, which is more than there is: 118 + 100.
    #[test]
    fn p1_the_buffer_by_itself_never_raises_a_size() {
        let flat = Case::new(128, &[60; 14]).decide();
        assert_eq!((flat.policy_mb, flat.to_mb), (Megabytes(128), None));
        assert!(codes(&flat).ends_with(&["no-danger".to_owned()]));
        assert_eq!(
            Case::new(300, &[200, 202, 204]).decide().policy_mb,
            Megabytes(300)
        );
        assert_eq!(Case::new(128, &[118; 14]).step(), (Some(218), true));
        assert_eq!(Case::new(128, &[116; 14]).step(), (None, false));
    }

    /// Without the floor the highest peak itself has to be above the size: 129 of 128, not 127.
    #[test]
    fn p2_without_the_floor_the_highest_peak_is_the_danger() {
        let plain = |peak| {
            let mut case = Case::new(128, &[peak; 14]);
            case.1.floor = false;
            case.step()
        };
        assert_eq!(plain(127), (None, false));
        assert_eq!(plain(129), (Some(229), true));
    }

    /// Peaks 101 and 102: mean 101.5, rounded up 102, + 100 = 202.
    #[test]
    fn p1_the_mean_is_rounded_up() {
        assert_eq!(
            Case::new(1024, &[101, 102]).decide().policy_mb,
            Megabytes(202)
        );
    }

    /// 13 days at 200 and one at 900: mean 250 + 100 = 350, under its own peak; the floor is
    /// 1.10 × 900 = 990. Without the floor the plain rule's 350 comes out.
    #[test]
    fn p2_the_floor_holds_if_the_average_is_unsafe() {
        let mut peaks = [200; 14];
        peaks[6] = 900;
        let mut case = Case::new(1536, &peaks);
        assert_eq!(case.decide().policy_mb, Megabytes(990));
        assert_eq!(codes(&case.decide())[..2], ["average-plus-buffer", "floor"]);
        case.1.floor = false;
        assert_eq!(case.decide().policy_mb, Megabytes(350));
    }

    /// 13 days at 200 and a 900 a week ago: 900 weighs less than 8 %, so the level that recurs is
    /// 200, × 1.30 = 260, below the average's 350. Were it yesterday's, 1.30 × 900 = 1170.
    #[test]
    fn p2_the_recurring_floor_forgets_a_lone_spike() {
        let mut peaks = [200; 60];
        peaks[53] = 900;
        let mut case = Case::new(1536, &peaks);
        case.1.floor_rule = FloorRule::Recurring;
        assert_eq!(case.decide().policy_mb, Megabytes(350));
        peaks[53] = 200;
        peaks[59] = 900;
        case.0 = seen(&peaks);
        assert_eq!(case.decide().policy_mb, Megabytes(1170));
        assert_eq!(
            codes(&case.decide())[..2],
            ["average-plus-buffer", "recurring-floor"]
        );
    }

    /// 1.15 × 900 = 1035 with the floor's 990 below it; each rule has its reason.
    #[test]
    fn p7_the_policy_in_force_is_the_one_that_is_named() {
        let mut case = Case::new(1536, &[200, 900, 200]);
        case.1.name = PolicyName::PeakPlusMargin;
        assert_eq!(case.decide().policy_mb, Megabytes(1035));
        assert_eq!(codes(&case.decide())[..2], ["highest-peak", "margin"]);
    }

    /// Ran out at 256: max(1.2 × 256 = 307.2 → 308, 356) = 356. At 1000: max(1200, 1100) = 1200.
    #[test]
    fn p3_a_size_that_ran_out_is_bumped_at_once() {
        let decision = Case::new(256, &[140; 3]).ran_out_at(256).decide();
        assert_eq!(decision.to_mb, Some(Megabytes(356)));
        assert!(decision.urgent && decision.auto);
        assert_eq!(
            Case::new(1000, &[400; 14])
                .ran_out_at(1000)
                .decide()
                .policy_mb,
            Megabytes(1200)
        );
    }

    /// At 356 the bump from 256 is done: nothing urgent, and no way down to mean 150 + 100 = 250.
    #[test]
    fn p3_the_bump_is_done_at_its_size_and_is_not_gone_below_again() {
        let decision = Case::new(356, &[150; 14]).ran_out_at(256).decide();
        assert_eq!((decision.policy_mb, decision.to_mb), (Megabytes(356), None));
        assert!(!decision.urgent);
    }

    /// Ran out at the maximum: there is no larger size, so no change and no endless urgency.
    #[test]
    fn p3_ends_at_the_maximum() {
        let decision = Case::new(10_240, &[9000; 14]).ran_out_at(10_240).decide();
        assert_eq!((decision.to_mb, decision.urgent), (None, false));
        assert_eq!(figure(&decision, "held-by-maximum", "ran_out"), true);
    }

    /// Peak 10: 10 + 100 = 110, below Lambda's smallest size. Peak 9990: floor 10989.
    #[test]
    fn p4_sizes_stay_within_lambdas_bounds() {
        let small = Case::new(256, &[10; 14]).decide();
        assert_eq!(
            (small.policy_mb, codes(&small)[1].as_str()),
            (Megabytes(128), "minimum")
        );
        let large = Case::new(10_000, &[9990; 14]).decide();
        assert_eq!(
            (large.policy_mb, codes(&large)[2].as_str()),
            (Megabytes(10_240), "maximum")
        );
    }

    /// Uses 2500 of 3008 with a maximum of 1024: P2 wants ceil(1.10 × 2500) = 2750. The maximum
    /// must not make it 1024; and 65000 of 65536 wants 71500, which is more than it has: it keeps
    /// that.
    #[test]
    fn p4_the_maximum_never_takes_a_function_below_what_it_uses() {
        let mut case = Case::new(3008, &[2500; 14]);
        case.1.max_mb = Megabytes(1024);
        assert_eq!(case.decide().to_mb, Some(Megabytes(2750)));
        assert_eq!(Case::new(65_536, &[65_000; 14]).decide().to_mb, None);
    }

    /// Ran out at 2048 with a maximum of 1024: at least 2458 is wanted, which is more than it has, so
    /// it keeps what it has; the maximum must not make it 1024.
    #[test]
    fn p4_the_maximum_never_takes_a_function_below_a_size_that_ran_out() {
        let mut case = Case::new(2048, &[500; 14]).ran_out_at(2048);
        case.1.max_mb = Megabytes(1024);
        let decision = case.decide();
        assert_eq!((decision.to_mb, decision.urgent), (None, false));
    }

    /// The tags are the function's own bounds: 300 is wanted; at least 384, at most 256 of 1024 (350 is
    /// what its peak of 318 calls for, so that is not gone below).
    #[test]
    fn p4_the_function_s_own_bounds_hold() {
        let mut case = Case::new(1024, &[200; 14]);
        case.0.configured.min_mb = Some(Megabytes(384));
        assert_eq!(case.decide().policy_mb, Megabytes(384));
        case.0.configured.min_mb = None;
        case.0.configured.max_mb = Some(Megabytes(256));
        assert_eq!(
            case.decide().policy_mb,
            Megabytes(300),
            "never below what it calls for"
        );
        assert!(!case.decide().auto, "the updater would refuse it");
        let mut case = Case::new(256, &[250; 14]);
        case.0.configured.max_mb = Some(Megabytes(320));
        assert_eq!(case.decide().policy_mb, Megabytes(320));
    }
}
