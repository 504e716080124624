//! Which rule a reason comes from, and where the guide explains it.

use maud::{Markup, html};
use rightsizer_records::Reason;

use crate::words::Text;

/// The heading of the guide's page ALGORITHM that explains a reason, by the beginning of its anchor.
pub(crate) const fn heading(reason: &Reason) -> &'static str {
    match reason {
        Reason::AveragePlusBuffer { .. } | Reason::NoDanger { .. } => "p1-",
        Reason::Floor { .. } | Reason::RecurringFloor { .. } => "p2-",
        Reason::OutOfMemory { .. }
        | Reason::IncreaseLimit { .. }
        | Reason::OneEnvironment { .. }
        | Reason::Leak { .. } => "p3-",
        Reason::Minimum { .. }
        | Reason::Maximum { .. }
        | Reason::HeldByMaximum { .. }
        | Reason::StackOwned => "p4-",
        Reason::DeadBand { .. }
        | Reason::Step { .. }
        | Reason::StepWaits { .. }
        | Reason::Alarm { .. }
        | Reason::JustDeployed { .. } => "p5-",
        Reason::Failing { .. } | Reason::HeapLimit { .. } => "p6-failures",
        Reason::InitNear(_) => "p6-starts",
        Reason::TooSlow(_)
        | Reason::TimeoutNear(_)
        | Reason::NoSaving(_)
        | Reason::CarefulStep(_)
        | Reason::OnlySlower { .. }
        | Reason::Slower(_)
        | Reason::TimeoutUnknown { .. }
        | Reason::DurationsUnknown { .. } => "p6-duration",
        Reason::HighestPeak { .. }
        | Reason::Percentile { .. }
        | Reason::Margin { .. }
        | Reason::Movement { .. }
        | Reason::Autopilot { .. } => "p7-",
        Reason::Objective { .. } | Reason::ObjectiveReached { .. } => "p9-",
        Reason::WindowNotFull { .. } => "w4-",
        Reason::LittleEvidence { .. } | Reason::PartialEvidence { .. } => "w6-",
        Reason::RollbackOutOfMemory { .. }
        | Reason::RollbackErrors(_)
        | Reason::RollbackTimeouts(_)
        | Reason::RollbackInitFailures(_)
        | Reason::RollbackSlower { .. }
        | Reason::RollbackSilent { .. } => "outcomes",
        Reason::WrappedEvidence | Reason::Other(_) => "p8-",
    }
}

/// The address of the rule under a heading.
pub(crate) fn rule_address(heading: &str) -> String {
    crate::docs::anchored("ALGORITHM", heading)
}

/// Words that lead to the rule under a heading.
pub(crate) fn rule_link(heading: &str, words: &str) -> Markup {
    html! { a.rule href=(rule_address(heading)) { (Text(words)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The beginning of an anchor that no heading has would lead to the top of the page.
    #[test]
    fn every_heading_is_in_the_guide() {
        let guide = crate::docs::document(&crate::frame::tests::frame(), "ALGORITHM").unwrap();
        for heading in [
            "p1-",
            "p2-",
            "p3-",
            "p4-",
            "p5-",
            "p6-failures",
            "p6-starts",
            "p6-duration",
            "p7-",
            "p8-",
            "w4-",
            "w6-",
            "outcomes",
        ] {
            let address = rule_address(heading);
            let (page, anchor) = address.split_once('#').unwrap();
            assert_eq!(page, "/ui/guide/ALGORITHM");
            assert!(
                anchor.starts_with(heading) && guide.contains(&format!("id=\"{anchor}\"")),
                "{address}"
            );
        }
    }

    #[test]
    fn a_reason_leads_to_its_rule() {
        let reason: Reason =
            serde_json::from_str(r#"{"code":"leak","climbing":5,"judged":6,"mb_per_1000":41}"#)
                .unwrap();
        assert_eq!(
            rule_address(heading(&reason)),
            "/ui/guide/ALGORITHM#p3-censored-peaks"
        );
    }
}
