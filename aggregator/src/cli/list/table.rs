//! The list as a table that fits the terminal: columns are left out by importance, and a row's colour
//! shows its danger.

use comfy_table::{CellAlignment, ContentArrangement, Table, TableStyle, presets};
use rightsizer_records::shown::{markdown, shown};
use rightsizer_rules::policy::why;
use rightsizer_rules::power::Offers;
use rightsizer_store::ReviewRow;

use super::super::grade::at_risk;
use super::super::out;
use super::super::text::{in_regions, names_beside_regions, range, region, saving_range, slowdown};

/// How much room there is, and whether colours may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// Characters in a line; `None` if lines may have any length.
    pub(super) width: Option<usize>,
    pub(super) colours: bool,
}

impl Layout {
    /// Returns the room of standard output. `COLUMNS` overrides the terminal's width, `NO_COLOR` its colours.
    pub(super) fn of_terminal() -> Self {
        Self {
            width: out::width(),
            colours: console::colors_enabled(),
        }
    }
}

/// A column: its header, its header if room is short, and its cells.
struct Column {
    header: &'static str,
    short: &'static str,
    right: bool,
    cell: fn(&Shown<'_>) -> String,
}

struct Shown<'a> {
    row: &'a ReviewRow,
    name: String,
}

const COLUMNS: [Column; 12] = [
    Column {
        header: "FUNCTION",
        short: "FUNCTION",
        right: false,
        cell: |s| s.name.clone(),
    },
    Column {
        header: "REGION",
        short: "REGION",
        right: false,
        cell: |s| region(&s.row.function).unwrap_or("-").to_owned(),
    },
    Column {
        header: "NOW MB",
        short: "NOW",
        right: true,
        cell: |s| s.row.current_mb.to_string(),
    },
    Column {
        header: "USED MB",
        short: "USED",
        right: true,
        cell: |s| mb(s.row.peak_mb),
    },
    Column {
        header: "RECOMMENDED MB",
        short: "TO MB",
        right: true,
        cell: |s| to(s.row),
    },
    Column {
        header: "WHY",
        short: "WHY",
        right: false,
        cell: |s| why(&s.row.reasons),
    },
    Column {
        header: "CONFIDENCE",
        short: "CONFIDENCE",
        right: false,
        cell: |s| s.row.confidence.clone().unwrap_or_else(|| "-".to_owned()),
    },
    Column {
        header: "STATUS",
        short: "STATUS",
        right: false,
        cell: |s| status(s.row),
    },
    Column {
        header: "SAVING $/MONTH",
        short: "$/MONTH",
        right: true,
        cell: |s| saving_range(s.row).map_or_else(|| "-".to_owned(), range),
    },
    Column {
        header: "SLOWER",
        short: "SLOWER",
        right: true,
        cell: |s| slower(s.row),
    },
    Column {
        header: "COMPUTE OPTIMIZER MB",
        short: "CO MB",
        right: true,
        cell: |s| mb(s.row.compute_optimizer_mb),
    },
    Column {
        header: "FASTER",
        short: "FASTER",
        right: false,
        cell: |s| faster(s.row),
    },
];
/// The columns that are left out if room is short, the least important first: WHY, CONFIDENCE, Compute
/// Optimizer's, USED, FASTER.
const DISPENSABLE: [usize; 5] = [5, 6, 10, 3, 11];
/// SLOWER is left out last, which only a region beside the name can make necessary.
const LAST_DISPENSABLE: usize = 9;
/// A function's name is never shorter than this.
const LEAST_NAME: usize = 16;

/// Returns the table for people, without a line break at its end.
pub(super) fn table(rows: &[ReviewRow], layout: Layout) -> String {
    let cell = |text: &str| shown(text).into_owned();
    let columns: Vec<usize> = (0..COLUMNS.len()).filter(|n| is_used(*n, rows)).collect();
    let whole = drawn(rows, &columns, (presets::NOTHING, cell), None);
    let Some(width) = layout.width.filter(|width| widest(&whole) > *width) else {
        return coloured(&whole, rows, layout);
    };
    let mut columns = columns;
    let mut text = drawn(rows, &columns, (presets::NOTHING, cell), Some(usize::MAX));
    for dispensable in DISPENSABLE {
        if widest(&text) <= width {
            break;
        }
        columns.retain(|column| *column != dispensable);
        text = drawn(rows, &columns, (presets::NOTHING, cell), Some(usize::MAX));
    }
    let over = widest(&text).saturating_sub(width);
    if over > 0 {
        let longest = names_beside_regions(rows)
            .iter()
            .map(|name| name.chars().count())
            .max()
            .unwrap_or(0);
        let most = longest.saturating_sub(over).max(LEAST_NAME);
        text = drawn(rows, &columns, (presets::NOTHING, cell), Some(most));
        if widest(&text) > width && in_regions(rows) {
            columns.retain(|column| *column != LAST_DISPENSABLE);
            text = drawn(rows, &columns, (presets::NOTHING, cell), Some(most));
        }
    }
    coloured(&text, rows, layout)
}

/// Returns the same table for a comment or a document.
pub(super) fn markdown_table(rows: &[ReviewRow]) -> String {
    let columns: Vec<usize> = (0..COLUMNS.len()).filter(|n| is_used(*n, rows)).collect();
    drawn(rows, &columns, (presets::ASCII_MARKDOWN, markdown), None)
}

/// Compute Optimizer and speed have a column only if there are results, the region if there are several.
fn is_used(column: usize, rows: &[ReviewRow]) -> bool {
    match COLUMNS[column].short {
        "REGION" => in_regions(rows),
        "CO MB" => super::is_compared(rows),
        "FASTER" => rows.iter().any(|row| row.offers != Offers::default()),
        _ => true,
    }
}

/// The table with these columns. `short`: with short headers, and names up to the given length.
fn drawn(
    rows: &[ReviewRow],
    columns: &[usize],
    (style, cell): (TableStyle, fn(&str) -> String),
    short: Option<usize>,
) -> String {
    let mut table = Table::new();
    table
        .load_style(style)
        .set_content_arrangement(ContentArrangement::Disabled);
    let columns: Vec<&Column> = columns.iter().map(|n| &COLUMNS[*n]).collect();
    table.set_header(columns.iter().map(|column| match short {
        Some(_) => column.short,
        None => column.header,
    }));
    for (row, name) in rows.iter().zip(names_beside_regions(rows)) {
        let name = cut(name, short.unwrap_or(usize::MAX));
        let row = Shown { row, name };
        table.add_row(columns.iter().map(|column| cell(&(column.cell)(&row))));
    }
    for (n, column) in columns.iter().enumerate() {
        if let Some(drawn) = table.column_mut(n).filter(|_| column.right) {
            drawn.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

fn widest(text: &str) -> usize {
    text.lines()
        .map(console::measure_text_width)
        .max()
        .unwrap_or(0)
}

/// The middle of a long name is left out: names of a fleet differ at their ends.
fn cut(name: String, most: usize) -> String {
    let count = name.chars().count();
    if count <= most {
        return name;
    }
    let (head, tail) = (most / 2, most - most / 2 - 1);
    let start: String = name.chars().take(head).collect();
    let end: String = name.chars().skip(count - tail).collect();
    format!("{start}…{end}")
}

/// Red: it ran out of memory and has no larger size yet. Yellow: it is at risk. Dim: nothing to do.
fn coloured(text: &str, rows: &[ReviewRow], layout: Layout) -> String {
    if !layout.colours {
        return text.to_owned();
    }
    let mut lines = text.lines();
    let header = lines
        .next()
        .map(|line| console::style(line).bold().to_string());
    let styled = lines.zip(rows).map(|(line, row)| {
        let line = console::style(line);
        let line = if row.urgent {
            line.red().bold()
        } else if at_risk(row) {
            line.yellow()
        } else if row.to_mb.is_none() {
            line.dim()
        } else {
            line
        };
        line.to_string()
    });
    header
        .into_iter()
        .chain(styled)
        .collect::<Vec<_>>()
        .join("\n")
}

fn mb(mb: Option<u32>) -> String {
    mb.map_or_else(|| "-".to_owned(), |mb| mb.to_string())
}

fn to(row: &ReviewRow) -> String {
    match (row.to_mb, row.policy_mb) {
        (Some(to), _) => to.to_string(),
        (None, Some(_)) => "keep".to_owned(),
        (None, None) => "-".to_owned(),
    }
}

fn status(row: &ReviewRow) -> String {
    let mut notes = Vec::new();
    if row.urgent {
        notes.push("urgent");
    } else if at_risk(row) {
        notes.push("at risk");
    }
    if row.held_until.is_some() {
        notes.push("held");
    }
    if notes.is_empty() {
        row.status.clone()
    } else {
        format!("{} ({})", row.status, notes.join(", "))
    }
}

/// Returns the factor by which the slowest calls may get slower, such as `≤ 3.0×`.
fn slower(row: &ReviewRow) -> String {
    slowdown(row).map_or_else(
        || "-".to_owned(),
        |slower| format!("≤ {:.1}×", slower.p95_worst),
    )
}

/// Returns what is free speed, else what is cheap speed, such as `1.9× at 1024 for $0.00`.
fn faster(row: &ReviewRow) -> String {
    let offer = row.offers.free.or(row.offers.cheap);
    offer.map_or_else(
        || "-".to_owned(),
        |offer| {
            let usd = offer.usd_more.max(0.0);
            format!(
                "{:.1}× at {} for ${usd:.2}",
                offer.faster, offer.memory_mb.0
            )
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::sample::row;

    fn rows() -> Vec<ReviewRow> {
        let long = "identity-webhook-handler-production-eu";
        vec![
            row(long, (1024, 200, 300), (2.0, 1.0)),
            row("checkout-mail", (256, 250, 356), (1.0, 1.4)),
        ]
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in [70, 80, 100, 120, 160] {
            let layout = Layout {
                width: Some(width),
                colours: false,
            };
            let text = table(&rows(), layout);
            assert!(widest(&text) <= width, "{width}:\n{text}");
            for kept in ["FUNCTION", "NOW", "TO MB", "STATUS", "$/MONTH", "SLOWER"] {
                let kept = if text.contains("RECOMMENDED") && kept == "TO MB" {
                    "RECOMMENDED"
                } else {
                    kept
                };
                assert!(text.contains(kept), "{kept} at {width}:\n{text}");
            }
        }
        let endless = table(
            &rows(),
            Layout {
                width: None,
                colours: false,
            },
        );
        assert!(
            endless.contains("CONFIDENCE") && endless.contains("production-eu"),
            "{endless}"
        );
    }

    #[test]
    fn regions_stay_in_sight_on_a_narrow_terminal() {
        let mut rows = rows();
        rows[0].function =
            "arn:aws:lambda:ap-southeast-2:123456789012:function:identity-production".to_owned();
        rows[1].function =
            "arn:aws:lambda:eu-west-1:123456789012:function:identity-production".to_owned();
        for width in [80, 160] {
            let layout = Layout {
                width: Some(width),
                colours: false,
            };
            let text = table(&rows, layout);
            assert!(widest(&text) <= width, "{width}:\n{text}");
            for kept in ["REGION", " ap-southeast-2 ", " eu-west-1 "] {
                assert!(text.contains(kept), "{kept} at {width}:\n{text}");
            }
            assert!(!text.contains("(eu-west-1)"), "{text}");
        }
        rows.truncate(1);
        assert!(!markdown_table(&rows).contains("REGION"));
    }

    #[test]
    fn a_long_name_keeps_its_ends() {
        assert_eq!(cut("identity-webhook-eu".to_owned(), 11), "ident…ok-eu");
        assert_eq!(cut("short".to_owned(), 11), "short");
    }
}
