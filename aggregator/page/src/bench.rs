//! Forced cold starts in one file that needs no server and no network: what they show, and every figure.

use maud::{Markup, html};
use rightsizer_rules::power::bench::{Bench, Cell, Finding, Stage, Verdict};

use crate::frame::{footer, head_inside, mark, whole_page};
use crate::words::{Text, duration, usd, whole};

/// Returns the page of a bench. `made` is the time.
pub fn bench_page(bench: &Bench, made: &str) -> String {
    let starts: usize = bench.cells.iter().map(|cell| cell.starts).sum();
    let longest = bench.cells.iter().map(|cell| cell.p95_ms);
    let longest = longest.fold(f64::MIN_POSITIVE, f64::max);
    let body = html! {
        header.top { span.brand { (mark()) span { "Rightsizer" } } }
        main #content {
            h1 { "Cold starts side by side" }
            p.lead { (whole(starts)) " forced starts, measured by the reports of Lambda." }
            (conclusions(&bench.findings))
            @for stage in [Stage::First, Stage::Later] {
                @let cells: Vec<&Cell> = bench.cells.iter().filter(|cell| cell.stage == stage).collect();
                @if !cells.is_empty() { (section(stage, &cells, longest)) }
            }
        }
        (footer(Some(made)))
    };
    whole_page("Cold starts side by side", &head_inside(), &body)
}

/// The findings: differences first, then what is alike, then what is not known.
fn conclusions(findings: &[Finding]) -> Markup {
    let group = |verdict: Verdict, title: &str| {
        let found: Vec<&Finding> = findings.iter().filter(|f| f.verdict == verdict).collect();
        html! {
            @if !found.is_empty() {
                h3 { (title) }
                ul { @for finding in found { li { (Text(&finding.to_string())) } } }
            }
        }
    };
    html! {
        section aria-labelledby="conclusions" {
            h2 #conclusions { "What they show" }
            @if findings.is_empty() {
                p { "There is only one kind of start, so there is nothing to compare." }
            } @else {
                p.see {
                    "Ratios with their intervals, which all hold at once with 90 % confidence. Packages and runtimes are \
                     comparable if the functions run the same code."
                }
                (group(Verdict::Differs, "Different"))
                (group(Verdict::Same, "Alike"))
                (group(Verdict::Unknown, "Within the noise"))
            }
        }
    }
}

fn section(stage: Stage, cells: &[&Cell], longest: f64) -> Markup {
    let (id, title) = match stage {
        Stage::First => ("first", "Right after the deployment"),
        Stage::Later => ("later", "Later"),
    };
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { (title) }
            div.wide tabindex="0" role="region" aria-label=(format!("Table of starts: {title}")) { table {
                thead { tr {
                    th scope="col" { "Function" } th scope="col" { "Package" } th.n scope="col" { "Size" } th.n scope="col" { "Starts" }
                    th scope="col" { "Half within" } th scope="col" { "90 % interval" } th.n scope="col" { "95 % within" }
                    th.n scope="col" { "First caller waits" } th.n scope="col" { "A million starts" }
                } }
                tbody { @for cell in cells { (line(cell, longest)) } }
            } }
        }
    }
}

fn line(cell: &Cell, longest: f64) -> Markup {
    let interval = cell.p50_low_ms.zip(cell.p50_high_ms);
    let interval = interval.map_or_else(
        || "–".to_owned(),
        |(low, high)| format!("{} to {}", duration(low), duration(high)),
    );
    html! {
        tr {
            th scope="row" { (Text(&cell.tested.function)) }
            td { (cell.tested.package.name()) @if let Some(runtime) = &cell.tested.runtime { ", " (Text(runtime)) } }
            td.n { (whole(cell.memory_mb.0)) " MB" }
            td.n { (whole(cell.starts)) }
            td.n { (bar(cell.p50_ms, cell.p95_ms, longest)) (duration(cell.p50_ms)) }
            td.n { (interval) }
            td.n { (duration(cell.p95_ms)) }
            td.n { (duration(cell.wait_p50_ms)) }
            td.n { @match cell.million_usd { Some(dollars) => (usd(dollars)), None => "–" } }
        }
    }
}

/// The median as a bar, with a line at the 95th percentile.
fn bar(p50: f64, p95: f64, longest: f64) -> Markup {
    let share = |ms: f64| format!("{:.1}", 100.0 * (ms / longest).clamp(0.0, 1.0));
    let at = share(p95);
    html! {
        svg.bar viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
            rect.room width="100" height="10" {}
            rect.fill width=(share(p50)) height="10" {}
            line.limit x1=(at) x2=(at) y1="0" y2="10" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use rightsizer_records::Megabytes;
    use rightsizer_rules::power::bench::{ColdSample, Package, Tested, bench};
    use rightsizer_rules::price::PriceTable;

    use super::*;

    fn samples(package: Package, name: &str, typical: f64) -> Vec<ColdSample> {
        let round = |by: f64| ColdSample {
            tested: Tested {
                function: name.to_owned(),
                region: None,
                arm64: false,
                runtime: Some("python3.13".to_owned()),
                package,
            },
            memory_mb: Megabytes(1024),
            round: 0,
            start_ms: typical * by,
            handler_ms: 20.0,
        };
        [0.96, 0.97, 0.98, 0.99, 1.0, 1.01, 1.02, 1.03]
            .map(round)
            .to_vec()
    }

    #[test]
    fn a_bench_is_one_page_with_its_conclusions() {
        let zip = samples(Package::Zip, "<script>alert(1)</script>", 3000.0);
        let image = samples(Package::Image, "checkout", 1450.0);
        let found = bench(&[zip, image].concat(), &PriceTable::default());
        let page = bench_page(&found, "2026-03-01");
        assert!(
            page.contains("image starts take 0.48 times as long as zip starts"),
            "{page}"
        );
        assert!(
            page.contains("Different") && !page.contains("Alike"),
            "{page}"
        );
        assert!(
            page.contains("&lt;script&gt;") && !page.contains("<script>alert"),
            "{page}"
        );
        // The median of the zip starts, 2,970 ms, is 96.1 % of the longest bar, 3,090 ms.
        assert!(
            page.contains("<rect class=\"fill\" width=\"96.1\""),
            "{page}"
        );
        assert!(
            !page.contains("unsafe-inline") && !page.contains(" style="),
            "{page}"
        );
        for outside in ["http://", "https://", " src=", "href=\"/", "<form"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(!page.contains("id=\"later\""), "there was one round");
    }

    #[test]
    fn one_kind_of_start_compares_nothing() {
        let found = bench(
            &samples(Package::Zip, "checkout", 300.0),
            &PriceTable::default(),
        );
        assert!(bench_page(&found, "today").contains("nothing to compare"));
    }
}
