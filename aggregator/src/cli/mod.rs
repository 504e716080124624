//! The command line: one thin file per command.

mod apply;
mod attach;
mod backup;
mod detach;
mod doctor;
mod export;
mod fleet;
mod grade;
mod health;
mod http;
mod import;
mod import_cloudwatch;
mod import_paths;
mod list;
mod log;
mod out;
mod page;
mod portrait;
mod restore;
mod review;
mod runtime;
mod serve;
mod server;
mod show;
mod simulate;
mod subscribe;
mod text;
mod waves;

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use rightsizer_records::FunctionArn;
use rightsizer_records::shown::{json, shown_lines};
use rightsizer_rules::inventory::Home;

pub use self::log::Log;
use crate::settings::Settings;
use crate::snapshot::Location;

/// Right-sizes the memory of AWS Lambda functions from what their invocations really used.
#[derive(Debug, Parser)]
#[command(name = "rightsizer", version, propagate_version = true)]
pub struct Cli {
    /// How the log on standard error is written
    #[arg(
        long,
        global = true,
        default_value = "text",
        env = "RIGHTSIZER_LOG_FORMAT",
        value_name = "FORMAT"
    )]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

/// How a log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}

impl Cli {
    /// How the log is to be written.
    pub const fn log_format(&self) -> LogFormat {
        self.log_format
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the aggregator: take reports in, decide, send recommendations out.
    Serve(serve::ServeArgs),
    /// Read evidence from files or `-` (REPORT lines, Telemetry JSON, records, exports; .gz too), or
    /// from the account's own logs.
    Import(import::ImportArgs),
    /// List every function with its recommendation, what is urgent and dear first.
    List(list::ListArgs),
    /// Send a function's open recommendation.
    Approve(review::TargetArgs),
    /// Drop it, and do not propose the same decrease again for 14 days.
    Reject(review::TargetArgs),
    /// Send no decrease of a function for a while; increases are never held back.
    Hold(review::HoldArgs),
    /// End a hold.
    Release(review::TargetArgs),
    /// Let a function go below the sizes again at which it ran out of memory.
    Clear(review::TargetArgs),
    /// Delete all that is known of a function.
    Forget(review::TargetArgs),
    /// Send nothing at all, until resumed.
    Pause(review::StopArgs),
    /// Send again.
    Resume(review::StopArgs),
    /// Apply what is approved from here; shows it, does it with --yes.
    Apply(apply::ApplyArgs),
    /// Put the layer on functions; shows the plan, does it with --yes.
    Attach(attach::AttachArgs),
    /// Take the layer off functions; shows the plan, does it with --yes.
    Detach(detach::DetachArgs),
    /// Hand sizes to your own pipeline: values it reads, or a patch of its template.
    Export(export::ExportArgs),
    /// Forward the reports in the logs to the reports stream, for functions without the layer; shows the
    /// plan, does it with --yes.
    Subscribe(subscribe::SubscribeArgs),
    /// Forward them no more; shows the plan, does it with --yes.
    Unsubscribe(subscribe::UnsubscribeArgs),
    /// Copy the store to a new file, also while a server writes to it.
    Backup(backup::BackupArgs),
    /// List the snapshots of the store in S3, write one to a file, or go back to one at a new place; shows
    /// what that means, does it with --yes.
    Restore(restore::RestoreArgs),
    /// Check the store, the streams, the permissions and the clock, and say what to do.
    Doctor(doctor::DoctorArgs),
    /// Whether the server here is alive: exit code 0 if it is, for health checks.
    Health(health::HealthArgs),
    /// Show one function: its daily peaks, the rules that fired, what became of it.
    Show(show::ShowArgs),
    /// Replay daily peaks through policies: how often each runs out of memory, and what it costs.
    Simulate(simulate::SimulateArgs),
}

/// Writes `value` as JSON that harms no terminal.
fn write_json(value: &impl serde::Serialize, out: &mut impl std::io::Write) -> anyhow::Result<()> {
    let document = serde_json::to_string_pretty(value)?;
    writeln!(out, "{}", json(&document))?;
    Ok(())
}

/// The store that is meant where none is named.
const DEFAULT_STORE: &str = "rightsizer.db";

/// Where the store is.
#[derive(Debug, Args)]
struct StoreArg {
    /// The store's file
    #[arg(
        long,
        value_name = "FILE",
        default_value = DEFAULT_STORE,
        env = "RIGHTSIZER_STORE"
    )]
    store: PathBuf,
}

/// Where the settings are.
#[derive(Debug, Args)]
struct ConfigArg {
    /// The settings file [default: rightsizer.toml, where there is one]
    #[arg(long, value_name = "FILE", env = "RIGHTSIZER_CONFIG")]
    config: Option<PathBuf>,
}

/// Which function the updater is.
#[derive(Debug, Args)]
struct UpdaterArg {
    /// The updater's own function: `pause` and `resume` set and remove its tag rightsizer:paused
    /// [default: [updater] function of the settings file]
    #[arg(long, value_name = "ARN", env = "RIGHTSIZER_UPDATER", value_parser = FunctionArn::parse)]
    updater: Option<FunctionArn>,
}

impl UpdaterArg {
    /// The one given here, else the one of the settings.
    fn named(&self, settings: &Settings) -> Option<FunctionArn> {
        let here = self.updater.clone();
        here.or_else(|| settings.updater.function.clone())
    }
}

/// Where snapshots of the store are.
#[derive(Debug, Args)]
struct SnapshotArg {
    /// Keep snapshots of the store here, `s3://BUCKET/PREFIX`, and restore the newest one where the
    /// disk has none that is newer [default: none are kept]
    #[arg(long, env = "RIGHTSIZER_SNAPSHOT", value_name = "URL")]
    snapshot: Option<Location>,
}

/// Where functions are that are known by name only.
#[derive(Debug, Args)]
struct HomeArg {
    /// Account of functions that are known by name only; with --region it makes ARNs of them
    #[arg(long, requires = "region", value_parser = parse_account)]
    account: Option<String>,
    /// Region of functions that are known by name only
    #[arg(long, requires = "account", value_parser = parse_region)]
    region: Option<String>,
}

fn parse_account(text: &str) -> Result<String, String> {
    let named =
        FunctionArn::new("aws", "eu-west-1", text, "f").map_err(|_| "an account has 12 digits");
    named
        .map(|arn| arn.account().to_owned())
        .map_err(str::to_owned)
}

fn parse_region(text: &str) -> Result<String, String> {
    let dashes = text.matches('-').count() >= 2;
    let named = FunctionArn::new("aws", text, "123456789012", "f")
        .ok()
        .filter(|_| dashes);
    let named = named.map(|arn| arn.region().to_owned());
    named.ok_or_else(|| "not a region, as eu-west-1".to_owned())
}

impl HomeArg {
    fn home(&self) -> Option<Home> {
        let (account, region) = (self.account.clone()?, self.region.clone()?);
        Some(Home { account, region })
    }
}

/// Runs a command. What went wrong is said on standard error: exit code 1, 2 for bad usage.
pub fn run(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Import(args) => import::run(&args),
        Command::List(args) => list::run(&args),
        Command::Approve(args) => review::approve(args),
        Command::Reject(args) => review::reject(args),
        Command::Hold(args) => review::hold(args),
        Command::Release(args) => review::release(args),
        Command::Clear(args) => review::clear(args),
        Command::Forget(args) => review::forget(args),
        Command::Pause(args) => review::pause(&args),
        Command::Resume(args) => review::resume(&args),
        Command::Apply(args) => apply::run(&args),
        Command::Attach(args) => attach::run(&args),
        Command::Detach(args) => detach::run(&args),
        Command::Subscribe(args) => subscribe::run_subscribe(&args),
        Command::Unsubscribe(args) => subscribe::run_unsubscribe(&args),
        Command::Export(args) => export::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Restore(args) => restore::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Health(args) => health::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Simulate(args) => simulate::run(&args),
    };
    match done {
        Ok(code) => code,
        // A reader that has seen enough (`rightsizer list | head`) is no error.
        Err(error) if out::is_closed() && is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rightsizer: {}", shown_lines(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

/// Whether that is what ended it, in whatever wraps it: what else went wrong is told.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |error: &std::io::Error| error.kind() == ErrorKind::BrokenPipe;
    error.chain().any(|cause| {
        let csv = cause.downcast_ref().map(csv::Error::kind);
        let json = cause
            .downcast_ref()
            .and_then(serde_json::Error::io_error_kind);
        cause.downcast_ref().is_some_and(broken)
            || matches!(csv, Some(csv::ErrorKind::Io(error)) if broken(error))
            || json == Some(ErrorKind::BrokenPipe)
    })
}
