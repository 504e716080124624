//! Which reasons a table shows beside a size, and all of them as sentences for `show`.

use rightsizer_records::Reason;

use super::phrases;

/// The place of a reason in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// Beside the rule that set the size: the most serious one. The order is that of the numbers.
    Note(u8),
    /// It set the size: the last one.
    Size,
    /// Only `show` prints it, because most functions have one.
    Quiet,
}

/// A reason as a sentence, for `show`.
pub fn sentence(reason: &Reason) -> String {
    phrases::of(reason).sentence
}

/// The rule that set the size, and the most serious other code.
pub fn why(reasons: &[Reason]) -> String {
    let decisive = reasons.iter().rfind(|reason| place(reason) == Place::Size);
    let notes = reasons
        .iter()
        .filter(|reason| matches!(place(reason), Place::Note(_)));
    let note = notes.min_by_key(|reason| place(reason));
    let parts = decisive.into_iter().chain(note);
    let parts: Vec<String> = parts.map(|reason| phrases::of(reason).brief).collect();
    parts.join("; ")
}

const fn place(reason: &Reason) -> Place {
    match reason {
        Reason::Failing { .. } => Place::Note(0),
        Reason::HeapLimit { .. } => Place::Note(1),
        Reason::IncreaseLimit { .. } => Place::Note(2),
        Reason::OneEnvironment { .. } => Place::Note(3),
        Reason::Leak { .. } => Place::Note(4),
        Reason::LittleEvidence { .. } => Place::Note(5),
        Reason::PartialEvidence { .. } => Place::Note(6),
        Reason::WindowNotFull { .. } => Place::Note(7),
        Reason::WrappedEvidence => Place::Note(8),
        Reason::StackOwned => Place::Note(9),
        Reason::Alarm { .. } => Place::Note(10),
        Reason::JustDeployed { .. } => Place::Note(11),
        Reason::StepWaits { .. } => Place::Note(12),
        Reason::DeadBand { .. } => Place::Note(13),
        Reason::Step { .. }
        | Reason::Slower(_)
        | Reason::CarefulStep(_)
        | Reason::TimeoutUnknown { .. }
        | Reason::DurationsUnknown { .. } => Place::Quiet,
        Reason::AveragePlusBuffer { .. }
        | Reason::Floor { .. }
        | Reason::HighestPeak { .. }
        | Reason::Percentile { .. }
        | Reason::Margin { .. }
        | Reason::Movement { .. }
        | Reason::Autopilot { .. }
        | Reason::RecurringFloor { .. }
        | Reason::OutOfMemory { .. }
        | Reason::Minimum { .. }
        | Reason::Maximum { .. }
        | Reason::HeldByMaximum { .. }
        | Reason::NoDanger { .. }
        | Reason::InitNear(_)
        | Reason::TooSlow(_)
        | Reason::TimeoutNear(_)
        | Reason::NoSaving(_)
        | Reason::OnlySlower { .. }
        | Reason::Objective { .. }
        | Reason::ObjectiveReached { .. }
        | Reason::RollbackOutOfMemory { .. }
        | Reason::RollbackErrors(_)
        | Reason::RollbackTimeouts(_)
        | Reason::RollbackInitFailures(_)
        | Reason::RollbackSlower { .. }
        | Reason::RollbackSilent { .. }
        | Reason::Other(_) => Place::Size,
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

    /// One is not several.
    #[test]
    fn a_number_of_one_has_the_singular() {
        let all = reasons(
            r#"[{"code":"window-not-full","seen_days":1,"window_days":14},
                {"code":"heap-limit","count":1,"mb":512,"used_mb":300},
                {"code":"just-deployed","minutes":1},
                {"code":"rollback-out-of-memory","count":1},
                {"code":"increase-limit","increases":1,"mb":700,"most_increases":1,"most_times":4,"verified_mb":350}]"#,
        );
        let sentences: Vec<String> = all.iter().map(sentence).collect();
        for (sentence, words) in sentences.iter().zip([
            "First seen 1 day ago;",
            "heap was full 1 time, with",
            "It was changed 1 minute ago;",
            "ran out of memory 1 time since",
            "after 1 automatic increase since 350 MB was verified (limits: 1 increase, 4 ×",
        ]) {
            assert!(sentence.contains(words), "{sentence}");
        }
    }

    /// Every code that a rule can leave.
    const CODES: [&str; 45] = [
        "objective",
        "objective-reached",
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
        "slower",
        "rollback-out-of-memory",
        "rollback-errors",
        "rollback-timeouts",
        "rollback-init-failures",
        "rollback-slower",
        "rollback-silent",
    ];

    /// A code of another version is shown as it is.
    #[test]
    fn p8_an_unknown_code_is_its_own_text() {
        let later = reasons(r#"[{"code":"later","mb":1}]"#);
        assert_eq!(
            (why(&later), sentence(&later[0])),
            ("later".into(), "later".into())
        );
    }

    /// Every reason, as a table and as `show` print it.
    #[test]
    fn p8_the_text_of_every_reason_is_reviewed() {
        let figures: serde_json::Value = serde_json::from_str(
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
                "most": 286.25, "figure": "p95", "basis": "cpu-time", "strategy": "memory",
                "cost": 1.0, "slower": 1.5, "minutes": 12, "name": "checkout-errors",
                "ran_out": false, "after": 250, "after_of": 10000, "before": 10,
                "before_of": 90000, "slow": 700, "of": 10000, "tolerance": 1.25,
                "longest_hours": 5, "mean": 1.4, "mean_worst": 2.0, "p95": 1.4,
                "p95_worst": 2.0, "chance": 0.00001, "objective": "speed", "now_ms": 120.4,
                "then_ms": 64.31, "at_most_ms": 80.0}"#,
        )
        .unwrap();
        let text: Vec<String> = CODES
            .into_iter()
            .map(|code| {
                let mut known = figures.clone();
                known["code"] = code.into();
                let reason: Reason = serde_json::from_value(known).unwrap();
                assert!(!matches!(reason, Reason::Other(_)), "{code}");
                let phrase = phrases::of(&reason);
                format!("{code}\n  {}\n  {}", phrase.brief, phrase.sentence)
            })
            .collect();
        insta::assert_snapshot!(text.join("\n"));
    }
}
