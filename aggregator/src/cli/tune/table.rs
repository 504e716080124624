//! The table and the picture of a run. Pure.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use rightsizer_rules::power::tuning::{Typical, Unfit};
use rightsizer_rules::power::{Basis, Point, Strategy};

use super::report::Size;
use crate::cli::curve::{dollars, drawing, milliseconds};

/// Invocations that a cost is shown for: a single one costs too little to be read.
const MILLION: f64 = 1e6;
/// The most sizes that fit into the picture.
const MOST_DRAWN: usize = 12;

pub(super) const fn strategy(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Cost => "cost",
        Strategy::Speed => "speed",
        Strategy::Balanced { .. } => "balanced",
    }
}

/// Returns dollars with two significant digits if they are few.
pub(super) fn small_dollars(usd: f64) -> String {
    if usd <= 0.0 || usd >= 0.01 {
        return dollars(usd);
    }
    let digits = (-usd.log10()).ceil().clamp(2.0, 12.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "2 to 12"
    )]
    let digits = digits as usize + 1;
    format!("{usd:.digits$}")
}

pub(super) fn table(sizes: &[Size]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header([
            "MB", "RUNS", "MEAN", "90 %", "P50", "P95", "P99", "START", "USED", "$/1M",
        ]);
    for size in sizes {
        let figures = &size.figures;
        let of = |value: fn(&Typical) -> f64| {
            figures
                .typical
                .as_ref()
                .map_or_else(|| "-".to_owned(), |typical| milliseconds(value(typical)))
        };
        let half = figures
            .typical
            .as_ref()
            .and_then(|typical| Some(typical.high_ms? - typical.mean_ms));
        let start = figures.starts.map(|starts| milliseconds(starts.p50_ms));
        let cost = figures
            .typical
            .as_ref()
            .map(|typical| dollars(typical.usd * MILLION));
        let cost = size.unfit.map(|why| brief(why).to_owned()).or(cost);
        table.add_row([
            figures.memory_mb.0.to_string(),
            figures.invocations.to_string(),
            of(|typical| typical.mean_ms),
            half.map_or_else(|| "-".to_owned(), |half| format!("±{}", milliseconds(half))),
            of(|typical| typical.p50_ms),
            of(|typical| typical.p95_ms),
            of(|typical| typical.p99_ms),
            start.unwrap_or_else(|| "-".to_owned()),
            figures
                .used_mb
                .map_or_else(|| "-".to_owned(), |used| used.0.to_string()),
            cost.unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Why a size is not chosen, for a narrow column.
const fn brief(why: Unfit) -> &'static str {
    match why {
        Unfit::OutOfMemory => "oom",
        Unfit::SmallerThanOutOfMemory => "small",
        Unfit::TimedOut => "timeout",
        Unfit::Starved => "full",
        Unfit::Failing => "fails",
        Unfit::NotMeasured => "-",
    }
}

/// Why a size is not chosen.
pub(super) const fn sentence(why: Unfit) -> &'static str {
    match why {
        Unfit::OutOfMemory => "ran out of memory",
        Unfit::SmallerThanOutOfMemory => "smaller than a size that ran out of memory",
        Unfit::TimedOut => "ran into the timeout",
        Unfit::Starved => "the memory in use fills 90 % of it",
        Unfit::Failing => "a tenth of the invocations or more failed",
        Unfit::NotMeasured => "no invocation returned",
    }
}

/// Returns the picture: time and the cost of a million invocations.
pub(super) fn picture(sizes: &[Size]) -> String {
    let points = sizes.iter().filter_map(|size| {
        let typical = size.figures.typical?;
        let usd = typical.usd * MILLION;
        Some(Point {
            memory_mb: size.figures.memory_mb,
            p50_ms: Some(typical.mean_ms),
            p95_ms: Some(typical.p95_ms),
            p50_low: typical.low_ms,
            p50_high: typical.high_ms,
            p95_low: None,
            p95_high: None,
            monthly_usd: Some(usd),
            usd_low: None,
            usd_high: None,
            basis: Basis::Measured,
            why: None,
        })
    });
    let points: Vec<Point> = points.collect();
    let step = points.len().div_ceil(MOST_DRAWN).max(1);
    let drawn: Vec<&Point> = points.iter().step_by(step).collect();
    if drawn.len() < 2 {
        return String::new();
    }
    drawing(&drawn, "a million")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_dollars_have_two_digits() {
        for (usd, text) in [
            (0.0, "0.00"),
            (0.000_012_34, "0.000012"),
            (0.004_2, "0.0042"),
            (1.5, "1.50"),
        ] {
            assert_eq!(small_dollars(usd), text);
        }
    }
}
