//! What waits for a person, and the forms that decide it.

use maud::{Markup, html};
use rightsizer_records::Reason;
use rightsizer_store::ReviewRow;

use crate::fleet::{Entry, Fleet, Query};
use crate::fleet_page::stops;
use crate::frame::{Frame, Tab};
use crate::rules::rule_link;
use crate::table::{badge, saving, used, wanted};
use crate::words::{Text, function_link, many, whole};

/// Recommendations on one page: an approval covers exactly the ones that were seen.
const ROWS: usize = 50;

/// What the review page is made of.
#[derive(Debug, Clone, Copy)]
pub struct ReviewView<'a> {
    /// The fleet.
    pub fleet: &'a Fleet,
    /// What the reader asks for; its status is not used.
    pub query: &'a Query,
}

/// The review page.
pub fn review_page(frame: &Frame<'_>, view: ReviewView<'_>) -> String {
    let ReviewView { fleet, query } = view;
    let wanted = Query {
        status: "open".to_owned(),
        ..query.clone()
    };
    let found = wanted.select(&fleet.entries);
    let pages = found.len().div_ceil(ROWS).max(1);
    let page = query.page.min(pages);
    let begin = (page - 1) * ROWS;
    let rows = &found[begin..found.len().min(begin + ROWS)];
    let content = html! {
        h1 { "Review" }
        (stops(fleet))
        p.lead { (lead(found.len())) }
        (search(query))
        @if !rows.is_empty() { (bulk(frame, rows)) }
        (crate::table::pager(query, "/ui/review", page, pages))
        (pause(frame, fleet.stops.paused.is_some() || fleet.stops.auto_paused.is_some()))
    };
    frame.page(Some(Tab::Review), "Review", &content)
}

fn lead(waiting: usize) -> String {
    match waiting {
        0 => "Nothing waits for you.".to_owned(),
        1 => "1 recommendation waits for you. Functions in danger come first, then the largest savings."
            .to_owned(),
        n => format!(
            "{} wait for you. Functions in danger come first, then the largest savings.",
            many(n, "recommendation")
        ),
    }
}

fn search(query: &Query) -> Markup {
    html! {
        form.filter method="get" action="/ui/review" role="search" {
            label { "Name, ARN or tag" input type="search" name="q" value=(Text(&query.text)); }
            button type="submit" { "Show" }
            @if !query.text.is_empty() { a.clear href="/ui/review" { "Clear" } }
        }
    }
}

/// One form with a box for each recommendation.
fn bulk(frame: &Frame<'_>, rows: &[&Entry]) -> Markup {
    html! {
        form.bulk method="post" action="/ui/decide" data-bulk {
            (frame.token())
            input type="hidden" name="back" value="review";
            div.wide tabindex="0" role="region" aria-label="Table of open recommendations" {
                table.functions {
                    thead { tr {
                        th scope="col" { label.box { input type="checkbox" data-all aria-label="Select all on this page"; span.phone aria-hidden="true" { "Select all" } } }
                        th scope="col" { "Function" } th.n scope="col" { "Now" } th.n scope="col" { "Recommended" }
                        th.n scope="col" { "Saving a month" } th.n scope="col" { "Slower, at worst" } th scope="col" { "Memory used" }
                        th scope="col" { "Confidence" } th scope="col" { "Why, sizes in MB" }
                    } }
                    tbody { @for entry in rows { (line(entry)) } }
                }
            }
            div.act {
                label { "Reason, recorded with the decision" input name="why" maxlength="1024" placeholder="optional"; }
                button.main type="submit" name="action" value="approve" { "Approve selected" }
                button type="submit" name="action" value="reject" { "Reject selected" }
            }
            p.soft.small { "Only the selected recommendations are decided. If one has changed since this page was loaded, it is refused." }
        }
    }
}

fn line(entry: &Entry) -> Markup {
    html! {
        tr.risk[entry.risk] {
            td.pick { @if let Some(id) = &entry.recommendation {
                label.box { input type="checkbox" name="what" value=(Text(id)) aria-label={ "Select " (Text(entry.name())) }; }
            } }
            th.f scope="row" title=(Text(&entry.function)) {
                a href=(function_link(&entry.function)) { (Text(entry.name())) } " " @if entry.risk { (badge(entry)) }
            }
            td.n data-label="Now" { (whole(entry.current_mb)) " MB" }
            td.n data-label="Recommended" { (wanted(entry)) }
            td.n data-label="Saving a month" { (saving(entry)) }
            td.n data-label="Slower, at worst" { (entry.slower.map_or_else(|| "–".to_owned(), |slower| format!("{slower:.1}×"))) }
            td.used data-label="Memory used" { (used(entry)) }
            td data-label="Confidence" { (Text(entry.confidence.as_deref().unwrap_or("unknown"))) }
            td.why data-label="Why, sizes in MB" { @if let Some(rule) = &entry.rule { (rule_link(rule, &entry.why)) } }
        }
    }
}

/// The decisions about one function.
pub(crate) fn decide_forms(frame: &Frame<'_>, entry: &Entry, back: &str, held: bool) -> Markup {
    let open = &*entry.status == "open";
    let approved = &*entry.status == "approved";
    html! {
        form.act.decide method="post" action="/ui/decide" aria-label="Decide" {
            (frame.token())
            input type="hidden" name="back" value=(back);
            input type="hidden" name="function" value=(Text(&entry.function));
            @if let Some(id) = &entry.recommendation { input type="hidden" name="what" value=(Text(id)); }
            label { "Reason, recorded with the decision" input name="why" maxlength="1024" placeholder="optional"; }
            @if open && entry.recommendation.is_some() {
                button.main type="submit" name="action" value="approve" { "Approve " (whole(entry.to_mb.unwrap_or_default())) " MB" }
                button type="submit" name="action" value="reject" { "Reject" }
            }
            @if approved { button type="submit" name="action" value="unapprove" { "Take the approval back" } }
            @if held {
                button type="submit" name="action" value="release" { "End the hold" }
            } @else {
                button type="submit" name="action" value="hold" { "Hold decreases for 14 days" }
            }
        }
    }
}

/// The decision that lets a function go below sizes at which it ran out of memory; nothing if none of them counts.
pub(crate) fn clear_form(frame: &Frame<'_>, row: &ReviewRow) -> Markup {
    let ran_out = row.reasons.iter().find_map(|reason| match reason {
        Reason::OutOfMemory { day, size_mb, .. } => Some((day, size_mb.0)),
        _ => None,
    });
    html! {
        @if let Some((day, mb)) = ran_out {
            details.act-box {
                summary { "Its need has changed since it ran out of memory" }
                p {
                    "On " (day.to_string()) " it ran out of " (whole(mb)) " MB, so no size up to that is recommended until its code changes. "
                    "If you clear this, such a size may be recommended again; its peaks of the last 35 days still count."
                }
                p { strong { "At worst:" } " its need is what it was, it gets " (whole(mb)) " MB or less, and invocations fail until the size is raised again." }
                form.act method="post" action="/ui/decide" {
                    (frame.token())
                    input type="hidden" name="back" value="function";
                    input type="hidden" name="function" value=(Text(&row.function));
                    label { "Reason, recorded with the decision" input name="why" maxlength="1024" placeholder="optional"; }
                    button.risk type="submit" name="action" value="clear" { "Clear the out-of-memory" }
                }
            }
        }
    }
}

fn pause(frame: &Frame<'_>, paused: bool) -> Markup {
    html! {
        section aria-labelledby="all" {
            h2 #all { "Everything" }
            p.see { "A pause stops all sending, increases too. No evidence is lost." }
            form.act method="post" action="/ui/decide" {
                (frame.token())
                input type="hidden" name="back" value="review";
                label { "Reason, recorded with the decision" input name="why" maxlength="1024" placeholder="optional"; }
                @if paused { button.main type="submit" name="action" value="resume" { "Resume sending" } }
                @else { button type="submit" name="action" value="pause" { "Pause everything" } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rightsizer_records::{Day, Megabytes};
    use rightsizer_store::sample::row;

    use super::*;
    use crate::frame::tests::frame;

    #[test]
    fn only_what_ran_out_can_be_cleared_and_the_worst_case_stands_beside_it() {
        let mut row = row("local:<b>", (1024, 200, 615), (3.0, 2.0));
        assert_eq!(clear_form(&frame(), &row).into_string(), "");
        row.reasons.push(Reason::OutOfMemory {
            day: Day::from_number(20_000),
            mb: Megabytes(615),
            size_mb: Megabytes(512),
        });
        let form = clear_form(&frame(), &row).into_string();
        for wanted in [
            "On 2024-10-04 it ran out of 512 MB",
            "it gets 512 MB or less, and invocations fail",
            "name=\"csrf\" value=\"c5rf\"",
            "name=\"function\" value=\"local:&lt;b&gt;\"",
            "name=\"action\" value=\"clear\"",
        ] {
            assert!(form.contains(wanted), "{wanted} is not in {form}");
        }
    }
}
