//! `rightsizer coldstarts --bench FN…`: forces cold starts of scratch copies and compares them.

mod copies;
mod kept;
mod samples;
mod table;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use rightsizer_aws::tune::{TuneCalls, Wanted};
use rightsizer_page::bench_page;
use rightsizer_rules::power::bench::{Bench, ColdSample, bench};
use serde::Serialize;

use self::copies::{Copies, remove};
use super::ColdStartsArgs;
use crate::bench::{BenchOrder, Benched, run as start};
use crate::cli::place::PlaceArgs;
use crate::cli::runtime::{progress, runtime};
use crate::cli::text::counted;
use crate::cli::tune::{SizesArg, cancelled_by_signals, sizes, usd};
use crate::cli::{out, write_json};
use crate::settings::Settings;

/// What a bench starts.
#[derive(Debug, Args)]
#[command(next_help_heading = "Bench")]
pub(super) struct BenchArgs {
    /// Force cold starts of copies of the functions and compare them, instead of reading the store; pass --yes to run
    #[arg(long, requires = "functions")]
    bench: bool,
    /// Compare the starts in this file; with --bench, append new ones to it (JSON lines)
    #[arg(long, value_name = "FILE")]
    samples: Option<PathBuf>,
    /// Write the comparison to this file, as a self-contained HTML page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Run; without this flag only the plan is shown
    #[arg(long, requires = "bench")]
    yes: bool,
    /// End the bench before it can cost more than this, in dollars
    #[arg(long, value_name = "DOLLARS", requires = "bench", value_parser = usd)]
    max_usd: Option<f64>,
    /// Sizes in MB [default: the largest size of the functions, 1769 and 3538]
    #[arg(long, value_name = "SIZES", requires = "bench", value_parser = sizes)]
    sizes: Option<SizesArg>,
    /// Starts of each function at each size in a round
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    starts: u32,
    /// The most starts of a function at the same time
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    parallel: u32,
    /// Number of rounds; the first runs right after the copies are deployed, when images start slowly
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=48))]
    rounds: u32,
    /// Minutes between the beginnings of two rounds
    #[arg(long, value_name = "MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u32).range(0..=1440))]
    every: u32,
    /// Also compare a copy of each function with `SnapStart`
    #[arg(long, requires = "bench")]
    snap_start: bool,
    /// The payload: JSON or a file [default: {}]
    #[arg(long, value_name = "PAYLOAD", requires = "bench")]
    payload: Option<String>,
    #[command(flatten)]
    pub(super) place: PlaceArgs,
}

impl BenchArgs {
    /// Whether a comparison is wanted instead of what the store has.
    pub(super) const fn is_wanted(&self) -> bool {
        self.bench || self.samples.is_some()
    }
}

/// The JSON of a bench.
#[derive(Debug, Serialize)]
struct Printed<'a> {
    dry_run: bool,
    #[serde(flatten)]
    bench: &'a Bench,
    /// Dollars that the starts of this run cost.
    spent_usd: f64,
    /// Why starts are missing.
    problems: Vec<String>,
}

pub(super) fn run(args: &ColdStartsArgs) -> anyhow::Result<ExitCode> {
    let settings = args.read.settings()?;
    let of = &args.bench;
    if let (false, Some(file)) = (of.bench, &of.samples) {
        let samples = samples::read(file)?;
        ensure!(!samples.is_empty(), "{} has no starts", file.display());
        return printed(args, &settings, &samples, &Benched::default());
    }
    // What cannot be read is found before anything is made.
    let mut samples = match &of.samples {
        Some(file) if file.exists() => samples::read(file)?,
        _ => Vec::new(),
    };
    let done = runtime()?.block_on(measured(args, &settings))?;
    let Some(done) = done else {
        return Ok(ExitCode::SUCCESS);
    };
    samples.extend(done.samples.iter().cloned());
    printed(args, &settings, &samples, &done)
}

/// Makes the copies, starts them, and removes them, whatever happens; `None` if only the plan was wanted.
async fn measured(args: &ColdStartsArgs, settings: &Settings) -> anyhow::Result<Option<Benched>> {
    let of = &args.bench;
    let functions = args.functions.iter().map(|name| name.parse::<Wanted>());
    let functions: Vec<Wanted> = functions.collect::<Result<_, _>>()?;
    let payload = samples::payload(of.payload.as_deref())?;
    let config = of.place.config().await?;
    let calls = TuneCalls::new(&config);
    let copies = Copies::planned(&calls, settings, &functions, of.snap_start).await?;
    let order = order(of, &copies, &calls).await;
    out::note(format_args!("{}", copies.plan(&order)));
    if !of.yes {
        if args.read.is_json() {
            write_json(&copies.json(&order), &mut out::stdout())?;
        } else {
            out::line(format_args!(
                "dry run: nothing was created or invoked; pass --yes to run"
            ))?;
        }
        return Ok(None);
    }
    // A file that cannot be written is found before anything is made.
    let mut file = samples::appended(of.samples.as_deref())?;
    let cancel = cancelled_by_signals()?;
    let functions = copies.functions();
    let mut copies = copies.copies(&calls, &order, &payload);
    let mut done = Benched::default();
    let ready = tokio::select! {
        biased;
        () = cancel.cancelled() => Ok(()),
        made = copies::make(&copies, &order) => made,
    };
    if ready.is_ok() {
        let each = order.starts_of_each();
        let all = usize::try_from(each).unwrap_or(usize::MAX);
        let bar = progress("starting", all.saturating_mul(copies.len()));
        done = start(&order, &copies, &cancel, |sample| {
            bar.inc(1);
            file.add(sample);
        })
        .await;
        bar.finish_and_clear();
    }
    let removed = remove(&mut copies).await;
    ready?;
    // What was measured is kept even if a copy is left.
    if let Some(error) = kept::keep(args, settings, &functions, &done.samples).await {
        out::note(format_args!("rightsizer: {error:#}"));
    }
    removed?;
    Ok(Some(done))
}

async fn order(args: &BenchArgs, copies: &Copies, calls: &TuneCalls) -> BenchOrder {
    let sizes = args.sizes.as_ref().map(|sizes| sizes.0.clone());
    let mut sizes = sizes.unwrap_or_else(|| copies.usual_sizes());
    sizes.sort_unstable();
    sizes.dedup();
    BenchOrder {
        sizes,
        starts: args.starts,
        parallel: copies::parallel(calls, args.parallel).await,
        rounds: args.rounds,
        every: Duration::from_secs(u64::from(args.every) * 60),
        max_usd: args.max_usd,
    }
}

fn printed(
    args: &ColdStartsArgs,
    settings: &Settings,
    samples: &[ColdSample],
    done: &Benched,
) -> anyhow::Result<ExitCode> {
    let compared = bench(samples, &settings.price);
    let problems: Vec<String> = done.problems.iter().map(ToString::to_string).collect();
    if let Some(file) = &args.bench.html {
        let made = rightsizer_aws::clock::now().to_string();
        std::fs::write(file, bench_page(&compared, &made))
            .with_context(|| format!("cannot write the page to {}", file.display()))?;
    }
    let mut out = out::stdout();
    if args.read.is_json() {
        let printed = Printed {
            dry_run: false,
            bench: &compared,
            spent_usd: done.spent_usd,
            problems: problems.clone(),
        };
        write_json(&printed, &mut out)?;
    } else {
        write!(out, "{}", table::table(&compared))?;
        if done.invocations > 0 {
            let invocations = usize::try_from(done.invocations).unwrap_or(usize::MAX);
            writeln!(
                out,
                "\n{}, ${:.4}; the copies are removed",
                counted(invocations, "invocation"),
                done.spent_usd
            )?;
        }
        for problem in &problems {
            writeln!(out, "{problem}")?;
        }
    }
    Ok(if problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
