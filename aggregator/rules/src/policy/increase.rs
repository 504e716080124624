//! P3's limits: how far an automatic increase goes, and when it needs an approval.

use rightsizer_records::{Megabytes, Reason};

use super::evidence::FunctionEvidence;
use super::reasons::Reasons;
use super::settings::PolicySettings;

/// Whether the updater may make the increase to `mb` without a person. Nothing here delays it (P5): it
/// is shown at once, and urgent stays urgent.
pub(super) fn may_be_automatic(
    mb: Megabytes,
    urgent: bool,
    seen: &FunctionEvidence,
    settings: &PolicySettings,
    reasons: &mut Reasons,
) -> bool {
    let within = !urgent || within_limits(mb, seen, settings, reasons);
    within && !chases_a_leak(seen) && within_tags(mb, seen)
}

/// The limits of automatic increases, in number and in multiples of the last verified size: a
/// function that needs more is broken rather than small.
fn within_limits(
    mb: Megabytes,
    seen: &FunctionEvidence,
    settings: &PolicySettings,
    reasons: &mut Reasons,
) -> bool {
    let changes = &seen.changes;
    let most = changes
        .verified_mb
        .map(|verified| verified.0.saturating_mul(settings.max_growth));
    if changes.increases < settings.max_increases && most.is_none_or(|most| mb.0 <= most) {
        return true;
    }
    reasons.add(|| Reason::IncreaseLimit {
        increases: changes.increases,
        mb,
        most_increases: settings.max_increases,
        most_times: settings.max_growth,
        verified_mb: changes.verified_mb,
    });
    false
}

/// A leak gets one increase, which keeps it alive for as long again; a second in a row would chase it.
fn chases_a_leak(seen: &FunctionEvidence) -> bool {
    let increased = seen.changes.last.is_some_and(|last| last.is_increase());
    seen.leak.is_some() && (increased || seen.changes.increases > 0)
}

/// The updater refuses what is outside the function's own bounds, what its mode does not allow, and what
/// a stack would put back.
pub(super) fn within_tags(mb: Megabytes, seen: &FunctionEvidence) -> bool {
    let tags = &seen.configured;
    tags.is_changed_by_itself() && tags.max_mb.is_none_or(|most| mb <= most)
}

#[cfg(test)]
mod tests {
    use rightsizer_records::ApplyMode;
    use rightsizer_records::Megabytes;

    use super::super::case::{Case, figure, has};

    /// Ran out at 256, 356 and 456: the third bump, to 556, was automatic. The fourth, 556 → 668, is not,
    /// but it is as urgent.
    #[test]
    fn p3_after_three_automatic_increases_a_person_decides() {
        let mut case = Case::new(556, &[400; 14]).ran_out_at(556);
        case.0.changes.verified_mb = Some(Megabytes(256));
        case.0.changes.increases = 2;
        assert_eq!(case.step(), (Some(668), true));
        case.0.changes.increases = 3;
        let decision = case.decide();
        assert_eq!(
            (decision.to_mb, decision.auto),
            (Some(Megabytes(668)), false)
        );
        assert!(decision.urgent);
        assert_eq!(figure(&decision, "increase-limit", "increases"), 3);
    }

    /// Verified at 128: 4 × 128 = 512. Ran out at 412: 512 is wanted, which is within; at 413: 513.
    #[test]
    fn p3_beyond_four_times_the_last_verified_size_a_person_decides() {
        let mut case = Case::new(412, &[100; 14]).ran_out_at(412);
        case.0.changes.verified_mb = Some(Megabytes(128));
        assert_eq!(case.step(), (Some(512), true));
        case = Case::new(413, &[100; 14]).ran_out_at(413);
        case.0.changes.verified_mb = Some(Megabytes(128));
        assert_eq!(case.step(), (Some(513), false));
        assert!(case.decide().urgent);
    }

    /// Growth that did not run out is P1's and P2's business: no limit.
    #[test]
    fn p3_the_limits_are_for_sizes_that_ran_out() {
        let mut case = Case::new(256, &[250; 14]);
        case.0.changes.increases = 9;
        assert_eq!(case.step(), (Some(350), true));
    }

    #[test]
    fn p3_a_leak_is_flagged_and_gets_one_increase() {
        let case = Case::new(512, &[400; 14]).ran_out_at(512).leaking();
        let decision = case.decide();
        assert_eq!(
            (decision.to_mb, decision.auto),
            (Some(Megabytes(615)), true)
        );
        assert_eq!(figure(&decision, "leak", "mb_per_1000"), 70);
        let again = Case::new(615, &[600; 14]).ran_out_at(615).leaking();
        let again = again.changed("2026-01-20T00:00:00Z", 512, 615);
        let decision = again.decide();
        assert_eq!(
            (decision.to_mb, decision.auto),
            (Some(Megabytes(738)), false)
        );
        assert!(decision.urgent);
    }

    /// Not even out of memory: the next deployment would put the old size back.
    #[test]
    fn p3_the_size_of_what_a_stack_made_is_exported_and_as_urgent() {
        let mut case = Case::new(512, &[400; 14]).ran_out_at(512);
        case.0.configured.of_a_pipeline = true;
        let decision = case.decide();
        assert_eq!(
            (decision.to_mb, decision.auto, decision.urgent),
            (Some(Megabytes(615)), false, true)
        );
        assert!(has(&decision, "stack-owned"));
        case.0.configured.mode = Some(ApplyMode::Auto);
        let decision = case.decide();
        assert!(decision.auto && !has(&decision, "stack-owned"));
    }

    /// A leak's peak only shows how long environments happened to live.
    #[test]
    fn p3_a_leaking_function_is_not_shrunk_automatically() {
        let case = Case::new(1024, &[200; 14]).leaking();
        assert_eq!(case.step(), (Some(300), false));
        assert!(has(&case.decide(), "leak"));
    }
}
