//! Reasons in words, for tables and for `show`.

use rightsizer_records::Reason;
use serde_json::Value;

use super::phrases;

/// A reason in a few words, for a table's column: the figures that made the number.
fn brief(reason: &Reason) -> String {
    let f = |name: &str| figure(reason, name);
    match reason.code.as_str() {
        "average-plus-buffer" => format!("mean {} + {}", f("mean_mb"), f("buffer_mb")),
        "floor" => format!("peak {} × {}", f("peak_mb"), f("headroom")),
        "highest-peak" => format!("highest peak {}", f("mb")),
        "percentile" => format!("level {}", f("mb")),
        "margin" | "movement" => format!("peak {} × {}", f("from_mb"), f("factor")),
        "autopilot" => format!("peak {} × {}", f("peak_mb"), f("factor")),
        "recurring-floor" => format!("recurring {} × {}", f("peak_mb"), f("headroom")),
        "out-of-memory" => format!("ran out at {}", f("size_mb")),
        "minimum" => format!("at least {}", f("mb")),
        "maximum" => format!("at most {}", f("mb")),
        "held-by-maximum" => format!("held by the maximum of {}", f("mb")),
        "no-danger" => "enough".to_owned(),
        "little-evidence" => shortage(reason),
        "window-not-full" => format!("known {} of {} days", f("seen_days"), f("window_days")),
        _ => phrases::brief(reason),
    }
}

/// A reason as a sentence, for `show`.
pub fn sentence(reason: &Reason) -> String {
    let f = |name: &str| figure(reason, name);
    match reason.code.as_str() {
        "average-plus-buffer" => format!(
            "P1 average plus buffer: the mean of {} daily peaks is {} MB, + {} MB = {} MB",
            f("days"),
            f("mean_mb"),
            f("buffer_mb"),
            f("mb")
        ),
        "floor" => format!(
            "P2 floor: the average would be unsafe; the peak of {} was {} MB, × {} = {} MB",
            f("day"),
            f("peak_mb"),
            f("headroom"),
            f("mb")
        ),
        "out-of-memory" => format!(
            "P3 out of memory: {} MB ran out on {}, so the demand is not known; at least {} MB",
            f("size_mb"),
            f("day"),
            f("mb")
        ),
        "minimum" => format!(
            "P4 minimum: {} MB is below the smallest size {} MB",
            f("wanted_mb"),
            f("mb")
        ),
        "maximum" => format!(
            "P4 maximum: {} MB is above the largest size {} MB",
            f("wanted_mb"),
            f("mb")
        ),
        "little-evidence" => format!(
            "W6 little evidence: {} days and {} invocations that succeeded; wanted 7 and 50",
            f("days"),
            f("invocations")
        ),
        "window-not-full" => format!(
            "W4 window not full: first seen {} days ago; a decrease is not automatic before {}",
            f("seen_days"),
            f("window_days")
        ),
        _ => estimate_sentence(reason),
    }
}

/// What an estimator says, as a sentence (P7).
fn estimate_sentence(reason: &Reason) -> String {
    let f = |name: &str| figure(reason, name);
    match reason.code.as_str() {
        "highest-peak" => format!(
            "P7 highest peak: {} MB, of {} active days of the last {}",
            f("mb"),
            f("days"),
            f("window_days")
        ),
        "percentile" => format!(
            "P7 percentile: but for the highest {} % by weight, days stay at or below {} MB (a day \
             weighs half as much as one {} days later)",
            percent_above(reason),
            f("mb"),
            f("half_life_days")
        ),
        "margin" => format!(
            "P7 margin: {} MB × {}, at least + {} MB, = {} MB",
            f("from_mb"),
            f("factor"),
            f("least_mb"),
            f("mb")
        ),
        "autopilot" => format!(
            "P7 autopilot: the limit that would have cost least is the highest peak of {} days, \
             {} MB, × {} = {} MB",
            f("arm_days"),
            f("peak_mb"),
            f("factor"),
            f("mb")
        ),
        "movement" => format!(
            "P7 headroom: the peak moves by {} % from one day to the next, so {} MB × {} = {} MB",
            f("movement_percent"),
            f("from_mb"),
            f("factor"),
            f("mb")
        ),
        "recurring-floor" => format!(
            "P2 floor: the level that recurs is {} MB and moves by {} % from one day to the next; \
             × {} = {} MB",
            f("peak_mb"),
            f("movement_percent"),
            f("headroom"),
            f("mb")
        ),
        _ => phrases::sentence(reason),
    }
}

/// What is said besides the number, the gravest first; what is not here and not in [`QUIET`] set it.
const NOTES: [&str; 14] = [
    "failing",
    "heap-limit",
    "increase-limit",
    "one-environment",
    "leak",
    "little-evidence",
    "partial-evidence",
    "window-not-full",
    "wrapped-evidence",
    "stack-owned",
    "alarm",
    "just-deployed",
    "step-waits",
    "dead-band",
];
/// Said by `show` alone: most functions have one of them.
const QUIET: [&str; 4] = [
    "step",
    "careful-step",
    "timeout-unknown",
    "durations-unknown",
];

/// The rule that set the number, and the gravest of what else there is to say.
pub fn why(reasons: &[Reason]) -> String {
    let shapes = |r: &&Reason| {
        let code = r.code.as_str();
        !NOTES.contains(&code) && !QUIET.contains(&code)
    };
    let decisive = reasons.iter().rfind(shapes);
    let note = NOTES
        .iter()
        .find_map(|code| reasons.iter().find(|r| r.code == *code));
    let parts: Vec<String> = decisive.into_iter().chain(note).map(brief).collect();
    parts.join("; ")
}

/// The share of days, in percent, that lies above a percentile.
fn percent_above(reason: &Reason) -> String {
    let share = reason.figures.get("share").and_then(Value::as_f64);
    share.map_or_else(
        || "?".to_owned(),
        |share| format!("{:.0}", (1.0 - share) * 100.0),
    )
}

/// What is missing of the 7 days and 50 invocations that W6 wants.
fn shortage(reason: &Reason) -> String {
    let n = |name: &str| {
        reason
            .figures
            .get(name)
            .and_then(Value::as_u64)
            .unwrap_or(0)
    };
    let days = (n("days") < 7).then(|| format!("days {} of 7", n("days")));
    let calls = (n("invocations") < 50).then(|| format!("calls {} of 50", n("invocations")));
    days.into_iter().chain(calls).collect::<Vec<_>>().join(", ")
}

pub(super) fn figure(reason: &Reason, name: &str) -> String {
    match reason.figures.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(text: &str) -> Vec<Reason> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_last_rule_that_shaped_the_number_is_named() {
        let all = reasons(
            r#"[{"code":"average-plus-buffer","mean_mb":250,"buffer_mb":100,"days":14,"mb":350},
                {"code":"floor","peak_mb":900,"headroom":1.1,"day":"2026-01-07","mb":990},
                {"code":"little-evidence","days":3,"invocations":12}]"#,
        );
        assert_eq!(why(&all), "peak 900 × 1.1; days 3 of 7, calls 12 of 50");
        assert_eq!(
            sentence(&all[1]),
            "P2 floor: the average would be unsafe; the peak of 2026-01-07 was 900 MB, × 1.1 = 990 MB"
        );
    }

    /// Every code that a rule can leave. The codes in the rules' own text are held against it below.
    const CODES: [&str; 36] = [
        "wrapped-evidence",
        "held-by-maximum",
        "no-danger",
        "failing",
        "heap-limit",
        "init-near",
        "alarm",
        "just-deployed",
        "average-plus-buffer",
        "floor",
        "highest-peak",
        "percentile",
        "margin",
        "movement",
        "autopilot",
        "recurring-floor",
        "out-of-memory",
        "minimum",
        "maximum",
        "little-evidence",
        "partial-evidence",
        "window-not-full",
        "leak",
        "increase-limit",
        "one-environment",
        "dead-band",
        "step",
        "step-waits",
        "too-slow",
        "timeout-near",
        "no-saving",
        "only-slower",
        "careful-step",
        "timeout-unknown",
        "durations-unknown",
        "stack-owned",
    ];

    #[test]
    fn p8_every_code_of_the_rules_has_words() {
        let bare = |code: &str| Reason {
            code: code.into(),
            figures: std::collections::BTreeMap::new(),
        };
        for code in CODES {
            assert_ne!(brief(&bare(code)), code);
            assert_ne!(sentence(&bare(code)), code);
        }
        assert_eq!(brief(&bare("later")), "later");
    }

    #[test]
    fn p8_no_rule_leaves_a_code_that_is_not_known_here() {
        let rules = [
            include_str!("autopilot.rs"),
            include_str!("decide.rs"),
            include_str!("estimate.rs"),
            include_str!("increase.rs"),
            include_str!("percentile.rs"),
            include_str!("proof.rs"),
            include_str!("recurring.rs"),
            include_str!("size.rs"),
            include_str!("speed.rs"),
            include_str!("step.rs"),
        ];
        let mut found = 0;
        for text in rules {
            let rule = text.split("#[cfg(test)]").next().unwrap();
            for said in rule.split(".add(").skip(1) {
                let Some(code) = said.trim_start().strip_prefix('"') else {
                    continue;
                };
                let code = code.split('"').next().unwrap();
                assert!(CODES.contains(&code), "{code} has no words");
                found += 1;
            }
        }
        assert!(found > 12, "only {found} codes found in the rules");
    }
}
