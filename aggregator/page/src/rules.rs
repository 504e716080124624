//! Which rule a reason comes from, and where the guide explains it.

use maud::{Markup, html};

use crate::words::Text;

/// The heading of the guide's page ALGORITHM that explains a reason, by the beginning of its anchor.
fn heading(code: &str) -> &'static str {
    match code {
        "average-plus-buffer" | "no-danger" => "p1-",
        "floor" | "one-environment" | "recurring-floor" => "p2-",
        "out-of-memory" | "increase-limit" | "leak" => "p3-",
        "minimum" | "maximum" | "held-by-maximum" => "p4-",
        "dead-band" | "step" | "step-waits" | "alarm" | "just-deployed" => "p5-",
        "failing" | "heap-limit" => "p6-failures",
        "init-near" => "p6-starts",
        "timeout-near" | "too-slow" | "no-saving" | "only-slower" | "careful-step"
        | "timeout-unknown" | "durations-unknown" | "slower" => "p6-duration",
        "highest-peak" | "percentile" | "margin" | "movement" | "autopilot" => "p7-",
        "window-not-full" => "w4-",
        "little-evidence" => "w6-",
        code if code.starts_with("rollback-") => "outcomes",
        _ => "p8-",
    }
}

/// The address of a reason's rule.
pub(crate) fn rule_address(code: &str) -> String {
    crate::docs::anchored("ALGORITHM", heading(code))
}

/// Words that lead to the rule of a reason.
pub(crate) fn rule_link(code: &str, words: &str) -> Markup {
    html! { a.rule href=(rule_address(code)) { (Text(words)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every code of the table under P8 leads to a heading of its own.
    #[test]
    fn every_reason_leads_to_its_rule() {
        for code in [
            "average-plus-buffer",
            "floor",
            "out-of-memory",
            "minimum",
            "dead-band",
            "failing",
            "init-near",
            "too-slow",
            "percentile",
            "window-not-full",
            "little-evidence",
            "rollback-errors",
            "stack-owned",
        ] {
            let address = rule_address(code);
            let (page, anchor) = address.split_once('#').unwrap();
            assert_eq!(page, "/ui/guide/ALGORITHM", "{code}");
            assert!(
                anchor.starts_with(heading(code)),
                "{code} leads to {address}"
            );
            let guide = crate::docs::document(&crate::frame::tests::frame(), "ALGORITHM").unwrap();
            assert!(
                guide.contains(&format!("id=\"{anchor}\"")),
                "{address} is not there"
            );
        }
    }
}
