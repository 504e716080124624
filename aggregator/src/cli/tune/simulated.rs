//! `rightsizer tune --simulate`: tuning runs on known curves. It invokes nothing.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use rightsizer_rules::power::Prior;

use crate::cli::out;
use crate::cli::simulate::{name, read};
use crate::simulate::power::{Method, TuningReport, read_table, tune};

/// Tunes every function of `file` on its own durations, `runs` times.
pub(super) fn run(file: &Path, runs: u32, json: bool) -> anyhow::Result<ExitCode> {
    let table = read(file, |input, refuse| read_table(input, refuse))?;
    anyhow::ensure!(
        table.rows > 0,
        "no row of {} can be used, so nothing was tuned\nhint: docs/POWER.md has the columns and examples",
        name(file)
    );
    let functions = table.runs.measured(false);
    let report = tune(&functions, &Prior::flat(), runs).ok_or_else(|| {
        anyhow::anyhow!(
            "no function of {} was measured at two memory sizes or more with less than noise between them, so \
             nothing was tuned\nhint: each function needs rows at several memory sizes",
            name(file)
        )
    })?;
    let mut out = out::stdout();
    if json {
        crate::cli::write_json(&report, &mut out)?;
    } else {
        writeln!(out, "{}", figures(&report).trim_fmt())?;
        writeln!(out, "\n{}", summary(&report))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn figures(report: &TuningReport) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(["METHOD", "INVOCATIONS", "COST", "REGRET", "95 % BELOW"]);
    let adaptive = Method {
        name: "adaptive".to_owned(),
        invocations_mean: report.invocations_mean,
        exploration_mean: report.exploration_mean,
        regret_mean: report.regret_mean,
        regret_p95: report.regret_p95,
    };
    for method in std::iter::once(&adaptive).chain(&report.against) {
        table.add_row([
            method.name.clone(),
            format!("{:.1}", method.invocations_mean),
            format!("{:.1}", method.exploration_mean),
            format!("{:.2} %", method.regret_mean * 100.0),
            format!("{:.2} %", method.regret_p95 * 100.0),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn summary(report: &TuningReport) -> String {
    let mut lines = vec![
        format!(
            "{} functions, {} runs each; single durations scatter by {:.0} %",
            report.functions,
            report.runs,
            report.noise_cv * 100.0
        ),
        "cost: in invocations at the best size; regret: the extra cost of the size found over the cheapest"
            .to_owned(),
    ];
    if !report.noisy.is_empty() {
        lines.push(format!(
            "left out of all methods, because they were 50 % slower with more memory: {}",
            report.noisy.join(", ")
        ));
    }
    lines.join("\n")
}
