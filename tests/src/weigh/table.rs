//! The table: one row a subject, for a person or a machine to read.

use serde_json::{Value, json};

use super::share::PERCENT;

/// One subject's line: medians over the runs.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// The subject's name.
    pub name: String,
    /// Process start to first `next`.
    pub init_ms: f64,
    /// Peak resident memory, MB of 10⁶ bytes.
    pub peak_mb: f64,
    /// CPU time of the whole life.
    pub cpu_ms: f64,
    /// The same if each invocation's telemetry comes in two POSTs, each over a new connection.
    pub cpu_new_connections_ms: f64,
    /// Calls to the stream in that life.
    pub calls: f64,
    /// An invocation's wait for it.
    pub held_ms: f64,
    /// Layer zip, MB of 10⁶ bytes; `None` if it is not packed.
    pub zip_mb: Option<f64>,
    /// Record bytes per report in a full record; `None` if it sends no records of ours.
    pub bytes_per_report: Option<f64>,
    /// The same held to a part of a CPU.
    pub held_back: Option<HeldBack>,
}

/// Measured with the process held to [`PERCENT`] of a CPU.
#[derive(Debug, Clone, Copy)]
pub struct HeldBack {
    /// Process start to first `next`.
    pub init_ms: f64,
    /// From the telemetry that makes a flush due to the stream having taken it.
    pub flush_ms: Option<f64>,
    /// Invocations of 5 ms, frozen between, that one flush spans.
    pub spans: Option<f64>,
}

impl HeldBack {
    /// Of several; `None` of none.
    pub(super) fn median(of: &[Self]) -> Option<Self> {
        let some = |values: Vec<f64>| (!values.is_empty()).then(|| median(values));
        Some(Self {
            init_ms: some(of.iter().map(|h| h.init_ms).collect())?,
            flush_ms: some(of.iter().filter_map(|h| h.flush_ms).collect()),
            spans: some(of.iter().filter_map(|h| h.spans).collect()),
        })
    }
}

/// The middle one; between the two in the middle of an even number.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// For a machine to read.
pub fn to_json(rows: &[Row], roots: usize, runs: usize) -> Value {
    let row = |row: &Row| {
        json!({
            "name": row.name, "init_ms": row.init_ms, "peak_mb": row.peak_mb,
            "cpu_ms": row.cpu_ms, "cpu_new_connections_ms": row.cpu_new_connections_ms,
            "calls": row.calls, "held_ms": row.held_ms,
            "zip_mb": row.zip_mb, "bytes_per_report": row.bytes_per_report,
            "held_back": row.held_back.map(|h| json!({
                "share_percent": PERCENT, "init_ms": h.init_ms, "flush_ms": h.flush_ms,
                "spans": h.spans,
            })),
        })
    };
    json!({"runs": runs, "roots": roots, "rows": rows.iter().map(row).collect::<Vec<_>>()})
}

/// For a person to read; Markdown.
pub fn to_text(rows: &[Row]) -> String {
    let mut text = String::from(
        "| | start to next, ms | peak resident, MB | CPU, ms | CPU at 100 connections, ms | calls | held, ms | zip, MB | bytes/report |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    let number = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "–".to_owned(), |v| format!("{v:.digits$}"))
    };
    for row in rows {
        text += &format!(
            "| {} | {:.2} | {:.2} | {:.1} | {:.1} | {} | {:.2} | {} | {} |\n",
            row.name,
            row.init_ms,
            row.peak_mb,
            row.cpu_ms,
            row.cpu_new_connections_ms,
            row.calls,
            row.held_ms,
            number(row.zip_mb, 2),
            number(row.bytes_per_report, 1),
        );
    }
    text += &format!(
        "\n| held to {PERCENT} % of a CPU | start to next, ms | one flush, ms | 5 ms invocations it spans |\n\
         |---|---|---|---|\n"
    );
    for row in rows {
        let Some(held) = row.held_back else { continue };
        text += &format!(
            "| {} | {:.1} | {} | {} |\n",
            row.name,
            held.init_ms,
            number(held.flush_ms, 0),
            number(held.spans, 0),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_deliveries_are_in_the_text_and_in_the_json() {
        let row = |name: &str, cpu_new_connections_ms| Row {
            name: name.to_owned(),
            cpu_ms: 3.6,
            cpu_new_connections_ms,
            ..Row::default()
        };
        let rows = [row("floor", 5.6), row("it", 12.34)];
        let text = to_text(&rows);
        assert!(
            text.contains("| floor | 0.00 | 0.00 | 3.6 | 5.6 | 0 |"),
            "{text}"
        );
        assert!(
            text.contains("| it | 0.00 | 0.00 | 3.6 | 12.3 | 0 |"),
            "{text}"
        );
        let json = to_json(&rows, 145, 10);
        assert_eq!(json["rows"][0]["cpu_new_connections_ms"], 5.6);
        assert_eq!(json["rows"][1]["cpu_new_connections_ms"], 12.34);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(Vec::new()).is_nan());
    }
}
