//! A function explained: what it used, what it should have, why, and what became of it.

use maud::{Markup, html};
use rightsizer_records::Day;
use rightsizer_rules::policy::sentence;
use rightsizer_rules::power::ColdStart;
use rightsizer_store::{DayLine, FunctionDetail, HistoryEvent, ReviewRow, SizeDay};
use serde::Deserialize as _;
use serde_json::Value;

use crate::fleet::Entry;
use crate::frame::{Frame, Tab};
use crate::peaks::peaks;
use crate::power::{PowerView, power};
use crate::review::{clear_form, decide_forms};
use crate::rules::{heading, rule_address};
use crate::spread::spreads;
use crate::starts::{forced, starts};
use crate::table::{badge, status_words};
use crate::text::{saving_range, short, slowdown};
use crate::words::{Prose, Text, duration, saved, usd, whole};

/// What a function's page is made of.
#[derive(Debug)]
pub struct FunctionView<'a> {
    /// What `show` prints.
    pub detail: &'a FunctionDetail,
    /// Its last 35 daily peaks.
    pub peaks: &'a [DayLine],
    /// What ran on those days, by size.
    pub days: &'a [SizeDay],
    /// Its power curve, or why it has none; `None` leaves it out.
    pub power: Option<Result<&'a PowerView, &'a str>>,
    /// Its cold starts by version and size.
    pub starts: &'a [ColdStart],
}

impl FunctionView<'_> {
    /// The days whose usage the page shows, for peaks that end with these.
    pub fn days_of(peaks: &[DayLine]) -> impl Iterator<Item = Day> + use<> {
        crate::peaks::days_of(peaks).map(Day::from_number)
    }
}

/// The function's page.
pub fn function_page(frame: &Frame<'_>, view: &FunctionView<'_>) -> String {
    let detail = view.detail;
    let row = &detail.review;
    let name = short(&row.function);
    let entry = Entry::from(row);
    let content = html! {
        p.crumb { a href="/" { "Fleet" } " / " (Text(name)) }
        h1.function { (Text(name)) " " (badge(&entry)) }
        @if name != row.function { p.arn { (Text(&row.function)) } }
        p.lead { (headline(row)) }
        @if let Some(until) = &row.held_until {
            p.stop { "Decreases are held until " (Text(until)) @if let Some(by) = &row.held_by { " by " (Text(by)) } "." }
        }
        (decide_forms(frame, &entry, "function", row.held_until.is_some()))
        (clear_form(frame, row))
        dl.tiles {
            div.tile { dt { "Memory" } dd { @if row.current_mb > 0 { (whole(row.current_mb)) small { " MB" } } @else { "–" } } dd.note { (next(row)) } }
            div.tile { dt { "Cost a month" } dd { (row.monthly_usd_before.map_or_else(|| "–".to_owned(), usd)) } dd.note { (saves(row)) } }
            div.tile.bad[entry.risk] { dt { "Used at most" } dd { @if let Some(peak) = row.peak_mb { (whole(peak)) small { " MB" } } @else { "–" } }
                dd.note { (entry.fullness().map_or_else(String::new, |full| format!("{:.0} % of its memory", full * 100.0))) } }
            div.tile { dt { "Slowest 1 %" } dd { (row.p99_ms.map_or_else(|| "–".to_owned(), duration)) }
                dd.note { @if let Some(timeout) = detail.timeout_ms { "timeout " (timeout_words(timeout)) } @else { "timeout unknown" } } }
        }
        (peaks(row, view.peaks, view.days))
        @if let Some(curve) = view.power { (power(curve, &detail.measured_sizes)) }
        section aria-labelledby="why" {
            h2 #why { "Why" }
            p.see { "The rules that shaped the size, in their order. Each leads to its explanation." }
            @if row.reasons.is_empty() { p { "No report of the window has a memory figure, so nothing was decided." } }
            ol.reasons { @for reason in &row.reasons {
                li { a href=(rule_address(heading(reason))) { (Prose(&sentence(reason))) } }
            } }
        }
        (spreads(&row.function, view.days))
        (starts(detail.configuration.as_ref(), view.starts))
        (forced(&detail.forced_starts))
        (history(&detail.history))
        (evidence(detail))
    };
    frame.page(Some(Tab::Fleet), name, &content)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a timeout is at most 15 minutes"
)]
fn timeout_words(ms: u64) -> String {
    duration(ms as f64)
}

fn headline(row: &ReviewRow) -> String {
    let now = whole(row.current_mb);
    match (row.policy_mb, row.to_mb) {
        (None, _) if row.current_mb == 0 => {
            "Its memory is unknown, and there is no decision yet.".to_owned()
        }
        (None, _) => format!("It has {now} MB, and there is no decision yet."),
        (Some(_), Some(to)) if to < row.current_mb => {
            let slower = slowdown(row).filter(|slower| slower.p95_worst > 1.05);
            let slower = slower.map_or_else(String::new, |s| {
                format!("; calls may take up to {:.1}× as long", s.p95_worst)
            });
            format!(
                "It could run with {} MB instead of {now} MB{slower}.",
                whole(to)
            )
        }
        (Some(_), Some(to)) => format!("It needs {} MB; it has {now} MB.", whole(to)),
        (Some(_), None) => format!("It has {now} MB, and should keep it for now."),
    }
}

fn next(row: &ReviewRow) -> String {
    match (row.to_mb, row.target_mb) {
        (Some(to), Some(target)) if target != to => {
            format!("next {} MB, then {} MB", whole(to), whole(target))
        }
        (Some(to), _) => format!("recommended {} MB", whole(to)),
        (None, _) => "no change recommended".to_owned(),
    }
}

fn saves(row: &ReviewRow) -> String {
    match (row.to_mb, saving_range(row)) {
        (Some(_), Some(saving)) if saving.expected.as_f64() >= 0.0 => {
            format!("{} a month saved", saved(saving))
        }
        (Some(_), Some(saving)) => format!("{} a month more", usd(-saving.expected.as_f64())),
        _ => "projected from 14 days".to_owned(),
    }
}

/// Its recommendations, newest first.
fn history(entries: &[Value]) -> Markup {
    html! {
        @if !entries.is_empty() {
            section aria-labelledby="history" {
                h2 #history { "History" }
                p.see { "Each recommendation with what happened to it, newest first." }
                ol.history { @for entry in entries { (recommendation(entry)) } }
            }
        }
    }
}

fn recommendation(entry: &Value) -> Markup {
    let text = |key: &str| entry[key].as_str().unwrap_or_default();
    let mb = |key: &str| entry[key].as_u64().unwrap_or_default();
    let events = Vec::<HistoryEvent>::deserialize(&entry["life"]).unwrap_or_default();
    html! {
        li {
            p { strong { (whole(mb("from_mb"))) " → " (whole(mb("to_mb"))) " MB" } " "
                span.label data-status="quiet" { (Text(status_words(text("status")))) } " "
                span.soft { "decided for " (Text(text("decided_on"))) " · " code { (Text(text("id"))) }
                    @if let Some(back) = entry["rollback_of"].as_str() { " · takes back " code { (Text(back)) } } } }
            ul { @for event in events {
                @let at = event.at.to_string();
                li { time datetime=(at) { (at.get(..16).unwrap_or(&at).replace('T', " ")) } " " (Text(&event.what)) " by " (Text(&event.by))
                    @if !event.why.is_empty() { ": " (Text(&event.why)) } }
            } }
        }
    }
}

/// The evidence behind the size.
fn evidence(detail: &FunctionDetail) -> Markup {
    let row = &detail.review;
    let unknown = || "unknown".to_owned();
    let tags: Vec<String> = row
        .tags
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut facts = vec![
        ("Confidence", row.confidence.clone().unwrap_or_else(unknown)),
        ("Invocations in the window", whole(row.invocations)),
        (
            "Reports",
            format!(
                "{} arrived, {} duplicates, {} late, {} lost",
                whole(row.seen),
                whole(row.duplicates),
                whole(row.late),
                whole(row.lost)
            ),
        ),
        ("Timeouts in the window", whole(detail.timeouts)),
        ("Version", row.version.clone()),
        ("Architecture", row.arch.clone().unwrap_or_else(unknown)),
        ("Runtime", row.runtime.clone().unwrap_or_else(unknown)),
        (
            "Decided for",
            row.decided_on
                .clone()
                .unwrap_or_else(|| "no day yet".to_owned()),
        ),
        (
            "Last report",
            row.last_report
                .as_ref()
                .map_or_else(|| "never".to_owned(), |at| format!("{at} UTC")),
        ),
    ];
    if let Some(own) = detail.self_mb {
        facts.push(("Extension", format!("{own:.1} MB of each peak")));
    }
    if let Some(other) = row.compute_optimizer_mb {
        facts.push(("AWS Compute Optimizer", format!("{} MB", whole(other))));
    }
    if !tags.is_empty() {
        facts.push(("Tags", tags.join(", ")));
    }
    html! {
        section aria-labelledby="evidence" {
            h2 #evidence { "Evidence" }
            p.see { "The evidence behind the size." }
            dl.facts { @for (name, value) in &facts { div { dt { (name) } dd { (Text(value)) } } } }
        }
    }
}
