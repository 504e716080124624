//! Reasons as text: a few words for tables, a sentence for `show`. A sentence ends with its rule.

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
        "held-by-maximum" => format!("limited by the maximum of {}", f("mb")),
        "no-danger" => "enough".to_owned(),
        "little-evidence" => shortage(reason),
        "window-not-full" => format!("seen {} of {} days", f("seen_days"), f("window_days")),
        _ => phrases::brief(reason),
    }
}

/// A reason as a sentence, for `show`.
pub fn sentence(reason: &Reason) -> String {
    let f = |name: &str| figure(reason, name);
    match reason.code.as_str() {
        "average-plus-buffer" => format!(
            "The mean of {} daily peaks is {} MB; + {} MB buffer = {} MB (P1)",
            f("days"),
            f("mean_mb"),
            f("buffer_mb"),
            f("mb")
        ),
        "floor" => format!(
            "The average would be too small: the peak of {} was {} MB; × {} = {} MB (P2)",
            f("day"),
            f("peak_mb"),
            f("headroom"),
            f("mb")
        ),
        "out-of-memory" => format!(
            "It ran out of memory at {} MB on {}, so its real need is unknown; at least {} MB (P3)",
            f("size_mb"),
            f("day"),
            f("mb")
        ),
        "minimum" => format!(
            "{} MB is below the smallest size, {} MB (P4)",
            f("wanted_mb"),
            f("mb")
        ),
        "maximum" => format!(
            "{} MB is above the largest size, {} MB (P4)",
            f("wanted_mb"),
            f("mb")
        ),
        "little-evidence" => format!(
            "Too little evidence: {} days and {} successful invocations; it needs 7 and 50 (W6)",
            f("days"),
            f("invocations")
        ),
        "window-not-full" => format!(
            "First seen {} days ago; no automatic decrease before {} days (W4)",
            f("seen_days"),
            f("window_days")
        ),
        _ => estimate_sentence(reason),
    }
}

/// The reason of an estimator, as a sentence (P7).
fn estimate_sentence(reason: &Reason) -> String {
    let f = |name: &str| figure(reason, name);
    match reason.code.as_str() {
        "highest-peak" => format!(
            "The highest peak is {} MB, in {} active days of the last {} (P7)",
            f("mb"),
            f("days"),
            f("window_days")
        ),
        "percentile" => format!(
            "All but the highest {} % of days by weight stay at or below {} MB; a day weighs half as \
             much as one {} days later (P7)",
            percent_above(reason),
            f("mb"),
            f("half_life_days")
        ),
        "margin" => format!(
            "Margin: {} MB × {}, at least + {} MB, = {} MB (P7)",
            f("from_mb"),
            f("factor"),
            f("least_mb"),
            f("mb")
        ),
        "autopilot" => format!(
            "The cheapest limit so far is the highest peak of {} days, {} MB; × {} = {} MB (P7)",
            f("arm_days"),
            f("peak_mb"),
            f("factor"),
            f("mb")
        ),
        "movement" => format!(
            "The peak changes by {} % from one day to the next, so {} MB × {} = {} MB (P7)",
            f("movement_percent"),
            f("from_mb"),
            f("factor"),
            f("mb")
        ),
        "recurring-floor" => format!(
            "The recurring level is {} MB and changes by {} % from one day to the next; × {} = {} MB \
             (P2)",
            f("peak_mb"),
            f("movement_percent"),
            f("headroom"),
            f("mb")
        ),
        _ => phrases::sentence(reason),
    }
}

/// Codes that are shown in addition to the one that set the size, the most serious first. A code that is
/// neither here nor in [`QUIET`] set it.
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
/// Codes that only `show` prints, because most functions have one of them.
const QUIET: [&str; 5] = [
    "step",
    super::decide::SLOWER,
    "careful-step",
    "timeout-unknown",
    "durations-unknown",
];

/// The rule that set the size, and the most serious other code.
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

/// What is missing of the 7 days and 50 invocations that W6 needs.
fn shortage(reason: &Reason) -> String {
    let n = |name: &str| {
        reason
            .figures
            .get(name)
            .and_then(Value::as_u64)
            .unwrap_or(0)
    };
    let days = (n("days") < 7).then(|| format!("{} of 7 days", n("days")));
    let calls = (n("invocations") < 50).then(|| format!("{} of 50 calls", n("invocations")));
    let missing: Vec<String> = days.into_iter().chain(calls).collect();
    format!("only {}", missing.join(", "))
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
        assert_eq!(
            why(&all),
            "peak 900 × 1.1; only 3 of 7 days, 12 of 50 calls"
        );
        assert_eq!(
            sentence(&all[1]),
            "The average would be too small: the peak of 2026-01-07 was 900 MB; × 1.1 = 990 MB (P2)"
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

    /// Every reason, as a table and as `show` print it.
    #[test]
    fn p8_the_text_of_every_reason_is_reviewed() {
        let rollbacks = [
            "rollback-out-of-memory",
            "rollback-errors",
            "rollback-timeouts",
            "rollback-init-failures",
            "rollback-slower",
            "rollback-silent",
        ];
        let figures: std::collections::BTreeMap<String, Value> = serde_json::from_str(
            r#"{"mean_mb": 410, "days": 6, "buffer_mb": 100, "mb": 510, "day": "2026-01-24",
                "peak_mb": 480, "headroom": 1.1, "size_mb": 512, "wanted_mb": 300,
                "needed_mb": 250, "invocations": 48, "seen_days": 5, "window_days": 14,
                "from_mb": 1024, "factor": 1.15, "least_mb": 32, "half_life_days": 7,
                "share": 0.92, "arm_days": 7, "movement_percent": 5, "mb_per_1000": 41,
                "climbing": 5, "judged": 6, "increases": 3, "verified_mb": 256,
                "most_increases": 3, "most_times": 4, "times": 2, "change_mb": 20,
                "target_mb": 300, "to_mb": 512, "hours": 12, "least_hours": 24,
                "least_invocations": 50, "verified": false, "percent": 60, "count": 30,
                "kind": "failures", "used_mb": 130, "now": 229.04, "then": 710.59,
                "most": 286.25, "figure": "p95", "basis": "cpu-time", "strategy": "balanced",
                "cost": 1.0, "slower": 1.5, "minutes": 12, "name": "checkout-errors",
                "ran_out": false, "after": 250, "after_of": 10000, "before": 10,
                "before_of": 90000, "slow": 700, "of": 10000, "tolerance": 1.25,
                "longest_hours": 5}"#,
        )
        .unwrap();
        let text: Vec<String> = CODES
            .into_iter()
            .chain(rollbacks)
            .map(|code| {
                let reason = Reason {
                    code: code.into(),
                    figures: figures.clone(),
                };
                format!("{code}\n  {}\n  {}", brief(&reason), sentence(&reason))
            })
            .collect();
        insta::assert_snapshot!(text.join("\n"));
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
