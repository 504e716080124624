//! Cold starts in eighty columns: a bar for each version and size, and what they cost. Pure.

use std::fmt::Write as _;

use rightsizer_records::shown::shown;
use rightsizer_rules::power::{ColdStart, Configured, ConfiguredUse, Worth};

use rightsizer_store::ForcedLine;

use super::Started;
use crate::cli::curve::{dollars, milliseconds};
use crate::cli::text::short;

/// Characters of the longest bar.
const BAR: f64 = 26.0;

/// Returns a block for each function that had a start.
pub(super) fn table(functions: &[Started]) -> String {
    let started = functions.iter().filter(|function| {
        !(function.starts.is_empty() && function.forced.is_empty()) || has_provisioned(function)
    });
    let longest = started
        .clone()
        .flat_map(|f| &f.starts)
        .flat_map(|start| {
            let failed = [start.failed_inits, start.failed_restores];
            [start.inits, start.restores].into_iter().chain(failed)
        })
        .flatten()
        .map(|kind| kind.p95_ms);
    let forced = started.clone().flat_map(|f| &f.forced).map(|of| of.p95_ms);
    let longest = longest.chain(forced).fold(0.0, f64::max);
    let blocks: Vec<String> = started.map(|function| block(function, longest)).collect();
    let without = functions.len() - blocks.len();
    let mut text = blocks.join("\n");
    if longest <= 0.0 {
        text.push_str("no report of a cold start\n");
    } else {
        text.push_str("\n█ median of a start, ░ up to the 95th percentile\n");
        if !functions.iter().any(has_failed) {
            text.push_str(NONE_FAILED);
        }
        if without > 0 {
            let _ = writeln!(text, "{without} more without a report of a cold start");
        }
    }
    text
}

/// Zero must not be taken for "none failed".
const NONE_FAILED: &str =
    "no start that failed is known; logs have them, the layer's reports do not\n";

fn has_failed(function: &Started) -> bool {
    let mut starts = function.starts.iter();
    starts.any(|start| start.failed_inits.is_some() || start.failed_restores.is_some())
}

fn has_provisioned(function: &Started) -> bool {
    let mut configured = function.provisioned.iter().flatten();
    configured.next().is_some()
}

fn block(function: &Started, longest: f64) -> String {
    let package = function.package.as_deref().unwrap_or("package unknown");
    // SnapStart is configured for a function, and never applies to `$LATEST`.
    let package = if function.snap_start {
        format!("{package}, published versions have SnapStart")
    } else {
        package.to_owned()
    };
    let mut text = format!("{} ({package})\n", shown(short(&function.function)));
    for start in &function.starts {
        text.push_str(&line(start, longest));
    }
    if let Some(forced) = function.forced.first() {
        let day = forced.measured_at.day();
        let _ = writeln!(text, "  forced starts of copies, as of {day}");
    }
    for forced in &function.forced {
        text.push_str(&forced_line(forced, longest));
    }
    for configured in function.provisioned.iter().flatten() {
        let _ = writeln!(text, "  {}", provisioned(configured));
    }
    text
}

/// What is configured, and what follows.
fn provisioned(of: &ConfiguredUse) -> String {
    let Configured {
        qualifier,
        version,
        memory_mb,
        environments,
    } = &of.configured;
    let (usd, saved) = (dollars(of.monthly_usd), dollars(of.saved_usd));
    let follows = match of.worth {
        Worth::Unknown => "reports of less than a week do not show whether it is used".to_owned(),
        Worth::Unused => format!(
            "no invocation of version {} in {} days: remove it to save this",
            shown(version),
            of.days
        ),
        Worth::Costs => format!("{:.0} % busy, saves ${saved} of it", 100.0 * of.busy),
        Worth::Saves => format!(
            "{:.0} % busy, saves ${saved}, more than it costs",
            100.0 * of.busy
        ),
    };
    format!(
        "{environments} provisioned on {} ({} MB): ${usd} a month\n    {follows}",
        shown(qualifier),
        memory_mb.0
    )
}

/// Starts that `--bench` forced.
fn forced_line(forced: &ForcedLine, longest: f64) -> String {
    let stage = forced.stage.name();
    format!(
        "  {:>5} MB {:<8} {:<26} {:>8} {:>8}\n           {}, {stage}, {} starts\n",
        forced.memory_mb.0,
        "copy",
        bar((forced.p50_ms, forced.p95_ms), longest),
        milliseconds(forced.p50_ms),
        milliseconds(forced.p95_ms),
        forced.package.name(),
        forced.starts,
    )
}

fn line(start: &ColdStart, longest: f64) -> String {
    let mut text = bars(start, longest);
    for fact in facts(start) {
        let _ = writeln!(text, "           {fact}");
    }
    text
}

/// A line for init, one for restores, and one for each of the two that failed.
fn bars(start: &ColdStart, longest: f64) -> String {
    let version: String = shown(&start.version).chars().take(8).collect();
    let mut before = format!("  {:>5} MB {version:<8}", start.memory_mb.0);
    let mut text = String::new();
    let kinds = [
        (start.inits, "init"),
        (start.restores, "restore"),
        (start.failed_inits, "failed"),
        (start.failed_restores, "failed"),
    ];
    for (kind, name) in kinds {
        let Some(kind) = kind else { continue };
        let _ = writeln!(
            text,
            "{before:<19} {:<26} {:>8} {:>8} {name}",
            bar((kind.p50_ms, kind.p95_ms), longest),
            milliseconds(kind.p50_ms),
            milliseconds(kind.p95_ms)
        );
        before.clear();
    }
    text
}

fn facts(start: &ColdStart) -> Vec<String> {
    let kinds = match (start.inits, start.restores) {
        (Some(inits), Some(restores)) => {
            format!(": {} by init, {} restored", inits.count, restores.count)
        }
        _ => String::new(),
    };
    let mut facts = vec![format!(
        "{:.1} % of {} invocations started cold{kinds}",
        100.0 * start.share,
        start.invocations
    )];
    if let (Some(share), Some(usd)) = (start.billed_share, start.monthly_usd) {
        facts.push(format!(
            "{:.1} % of the billed time, ${} a month",
            100.0 * share,
            dollars(usd)
        ));
    }
    // Less than a tenth of a start is noise beside it.
    if let Some(penalty) = start
        .first_penalty_ms
        .filter(|ms| *ms > start.p50_ms / 10.0)
    {
        facts.push(format!(
            "the first invocation takes {} longer, beside its start",
            milliseconds(penalty)
        ));
    }
    facts.extend(deployed(start));
    for (failed, what) in [
        (start.failed_inits, "init"),
        (start.failed_restores, "restore"),
    ] {
        if let Some(failed) = failed {
            facts.push(format!(
                "{what} failed {} times, half of them after {} or more",
                failed.count,
                milliseconds(failed.p50_ms)
            ));
        }
    }
    let provisioned = start.provisioned;
    facts.push(format!(
        "provisioned concurrency of {}: ${} a month, saves ${}",
        provisioned.environments,
        dollars(provisioned.monthly_usd),
        dollars(provisioned.saved_usd)
    ));
    if let Some(size) = start.smallest_mb {
        facts.push(format!("a repeated start needs at least {} MB", size.0));
    }
    facts
}

/// How long starts took after the deployment, and later.
fn deployed(start: &ColdStart) -> Option<String> {
    let (when, first, later) = match (start.first_hours, start.deployment) {
        (Some(of), _) => (
            format!("in the first {} hours after", of.hours),
            of.first,
            of.later,
        ),
        (None, Some(of)) => ("on the day of".to_owned(), of.first_day, of.later),
        (None, None) => return None,
    };
    Some(format!(
        "{when} the deployment {}, later {}",
        milliseconds(first.p50_ms),
        milliseconds(later.p50_ms)
    ))
}

/// The median as a bar, and the way to the 95th percentile.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "some characters"
)]
fn bar((p50_ms, p95_ms): (f64, f64), longest: f64) -> String {
    let width = |ms: f64| {
        (ms / longest.max(f64::MIN_POSITIVE) * BAR)
            .round()
            .clamp(0.0, BAR) as usize
    };
    let (median, slow) = (width(p50_ms).max(1), width(p95_ms));
    format!(
        "{}{}",
        "█".repeat(median),
        "░".repeat(slow.saturating_sub(median))
    )
}

#[cfg(test)]
mod tests {
    use rightsizer_records::{Megabytes, Timestamp};
    use rightsizer_rules::power::bench::{Package, Stage};
    use rightsizer_rules::power::{Deployment, Durations, FirstHours, Provisioned, StartsOfKind};

    use super::*;

    fn durations(p50_ms: f64) -> Durations {
        Durations {
            count: 40,
            mean_ms: p50_ms,
            p50_ms,
            p95_ms: p50_ms * 1.5,
            p99_ms: p50_ms * 2.0,
            spread: 0.2,
        }
    }

    fn start(memory_mb: u32, p50_ms: f64) -> ColdStart {
        let first_hours = FirstHours {
            hours: 2,
            first: durations(8000.0),
            later: durations(1400.0),
        };
        ColdStart {
            first_hours: (memory_mb == 512).then_some(first_hours),
            version: "$LATEST".to_owned(),
            memory_mb: Megabytes(memory_mb),
            invocations: 48_210,
            starts: 482,
            share: 0.01,
            p50_ms,
            p95_ms: p50_ms * 2.0,
            inits: Some(kind(482, p50_ms)),
            restores: None,
            failed_inits: None,
            failed_restores: None,
            billed_share: Some(0.035),
            monthly_usd: Some(0.42),
            first_penalty_ms: Some(417.0),
            deployment: Some(Deployment {
                first_day: durations(3100.0),
                later: durations(1400.0),
            }),
            smallest_mb: Some(Megabytes(674)),
            provisioned: Provisioned {
                environments: 2,
                monthly_usd: 21.6,
                saved_usd: 1.37,
            },
        }
    }

    fn kind(count: u64, p50_ms: f64) -> StartsOfKind {
        StartsOfKind {
            count,
            p50_ms,
            p95_ms: p50_ms * 2.0,
        }
    }

    /// Version 7 has restores only; of the versions that are not kept apart, some were initialised.
    fn restored() -> Vec<ColdStart> {
        vec![
            ColdStart {
                version: "7".to_owned(),
                inits: None,
                restores: Some(kind(482, 210.0)),
                billed_share: None,
                monthly_usd: None,
                first_penalty_ms: Some(12.0),
                deployment: None,
                first_hours: None,
                smallest_mb: None,
                ..start(2048, 210.0)
            },
            ColdStart {
                version: "other".to_owned(),
                inits: Some(kind(20, 900.0)),
                restores: Some(kind(462, 190.0)),
                failed_inits: Some(kind(12, 500.0)),
                deployment: None,
                first_hours: None,
                ..start(2048, 200.0)
            },
        ]
    }

    fn forced(stage: Stage, p50_ms: f64) -> ForcedLine {
        ForcedLine {
            memory_mb: Megabytes(1024),
            package: Package::Image,
            stage,
            starts: 20,
            p50_ms,
            p95_ms: p50_ms * 1.2,
            measured_at: Timestamp::parse("2026-01-31T10:00:00Z").unwrap(),
        }
    }

    fn configured(qualifier: &str, version: &str, worth: Worth) -> ConfiguredUse {
        ConfiguredUse {
            configured: Configured {
                qualifier: qualifier.to_owned(),
                version: version.to_owned(),
                memory_mb: Megabytes(1024),
                environments: 5,
            },
            days: 30.0,
            invocations: 48_210,
            busy: 0.12,
            monthly_usd: 54.0,
            saved_usd: 10.8,
            worth,
        }
    }

    #[test]
    fn starts_are_drawn_by_size() {
        let functions = [
            Started {
                function: "arn:aws:lambda:eu-west-1:123456789012:function:checkout".to_owned(),
                package: Some("zip".to_owned()),
                snap_start: false,
                starts: vec![start(512, 900.0), start(1024, 870.0)],
                forced: Vec::new(),
                provisioned: Some(vec![
                    configured("live", "7", Worth::Costs),
                    configured("old", "3", Worth::Unused),
                ]),
            },
            Started {
                function: "local:report".to_owned(),
                package: Some("zip".to_owned()),
                snap_start: true,
                starts: restored(),
                forced: Vec::new(),
                provisioned: None,
            },
            Started {
                function: "local:bench".to_owned(),
                package: Some("image".to_owned()),
                snap_start: false,
                starts: Vec::new(),
                forced: vec![forced(Stage::First, 2100.0), forced(Stage::Later, 950.0)],
                provisioned: None,
            },
            Started {
                function: "local:warm".to_owned(),
                package: None,
                snap_start: false,
                starts: Vec::new(),
                forced: Vec::new(),
                provisioned: None,
            },
        ];
        let text = table(&functions);
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
        insta::assert_snapshot!(text);
        assert!(!text.contains(NONE_FAILED));
        assert!(table(&functions[..1]).ends_with(NONE_FAILED));
        assert_eq!(table(&functions[3..]), "no report of a cold start\n");
    }
}
