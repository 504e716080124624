//! The table of functions, with its filter and its pages.

use maud::{Markup, html};

use crate::fleet::{Entry, Fleet, Query, Sort};
use crate::rules::rule_link;
use crate::words::{Text, function_link, saved, usd, whole};

/// Status and its meaning in a word or two.
pub(crate) fn status_words(status: &str) -> &str {
    match status {
        "ok" => "right size",
        "open" => "waits for you",
        "approved" => "approved",
        "sent" => "in flight",
        "applied" => "applied, being verified",
        "verified" => "verified",
        "rolled-back" => "rolled back",
        "rejected" => "rejected",
        "skipped" => "skipped",
        "failed" => "failed",
        "expired" => "expired",
        "superseded" => "superseded",
        "reverted" => "reverted by someone",
        "idle" => "idle",
        "no-reports" => "no reports",
        "no-memory-figure" => "no memory figure",
        other => other,
    }
}

/// The form above the table.
pub(crate) fn filter_form(fleet: &Fleet, query: &Query) -> Markup {
    let statuses = [
        "at-risk",
        "open",
        "approved",
        "sent",
        "applied",
        "verified",
        "rolled-back",
        "rejected",
        "ok",
        "idle",
        "no-reports",
    ];
    html! {
        form.filter method="get" action="/#functions" role="search" {
            label { "Name, ARN or tag" input type="search" name="q" value=(Text(&query.text)) placeholder="checkout, team=payments"; }
            label { "Status" select name="status" {
                option value="" { "All" }
                @for status in statuses {
                    option value=(status) selected[query.status == status] {
                        @if status == "at-risk" { "in danger" } @else { (status_words(status)) }
                    }
                }
            } }
            @if fleet.accounts.len() > 1 {
                label { "Account" select name="account" {
                    option value="" { "All" }
                    @for account in &fleet.accounts {
                        option value=(Text(account)) selected[query.account == *account] { (Text(account)) }
                    }
                } }
            }
            label { "Sort by" select name="sort" {
                @for (sort, name, words) in Sort::ALL {
                    option value=(name) selected[query.sort == sort] { (words) }
                }
            } }
            button type="submit" { "Show" }
            @if query.is_filter() { a.clear href="/#functions" { "Clear" } }
        }
    }
}

/// The table. With `links`, each function leads to its page.
pub(crate) fn table(rows: &[&Entry], links: bool) -> Markup {
    let compared = rows.iter().any(|entry| entry.optimizer_mb.is_some());
    html! {
        div.wide tabindex="0" role="region" aria-label="Table of functions" {
            table.functions {
                thead { tr {
                    th scope="col" { "Function" }
                    th scope="col" { "Memory used" }
                    th.n scope="col" { "Now" }
                    th.n scope="col" { "Recommended" }
                    th.n scope="col" { "Cost a month" }
                    th.n scope="col" { "Saving a month" }
                    @if !links { th.n scope="col" { "Slower, at worst" } }
                    @if compared { th.n scope="col" { "Compute Optimizer" } }
                    th scope="col" { "Status" }
                    th scope="col" { "Why, sizes in MB" }
                } }
                tbody {
                    @for entry in rows { (line(entry, links, compared)) }
                    @if rows.is_empty() { tr { td colspan="10" { "No function matches." } } }
                }
            }
        }
    }
}

fn line(entry: &Entry, links: bool, compared: bool) -> Markup {
    html! {
        tr.risk[entry.risk] {
            th.f scope="row" title=(Text(&entry.function)) {
                @if links { a href=(function_link(&entry.function)) { (Text(entry.name())) } }
                @else { (Text(entry.name())) }
                @if let (Some(region), Some(account)) = (entry.region(), entry.account()) {
                    span.place { (Text(region)) " · " (Text(account)) }
                }
            }
            td.used data-label="Memory used" { (used(entry)) }
            td.n data-label="Now" { (now(entry)) }
            td.n data-label="Recommended" { (wanted(entry)) }
            td.n data-label="Cost a month" { (entry.usd.map_or_else(|| "–".to_owned(), usd)) }
            td.n data-label="Saving a month" { (saving(entry)) }
            @if !links { td.n data-label="Slower, at worst" { (entry.slower.map_or_else(|| "–".to_owned(), |slower| format!("{slower:.1}×"))) } }
            @if compared { td.n data-label="Compute Optimizer" { (entry.optimizer_mb.map_or_else(|| "–".to_owned(), |mb| format!("{} MB", whole(mb)))) } }
            td data-label="Status" { (badge(entry)) }
            td.why data-label="Why, sizes in MB" {
                @if let (Some(rule), true) = (&entry.rule, links) { (rule_link(rule, &entry.why)) }
                @else { (Text(&entry.why)) }
            }
        }
    }
}

/// The size now.
pub(crate) fn now(entry: &Entry) -> String {
    match entry.current_mb {
        0 => "–".to_owned(),
        mb => format!("{} MB", whole(mb)),
    }
}

/// The recommended size.
pub(crate) fn wanted(entry: &Entry) -> Markup {
    html! {
        @match (entry.to_mb, entry.decided) {
            (Some(to), _) => span.down[to < entry.current_mb].up[to > entry.current_mb] {
                (if to < entry.current_mb { "↓ " } else { "↑ " }) (whole(to)) " MB"
            },
            (None, true) => "keep",
            (None, false) => "–",
        }
    }
}

/// The saving as a range.
pub(crate) fn saving(entry: &Entry) -> String {
    match entry.saving {
        Some(saving) if entry.to_mb.is_some() => saved(saving),
        _ => "–".to_owned(),
    }
}

/// The status as a label; its words, never its colour alone, carry the meaning.
pub(crate) fn badge(entry: &Entry) -> Markup {
    let words = match (entry.urgent, entry.risk, &*entry.status) {
        (true, ..) => "ran out of memory",
        (_, true, _) => "in danger",
        (_, _, status) => status_words(status),
    };
    html! { span.label data-status=(if entry.risk { "risk" } else { known(&entry.status) }) { (Text(words)) } }
}

/// A status that has a colour; a stranger's text is not put into an attribute that styles select by.
fn known(status: &str) -> &'static str {
    match status {
        "open" => "open",
        "approved" | "sent" | "applied" => "moving",
        "verified" => "good",
        "rolled-back" | "failed" => "back",
        _ => "quiet",
    }
}

/// The highest use as a bar of the size.
pub(crate) fn used(entry: &Entry) -> Markup {
    let Some(share) = entry.fullness() else {
        return html! { "–" };
    };
    let percent = share * 100.0;
    html! {
        svg.bar viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label=(format!("{percent:.0} % of the memory used")) {
            rect.room width="100" height="10" {}
            rect.fill.full[share >= 0.9] width=(format!("{:.1}", percent.min(100.0))) height="10" {}
            path.limit d="M90 0V10" {}
        }
        span { (format!("{percent:.0}")) " %" }
    }
}

/// Links to the other pages of a table.
pub(crate) fn pager(query: &Query, path: &str, page: usize, pages: usize) -> Markup {
    html! {
        @if pages > 1 {
            nav.pager aria-label="Pages of the table" {
                @if page > 1 { a rel="prev" href={ (query.link(path, page - 1)) "#functions" } { "← Previous" } }
                span { "Page " (whole(page)) " of " (whole(pages)) }
                @if page < pages { a rel="next" href={ (query.link(path, page + 1)) "#functions" } { "Next →" } }
            }
        }
    }
}
