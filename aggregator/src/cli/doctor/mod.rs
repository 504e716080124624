//! `rightsizer doctor`: checks everything that `serve` needs, and prints what it found, what that
//! means and what to do. It changes nothing.

mod account;
mod applies;
mod changes;
mod clock;
mod finding;
mod fleet;
mod server;
mod snapshot;
mod store;
mod stream;
mod subscriptions;
mod updater;

use std::io::Write;
use std::process::ExitCode;

use aws_config::SdkConfig;
use clap::Args;
use rightsizer_aws::clock::now;
use rightsizer_aws::config::Place;
use rightsizer_aws::kinesis;
use rightsizer_records::FunctionArn;

use self::finding::{Finding, Verdict};
use super::flags;
use super::place::{PlaceArgs, in_parts};
use super::serve::InventoryFrom;
use super::{ConfigArg, SnapshotArg, StoreArg, UpdaterArg, write_json};
use crate::cli::form::FormArgs;
use crate::serve::RecordSource;
use crate::settings::Settings;

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    store: StoreArg,
    /// As for `serve`: checks the stream if it is `kinesis:NAME`
    #[arg(long, default_value = "embedded", value_parser = flags::source)]
    source: RecordSource,
    /// As for `serve`: checks the decisions stream, `kinesis:NAME`
    #[arg(long, value_parser = flags::stream)]
    emit: Option<String>,
    /// As for `serve`: checks that the fleet can be read if it is `lambda`
    #[arg(long, default_value = "none", value_name = "WHERE")]
    inventory: InventoryFrom,
    #[command(flatten)]
    updater: UpdaterArg,
    #[command(flatten)]
    snapshot: SnapshotArg,
    #[command(flatten)]
    config: ConfigArg,
    /// Check a deployed system instead of a store: those points of docs/FIRST-HOUR.md that can be checked
    /// without risk
    #[arg(long, requires = "stack")]
    account: bool,
    /// The deployed system, by the STACK of `make deploy`
    #[arg(long, value_name = "STACK", requires = "account", value_parser = flags::stack)]
    stack: Option<String>,
    /// Check the last changes of the functions that match, by name or ARN with `*`; may be repeated [default: the 200
    /// functions with the layer that were changed last]
    #[arg(long, value_name = "PATTERN", requires = "account", value_parser = flags::text)]
    functions: Vec<String>,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    form: FormArgs,
}

pub(super) fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    if let Some(stack) = &args.stack {
        return print(args, &runtime.block_on(deployed(args, stack))?);
    }
    let settings = Settings::load(args.config.config.as_deref());
    let unreadable = settings.as_ref().err().map(|error| {
        let advice =
            "correct the file: `serve` does not start with it either; docs/CONFIGURE.md lists them";
        Finding::wrong("settings", format!("{error:#}"), advice)
    });
    let updater = args.updater.named(&settings.unwrap_or_default());
    let mut findings = runtime.block_on(examine(args, updater));
    findings.extend(unreadable);
    print(args, &findings)
}

async fn deployed(args: &DoctorArgs, stack: &str) -> anyhow::Result<Vec<Finding>> {
    let config = args.place.config().await?;
    let mut findings = vec![clock::against_aws(&config).await];
    findings.extend(fleet::examine(&config).await);
    let place = args.place.place();
    for finding in &findings {
        // Every other check would fail for the same reason.
        if let Some(finding) = of_credentials(finding, &place).await {
            return Ok(vec![finding]);
        }
    }
    findings.extend(account::examine(&config, stack, &args.functions).await);
    Ok(once(findings, &place).await)
}

/// Makes one finding of all that have the credentials or the clock as their cause: that is one cause, however many calls
/// it makes fail.
async fn once(findings: Vec<Finding>, place: &Place) -> Vec<Finding> {
    let mut others = Vec::new();
    let mut cause = None;
    for finding in findings {
        match of_credentials(&finding, place).await {
            Some(of_credentials) => cause = cause.or(Some(of_credentials)),
            None => others.push(finding),
        }
    }
    others.extend(cause);
    others
}

/// Returns what to do about a finding that is about the credentials or the clock, as a finding of its own.
async fn of_credentials(finding: &Finding, place: &Place) -> Option<Finding> {
    let advice = place.advice(&finding.found).await?;
    let found = finding.found.clone();
    Some(Finding::wrong("credentials", found, advice))
}

fn print(args: &DoctorArgs, findings: &[Finding]) -> anyhow::Result<ExitCode> {
    let mut out = crate::cli::out::stdout();
    if args.form.is_json() {
        write_json(&findings, &mut out)?;
    } else {
        for finding in findings {
            write!(
                out,
                "{}",
                crate::cli::out::hanging(&finding.to_string(), "       ")
            )?;
        }
        writeln!(out, "\n{}", summary(findings))?;
    }
    let sick = findings.iter().any(|f| f.verdict == Verdict::Wrong);
    Ok(if sick {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

async fn examine(args: &DoctorArgs, updater: Option<FunctionArn>) -> Vec<Finding> {
    let path = &args.store.store;
    let (mut findings, look) = store::examine(path, now());
    findings.push(server::examine(path).await);
    let newest = look.as_ref().and_then(|look| look.newest_report);
    findings.push(clock::against_reports(newest, now()));
    let in_region = args.source != RecordSource::Embedded
        || args.emit.is_some()
        || args.inventory == InventoryFrom::Lambda
        || args.snapshot.snapshot.is_some();
    if !in_region && updater.is_none() {
        return findings;
    }
    let place = args.place.place();
    let config = match &updater {
        // Its ARN names the region.
        Some(updater) if !in_region => args.place.config_in(updater.region()).await,
        _ => args.place.config().await,
    };
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            let (found, advice) = in_parts(&error);
            let advice = advice.unwrap_or_else(|| "docs/SIGN-IN.md lists the ways".to_owned());
            findings.push(Finding::wrong("credentials and region", found, advice));
            return findings;
        }
    };
    let paused = look.is_some_and(|look| look.stops.paused.is_some());
    let mut of_aws = vec![clock::against_aws(&config).await];
    of_aws.extend(in_account(args, &config).await);
    if let Some(updater) = updater {
        of_aws.push(updater::examine(updater, &place, paused).await);
    }
    findings.extend(once(of_aws, &place).await);
    findings
}

/// What `serve` needs of the account.
async fn in_account(args: &DoctorArgs, config: &SdkConfig) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let RecordSource::Kinesis(stream) = &args.source {
        let client = kinesis::client(config, stream);
        findings.extend(stream::examine(&client, "reports stream", stream).await);
    }
    if let Some(stream) = &args.emit {
        let client = kinesis::client(config, stream);
        findings.extend(stream::examine(&client, "decisions stream", stream).await);
        findings.push(stream::may_put(&client, stream).await);
    }
    if args.inventory == InventoryFrom::Lambda {
        findings.extend(fleet::examine(config).await);
    }
    if let Some(location) = args.snapshot.snapshot.clone() {
        findings.extend(snapshot::examine(config, location, now()).await);
    }
    findings
}

fn summary(findings: &[Finding]) -> String {
    let count = |verdict| findings.iter().filter(|f| f.verdict == verdict).count();
    let line = match (count(Verdict::Wrong), count(Verdict::Doubtful)) {
        (0, 0) => "all is well".to_owned(),
        (0, doubtful) => format!("nothing is wrong; {doubtful} to look at"),
        (wrong, doubtful) => format!("{wrong} wrong, {doubtful} to look at"),
    };
    match count(Verdict::NotChecked) {
        0 => line,
        unchecked => {
            let passed = count(Verdict::Ok);
            format!("{line}; {passed} passed, {unchecked} not checked")
        }
    }
}
