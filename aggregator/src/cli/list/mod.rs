//! `rightsizer list`: the fleet, or a part of it, as a table, JSON, CSV, Markdown or a page.

mod choose;
mod csv;
mod table;

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use rightsizer_records::shown::shown;
use rightsizer_store::inspect::{self, Stops};
use rightsizer_store::{Reader, ReviewRow};
use serde::Serialize;

pub(super) use self::choose::{ChooseArgs, no_function, only_one};
use self::table::{Layout, markdown_table, table};
use super::flags;
use super::grade::{Rank, at_risk, rank, summary};
use super::out::{self, stdout};
use super::server::ServerArg;
use super::text::{SavingRange, counted, names, saving_range, slowdown};
use super::{ConfigArg, StoreArg, write_json};
use rightsizer_page::{Fleet, NOTHING, report};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ListArgs {
    #[command(flatten)]
    choose: ChooseArgs,
    /// The order of the functions
    #[arg(long, value_name = "ORDER", default_value = "both", alias = "sort")]
    by: Order,
    /// Show only the first N
    #[arg(long, value_name = "N", value_parser = flags::count)]
    limit: Option<NonZeroUsize>,
    #[command(flatten)]
    format: ListFormat,
    /// Exit with code 1 if a listed function is at risk, for scripts
    #[arg(long, value_name = "WHAT")]
    fail_on: Option<FailOn>,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    server: ServerArg,
    #[command(flatten)]
    config: ConfigArg,
}

const EXAMPLES: &str = "Examples:
  rightsizer list 'checkout*' --status open
  rightsizer list --at-risk --fail-on at-risk
  rightsizer list --tag team=payments -o csv > payments.csv
  rightsizer list --html fleet.html";

/// The sort order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    /// Functions at risk, the fullest first; then by money
    Both,
    /// How full each is, those that ran out first
    Danger,
    /// By the saving a month
    Money,
    /// What could be faster: for the same money first, then for little more
    Power,
}

impl From<Order> for Rank {
    fn from(order: Order) -> Self {
        match order {
            Order::Both => Self::Both,
            Order::Danger => Self::Danger,
            Order::Money => Self::Money,
            Order::Power => Self::Power,
        }
    }
}

/// A condition that makes `list` fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A function that ran out of memory, or is near it
    AtRisk,
}

/// The output formats of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A table that fits the terminal
    Table,
    /// A JSON array with one object per function
    Json,
    /// Comma-separated values with a header
    Csv,
    /// A Markdown table
    Markdown,
    /// A self-contained HTML page
    Html,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct ListFormat {
    /// The form of the output
    #[arg(short, long, value_name = "FORM", alias = "format")]
    output: Option<Output>,
    /// The same as -o json
    #[arg(long)]
    json: bool,
    /// The same as -o csv
    #[arg(long)]
    csv: bool,
    /// The same as -o markdown
    #[arg(long)]
    markdown: bool,
    /// Write a self-contained HTML page to this file; `-` is standard output
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl ListFormat {
    fn form(&self) -> Output {
        match self {
            Self {
                output: Some(output),
                ..
            } => *output,
            Self { json: true, .. } => Output::Json,
            Self { csv: true, .. } => Output::Csv,
            Self { markdown: true, .. } => Output::Markdown,
            Self { html: Some(_), .. } => Output::Html,
            _ => Output::Table,
        }
    }
}

pub(super) fn run(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let (all, stops) = fleet(&args.store, &args.server, Some(&args.config))?;
    let known = all.len();
    let mut rows = args.choose.choose(all)?;
    rank(&mut rows, args.by.into());
    let hidden = rows.len()
        - args
            .limit
            .map_or(rows.len(), |limit| limit.get().min(rows.len()));
    let risk = rows.iter().any(at_risk);
    let summary = summary(&rows);
    rows.truncate(rows.len() - hidden);
    let about = (&stops, hidden, summary.as_str());
    match args.format.form() {
        Output::Json => write_json(&lines(&rows), &mut stdout())?,
        Output::Csv => csv::write(&lines(&rows), &mut stdout())?,
        Output::Html => write_page(args.format.html.as_ref(), &rows, &stops)?,
        Output::Markdown => print(&rows, about, &markdown_table(&rows))?,
        Output::Table if known == 0 => {
            out::prose(format_args!("{NOTHING}"))?;
            print_stops(&stops)?;
        }
        Output::Table if rows.is_empty() => {
            out::line(format_args!(
                "none of {} matches",
                counted(known, "function")
            ))?;
        }
        Output::Table => print(&rows, about, &table(&rows, Layout::of_terminal()))?,
    }
    let failed = risk && args.fail_on == Some(FailOn::AtRisk);
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Returns every function of the store or of its server, and the reason if nothing is sent. Dollars are by the prices of
/// `config`, or of the server; without either they are those of each function's decision.
pub(super) fn fleet(
    store: &StoreArg,
    server: &ServerArg,
    config: Option<&ConfigArg>,
) -> anyhow::Result<(Vec<ReviewRow>, Stops)> {
    let (mut rows, stops): (Vec<ReviewRow>, _) = if let Some(server) = server.named() {
        (server.read("")?, server.stops())
    } else {
        let store = &store.store;
        let mut reader = Reader::open(store)?;
        if let Some(config) = config {
            reader = reader.with_prices(&config.settings()?.price);
        }
        (reader.review()?, inspect::stops(store)?)
    };
    rows.iter_mut().for_each(now_held);
    Ok((rows, stops))
}

/// Removes a hold that has ended, because the store keeps it until it is released.
pub(super) fn now_held(row: &mut ReviewRow) {
    let now = rightsizer_aws::clock::now().to_string();
    row.held_until = row.held_until.take().filter(|until| *until > now);
}

/// Prints the table, and below it what is true of all chosen functions, hidden ones included.
fn print(
    rows: &[ReviewRow],
    (stops, hidden, summary): (&Stops, usize, &str),
    table: &str,
) -> anyhow::Result<()> {
    stdout().write_styled(&format!("{table}\n"))?;
    if hidden > 0 {
        out::line(format_args!("and {hidden} more"))?;
    }
    let width = out::width().unwrap_or(usize::MAX);
    out::prose(format_args!("\n{}", broken(summary, width)))?;
    if rows.iter().any(|row| row.function.starts_with("local:")) {
        out::prose(format_args!(
            "local: the evidence names no account and region; `rightsizer adopt` sets them, so that \
             sizes can be applied"
        ))?;
    }
    print_stops(stops)
}

/// The text with a line break at each semicolon of lines that are too long.
fn broken(text: &str, width: usize) -> String {
    let lines = text.lines().map(|line| {
        if line.chars().count() > width {
            line.replace("; ", ";\n")
        } else {
            line.to_owned()
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn print_stops(stops: &Stops) -> anyhow::Result<()> {
    for line in stopped(stops) {
        out::prose(format_args!("{}", shown(&line)))?;
    }
    Ok(())
}

fn write_page(file: Option<&PathBuf>, rows: &[ReviewRow], stops: &Stops) -> anyhow::Result<()> {
    let made = rightsizer_aws::clock::now().to_string();
    let page = report(&Fleet::of(rows.iter().cloned()), &stopped(stops), &made);
    let Some(file) = file.filter(|file| file.as_os_str() != "-") else {
        return Ok(stdout().write_all(page.as_bytes())?);
    };
    std::fs::write(file, page)
        .with_context(|| format!("cannot write the page to {}", file.display()))?;
    out::line(format_args!(
        "{} in {}",
        counted(rows.len(), "function"),
        file.display()
    ))?;
    Ok(())
}

/// One function in JSON: the row of the store, and values derived from it.
#[derive(Debug, Serialize)]
struct Line<'a> {
    name: String,
    account: Option<&'a str>,
    region: Option<&'a str>,
    #[serde(flatten)]
    row: &'a ReviewRow,
    at_risk: bool,
    /// Monthly saving in the worst case that the evidence cannot exclude.
    saved_usd_low: Option<f64>,
    /// Monthly saving with the expected durations.
    saved_usd_high: Option<f64>,
    /// The 95th percentile of durations ÷ now, at worst; 1 if it is not a decrease.
    slower_at_worst: Option<f64>,
}

fn lines(rows: &[ReviewRow]) -> Vec<Line<'_>> {
    let line = |(row, name): (_, String)| {
        let row: &ReviewRow = row;
        let place = |n| {
            let part = row.function.strip_prefix("arn:")?.split(':').nth(n)?;
            Some(part).filter(|part| !part.is_empty())
        };
        let saved = saving_range(row);
        let usd = |end: fn(SavingRange) -> rightsizer_records::Usd| saved.map(|s| end(s).as_f64());
        Line {
            name,
            region: place(2),
            account: place(3),
            at_risk: at_risk(row),
            saved_usd_low: usd(|saved| saved.safe),
            saved_usd_high: usd(|saved| saved.expected),
            slower_at_worst: slowdown(row).map(|slower| slower.p95_worst),
            row,
        }
    };
    rows.iter().zip(names(rows)).map(line).collect()
}

/// Returns whether any function has a recommendation of Compute Optimizer.
pub(super) fn is_compared(rows: &[ReviewRow]) -> bool {
    rows.iter().any(|row| row.compute_optimizer_mb.is_some())
}

/// Returns the reasons for which they are not sent, and what to do.
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
