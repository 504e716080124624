//! `rightsizer simulate --power FILE --known N`: measures how well N sizes of a function predict its others.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use rightsizer_rules::power::Prior;

use super::{name, read};
use crate::settings::prior_in;
use crate::simulate::power::{Errors, Measured, PriorSource, Report, learn, measure, read_table};

#[derive(Debug, Args)]
pub(super) struct PowerArgs {
    /// Durations over memory as CSV with the columns `function`, `memory_mb`, `duration_ms`, and optionally
    /// `cpu_ms`, `init_ms`, `max_used_mb` and `count`; a row is one run, or the mean of `count` runs; .gz
    /// too; `-` is standard input
    #[arg(long, value_name = "FILE", requires = "task")]
    power: Option<PathBuf>,
    /// With --power: the number of known sizes of each function; the others are predicted
    #[arg(long, value_name = "N", requires = "power", group = "task", value_parser = clap::value_parser!(u8).range(1..=16))]
    known: Option<u8>,
    /// With --power: print the prior that is learnt from all functions of the file, as CSV, and measure nothing
    #[arg(long, requires = "power", group = "task", conflicts_with_all = ["known", "json"])]
    learn: bool,
    /// With --known: predict with the prior in this file, which --learn has printed, instead of one that is learnt
    /// from the other functions
    #[arg(long, value_name = "FILE", requires = "known")]
    prior: Option<PathBuf>,
    /// With --power: also use runs whose CPU time contradicts the function's other runs
    #[arg(long, requires = "power")]
    all_runs: bool,
}

impl PowerArgs {
    pub(super) fn file(&self) -> Option<&Path> {
        self.power.as_deref()
    }
}

pub(super) fn run(file: &Path, args: &PowerArgs, json: bool) -> anyhow::Result<ExitCode> {
    let known = usize::from(args.known.unwrap_or(1));
    let table = read(file, |input, refuse| read_table(input, refuse))?;
    anyhow::ensure!(
        table.rows > 0,
        "no row of {} can be used, so nothing was measured\nhint: docs/POWER.md has the columns and examples",
        name(file)
    );
    let (rows, refused) = (table.rows, table.refused);
    let functions = table.runs.measured(args.all_runs);
    if args.learn {
        let prior = learn(&functions, &Prior::flat());
        super::out::stdout().write_all(prior.to_csv().as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let flat = Prior::flat();
    let given = args.prior.as_deref().map(prior_in).transpose()?;
    let source = given
        .as_ref()
        .map_or(PriorSource::Others(&flat), PriorSource::Given);
    let report = measure(&functions, known, source);
    let report = report.ok_or_else(|| too_few(file, &functions, known))?;
    let mut out = super::out::stdout();
    if json {
        crate::cli::write_json(&report, &mut out)?;
    } else {
        writeln!(out, "{}", figures(&report).trim_fmt())?;
        writeln!(out, "\n{}", summary(&report, &functions, rows, refused))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn too_few(file: &Path, functions: &[Measured], known: usize) -> anyhow::Error {
    let most = functions.iter().map(|function| function.points.len()).max();
    anyhow::anyhow!(
        "no function of {} was measured at more than {}, so with {known} known nothing is left to predict\n\
         hint: each function needs rows at {} memory sizes or more",
        name(file),
        sizes(most.unwrap_or(0)),
        known + 1
    )
}

fn sizes(count: usize) -> String {
    match count {
        1 => "1 memory size".to_owned(),
        n => format!("{n} memory sizes"),
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

fn figures(report: &Report) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(["", "MEAN", "MEDIAN"]);
    let all = Errors {
        mean: report.mean_error,
        median: report.median_error,
    };
    for (what, errors) in [
        ("error", all),
        ("  below the known sizes", report.down),
        ("  between them", report.between),
        ("  above them", report.up),
    ] {
        table.add_row([
            what.to_owned(),
            percent(errors.mean),
            percent(errors.median),
        ]);
    }
    for (what, share) in [
        ("cost regret", report.cost_regret_mean),
        ("  90th percentile", report.cost_regret_p90),
        ("balanced regret", report.balanced_regret_mean),
        ("refused", Some(report.refused)),
        ("  with enough memory", Some(report.refused_in_vain)),
        ("90 % intervals cover", report.coverage_90),
        ("  interval score", report.interval_score),
        ("  best constant width", report.constant_interval_score),
    ] {
        table.add_row([what.to_owned(), percent(share), String::new()]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Only this number of functions is named.
const NAMES_SHOWN: usize = 20;

fn summary(report: &Report, functions: &[Measured], rows: u64, refused: u64) -> String {
    let mut lines = vec![format!(
        "{} of {} functions, {} sizes asked for by {} of {} choices of {} known, from {rows} rows; {refused} refused",
        report.functions,
        functions.len(),
        report.pairs,
        report.choices,
        report.all_choices,
        report.known,
    )];
    if report.set_aside > 0 {
        lines.push(format!(
            "{} runs left out, because their CPU time contradicts the function's other runs; \
             --all-runs uses them",
            report.set_aside
        ));
    }
    if report.sizes_left_out > 0 {
        lines.push(format!(
            "{} sizes left out: of a function with more than 64, an evenly spaced sample is used",
            report.sizes_left_out
        ));
    }
    let mut named = |names: &[String], what: &str| {
        if !names.is_empty() {
            let shown = names.len().min(NAMES_SHOWN);
            let more = match names.len() - shown {
                0 => String::new(),
                more => format!(" and {more} more; --json has all"),
            };
            lines.push(format!("{what}: {}{more}", names[..shown].join(", ")));
        }
    };
    named(
        &report.noisy,
        "50 % slower with more memory, so mostly noise",
    );
    named(
        &report.duplicates,
        "the same measurements as an earlier function",
    );
    lines.join("\n")
}
