//! A bench in eighty columns: a bar for each function and size, and what can be concluded. Pure.

use std::fmt::Write as _;

use rightsizer_records::shown::shown;
use rightsizer_rules::power::bench::{Bench, Cell, Stage};

use crate::cli::curve::{dollars, milliseconds};
use crate::cli::text::short;

/// Characters of the longest bar.
const BAR: f64 = 20.0;
/// The width of a line of text.
const WIDTH: usize = 78;

/// Returns a block for each function and time, and the conclusions.
pub(super) fn table(bench: &Bench) -> String {
    let longest = bench.cells.iter().map(|cell| cell.p95_ms);
    let longest = longest.fold(f64::MIN_POSITIVE, f64::max);
    let mut text = String::new();
    for stage in [Stage::First, Stage::Later] {
        let cells: Vec<&Cell> = bench
            .cells
            .iter()
            .filter(|cell| cell.stage == stage)
            .collect();
        for group in cells.chunk_by(|a, b| a.tested == b.tested) {
            let tested = &group[0].tested;
            let runtime = tested.runtime.as_deref().map(shown);
            let runtime = runtime.map_or_else(String::new, |runtime| format!(", {runtime}"));
            let _ = writeln!(
                text,
                "{} ({}{runtime}), {}",
                shown(short(&tested.function)),
                tested.package.name(),
                stage.name()
            );
            for cell in group {
                text.push_str(&line(cell, longest));
            }
        }
    }
    if text.is_empty() {
        return "no cold start\n".to_owned();
    }
    text.push_str(
        "\n█ median of a start, ░ up to the 95th percentile; ± 90 % interval of the median\n",
    );
    if !bench.findings.is_empty() {
        text.push('\n');
    }
    for finding in &bench.findings {
        text.push_str(&wrapped(&format!("- {finding}")));
    }
    text
}

fn line(cell: &Cell, longest: f64) -> String {
    let interval = cell.p50_low_ms.zip(cell.p50_high_ms);
    let half = interval.map_or_else(String::new, |(low, high)| {
        format!("±{}", milliseconds((high - low) / 2.0))
    });
    let cost = cell
        .million_usd
        .map_or_else(String::new, |usd| format!("${}/M", dollars(usd)));
    format!(
        "  {:>5} MB {:<20} {:>7} {:<8} {:>7} {:>3} {:>9}\n",
        cell.memory_mb.0,
        bar(cell, longest),
        milliseconds(cell.p50_ms),
        half,
        milliseconds(cell.p95_ms),
        cell.starts,
        cost
    )
}

/// The median as a bar, and the way to the 95th percentile.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "some characters"
)]
fn bar(cell: &Cell, longest: f64) -> String {
    let width = |ms: f64| (ms / longest * BAR).round().clamp(0.0, BAR) as usize;
    let (median, slow) = (width(cell.p50_ms).max(1), width(cell.p95_ms));
    format!(
        "{}{}",
        "█".repeat(median),
        "░".repeat(slow.saturating_sub(median))
    )
}

/// A sentence over several lines, the later ones indented.
fn wrapped(sentence: &str) -> String {
    let mut text = String::new();
    let mut width = 0;
    for word in sentence.split(' ') {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > WIDTH {
            text.push_str("\n  ");
            width = 2;
        } else if width > 0 {
            text.push(' ');
            width += 1;
        }
        text.push_str(word);
        width += length;
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use rightsizer_records::Megabytes;
    use rightsizer_rules::power::bench::{ColdSample, Package, Tested, bench};
    use rightsizer_rules::price::PriceTable;

    use super::*;

    fn starts(package: Package, round: u32, typical: f64) -> Vec<ColdSample> {
        let sizes = [1024, 10_240].into_iter();
        let starts = sizes.flat_map(|size| (0..8_u32).map(move |n| (size, n)));
        let start = |(size, n): (u32, u32)| ColdSample {
            tested: Tested {
                function: format!(
                    "arn:aws:lambda:eu-west-1:123456789012:function:checkout-{}",
                    package.name()
                ),
                region: Some("eu-west-1".to_owned()),
                arm64: false,
                runtime: (package == Package::Zip).then(|| "python3.13".to_owned()),
                package,
            },
            memory_mb: Megabytes(size),
            round,
            start_ms: typical * (0.96 + 0.01 * f64::from(n)),
            handler_ms: 20.0,
        };
        starts.map(start).collect()
    }

    #[test]
    fn starts_are_drawn_side_by_side_with_what_they_show() {
        let samples = [
            starts(Package::Zip, 0, 3003.0),
            starts(Package::Image, 0, 8500.0),
            starts(Package::Zip, 1, 3003.0),
            starts(Package::Image, 1, 1450.0),
        ];
        let text = table(&bench(&samples.concat(), &PriceTable::default()));
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
        insta::assert_snapshot!(text);
        let nothing = bench(&[], &PriceTable::default());
        assert_eq!(table(&nothing), "no cold start\n");
    }
}
