//! `rightsizer tune FUNCTION`: the best size of a function by measured invocations of a scratch copy of it.

mod apply;
mod cleanup;
mod fleet;
mod input;
mod payload;
mod plan;
mod report;
mod run;
mod simulated;
mod table;
mod wish;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Args};
use rightsizer_aws::tune::{S3Code, Wanted};
use rightsizer_records::Megabytes;

pub(super) use self::input::{SizesArg, sizes, usd};
use self::input::{StrategyName, s3_code, share};
pub(super) use self::plan::SHARE_OF_CONCURRENCY;
pub(super) use self::run::cancelled_by_signals;
use super::form::FormArgs;
use super::place::PlaceArgs;
use super::server::ServerArg;
use super::{ConfigArg, flags};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, group = ArgGroup::new("task").required(true).multiple(true))]
#[expect(clippy::struct_excessive_bools, reason = "flags of the command line")]
pub(super) struct TuneArgs {
    /// Name or ARN of a function, also with a version or an alias: checkout, checkout:live
    #[arg(value_name = "FUNCTION", group = "task")]
    functions: Vec<Wanted>,
    /// Tune up to 50 functions of this file, which has a JSON object on each line: `{"function": NAME, "payload":
    /// JSON}` or `{"function": NAME, "payload_s3": "s3://BUCKET/KEY"}`
    #[arg(long, value_name = "FILE", group = "task", conflicts_with_all = ["functions", "power_tuning", "cleanup", "simulate"])]
    file: Option<PathBuf>,
    /// Run this input of AWS Lambda Power Tuning; `-` is standard input. A FUNCTION replaces its lambdaARN
    #[arg(long, value_name = "FILE", group = "task", conflicts_with_all = ["cleanup", "simulate"])]
    power_tuning: Option<PathBuf>,
    /// List what killed runs left behind; pass --yes to remove it
    #[arg(long, group = "task", conflicts_with_all = ["functions", "simulate"])]
    cleanup: bool,
    /// Tune the functions of a CSV file of durations, as for `simulate --power`, without invoking anything; `-` is
    /// standard input
    #[arg(
        long,
        value_name = "FILE",
        group = "task",
        conflicts_with = "functions"
    )]
    simulate: Option<PathBuf>,
    #[command(flatten)]
    what: WhatArgs,
    /// Record finished functions in this file; the next run with it skips them
    #[arg(long, value_name = "FILE", conflicts_with_all = ["cleanup", "simulate"])]
    state: Option<PathBuf>,
    /// Run; without this flag only the plan is shown
    #[arg(long)]
    yes: bool,
    /// End the run of a function before it can cost more than this, in dollars
    #[arg(long, value_name = "DOLLARS", value_parser = usd)]
    max_usd: Option<f64>,
    /// Set the best size at the end, if the updater's checks allow it
    #[arg(long)]
    apply: bool,
    /// With --cleanup: only copies that no run can need any more
    #[arg(long, requires = "cleanup")]
    expired: bool,
    /// With --simulate: runs of each function, each with its own noise
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// The package of the function in S3, for packages above 50 MB: `s3://BUCKET/KEY`
    #[arg(long, value_name = "URL", value_parser = s3_code)]
    code: Option<S3Code>,
    /// Read production evidence from this store, and store the results in it [default: rightsizer.db if it exists]
    #[arg(long, value_name = "FILE", env = "RIGHTSIZER_STORE")]
    store: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArg,
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    place: PlaceArgs,
    /// Print the address of the chart on Lambda Power Tuning's public page; the address contains the figures
    #[arg(long, conflicts_with_all = ["output", "json", "format"])]
    chart_url: bool,
    /// Print the output of AWS Lambda Power Tuning
    #[arg(long, value_name = "FORMAT", value_parser = ["power-tuning"], conflicts_with_all = ["output", "json"])]
    format: Option<String>,
    #[command(flatten)]
    form: FormArgs,
}

/// What is invoked, and how often.
#[derive(Debug, Args)]
pub(super) struct WhatArgs {
    /// The payload: JSON, a file, `-`, or `s3://BUCKET/KEY`; or several, as a list of {"payload": …, "weight": …}
    /// [default: {}]
    #[arg(long, value_name = "PAYLOAD", conflicts_with = "payloads")]
    payload: Option<String>,
    /// A file with a JSON payload on each line, or with messages of a queue, which become the events that Lambda sends
    #[arg(long, value_name = "FILE")]
    payloads: Option<PathBuf>,
    /// Sizes in MB, such as 128,512,1024, or all: every 64 MB from 128 to 3008 [default: 16 sizes from the safe size
    /// to 10,240, of which few are invoked]
    #[arg(long, value_name = "SIZES", value_parser = sizes)]
    sizes: Option<SizesArg>,
    /// Invocations at each size [default: as many as are worth their price]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(5..=10_000))]
    num: Option<u32>,
    /// The most invocations at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    parallel: u32,
    /// Pause after each invocation, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pause: u64,
    /// Measure cold starts: each invocation starts a new environment, and its start counts
    #[arg(long)]
    cold_starts: bool,
    /// Which size is the best
    #[arg(long, value_name = "STRATEGY", default_value = "cost")]
    strategy: StrategyName,
    /// With --strategy balanced: the weight of the cost, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, value_parser = share)]
    weight: f64,
    /// The share of durations to leave out of the mean at either end, 0 to 0.4
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = share)]
    trim: f64,
    /// Invoke this function before each invocation; its response becomes the payload
    #[arg(long, value_name = "FUNCTION")]
    pre_processor: Option<String>,
    /// Invoke this function after each invocation, with the response
    #[arg(long, value_name = "FUNCTION")]
    post_processor: Option<String>,
    /// Count errors of this type as results; may be repeated
    #[arg(long, value_name = "TYPE", value_parser = flags::text)]
    allowed_exception: Vec<String>,
    /// How many invocations may fail before the run ends
    #[arg(long, value_name = "N", default_value_t = 0)]
    allowed_errors: u64,
    /// Invoke the copy only once, at the largest size, to try the payload
    #[arg(long)]
    once: bool,
}

const EXAMPLES: &str = "Examples:
  rightsizer tune checkout --payload event.json
  rightsizer tune checkout:live --payload event.json --yes --max-usd 0.50
  rightsizer tune checkout --payload event.json --sizes 512,1024,2048 --num 20 --strategy speed --yes
  rightsizer tune --power-tuning input.json --format power-tuning --yes
  rightsizer tune --cleanup --yes";

pub(super) fn run(args: &TuneArgs) -> anyhow::Result<ExitCode> {
    if let Some(file) = &args.simulate {
        return simulated::run(file, args.runs, args.form.is_json());
    }
    if args.cleanup {
        return cleanup::run(args);
    }
    run::run(args)
}

/// The sizes of an input, ascending.
fn megabytes(sizes: impl IntoIterator<Item = u32>) -> Vec<Megabytes> {
    sizes.into_iter().map(Megabytes).collect()
}
