//! The command line: one thin file per command.

mod adopt;
mod apply;
mod approve;
mod attach;
mod backup;
mod by;
mod check;
mod coldstarts;
mod compared;
mod completions;
mod config;
mod curve;
mod detach;
mod doctor;
mod examples;
mod export;
mod first_reports;
mod flags;
mod fleet;
mod fleet_plan;
mod fleet_regions;
mod form;
mod from_flink;
mod function_report;
mod groups;
mod health;
mod import;
mod import_cloudwatch;
mod import_paths;
mod interrupt;
mod list;
mod log;
mod nearest;
mod out;
mod place;
mod read_args;
mod reports_stream;
mod restore;
mod review;
mod runtime;
mod serve;
mod server;
mod show;
mod simulate;
mod subscribe;
mod to_flink;
mod tune;
mod ui;
mod waves;

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use rightsizer_records::FunctionArn;
use rightsizer_records::shown::json;
use rightsizer_rules::inventory::Home;

pub use self::log::Log;
use crate::settings::Settings;
use crate::snapshot::Location;
use rightsizer_page::{grade, text};

/// Right-size the memory of AWS Lambda functions from what their invocations used.
#[derive(Debug, Parser)]
#[command(name = "rightsizer", version, propagate_version = true)]
pub struct Cli {
    /// Format of the log on standard error
    #[arg(
        long,
        global = true,
        help_heading = "Global options",
        display_order = 1000,
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
    /// Parses the arguments of this process; ends it with help, or with an error and exit code 2.
    pub fn parse_arguments() -> Self {
        groups::parse()
    }

    /// How to write the log.
    pub const fn log_format(&self) -> LogFormat {
        self.log_format
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the aggregator: read reports, decide, and send recommendations.
    Serve(serve::ServeArgs),
    /// Read evidence from files or `-`, or from the account's own logs: REPORT lines, Telemetry JSON,
    /// records and exports, gzip or not.
    Import(import::ImportArgs),
    /// List every function with its recommendation, most urgent first, then most expensive.
    List(list::ListArgs),
    /// Approve open recommendations, so that they are sent: of named functions, or of all that a filter
    /// selects.
    Approve(approve::ApproveArgs),
    /// Take back the approval of a recommendation that was not sent yet.
    Unapprove(review::TargetArgs),
    /// Reject a function's open recommendation; the same decrease is not proposed again for 14
    /// days.
    Reject(review::TargetArgs),
    /// Hold decreases of a function for some days; increases are still sent.
    Hold(review::HoldArgs),
    /// End a hold of a function.
    Release(review::TargetArgs),
    /// Forget the sizes at which a function ran out of memory, so that it may go below them again.
    Clear(review::TargetArgs),
    /// Name the account and region of functions that were imported without them, so that their sizes can be
    /// applied.
    Adopt(adopt::AdoptArgs),
    /// Delete everything that is stored about a function.
    Forget(review::TargetArgs),
    /// Send nothing until `resume`.
    Pause(review::StopArgs),
    /// Resume sending after a pause.
    Resume(review::StopArgs),
    /// Apply approved recommendations from this machine; pass --yes to apply.
    Apply(apply::ApplyArgs),
    /// Attach the layer to functions; pass --yes to apply.
    Attach(attach::AttachArgs),
    /// Remove the layer from functions; pass --yes to apply.
    Detach(detach::DetachArgs),
    /// Export sizes for your own pipeline, as values or as a patch of a template.
    Export(export::ExportArgs),
    /// Compare a template's sizes with what its functions need; exit code 1 if one is below the safe
    /// size.
    Check(check::CheckArgs),
    /// Forward reports from log groups to the reports stream, for functions without the layer; pass
    /// --yes to apply.
    Subscribe(subscribe::SubscribeArgs),
    /// Stop forwarding reports from log groups; pass --yes to apply.
    Unsubscribe(subscribe::UnsubscribeArgs),
    /// Copy the store to a new file, even while a server writes to it.
    Backup(backup::BackupArgs),
    /// List the snapshots of the store in S3, write one to a file, or start a new history from one;
    /// pass --yes to apply.
    Restore(restore::RestoreArgs),
    /// Write the store's functions as the states with which the Flink job begins.
    ToFlink(to_flink::ToFlinkArgs),
    /// Take back the functions from the states that the Flink job wrote.
    FromFlink(from_flink::FromFlinkArgs),
    /// Check the store, the streams, the permissions and the clock, and show what to do.
    Doctor(doctor::DoctorArgs),
    /// Check that the server on this machine is alive, for health checks: exit code 0 if it is.
    Health(health::HealthArgs),
    /// Show one function: its daily peaks, the rules behind its size, and its history.
    Show(show::ShowArgs),
    /// Show the store, the settings and the variables that commands use here.
    Config(config::ConfigArgs),
    /// Show the duration and the cost of a function at every memory size, with the best size for each
    /// objective.
    Curve(curve::CurveArgs),
    /// Show how often functions start cold, how long it takes, and what it costs.
    Coldstarts(coldstarts::ColdStartsArgs),
    /// Open the page in a browser: the fleet, each function, and what waits for you.
    Ui(ui::UiArgs),
    /// Print a script that completes commands in a shell.
    Completions(completions::CompletionsArgs),
    /// Print the manual page, or write the pages of all commands into a folder.
    Man(completions::ManArgs),
    /// Replay daily peaks through policies: how often each runs out of memory, and what it costs.
    Simulate(simulate::SimulateArgs),
    /// Find the best size of a function with a few invocations of a copy of it; pass --yes to run.
    Tune(tune::TuneArgs),
}

/// Writes `value` as JSON that is safe for a terminal.
fn write_json(value: &impl serde::Serialize, out: &mut impl std::io::Write) -> anyhow::Result<()> {
    let document = serde_json::to_string_pretty(value)?;
    writeln!(out, "{}", json(&document))?;
    Ok(())
}

/// The default store.
const DEFAULT_STORE: &str = "rightsizer.db";

/// The path of the store.
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

/// The path of the settings.
#[derive(Debug, Args)]
struct ConfigArg {
    /// The settings file [default: rightsizer.toml, if it exists]
    #[arg(long, value_name = "FILE", env = "RIGHTSIZER_CONFIG")]
    config: Option<PathBuf>,
}

impl ConfigArg {
    /// Loads the settings.
    fn settings(&self) -> anyhow::Result<Settings> {
        Settings::load(self.config.as_deref())
    }
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

/// The location of snapshots.
#[derive(Debug, Args)]
struct SnapshotArg {
    /// Keep snapshots of the store at `s3://BUCKET/PREFIX`, and restore the newest one unless the
    /// disk has a newer state [default: none are kept]
    #[arg(long, env = "RIGHTSIZER_SNAPSHOT", value_name = "URL")]
    snapshot: Option<Location>,
}

/// Account and region of functions that are known by name only.
#[derive(Debug, Args)]
struct HomeArg {
    /// Account of functions that are known by name only; completes their ARNs together with
    /// --region
    #[arg(long, requires = "region", value_parser = flags::account)]
    account: Option<String>,
    /// Region of functions that are known by name only
    #[arg(long, requires = "account", value_parser = flags::region)]
    region: Option<String>,
}

impl HomeArg {
    fn home(&self) -> Option<Home> {
        let (account, region) = (self.account.clone()?, self.region.clone()?);
        Some(Home { account, region })
    }
}

/// Runs a command. Prints errors on standard error and returns exit code 1, or 2 for bad usage.
pub fn run(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Import(args) => import::run(&args),
        Command::List(args) => list::run(&args),
        Command::Approve(args) => approve::run(&args),
        Command::Unapprove(args) => review::unapprove(args),
        Command::Reject(args) => review::reject(args),
        Command::Hold(args) => review::hold(args),
        Command::Release(args) => review::release(args),
        Command::Clear(args) => review::clear(args),
        Command::Adopt(args) => adopt::run(&args),
        Command::Forget(args) => review::forget(args),
        Command::Pause(args) => review::pause(&args),
        Command::Resume(args) => review::resume(&args),
        Command::Apply(args) => apply::run(&args),
        Command::Attach(args) => attach::run(&args),
        Command::Detach(args) => detach::run(&args),
        Command::Subscribe(args) => subscribe::run_subscribe(&args),
        Command::Unsubscribe(args) => subscribe::run_unsubscribe(&args),
        Command::Export(args) => export::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Restore(args) => restore::run(&args),
        Command::ToFlink(args) => to_flink::run(&args),
        Command::FromFlink(args) => from_flink::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Health(args) => health::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Curve(args) => curve::run(&args),
        Command::Coldstarts(args) => coldstarts::run(&args),
        Command::Ui(args) => ui::run(args),
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => completions::man(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Tune(args) => tune::run(&args),
    };
    match done {
        Ok(code) => code,
        // A reader that closes early (`rightsizer list | head`) is not an error.
        Err(error) if out::is_closed() && is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            out::failure(&error);
            ExitCode::FAILURE
        }
    }
}

/// Whether a broken pipe is the cause of the error, however wrapped. Other errors are reported.
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

#[cfg(test)]
mod documented;
#[cfg(test)]
use rightsizer_store::sample;
#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// The help of the subcommands of a command, each under its full name. `groups` has that of
    /// `rightsizer` itself.
    fn help(command: &mut clap::Command, name: &str) {
        for inner in command.get_subcommands_mut() {
            if inner.get_name() == "help" {
                continue;
            }
            let name = format!("{name}_{}", inner.get_name());
            let shown = inner.clone().mut_args(|arg| arg.hide_env_values(true));
            let text = shown.term_width(0).render_long_help().to_string();
            let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
            insta::assert_snapshot!(name.as_str(), lines.join("\n"));
            help(inner, &name);
        }
    }

    #[test]
    fn the_help_of_every_command_is_reviewed() {
        let mut command = Cli::command();
        command.build();
        help(&mut command, "help");
    }
}
