//! `rightsizer list`: the fleet, as a table, JSON, CSV, Markdown or a page.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use comfy_table::{CellAlignment, ContentArrangement, Table, TableStyle, presets};
use rightsizer_records::shown::{markdown, shown, shown_lines};
use rightsizer_rules::policy::why;
use rightsizer_store::inspect::{self, Stops};
use rightsizer_store::{Reader, ReviewRow};

use super::grade::{Rank, at_risk, rank, summary};
use super::page::{NOTHING, page};
use super::server::ServerArg;
use super::text::{cents, counted, names, saving};
use super::{StoreArg, write_json};

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    server: ServerArg,
    /// What to sort by
    #[arg(long, value_name = "ORDER", default_value = "both")]
    by: Rank,
    #[command(flatten)]
    format: ListFormat,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct ListFormat {
    /// Print a JSON array with one object per function
    #[arg(long)]
    json: bool,
    /// Print comma-separated values with a header
    #[arg(long)]
    csv: bool,
    /// Print a Markdown table
    #[arg(long)]
    markdown: bool,
    /// Write a self-contained HTML page to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) fn run(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let (mut rows, stops): (Vec<ReviewRow>, Stops) = if let Some(server) = args.server.named() {
        (server.read("")?, server.stops())
    } else {
        let store = &args.store.store;
        (Reader::open(store)?.review()?, inspect::stops(store)?)
    };
    rank(&mut rows, args.by);
    let mut out = super::out::stdout();
    if args.format.json {
        write_json(&rows, &mut out)?;
    } else if args.format.csv {
        write_csv(&rows, &mut out)?;
    } else if let Some(file) = &args.format.html {
        let made = rightsizer_aws::clock::now().to_string();
        std::fs::write(file, page(&rows, &stopped(&stops), &made))
            .with_context(|| format!("cannot write the page to {}", file.display()))?;
        writeln!(
            out,
            "{} in {}",
            counted(rows.len(), "function"),
            file.display()
        )?;
    } else if rows.is_empty() {
        writeln!(out, "{NOTHING}")?;
    } else {
        let style: (_, fn(&str) -> String) = if args.format.markdown {
            (presets::ASCII_MARKDOWN, markdown)
        } else {
            (presets::NOTHING, |text: &str| shown(text).into_owned())
        };
        writeln!(out, "{}", table(&rows, style).trim_fmt())?;
        writeln!(out, "\n{}", shown_lines(&summary(&rows)))?;
        for line in stopped(&stops) {
            writeln!(out, "{}", shown(&line))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The table for people.
fn table(rows: &[ReviewRow], (style, cell): (TableStyle, fn(&str) -> String)) -> Table {
    let mut table = Table::new();
    table
        .load_style(style)
        .set_content_arrangement(ContentArrangement::Disabled);
    let compared = is_compared(rows);
    let mut header = vec![
        "FUNCTION",
        "NOW MB",
        "USED MB",
        "RECOMMENDED MB",
        "WHY",
        "CONFIDENCE",
        "STATUS",
        "SAVING $/MONTH",
    ];
    header.extend(compared.then_some("COMPUTE OPTIMIZER MB"));
    table.set_header(header);
    for (row, name) in rows.iter().zip(names(rows)) {
        let mb = |mb: Option<u32>| mb.map_or_else(|| "-".to_owned(), |mb| mb.to_string());
        let to = row.to_mb.map_or_else(
            || {
                if row.policy_mb.is_some() {
                    "keep".to_owned()
                } else {
                    "-".to_owned()
                }
            },
            |mb| mb.to_string(),
        );
        let cells = [
            name,
            row.current_mb.to_string(),
            mb(row.peak_mb),
            to,
            why(&row.reasons),
            row.confidence.clone().unwrap_or_else(|| "-".to_owned()),
            match (row.urgent, at_risk(row)) {
                (true, _) => format!("{} (urgent)", row.status),
                (false, true) => format!("{} (at risk)", row.status),
                (false, false) => row.status.clone(),
            },
            saving(row).map_or_else(|| "-".to_owned(), cents),
            mb(row.compute_optimizer_mb),
        ];
        let shown = if compared { 9 } else { 8 };
        table.add_row(cells.iter().take(shown).map(|text| cell(text)));
    }
    for column in [1, 2, 3, 7, 8] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Whether any function has a recommendation of Compute Optimizer.
pub(super) fn is_compared(rows: &[ReviewRow]) -> bool {
    rows.iter().any(|row| row.compute_optimizer_mb.is_some())
}

/// Why they are not sent, and what to do.
fn stopped(stops: &Stops) -> Vec<String> {
    let paused = stops
        .paused
        .as_ref()
        .map(|who| format!("everything is paused {who}; `rightsizer resume` ends the pause"));
    let by_itself = stops.auto_paused.as_ref().map(|why| {
        format!("automatic decreases are paused {why}; `rightsizer resume` ends the pause")
    });
    let waits = stops
        .waiting()
        .filter(|_| paused.is_none() && by_itself.is_none());
    paused.into_iter().chain(by_itself).chain(waits).collect()
}

fn write_csv(rows: &[ReviewRow], out: &mut impl Write) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record([
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
    ])?;
    let mb = |mb: Option<u32>| mb.map_or_else(String::new, |mb| mb.to_string());
    let usd = |usd: Option<f64>| usd.map_or_else(String::new, |usd| usd.to_string());
    for row in rows {
        csv.write_record([
            shown(&row.function).into_owned(),
            row.current_mb.to_string(),
            mb(row.peak_mb),
            mb(row.policy_mb),
            mb(row.target_mb),
            mb(row.to_mb),
            shown(&row.status).into_owned(),
            shown(row.confidence.as_deref().unwrap_or_default()).into_owned(),
            shown(&why(&row.reasons)).into_owned(),
            row.invocations.to_string(),
            usd(row.monthly_usd_before),
            usd(row.monthly_usd_after),
            mb(row.compute_optimizer_mb),
        ])?;
    }
    Ok(csv.flush()?)
}
