//! What changed this week, and whether it helped.

use maud::{Markup, html};
use rightsizer_store::{AppliedChange, ChangeCounts};

use crate::table::status_words;
use crate::text::short;
use crate::words::{Text, function_link, usd, whole};

/// The newest changes of the week, and what became of all of it; nothing if there are none.
pub(crate) fn changes(newest: &[AppliedChange], week: ChangeCounts) -> Markup {
    let more = week.changed.saturating_sub(newest.len() as u64);
    html! {
        @if week.changed > 0 {
            section aria-labelledby="week" {
                h2 #week { "Changed this week" }
                p.see {
                    @if week.changed == 1 { "1 size was changed: " } @else { (whole(week.changed)) " sizes were changed: " }
                    (whole(week.verified)) " verified by the durations billed since, "
                    (whole(week.rolled_back)) " rolled back, " (whole(week.applied)) " still being verified. "
                    @if week.rolled_back == 0 { "Together they" } @else { "Those that were not rolled back" }
                    " promised " (usd(week.promised_usd)) " a month."
                }
                div.wide tabindex="0" role="region" aria-label="Table of changes" {
                    table {
                        thead { tr {
                            th scope="col" { "Function" } th scope="col" { "Change" } th.n scope="col" { "Promised a month" }
                            th scope="col" { "Result" } th scope="col" { "Applied" }
                        } }
                        tbody { @for change in newest { (line(change)) } }
                    }
                }
                @if more > 0 { p.soft { "and " (whole(more)) " more" } }
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
