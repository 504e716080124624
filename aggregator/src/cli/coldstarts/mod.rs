//! `rightsizer coldstarts`: how often functions start cold, how long it takes, and what it costs; with `--bench`, forced
//! starts side by side.

mod bench;
mod provisioned;
mod table;

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use rightsizer_rules::power::{ColdStart, ConfiguredUse};
use rightsizer_store::{ForcedLine, FunctionDetail, Reader};
use serde::Serialize;

use self::bench::BenchArgs;
use self::table::table;
use super::flags;
use super::list::fleet;
use super::read_args::ReadArgs;
use super::runtime::runtime;
use super::{out, write_json};
use crate::power::cold_starts;
use crate::settings::Settings;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ColdStartsArgs {
    /// Names, `local:NAME`s or ARNs of functions [default: the most expensive ones]
    #[arg(value_name = "FUNCTION")]
    functions: Vec<String>,
    /// Without names, read this many functions, the most expensive ones
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = flags::whole::<usize>)]
    limit: usize,
    /// Also read from the account which provisioned concurrency the functions have, and whether it is used
    #[arg(long, conflicts_with_all = ["bench", "samples"])]
    provisioned: bool,
    #[command(flatten)]
    read: ReadArgs,
    #[command(flatten)]
    bench: BenchArgs,
}

const EXAMPLES: &str = "Examples:
  rightsizer coldstarts
  rightsizer coldstarts checkout --json
  rightsizer coldstarts --provisioned --limit 200
  rightsizer coldstarts --bench checkout-zip checkout-image
  rightsizer coldstarts --bench checkout --sizes 512,1024 --snap-start --rounds 3 --html starts.html --yes";

/// The cold starts of one function.
#[derive(Debug, Serialize)]
pub(super) struct Started {
    /// ARN, or `local:NAME`.
    function: String,
    /// `zip` or `image`; `None` if the inventory does not have it.
    package: Option<String>,
    /// Whether its environments are restored from a snapshot.
    snap_start: bool,
    /// By version and size.
    starts: Vec<ColdStart>,
    /// Starts of copies that `--bench` forced.
    forced: Vec<ForcedLine>,
    /// What is configured, if the account was asked and has answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    provisioned: Option<Vec<ConfiguredUse>>,
}

impl Started {
    fn of(detail: &FunctionDetail, settings: &Settings) -> Self {
        let configuration = detail.configuration.as_ref();
        Self {
            function: detail.review.function.clone(),
            package: configuration.map(|known| known.package.clone()),
            snap_start: configuration.is_some_and(|known| known.snap_start),
            starts: cold_starts(detail, settings),
            forced: detail.forced_starts.clone(),
            provisioned: None,
        }
    }
}

pub(super) fn run(args: &ColdStartsArgs) -> anyhow::Result<ExitCode> {
    if args.bench.is_wanted() {
        return bench::run(args);
    }
    let settings = args.read.settings()?;
    let details = details(args)?;
    let mut functions: Vec<Started> = details
        .iter()
        .map(|detail| Started::of(detail, &settings))
        .collect();
    let complete = !args.provisioned
        || runtime()?.block_on(provisioned::add(
            &args.bench.place,
            &settings,
            &details,
            &mut functions,
        ))?;
    let mut out = out::stdout();
    if args.read.is_json() {
        write_json(&functions, &mut out)?;
    } else {
        write!(out, "{}", table(&functions))?;
    }
    Ok(if complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn details(args: &ColdStartsArgs) -> anyhow::Result<Vec<FunctionDetail>> {
    if !args.functions.is_empty() {
        let named = args.functions.iter();
        return named.map(|name| args.read.detail(name)).collect();
    }
    let read = &args.read;
    let (mut rows, _) = fleet(&read.store, &read.server, Some(&read.config))?;
    let cost = |usd: Option<f64>| usd.unwrap_or_default();
    rows.sort_by(|a, b| {
        let by_cost = cost(b.monthly_usd_before).total_cmp(&cost(a.monthly_usd_before));
        by_cost.then_with(|| a.function.cmp(&b.function))
    });
    rows.truncate(args.limit);
    if args.read.server.named().is_some() {
        let names = rows.into_iter().map(|row| row.function);
        return names.map(|name| args.read.detail(&name)).collect();
    }
    let reader = Reader::open(&args.read.store.store)?;
    rows.into_iter()
        .map(|row| Ok(reader.detail(row)?))
        .collect()
}
