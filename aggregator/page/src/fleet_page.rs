//! The fleet's page.

use maud::{Markup, html};
use rightsizer_store::ChangeCounts;

use crate::changes::changes;
use crate::fleet::{Fleet, Query, ROWS};
use crate::frame::{Frame, Tab};
use crate::grade::Totals;
use crate::marks::marks;
use crate::report::nothing;
use crate::savings::savings;
use crate::table::{filter_form, pager, table};
use crate::words::{Text, many, saved, usd, whole};

/// What a fleet's page is made of.
#[derive(Debug, Clone, Copy)]
pub struct FleetView<'a> {
    /// The fleet.
    pub fleet: &'a Fleet,
    /// What the reader asks for.
    pub query: &'a Query,
}

/// The fleet's page.
pub fn fleet_page(frame: &Frame<'_>, view: FleetView<'_>) -> String {
    let FleetView { fleet, query } = view;
    let found = query.select(&fleet.entries);
    let pages = found.len().div_ceil(ROWS).max(1);
    let page = query.page.min(pages);
    let begin = (page - 1) * ROWS;
    let rows = &found[begin..found.len().min(begin + ROWS)];
    let content = html! {
        h1 { "Fleet" }
        (stops(fleet))
        @if fleet.entries.is_empty() {
            (nothing())
        } @else {
            (overview(fleet))
            (marks(&fleet.entries, true))
            (changes(&fleet.changes, fleet.week))
            (savings(&fleet.months))
            section aria-labelledby="functions" {
                h2 #functions { "Functions" }
                p.see {
                    @if query.is_filter() { (whole(found.len())) " of " (whole(fleet.entries.len())) " functions match. " }
                    @else { (many(fleet.entries.len(), "function")) ". " }
                    "A bar shows the highest use as a share of the memory; the line marks 90\u{a0}%."
                }
                (filter_form(fleet, query))
                (table(rows, true))
                (pager(query, "/", page, pages))
            }
        }
    };
    frame.page(Some(Tab::Fleet), "Fleet", &content)
}

/// Why nothing is sent.
pub(crate) fn stops(fleet: &Fleet) -> Markup {
    let stops = &fleet.stops;
    html! {
        @if let Some(by) = &stops.paused {
            p.stop role="status" { strong { "Paused" } " " (Text(by)) ". Nothing is sent until you resume." }
        }
        @if let Some(why) = &stops.auto_paused {
            p.stop role="status" { strong { "Circuit breaker open" } " " (Text(why)) ". Automatic decreases wait until you resume." }
        }
        @if let Some(waits) = stops.waiting() {
            p.stop role="status" { (Text(&waits)) }
        }
    }
}

/// The figures that answer at a glance.
pub(crate) fn overview(fleet: &Fleet) -> Markup {
    let totals = &fleet.totals;
    let could = totals.bill - totals.expected.as_f64();
    html! {
        p.lead { (sentence(fleet)) }
        dl.tiles {
            div.tile { dt { "Costs now" } dd { (usd(totals.bill)) } dd.note { "a month, projected from the last 14 days" } }
            div.tile.good { dt { "Could cost" } dd { (usd(could)) } dd.note { (saves(totals)) } }
            div.tile.bad[totals.at_risk > 0] {
                dt { "In danger" } dd { (whole(totals.at_risk)) }
                dd.note { @if totals.at_risk > 0 { a href="/?status=at-risk#functions" { "ran out, nearly full, or failing" } } @else { "no function is near its limit" } }
            }
            div.tile { dt { "Waiting for you" } dd { (whole(fleet.waiting)) }
                dd.note { @if fleet.waiting > 0 { a href="/ui/review" { @if fleet.waiting == 1 { "review it" } @else { "review them" } } } @else { "nothing to review" } } }
            div.tile { dt { "Changed this week" } dd { (whole(fleet.week.changed)) } dd.note { (helped(fleet.week)) } }
            @if let Some((letter, share)) = totals.letter() {
                div.tile.grade { dt { "Grade" } dd { (letter) } dd.note { @if share < 0.5 { "no saving is certain" } @else { "at least " (format!("{share:.0}")) " % of the bill could be saved" } } }
            }
        }
    }
}

fn saves(totals: &Totals) -> String {
    let saving = totals.saving();
    if saving.expected.as_f64() < 0.0 {
        "a month: making functions safe costs more than sizes save".to_owned()
    } else {
        format!("a month; {} saved", saved(saving))
    }
}

/// What this week's changes came to.
fn helped(week: ChangeCounts) -> String {
    match (week.changed, week.verified, week.rolled_back) {
        (0, ..) => "no size was changed".to_owned(),
        (n, 0, 0) => format!(
            "{} not verified yet",
            if n == 1 { "it is" } else { "they are" }
        ),
        (_, verified, 0) => format!("{verified} verified, none taken back"),
        (_, verified, back) => format!("{verified} verified, {back} taken back"),
    }
}

/// The whole fleet in one sentence.
fn sentence(fleet: &Fleet) -> String {
    let totals = &fleet.totals;
    let functions = many(totals.functions, "function");
    let undecided = fleet.entries.iter().filter(|entry| !entry.decided).count();
    if undecided == totals.functions && totals.at_risk == 0 {
        return format!("{functions}, without a decision yet.");
    }
    let known = [
        (
            totals.over,
            "could run with less memory",
            "could run with less memory",
        ),
        (
            totals.under,
            "should have more memory",
            "should have more memory",
        ),
        (totals.at_risk, "is in danger", "are in danger"),
        (undecided, "has no decision yet", "have no decision yet"),
    ];
    let parts: Vec<String> = known
        .into_iter()
        .filter(|(n, ..)| *n > 0)
        .map(|(n, one, several)| match (totals.functions, n) {
            (1, _) => format!("it {one}"),
            (_, 1) => format!("1 {one}"),
            _ => format!("{} {several}", whole(n)),
        })
        .collect();
    match parts.as_slice() {
        [] if totals.functions == 1 => "1 function, with the memory it needs.".to_owned(),
        [] => format!("{functions}, each with the memory it needs."),
        [only] => format!("{functions}: {only}."),
        [first @ .., last] => format!("{functions}: {} and {last}.", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use rightsizer_store::ReviewRow;
    use rightsizer_store::sample::row;

    use super::*;
    use crate::frame::tests::frame;

    #[test]
    fn the_first_sentence_is_true_of_any_fleet() {
        let fine = || {
            let mut fine = row("local:fine", (512, 300, 512), (9.0, 9.0));
            fine.status = "ok".to_owned();
            fine
        };
        let less = || row("local:less", (1024, 30, 130), (80.0, 20.0));
        let full = || row("local:full", (1024, 1015, 1117), (10.0, 11.0));
        let new = || ReviewRow {
            policy_mb: None,
            ..fine()
        };
        let of = |rows: Vec<ReviewRow>| sentence(&Fleet::of(rows));
        assert_eq!(of(vec![fine()]), "1 function, with the memory it needs.");
        assert_eq!(
            of(vec![less()]),
            "1 function: it could run with less memory."
        );
        assert_eq!(
            of(vec![new(), new()]),
            "2 functions, without a decision yet."
        );
        assert_eq!(
            of(vec![fine(), fine()]),
            "2 functions, each with the memory it needs."
        );
        assert_eq!(
            of(vec![fine(), less(), less(), full(), new()]),
            "5 functions: 2 could run with less memory, 1 should have more memory, 1 is in danger and 1 has no decision yet."
        );
    }

    /// Compressed as the server does it for browsers.
    #[test]
    fn the_first_page_of_100_000_functions_has_less_than_100_kb() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:";
        let like = row(arn, (1024, 480, 580), (30.0, 17.0));
        let rows = (0..100_000_u32).map(|n| ReviewRow {
            function: format!("{arn}team-{}-function-{n}", n % 97),
            current_mb: 256 + n % 2900,
            peak_mb: Some(40 + n % 213),
            monthly_usd_before: Some(f64::from(n % 9973) / 10.0),
            ..like.clone()
        });
        let fleet = Fleet::of(rows);
        let view = FleetView {
            fleet: &fleet,
            query: &Query::parse(""),
        };
        let page = fleet_page(&frame(), view);
        let mut packed = GzEncoder::new(Vec::new(), Compression::new(5));
        packed.write_all(page.as_bytes()).unwrap();
        let bytes = packed.finish().unwrap().len();
        println!("{bytes} bytes of {} before compression", page.len());
        assert!(bytes < 100_000, "{bytes} bytes");
        let cells = page.matches("<rect class=\"s").count();
        assert!(
            page.contains("100,000 functions") && cells > 100,
            "{cells} cells"
        );
    }
}
