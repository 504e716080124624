//! The list as CSV, for spreadsheets.

use std::io::Write;

use rightsizer_records::shown::shown;
use rightsizer_rules::policy::why;

use super::Line;

const HEADER: [&str; 23] = [
    "function",
    "current_mb",
    "peak_mb",
    "policy_mb",
    "target_mb",
    "to_mb",
    "status",
    "confidence",
    "reasons",
    "invocations",
    "monthly_usd_before",
    "monthly_usd_after",
    "compute_optimizer_mb",
    "name",
    "account",
    "region",
    "arch",
    "urgent",
    "at_risk",
    "held_until",
    "saved_usd_low",
    "saved_usd_high",
    "slower_at_worst",
];

pub(super) fn write(lines: &[Line<'_>], out: &mut impl Write) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(HEADER)?;
    let mb = |mb: Option<u32>| mb.map_or_else(String::new, |mb| mb.to_string());
    let number = |number: Option<f64>| number.map_or_else(String::new, |number| number.to_string());
    let text = |text: Option<&str>| cell(&shown(text.unwrap_or_default()));
    for line in lines {
        let row = line.row;
        let record: [String; HEADER.len()] = [
            text(Some(&row.function)),
            row.current_mb.to_string(),
            mb(row.peak_mb),
            mb(row.policy_mb),
            mb(row.target_mb),
            mb(row.to_mb),
            text(Some(&row.status)),
            text(row.confidence.as_deref()),
            text(Some(&why(&row.reasons))),
            row.invocations.to_string(),
            number(row.monthly_usd_before),
            number(row.monthly_usd_after),
            mb(row.compute_optimizer_mb),
            text(Some(&line.name)),
            text(line.account),
            text(line.region),
            text(row.arch.as_deref()),
            row.urgent.to_string(),
            line.at_risk.to_string(),
            text(row.held_until.as_deref()),
            number(line.saved_usd_low),
            number(line.saved_usd_high),
            number(line.slower_at_worst),
        ];
        csv.write_record(record)?;
    }
    Ok(csv.flush()?)
}

/// A text from outside in a cell. A spreadsheet would run one that begins like a formula.
fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@']) {
        return format!("'{text}");
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_not_a_formula() {
        assert_eq!(cell("=HYPERLINK(\"x\")"), "'=HYPERLINK(\"x\")");
        assert_eq!(cell("-1+1"), "'-1+1");
        assert_eq!(cell("@SUM(A1)"), "'@SUM(A1)");
        assert_eq!(cell("checkout"), "checkout");
        assert_eq!(cell(&shown("\t=1")), "\\t=1");
    }
}
