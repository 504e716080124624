//! Many functions in one run: what is done already, what failed, and the ranking of the results.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};

use anyhow::Context as _;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use rightsizer_formats::tuning::{Entry, Finished, Journal};
use rightsizer_records::Megabytes;
use rightsizer_rules::power::tuning::{AtSize, Ranked, TunedFunction, rank};
use rightsizer_rules::power::{Strategy, Tuned};
use serde::Serialize;

use super::TuneArgs;
use super::plan::Prepared;
use super::report::Report;
use super::wish::Wish;
use crate::cli::curve::dollars;
use crate::cli::out;
use crate::cli::text::{counted, short};

/// A function that could not be tuned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Failure {
    function: String,
    why: String,
}

/// The functions of a run.
#[derive(Debug)]
pub(super) struct Fleet {
    /// Whether there are several: the failure of one ends the run if it is the only one.
    several: bool,
    strategy: Strategy,
    done: Journal,
    state: Option<File>,
    pub(super) failures: Vec<Failure>,
    tuned: Vec<TunedFunction>,
}

impl Fleet {
    /// Reads what is done already. The state is written only by a run that invokes.
    pub(super) fn begin(args: &TuneArgs, functions: usize) -> anyhow::Result<Self> {
        let mut fleet = Self {
            several: functions > 1,
            strategy: args.what.strategy.strategy(args.what.weight),
            done: Journal::default(),
            state: None,
            failures: Vec::new(),
            tuned: Vec::new(),
        };
        let Some(path) = &args.state else {
            return Ok(fleet);
        };
        let cannot = || format!("cannot use the state file {}", path.display());
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text.with_context(cannot)?,
        };
        fleet.done = Journal::read(&text);
        if args.yes {
            let mut file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .with_context(cannot)?;
            // A line that was cut off must not swallow the next one.
            if !text.is_empty() && !text.ends_with('\n') {
                writeln!(file).with_context(cannot)?;
            }
            fleet.state = Some(file);
        }
        Ok(fleet)
    }

    /// Returns what is still to do.
    pub(super) fn not_done(&mut self, wishes: Vec<Wish>) -> Vec<Wish> {
        let all = wishes.len();
        let mut left = Vec::with_capacity(all);
        for wish in wishes {
            let name = wish.function.to_string();
            match self.done.tuned(&name, &wish.fingerprint()) {
                Some(tuned) => self.tuned.push(tuned.clone()),
                None => left.push(wish),
            }
        }
        if left.len() < all {
            let done = counted(all - left.len(), "function");
            out::note(format_args!(
                "rightsizer: {done} tuned by an earlier run, {} left",
                left.len()
            ));
        }
        left
    }

    /// Notes a function that could not be tuned.
    ///
    /// # Errors
    /// If it is the only one.
    pub(super) fn failed(&mut self, function: &str, error: anyhow::Error) -> anyhow::Result<()> {
        if !self.several {
            return Err(error);
        }
        out::note(format_args!("rightsizer: {error:#}"));
        let why = format!("{error:#}");
        self.failures.push(Failure {
            function: function.to_owned(),
            why,
        });
        Ok(())
    }

    /// Notes the result of a function.
    pub(super) fn tuned(&mut self, prepared: &Prepared, report: &Report) -> anyhow::Result<()> {
        let complete = report.is_complete();
        let tuned = report.tuned_function.clone().filter(|_| complete);
        if let Some(state) = &mut self.state {
            let stopped = || {
                report
                    .stopped
                    .clone()
                    .unwrap_or_else(|| "no size can be chosen".to_owned())
            };
            let entry = Entry {
                function: prepared.wish.function.to_string(),
                fingerprint: prepared.wish.fingerprint(),
                finished: tuned
                    .clone()
                    .map_or_else(|| Finished::Failed(stopped()), Finished::Tuned),
            };
            let line = entry.line()?;
            let written = state
                .write_all(line.as_bytes())
                .and_then(|()| state.sync_data());
            written.context("the function is tuned, but the state cannot be written")?;
        }
        self.tuned.extend(tuned);
        Ok(())
    }

    /// Returns the functions by what tuning found beyond the curve.
    pub(super) fn ranking(&self, all: &[Prepared]) -> Vec<Ranked<'_>> {
        let strategy = all.first().map_or(self.strategy, |of| of.wish.strategy);
        rank(&self.tuned, strategy)
    }

    /// Prints the ranking of several functions, and what failed.
    pub(super) fn print(&self, all: &[Prepared], out: &mut impl Write) -> anyhow::Result<()> {
        if !self.several {
            return Ok(());
        }
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header([
                "FUNCTION",
                "NOW",
                "CURVE",
                "TUNED",
                "BETTER BY",
                "$ A MONTH",
            ]);
        for ranked in self.ranking(all) {
            let tuned = ranked.tuned;
            table.add_row([
                short(&tuned.function).to_owned(),
                tuned.now_mb.0.to_string(),
                tuned
                    .curve_mb
                    .map_or_else(|| "-".to_owned(), |size| size.0.to_string()),
                tuned.tuned_mb.0.to_string(),
                format!("{:.1} %", ranked.better * 100.0),
                ranked.monthly_usd.map_or_else(|| "-".to_owned(), dollars),
            ]);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        writeln!(out, "\n{}", table.trim_fmt())?;
        writeln!(
            out,
            "better by: compared with the size that the curve from production traffic would \
             choose; without a curve, with the present size"
        )?;
        for failure in &self.failures {
            writeln!(out, "failed: {}: {}", failure.function, failure.why)?;
        }
        Ok(())
    }
}

/// Returns the result as the ranking takes it: sizes that were not invoked have the figures of the sampler, else of the
/// curve.
pub(super) fn tuned_function(
    prepared: &Prepared,
    report: &Report,
    estimates: &[Tuned],
) -> Option<TunedFunction> {
    let tuned_mb = report.best.as_ref()?.memory_mb;
    let curve = prepared.known.curve.as_ref();
    let curve_mb = curve.and_then(|curve| match prepared.wish.strategy {
        Strategy::Cost => curve.best.cost,
        Strategy::Speed => curve.best.speed,
        Strategy::Balanced { .. } => curve.best.balanced,
    });
    let at = |size: Megabytes| {
        let mut measured = report.sizes.iter().map(|of| &of.figures);
        let typical = measured
            .find(|of| of.memory_mb == size)
            .and_then(|of| of.typical);
        if let Some(typical) = typical {
            return Some((typical.mean_ms, typical.usd));
        }
        let mut estimates = estimates.iter();
        let estimate = estimates
            .find(|of| of.memory_mb == size)
            .map(|of| of.duration_ms);
        let duration_ms = estimate.or_else(|| prepared.known.expected_ms(size))?;
        let (rates, arch) = (&prepared.order.rates, Some(prepared.order.arch));
        Some((
            duration_ms,
            rates.compute_usd(duration_ms.ceil(), size, arch),
        ))
    };
    let measured = report.sizes.iter().map(|of| of.figures.memory_mb);
    let mut wanted: Vec<Megabytes> = measured
        .chain([tuned_mb, report.now_mb])
        .chain(curve_mb)
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    let sizes = wanted.into_iter().filter_map(|memory_mb| {
        let (duration_ms, usd) = at(memory_mb)?;
        Some(AtSize {
            memory_mb,
            duration_ms,
            usd,
        })
    });
    Some(TunedFunction {
        function: report.function.to_string(),
        now_mb: report.now_mb,
        curve_mb,
        tuned_mb,
        sizes: sizes.collect(),
        monthly_invocations: curve.map(|curve| curve.monthly_invocations),
        invocations: report.invocations,
        spent_usd: report.spent_usd,
    })
}
