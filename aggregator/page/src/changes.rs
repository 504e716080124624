//! What changed this week, and whether it helped.

use maud::{Markup, html};
use rightsizer_store::AppliedChange;

use crate::table::status_words;
use crate::text::short;
use crate::words::{Text, function_link, usd, whole};

/// Changes that are listed; the others are counted.
const LISTED: usize = 8;

/// The changes of the week; nothing if there are none.
pub(crate) fn changes(changes: &[AppliedChange]) -> Markup {
    let promised: f64 = changes
        .iter()
        .filter(|c| c.status != "rolled-back")
        .filter_map(|c| c.promised_usd)
        .sum();
    let count = |status: &str| {
        changes
            .iter()
            .filter(|change| change.status == status)
            .count()
    };
    let back = count("rolled-back");
    html! {
        @if !changes.is_empty() {
            section aria-labelledby="week" {
                h2 #week { "Changed this week" }
                p.see {
                    @if changes.len() == 1 { "1 size was changed: " } @else { (whole(changes.len())) " sizes were changed: " }
                    (whole(count("verified"))) " verified by the durations billed since, "
                    (whole(back)) " rolled back, " (whole(count("applied"))) " still being verified. "
                    @if back == 0 { "Together they" } @else { "Those that were not rolled back" } " promised " (usd(promised)) " a month."
                }
                div.wide tabindex="0" role="region" aria-label="Table of changes" {
                    table {
                        thead { tr {
                            th scope="col" { "Function" } th scope="col" { "Change" } th.n scope="col" { "Promised a month" }
                            th scope="col" { "Result" } th scope="col" { "Applied" }
                        } }
                        tbody { @for change in changes.iter().take(LISTED) { (line(change)) } }
                    }
                }
                @if changes.len() > LISTED { p.soft { "and " (whole(changes.len() - LISTED)) " more" } }
            }
        }
    }
}

fn line(change: &AppliedChange) -> Markup {
    html! {
        tr {
            th.f scope="row" { a href=(function_link(&change.function)) { (Text(short(&change.function))) } }
            td { (whole(change.from_mb.0)) " → " (whole(change.to_mb.0)) " MB" }
            td.n { (change.promised_usd.map_or_else(|| "–".to_owned(), usd)) }
            td {
                (Text(status_words(&change.status)))
                @if let Some(reason) = change.reason.as_deref().filter(|text| !text.is_empty()) { ": " (Text(reason)) }
            }
            td { time datetime=(change.applied.to_string()) { (change.applied.day().to_string()) } }
        }
    }
}
