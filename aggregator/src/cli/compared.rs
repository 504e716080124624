//! What other tools found out about a function, in eighty columns: the sizes that Lambda Power Tuning
//! measured, and what AWS Compute Optimizer recommends. Pure.

use rightsizer_records::Timestamp;
use rightsizer_records::shown::shown;
use rightsizer_rules::comparison::Finding;
use rightsizer_rules::policy::duration_text;
use rightsizer_store::{AdviceLine, FunctionDetail, MeasuredLine};

use super::function_report::wrapped;

/// Everything of other tools that `show` prints; empty if nothing was imported.
pub(super) fn compared(detail: &FunctionDetail) -> String {
    let mut text = String::new();
    if !detail.measured_sizes.is_empty() {
        text.push_str("\nSizes measured by another tool: they change no decision\n");
        for size in &detail.measured_sizes {
            text.push_str(&measured(size));
            text.push('\n');
        }
    }
    if let Some(advice) = &detail.compute_optimizer {
        text.push_str("\nAWS Compute Optimizer, to compare with: it changes no decision\n");
        text.push_str(&wrapped("  ", "  ", &advised(advice)));
    }
    text
}

/// A size, how long an invocation took at it, and what a million of them cost.
fn measured(size: &MeasuredLine) -> String {
    let usd = size
        .usd
        .map_or_else(String::new, |usd| format!("${:.2} a million", usd * 1e6));
    let source = match size.source.as_str() {
        "power-tuning" => "Power Tuning".into(),
        other => shown(other),
    };
    format!(
        "  {:>6} MB  {:>10}  {usd:>20}  {source}, {}",
        size.memory_mb.0,
        duration_text(size.duration_ms),
        day(size.measured_at)
    )
}

fn advised(advice: &AdviceLine) -> String {
    let now = advice
        .current_mb
        .map_or_else(String::new, |mb| format!(" at {} MB", mb.0));
    let words = match (advice.finding, advice.memory_mb) {
        (Finding::Optimized, None) => format!("finds it optimized{now}"),
        (Finding::Optimized, Some(mb)) => format!("finds {} MB right", mb.0),
        (Finding::NotOptimized, Some(mb)) => {
            format!("recommends {} MB (NotOptimized{now})", mb.0)
        }
        (Finding::NotOptimized, None) => {
            format!("finds it not optimized{now}, and recommends no size")
        }
        (Finding::Unavailable, _) => "had too little data (Unavailable)".to_owned(),
    };
    format!(
        "{words}; version {}, refreshed on {}",
        advice.version,
        day(advice.refreshed_at)
    )
}

fn day(at: Timestamp) -> String {
    at.day().to_string()
}

#[cfg(test)]
mod tests {
    use rightsizer_records::{Day, Megabytes};

    use super::*;

    fn on(day: &str) -> Timestamp {
        Day::parse(day).unwrap().start()
    }

    /// From the smallest to the largest figures, in columns that end below each other.
    #[test]
    fn sizes_stand_in_columns() {
        let line = |mb, duration_ms, usd| {
            measured(&MeasuredLine {
                memory_mb: Megabytes(mb),
                duration_ms,
                usd,
                source: "power-tuning".to_owned(),
                measured_at: on("2026-11-23"),
            })
        };
        let lines = [
            line(128, 1.26, Some(2.083e-7)),
            line(10_240, 899_999.9, Some(0.15)),
            line(512, 99.96, None),
        ];
        assert_eq!(
            lines,
            [
                "     128 MB      1.3 ms       $0.21 a million  Power Tuning, 2026-11-23",
                "   10240 MB      15 min  $150000.00 a million  Power Tuning, 2026-11-23",
                "     512 MB      100 ms                        Power Tuning, 2026-11-23",
            ]
        );
        assert!(lines.iter().all(|line| line.len() <= 80));
    }

    #[test]
    fn each_finding_has_its_words() {
        let line = |finding, current: Option<u32>, mb: Option<u32>| {
            advised(&AdviceLine {
                memory_mb: mb.map(Megabytes),
                finding,
                current_mb: current.map(Megabytes),
                version: "7".to_owned(),
                refreshed_at: on("2026-11-23"),
            })
        };
        for (found, words) in [
            (
                line(Finding::NotOptimized, Some(512), Some(320)),
                "recommends 320 MB (NotOptimized at 512 MB)",
            ),
            (
                line(Finding::NotOptimized, None, None),
                "finds it not optimized, and recommends no size",
            ),
            (
                line(Finding::Optimized, Some(256), Some(256)),
                "finds 256 MB right",
            ),
            (line(Finding::Optimized, None, None), "finds it optimized"),
            (
                line(Finding::Unavailable, Some(512), None),
                "had too little data (Unavailable)",
            ),
        ] {
            assert_eq!(
                found,
                format!("{words}; version 7, refreshed on 2026-11-23")
            );
        }
    }
}
