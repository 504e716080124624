//! The fleet in one file that needs no server and no network, to be mailed or published.

use maud::{Markup, html};

use crate::fleet::{Entry, Fleet};
use crate::frame::{footer, head_inside, mark, whole_page};
use crate::marks::marks;
use crate::table::table;
use crate::words::{Text, usd, whole};

/// The text for an empty fleet.
pub const NOTHING: &str = "no functions yet: `rightsizer import cloudwatch` reads the \
                           account's logs, `rightsizer import FILE` reads exports, \
                           `rightsizer serve` receives reports";

/// The same as a page's part.
pub(crate) fn nothing() -> Markup {
    html! {
        section aria-labelledby="nothing" {
            h2 #nothing { "No functions yet" }
            p.see { "There are three ways to bring evidence in." }
            ul.ways {
                li { code { "rightsizer import cloudwatch" } " reads the account's logs." }
                li { code { "rightsizer import FILE" } " reads exports of logs and of other tools." }
                li { code { "rightsizer serve" } " receives reports as invocations happen." }
            }
        }
    }
}

/// The report: the figures, the picture and every function in the order of `fleet`. `stops` are the reasons for
/// which nothing is sent, `made` is the time.
pub fn report(fleet: &Fleet, stops: &[String], made: &str) -> String {
    let rows: Vec<&Entry> = fleet.entries.iter().collect();
    let totals = &fleet.totals;
    let body = html! {
        header.top { span.brand { (mark()) span { "Rightsizer" } } }
        main #content {
            h1 { "Memory of Lambda functions" }
            @for line in stops { p.stop { (Text(line)) } }
            @if rows.is_empty() { (nothing()) } @else {
                @for line in totals.summary().lines() { p.lead { (Text(line)) } }
                dl.tiles {
                    div.tile { dt { "Costs now" } dd { (usd(totals.bill)) } dd.note { "a month, projected" } }
                    div.tile.good { dt { "Could cost" } dd { (usd(totals.bill - totals.expected.as_f64())) } dd.note { "a month" } }
                    div.tile.bad[totals.at_risk > 0] { dt { "In danger" } dd { (whole(totals.at_risk)) } dd.note { "functions" } }
                    div.tile { dt { "Functions" } dd { (whole(totals.functions)) } dd.note { "in this report" } }
                }
                (marks(&fleet.entries, false))
                section aria-labelledby="functions" {
                    h2 #functions { "Functions" }
                    p.see { "Functions in danger come first, then the largest savings." }
                    label.find { "Filter by name or status" input type="search" data-filter; }
                    (table(&rows, false))
                }
            }
        }
        (footer(Some(made)))
    };
    whole_page("Memory of Lambda functions", &head_inside(), &body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::tests::fleet;

    #[test]
    fn a_report_needs_no_other_file() {
        let page = report(
            &fleet(),
            &["everything is paused <b>".to_owned()],
            "2026-03-01",
        );
        assert!(
            page.contains("local:&lt;script&gt;alert(1)&lt;/script&gt;"),
            "{page}"
        );
        assert!(
            !page.contains("<script>alert") && page.contains("paused &lt;b&gt;"),
            "{page}"
        );
        assert!(
            page.contains("Content-Security-Policy") && !page.contains("unsafe-inline"),
            "{page}"
        );
        for outside in ["http://", "https://", " src=", "href=\"/", "<form"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(report(&Fleet::default(), &[], "today").contains("No functions yet"));
    }
}
