//! The report on one function in eighty columns: what it used, the rules behind its size, its cost,
//! and its history. Pure: rows of the store in, text out.

mod history;

use rightsizer_records::shown::shown;
use rightsizer_records::{FunctionArn, Reason};
use rightsizer_rules::policy::{Configured, duration_text, sentence};
use rightsizer_rules::power::{Advice, Drawn, Objective};
use rightsizer_store::{DayLine, FunctionDetail, ReviewRow};
use textwrap::{Options, WordSeparator, WordSplitter};

use self::history::{events, recommendation};
use super::compared;
use super::curve::{advised, objectives};
use super::text::{counted, short};

/// The widest line, except for names that cannot be broken.
const WIDTH: usize = 80;
/// Width of the longest bar.
const BAR: u32 = 36;

/// Everything that `show` prints.
pub(super) fn function_report(
    detail: &FunctionDetail,
    curve: Option<&Drawn>,
    advice: &[Advice],
) -> String {
    let row = &detail.review;
    let mut text = format!("{}\n", shown(&row.function));
    text.push_str(&wrapped("", "", &headline(row)));
    if let Some(until) = &row.held_until {
        let by = row.held_by.as_deref().unwrap_or("a person");
        let held =
            format!("Decreases are held until {until} by {by}; `rightsizer release` ends that");
        text.push_str(&wrapped("", "", &held));
    }
    let tags = row.tags.iter();
    let tags = tags.map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in Configured::unread_objectives(tags) {
        let objectives = Objective::ALL.map(Objective::name).join(", ");
        let ignored =
            format!("The tag {name}={value} is ignored, because it is not one of {objectives}");
        text.push_str(&wrapped("", "", &ignored));
    }
    text.push_str(&format!("\n{}\nWhy\n", chart(&detail.days, row)));
    for reason in &row.reasons {
        text.push_str(&wrapped("  ", "     ", &sentence(reason)));
    }
    if row.reasons.is_empty() {
        text.push_str("  no report in the window has a memory figure, so nothing was decided\n");
    }
    text.push_str(&format!("\nEvidence\n{}", evidence(detail)));
    if curve.is_some() || !advice.is_empty() {
        text.push_str("\nPower, see `rightsizer curve`\n");
        text.push_str(&curve.map(objectives).unwrap_or_default());
        text.push_str(&advised(advice));
    }
    text.push_str(&compared::compared(detail));
    if !detail.history.is_empty() {
        text.push_str("\nRecommendations, newest first\n");
        for entry in &detail.history {
            text.push_str(&wrapped("  ", "    ", &recommendation(entry)));
            for event in events(entry) {
                text.push_str(&wrapped("    ", "      ", &event));
            }
        }
    }
    text
}

fn headline(row: &ReviewRow) -> String {
    let (name, now) = (short(&row.function), row.current_mb);
    let confidence = row.confidence.as_deref().unwrap_or("unknown");
    let urgent = if row.urgent { ", urgent" } else { "" };
    match (row.policy_mb, row.to_mb) {
        (None, _) => format!("{name} has {now} MB; there is no decision yet"),
        (Some(_), None) => match row.target_mb {
            Some(target) if target != now => {
                format!("{name} has {now} MB; {target} MB would be enough, but nothing changes now")
            }
            _ => format!("{name} has {now} MB{}", why_it_stays(row)),
        },
        (Some(_), Some(to)) => {
            let on_the_way = row.target_mb.filter(|target| *target != to);
            let on_the_way =
                on_the_way.map_or_else(String::new, |target| format!(" on the way to {target} MB"));
            format!(
                "{name} has {now} MB, recommended {to} MB{on_the_way} ({}{urgent}, confidence \
                 {confidence})",
                row.status
            )
        }
    }
}

/// Why it keeps its size: because it is right, or although something is wrong.
fn why_it_stays(row: &ReviewRow) -> String {
    let held = |reason: &Reason| {
        let Reason::HeldByMaximum { mb, ran_out, .. } = reason else {
            return None;
        };
        let ran_out = if *ran_out {
            " and runs out of memory"
        } else {
            ""
        };
        Some(format!("{ran_out}; the maximum of {mb} prevents more"))
    };
    let failing = |reason: &Reason| {
        let Reason::Failing { percent, .. } = reason else {
            return None;
        };
        Some(format!(
            " and keeps it: {percent} % of its invocations fail"
        ))
    };
    let full = |reason: &Reason| {
        matches!(reason, Reason::HeapLimit { .. })
            .then(|| " and keeps it: the heap of its runtime was full".to_owned())
    };
    let reasons = || row.reasons.iter();
    reasons()
        .find_map(held)
        .or_else(|| reasons().find_map(failing))
        .or_else(|| reasons().find_map(full))
        .unwrap_or_else(|| ", and that is right".to_owned())
}

/// Daily peaks as bars, one per day; below them its present and its recommended sizes, on the same
/// scale.
fn chart(days: &[DayLine], row: &ReviewRow) -> String {
    let peaks = days.iter().map(|day| day.peak_mb.0);
    let top = peaks.chain([row.current_mb, row.to_mb.unwrap_or(0)]).max();
    let top = u64::from(top.unwrap_or(0).max(1));
    let bar = |mb: u32, sign: &str| {
        let width = (u64::from(mb) * u64::from(BAR)).div_ceil(top);
        sign.repeat(usize::try_from(width).unwrap_or(0))
    };
    let mut text = "Daily peaks of memory used\n".to_owned();
    let mut before = None;
    for line in days {
        let day = line.day.number();
        let idle = before.map_or(0, |before| day - before - 1);
        if idle > 0 {
            let idle = counted(usize::try_from(idle).unwrap_or(0), "day");
            text.push_str(&format!("  ({idle} without a memory figure)\n"));
        }
        before = Some(day);
        let note = line
            .censored_mb
            .map_or_else(String::new, |mb| format!("  ran out at {}", mb.0));
        let (mb, date) = (line.peak_mb.0, line.day);
        text.push_str(&format!("  {date}  {mb:>6} MB  {}{note}\n", bar(mb, "█")));
    }
    let mut mark = |name: &str, mb: u32| {
        text.push_str(&format!("  {name:<12}{mb:>6} MB  {}\n", bar(mb, "─")));
    };
    mark("now", row.current_mb);
    if let Some(to) = row.to_mb {
        mark("recommended", to);
    }
    if let Some(target) = row
        .target_mb
        .filter(|mb| row.to_mb.is_some_and(|to| to != *mb))
    {
        mark("in the end", target);
    }
    text
}

fn evidence(detail: &FunctionDetail) -> String {
    let row = &detail.review;
    let mut text = String::new();
    let mut line = |name: &str, what: &str| {
        text.push_str(&wrapped(&format!("  {name:<13}"), &" ".repeat(15), what));
    };
    let confidence = row.confidence.as_deref().unwrap_or("unknown");
    line("confidence", confidence);
    line("invocations", &format!("{} in the window", row.invocations));
    let (seen, again, late, lost) = (row.seen, row.duplicates, row.late, row.lost);
    line(
        "reports",
        &format!("{seen} arrived, {again} duplicates, {late} late, {lost} lost"),
    );
    let time = |ms: Option<f64>| ms.map_or_else(|| "unknown".to_owned(), duration_text);
    let timeout = detail.timeout_ms.and_then(|ms| u32::try_from(ms).ok());
    let timeouts = counted_u64(detail.timeouts, "timeout");
    line(
        "durations",
        &format!(
            "99 % within {}; timeout {}, {timeouts} in the window",
            time(row.p99_ms),
            time(timeout.map(f64::from)),
        ),
    );
    if let Some(own) = detail.self_mb {
        line("extension", &format!("{own:.1} MB of each peak"));
    }
    line("a month", &cost(row));
    let (arch, runtime) = (row.arch.as_deref(), row.runtime.as_deref());
    line(
        "function",
        &format!(
            "version {}, {}, {}",
            row.version,
            arch.unwrap_or("architecture unknown"),
            runtime.unwrap_or("runtime unknown")
        ),
    );
    let decided = row.decided_on.as_deref().unwrap_or("no day yet");
    line(
        "decided on",
        &format!(
            "{decided}; last report {}",
            row.last_report
                .as_ref()
                .map_or_else(|| "never".to_owned(), |at| format!("{at} UTC"))
        ),
    );
    text
}

/// What it costs, and by which prices.
fn cost(row: &ReviewRow) -> String {
    let usd =
        |usd: Option<f64>| usd.map_or_else(|| "unknown".to_owned(), |usd| format!("${usd:.2}"));
    let prices = match row.arch.as_deref() {
        Some("arm64") => "arm64",
        Some("x86_64") => "x86",
        _ => "x86, because the architecture is unknown",
    };
    let region = FunctionArn::parse(&row.function);
    let region = region.as_ref().map_or("most regions", |arn| arn.region());
    let then = row.to_mb.map_or_else(String::new, |to| {
        format!(", {} at {to} MB", usd(row.monthly_usd_after))
    });
    format!(
        "{} now{then} (prices of {prices}, {region})",
        usd(row.monthly_usd_before)
    )
}

fn counted_u64(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// Broken at spaces so that no line is wider than [`WIDTH`].
pub(super) fn wrapped(first: &str, rest: &str, what: &str) -> String {
    // A figure and its unit stay together.
    let bound = shown(what)
        .replace(" MB", "\u{a0}MB")
        .replace("× ", "×\u{a0}");
    let options = Options::new(WIDTH)
        .initial_indent(first)
        .subsequent_indent(rest)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .break_words(false);
    textwrap::fill(&bound, options).replace('\u{a0}', " ") + "\n"
}

#[cfg(test)]
pub(super) mod tests {
    use rightsizer_records::tags::OBJECTIVE_TAG;
    use rightsizer_records::{Day, Megabytes};
    use serde_json::{Value, json};

    use super::*;

    fn reason(code: &str, mut figures: Value) -> Reason {
        figures["code"] = code.into();
        serde_json::from_value(figures).unwrap()
    }

    pub(in crate::cli) fn row() -> ReviewRow {
        serde_json::from_value(json!({
            "function": "arn:aws:lambda:eu-south-1:123456789012:function:checkout",
            "current_mb": 1024, "peak_mb": 480, "policy_mb": 560, "target_mb": 700, "to_mb": 820,
            "status": "open", "confidence": "high", "invocations": 48210,
            "monthly_usd_before": 61.5, "monthly_usd_after": 49.9, "urgent": false,
            "recommendation": "0123456789abcdef", "closed_reason": null, "seen": 48300,
            "duplicates": 12, "late": 3, "lost": 78, "version": "$LATEST", "arch": "arm64",
            "runtime": "nodejs22.x", "p99_ms": 412.5, "decided_on": "2026-01-31",
            "last_report": "2026-01-31 23:59:10", "reasons": []
        }))
        .unwrap()
    }

    pub(in crate::cli) fn detail() -> FunctionDetail {
        let mut row = row();
        row.reasons = vec![
            reason(
                "average-plus-buffer",
                json!({"mean_mb": 410, "days": 14, "buffer_mb": 100, "mb": 510}),
            ),
            reason(
                "floor",
                json!({"peak_mb": 480, "day": "2026-01-24", "headroom": 1.1, "mb": 528}),
            ),
            reason(
                "leak",
                json!({"mb_per_1000": 41, "climbing": 5, "judged": 6}),
            ),
            reason(
                "too-slow",
                json!({"wanted_mb": 560, "figure": "p95", "now": 210.0, "then": 301.2, "most": 262.5,
                       "basis": "cpu-time", "strategy": "memory", "mb": 700}),
            ),
        ];
        let day = |text: &str, peak, censored: Option<u32>| DayLine {
            day: Day::parse(text).unwrap(),
            peak_mb: Megabytes(peak),
            censored_mb: censored.map(Megabytes),
        };
        FunctionDetail {
            before_mb: None,
            review: row,
            days: vec![
                day("2026-01-20", 400, None),
                day("2026-01-24", 1024, Some(1024)),
                day("2026-01-25", 12, None),
            ],
            history: vec![json!({
                "id": "0123456789abcdef", "status": "rolled-back", "from_mb": 1024, "to_mb": 512,
                "decided_on": "2026-01-20", "rollback_of": null, "life": [
                    {"at": "2026-01-20T01:00:02Z", "what": "decided", "by": "rightsizer", "why": ""},
                    {"at": "2026-01-20T08:30:00Z", "what": "approved", "by": "on-call", "why": "seen"},
                    {"at": "2026-01-20T08:30:01Z", "what": "sent", "by": "rightsizer", "why": ""},
                    {"at": "2026-01-20T08:30:09Z", "what": "applied", "by": "updater", "why": ""},
                    {"at": "2026-01-20T09:12:44Z", "what": "rolled-back", "by": "rightsizer",
                     "why": "more errors: 250 of 10000 invocations, 10 of 90000 before"}
                ]
            })],
            self_mb: Some(8.5),
            timeout_ms: Some(3000),
            timeouts: 1,
            measured_sizes: Vec::new(),
            forced_starts: Vec::new(),
            compute_optimizer: None,
            sizes: Vec::new(),
            configuration: None,
        }
    }

    #[test]
    fn the_whole_of_a_function() {
        insta::assert_snapshot!(function_report(&detail(), None, &[]));
    }

    #[test]
    fn objectives_stand_side_by_side() {
        let curve = super::super::curve::tests::curve();
        let text = function_report(&detail(), Some(&curve), &[]);
        let power = text.split("\nPower").nth(1).unwrap();
        insta::assert_snapshot!(power.split("\n\n").next().unwrap());
    }

    #[test]
    fn no_line_is_wider_than_eighty_columns() {
        let mut detail = detail();
        detail.review.current_mb = 10_240;
        detail.days[1].censored_mb = Some(Megabytes(10_240));
        detail.days[1].peak_mb = Megabytes(10_240);
        for line in function_report(&detail, None, &[]).lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }

    #[test]
    fn a_tag_that_is_ignored_is_named() {
        let mut detail = detail();
        let mut tag = |value: &str| {
            let tag = (OBJECTIVE_TAG.to_owned(), value.to_owned());
            detail.review.tags.extend([tag]);
            function_report(&detail, None, &[]).contains("is ignored")
        };
        assert_eq!([tag("fast"), tag("cost")], [true, false]);
    }

    /// Unknown facts are shown as unknown, or left out.
    #[test]
    fn little_is_known_of_a_bare_import() {
        let mut detail = detail();
        detail.review.arch = None;
        detail.review.p99_ms = None;
        detail.review.function = "local:checkout".into();
        (detail.self_mb, detail.timeout_ms, detail.timeouts) = (None, None, 0);
        let text = function_report(&detail, None, &[]);
        let words: Vec<&str> = text.split_whitespace().collect();
        let text = words.join(" ");
        for part in [
            "99 % within unknown; timeout unknown",
            "because the architecture is unknown, most regions)",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("extension"), "{text}");
    }
}
