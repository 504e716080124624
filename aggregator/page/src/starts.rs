//! What cold starts of a function cost, and what provisioned concurrency would cost instead.

use maud::{Markup, html};
use rightsizer_rules::power::{ColdStart, StartsOfKind};
use rightsizer_store::{ConfigurationLine, ForcedLine};

use crate::words::{Text, duration, usd, whole};

/// Versions and sizes that are listed: the busiest ones.
const LISTED: usize = 12;

/// The table with its sentence; nothing if no start was reported.
pub(crate) fn starts(known: Option<&ConfigurationLine>, starts: &[ColdStart]) -> Markup {
    let mut busiest: Vec<&ColdStart> = starts.iter().collect();
    busiest.sort_by_key(|start| std::cmp::Reverse(start.invocations));
    let more = busiest.len().saturating_sub(LISTED);
    busiest.truncate(LISTED);
    html! {
        @if let Some(first) = busiest.first() {
            section aria-labelledby="starts-cost" {
                h2 #starts-cost { "Cost of cold starts" }
                p.see { (sentence(known, first)) }
                div.wide tabindex="0" role="region" aria-label="Table of cold starts" {
                    table {
                        thead { tr {
                            th scope="col" { "Version" } th.n scope="col" { "Size" } th.n scope="col" { "Cold" } th.n scope="col" { "Failed" }
                            th.n scope="col" { "Half within" } th.n scope="col" { "95 % within" } th.n scope="col" { "Of the billed time" }
                            th.n scope="col" { "Cost a month" } th.n scope="col" { "Provisioned concurrency" }
                        } }
                        tbody { @for start in &busiest { (line(start)) } }
                    }
                }
                @if more > 0 { p.soft { "and " (whole(more)) " more versions and sizes" } }
                p.soft.small { "To compare packages and sizes side by side by forced starts: " code { "rightsizer coldstarts --bench" } "." }
            }
        }
    }
}

fn line(start: &ColdStart) -> Markup {
    let none = || "–".to_owned();
    let provisioned = start.provisioned;
    html! {
        tr {
            th scope="row" { (Text(&start.version)) }
            td.n { (whole(start.memory_mb.0)) " MB" }
            td.n { (percent(start.share)) " of " (whole(start.invocations)) }
            td.n { (failed(start)) }
            td.n { (by_kind(start, |kind| kind.p50_ms)) }
            td.n { (by_kind(start, |kind| kind.p95_ms)) }
            td.n { (start.billed_share.map_or_else(none, percent)) }
            td.n { (start.monthly_usd.map_or_else(none, usd)) }
            td.n { (whole(provisioned.environments)) ": " (usd(provisioned.monthly_usd)) ", saves " (usd(provisioned.saved_usd)) }
        }
    }
}

/// The number of starts that failed.
fn failed(start: &ColdStart) -> String {
    let kinds = [start.failed_inits, start.failed_restores];
    let count: u64 = kinds.iter().flatten().map(|kind| kind.count).sum();
    match count {
        0 => "–".to_owned(),
        _ => whole(count),
    }
}

/// A figure of init, and of restores from a snapshot.
fn by_kind(start: &ColdStart, figure: fn(&StartsOfKind) -> f64) -> String {
    let of = |kind: &StartsOfKind| duration(figure(kind));
    match (&start.inits, &start.restores) {
        (Some(inits), Some(restores)) => format!("init {}, restore {}", of(inits), of(restores)),
        (None, Some(restores)) => format!("restore {}", of(restores)),
        (Some(inits), None) => of(inits),
        (None, None) => "–".to_owned(),
    }
}

/// The starts that a bench forced of copies; nothing without one.
pub(crate) fn forced(starts: &[ForcedLine]) -> Markup {
    html! {
        @if let Some(newest) = starts.iter().map(|start| start.measured_at).max() {
            section aria-labelledby="forced-starts" {
                h2 #forced-starts { "Forced cold starts" }
                p.see { "Measured on copies of the function, last on " (newest.day().to_string()) ". No decision uses them." }
                div.wide tabindex="0" role="region" aria-label="Table of forced cold starts" {
                    table {
                        thead { tr {
                            th scope="col" { "Package" } th.n scope="col" { "Size" } th.n scope="col" { "Half within" }
                            th.n scope="col" { "95 % within" } th.n scope="col" { "Starts" } th scope="col" { "When" }
                        } }
                        tbody { @for start in starts { tr {
                            th scope="row" { (start.package.name()) }
                            td.n { (whole(start.memory_mb.0)) " MB" }
                            td.n { (duration(start.p50_ms)) }
                            td.n { (duration(start.p95_ms)) }
                            td.n { (whole(start.starts)) }
                            td.when { (start.stage.name()) }
                        } } }
                    }
                }
            }
        }
    }
}

/// Whether provisioned concurrency would pay for the busiest version.
fn sentence(known: Option<&ConfigurationLine>, start: &ColdStart) -> String {
    let how = match known {
        _ if start.inits.is_none() && start.restores.is_some() => "are restored from a snapshot",
        Some(known) if known.package == "image" => "start from an image",
        _ => "start",
    };
    let provisioned = start.provisioned;
    let pays = if provisioned.saved_usd > provisioned.monthly_usd {
        "would pay for itself"
    } else {
        "would cost more than it saves"
    };
    let cost = start.monthly_usd.map_or_else(String::new, |dollars| {
        format!(" and cost {} a month", usd(dollars))
    });
    format!(
        "At {} MB, environments {how} in {} or less half of the time{cost}. Provisioned concurrency for {} at once {pays}: {} a \
         month, {} saved.",
        whole(start.memory_mb.0),
        duration(start.p50_ms),
        whole(provisioned.environments),
        usd(provisioned.monthly_usd),
        usd(provisioned.saved_usd)
    )
}

fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent < 9.95 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
    }
}

#[cfg(test)]
mod tests {
    use rightsizer_records::{Megabytes, Timestamp};
    use rightsizer_rules::power::Provisioned;
    use rightsizer_rules::power::bench::{Package, Stage};

    use super::*;

    fn start(version: &str, invocations: u64) -> ColdStart {
        ColdStart {
            version: version.to_owned(),
            memory_mb: Megabytes(1024),
            invocations,
            starts: invocations / 100,
            share: 0.01,
            p50_ms: 390.0,
            p95_ms: 600.0,
            inits: Some(StartsOfKind {
                count: invocations / 100,
                p50_ms: 390.0,
                p95_ms: 600.0,
            }),
            restores: None,
            failed_inits: None,
            failed_restores: None,
            billed_share: Some(0.035),
            monthly_usd: Some(0.42),
            first_penalty_ms: None,
            deployment: None,
            first_hours: None,
            smallest_mb: None,
            provisioned: Provisioned {
                environments: 2,
                monthly_usd: 21.6,
                saved_usd: 1.37,
            },
        }
    }

    #[test]
    fn forced_starts_are_listed_by_size_and_time() {
        assert!(forced(&[]).into_string().is_empty());
        let line = |stage, p50_ms| ForcedLine {
            memory_mb: Megabytes(1769),
            package: Package::Image,
            stage,
            starts: 20,
            p50_ms,
            p95_ms: 2.0 * p50_ms,
            measured_at: Timestamp::parse("2026-01-31T10:00:00Z").unwrap(),
        };
        let page = forced(&[line(Stage::First, 8500.0), line(Stage::Later, 390.0)]).into_string();
        for wanted in [
            "last on 2026-01-31",
            "1,769 MB",
            "right after the deployment",
            "390 ms",
            "780 ms",
        ] {
            assert!(page.contains(wanted), "{wanted} is not in {page}");
        }
    }

    #[test]
    fn the_busiest_version_is_summed_up_and_the_others_are_listed() {
        assert!(starts(None, &[]).into_string().is_empty());
        let page = starts(None, &[start("<b>", 100), start("7", 48_210)]).into_string();
        for wanted in [
            "At 1,024 MB, environments start in 390 ms or less half of the time and cost $0.42 a month.",
            "Provisioned concurrency for 2 at once would cost more than it saves: $21.60 a month, $1.37 saved.",
            "1.0 % of 48,210",
            "3.5 %",
            "&lt;b&gt;",
        ] {
            assert!(page.contains(wanted), "{wanted} is not in {page}");
        }
        let restored = |version, inits| ColdStart {
            inits,
            restores: Some(StartsOfKind {
                count: 5,
                p50_ms: 120.0,
                p95_ms: 240.0,
            }),
            failed_inits: Some(StartsOfKind {
                count: 1_234,
                p50_ms: 10_000.0,
                p95_ms: 10_000.0,
            }),
            monthly_usd: None,
            ..start(version, 500)
        };
        let inits = start("1", 500).inits;
        let page = starts(None, &[restored("8", None), restored("7", inits)]).into_string();
        for wanted in [
            "environments are restored from a snapshot in",
            "restore 120 ms",
            "init 390 ms, restore 120 ms",
            "init 600 ms, restore 240 ms",
            "1,234",
        ] {
            assert!(page.contains(wanted), "{wanted} is not in {page}");
        }
        let many: Vec<ColdStart> = (0..14).map(|n| start("$LATEST", n * 100)).collect();
        assert!(starts(None, &many).into_string().contains("and 2 more"));
    }
}
