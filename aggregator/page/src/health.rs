//! The service itself: whether it commits, how far it is behind, what was lost, and what waits.

use maud::{Markup, html};
use rightsizer_records::Timestamp;
use rightsizer_store::inspect::Stops;
use rightsizer_store::{NotedGap, QuarantineLine};

use crate::frame::{Frame, Tab};
use crate::words::{Text, duration, whole};

/// A shard of a stream.
#[derive(Debug, Clone)]
pub struct ShardView {
    /// Its name.
    pub name: String,
    /// How far it is behind in ms.
    pub behind_ms: i64,
    /// Why it cannot be read, if so.
    pub failing: Option<String>,
}

/// What the health page is made of.
#[derive(Debug, Clone, Default)]
pub struct HealthView {
    /// `ok`, `degraded`, `stalled` or `failed`.
    pub status: String,
    /// The last commit, if a server writes.
    pub last_commit: Option<Timestamp>,
    /// What is wrong, each in a sentence.
    pub troubles: Vec<String>,
    /// Shards by name.
    pub shards: Vec<ShardView>,
    /// Records that streams dropped, newest last.
    pub gaps: Vec<NotedGap>,
    /// Records that could not be used, newest first.
    pub quarantine: Vec<QuarantineLine>,
    /// Why nothing is sent.
    pub stops: Stops,
    /// Bytes of the store's log.
    pub wal_bytes: u64,
    /// Whether a server writes the store; the page may show a store without one.
    pub serving: bool,
}

/// The health page.
pub fn health_page(frame: &Frame<'_>, view: &HealthView) -> String {
    let behind = view.shards.iter().map(|shard| shard.behind_ms).max();
    let content = html! {
        h1 { "Health" }
        p.lead { (lead(view)) }
        @for trouble in &view.troubles { p.stop { (Text(trouble)) } }
        dl.tiles {
            div.tile.bad[view.status != "ok"] { dt { "Status" } dd { (Text(&view.status)) }
                dd.note { @if view.serving { "a server writes this store" } @else { "no server writes this store" } } }
            div.tile { dt { "Behind" } dd { (behind.map_or_else(|| "–".to_owned(), lag)) } dd.note { @if behind.is_some() { "the shard that is furthest behind" } @else { "no stream is read" } } }
            div.tile { dt { "Last commit" } dd.small { (view.last_commit.map_or_else(|| "–".to_owned(), clock)) } dd.note { "UTC" } }
            div.tile.bad[!view.quarantine.is_empty()] { dt { "Not usable" } dd { (whole(view.quarantine.len())) } dd.note { "newest records in the quarantine" } }
        }
        (limits(&view.stops))
        (shards(&view.shards))
        (gaps(&view.gaps))
        (quarantine(&view.quarantine))
        p.soft { "The store's log has " (whole(view.wal_bytes / 1024)) " KiB." }
    };
    frame.page(Some(Tab::Health), "Health", &content)
}

fn lead(view: &HealthView) -> &'static str {
    match (view.status.as_str(), view.serving) {
        ("ok", true) => "Everything works: reports that arrive are stored.",
        ("ok", false) => {
            "The store can be read. No server writes it now, so no new reports arrive."
        }
        ("degraded", _) => "It works, but something needs attention.",
        _ => "It does not work: reports are not stored.",
    }
}

#[expect(clippy::cast_precision_loss, reason = "a lag is far below 2^52 ms")]
fn lag(ms: i64) -> String {
    duration(ms as f64)
}

fn clock(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(11..19).unwrap_or(&text).to_owned()
}

fn limits(stops: &Stops) -> Markup {
    html! {
        section aria-labelledby="limits" {
            h2 #limits { "Limits and what waits" }
            p.see { "What keeps recommendations from being sent." }
            @if stops.paused.is_none() && stops.auto_paused.is_none() && stops.waiting().is_none() && stops.crowded.is_none() {
                p { "Nothing waits for a limit." }
            } @else {
                ul {
                    @if let Some(by) = &stops.paused { li { "Everything is paused " (Text(by)) "." } }
                    @if let Some(why) = &stops.auto_paused { li { "The circuit breaker is open: automatic decreases are paused " (Text(why)) "." } }
                    @if let Some(waits) = stops.waiting() { li { (Text(&waits)) } }
                    @if let Some(crowded) = &stops.crowded { li { (Text(crowded)) } }
                }
            }
        }
    }
}

fn shards(shards: &[ShardView]) -> Markup {
    html! {
        @if !shards.is_empty() {
            section aria-labelledby="shards" {
                h2 #shards { "Streams" }
                p.see { "How far each shard is behind its newest record." }
                div.wide tabindex="0" role="region" aria-label="Table of shards" { table {
                    thead { tr { th scope="col" { "Shard" } th.n scope="col" { "Behind" } th scope="col" { "State" } } }
                    tbody { @for shard in shards { tr {
                        th scope="row" { (Text(&shard.name)) }
                        td.n { (lag(shard.behind_ms)) }
                        td { @if let Some(why) = &shard.failing { (Text(why)) } @else { "reading" } }
                    } } }
                } }
            }
        }
    }
}

fn gaps(gaps: &[NotedGap]) -> Markup {
    html! {
        section aria-labelledby="gaps" {
            h2 #gaps { "Gaps" }
            p.see { "Records that a stream dropped before they were read." }
            @if gaps.is_empty() { p { "None." } } @else {
                ul { @for noted in gaps.iter().rev() {
                    li { (Text(&noted.gap.source)) ", up to " (noted.gap.to.to_string()) ": " (Text(&noted.gap.why)) }
                } }
            }
        }
    }
}

fn quarantine(lines: &[QuarantineLine]) -> Markup {
    html! {
        section aria-labelledby="quarantine" {
            h2 #quarantine { "Quarantine" }
            p.see { "The newest records that could not be used, each with its reason." }
            @if lines.is_empty() { p { "None." } } @else {
                div.wide tabindex="0" role="region" aria-label="Table of the quarantine" { table {
                    thead { tr { th scope="col" { "Arrived" } th scope="col" { "Origin" } th scope="col" { "Reason" } } }
                    tbody { @for line in lines { tr {
                        th scope="row" { (line.at.to_string().get(..19).unwrap_or_default().replace('T', " ")) }
                        td { (Text(&line.origin)) } td { (Text(&line.reason)) }
                    } } }
                } }
            }
        }
    }
}
