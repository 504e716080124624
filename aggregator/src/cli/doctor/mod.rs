//! `rightsizer doctor`: checks everything that `serve` needs, and prints what it found, what that
//! means and what to do. It changes nothing.

mod clock;
mod finding;
mod fleet;
mod server;
mod snapshot;
mod store;
mod stream;
mod updater;

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use rightsizer_aws::clock::now;
use rightsizer_aws::config::aws_config;
use rightsizer_records::FunctionArn;

use self::finding::{Finding, Verdict};
use super::flags;
use super::serve::InventoryFrom;
use super::{ConfigArg, SnapshotArg, StoreArg, UpdaterArg, write_json};
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
    /// Print a JSON array with one object per check
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let settings = Settings::load(args.config.config.as_deref());
    let unreadable = settings.as_ref().err().map(|error| {
        let advice =
            "correct the file: `serve` does not start with it either; docs/CONFIGURE.md lists them";
        Finding::wrong("settings", format!("{error:#}"), advice)
    });
    let updater = args.updater.named(&settings.unwrap_or_default());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut findings = runtime.block_on(examine(args, updater));
    findings.extend(unreadable);
    let mut out = crate::cli::out::stdout();
    if args.json {
        write_json(&findings, &mut out)?;
    } else {
        for finding in &findings {
            write!(out, "{finding}")?;
        }
        writeln!(out, "\n{}", summary(&findings))?;
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
    let reports = match &args.source {
        RecordSource::Kinesis(stream) => Some(stream),
        RecordSource::Embedded => None,
    };
    let inventory = args.inventory == InventoryFrom::Lambda;
    let newest = look.as_ref().and_then(|look| look.last_heard);
    let snapshot = args.snapshot.snapshot.clone();
    let asks_aws = reports.is_some() || args.emit.is_some() || inventory || updater.is_some();
    if !asks_aws && snapshot.is_none() {
        findings.push(clock::against_reports(newest, now()));
        return findings;
    }
    let config = aws_config().await;
    findings.push(clock::against_aws(&config).await);
    findings.push(clock::against_reports(newest, now()));
    let kinesis = aws_sdk_kinesis::Client::new(&config);
    if let Some(stream) = reports {
        findings.extend(stream::examine(&kinesis, "reports stream", stream).await);
    }
    if let Some(stream) = &args.emit {
        findings.extend(stream::examine(&kinesis, "decisions stream", stream).await);
        findings.push(stream::may_put(&kinesis, stream).await);
    }
    if inventory {
        findings.extend(fleet::examine(&config).await);
    }
    if let Some(location) = snapshot {
        findings.extend(snapshot::examine(&config, location, now()).await);
    }
    if let Some(updater) = updater {
        let paused = look.is_some_and(|look| look.stops.paused.is_some());
        findings.push(updater::examine(updater, paused).await);
    }
    findings
}

fn summary(findings: &[Finding]) -> String {
    let count = |verdict| findings.iter().filter(|f| f.verdict == verdict).count();
    match (count(Verdict::Wrong), count(Verdict::Doubtful)) {
        (0, 0) => "all is well".to_owned(),
        (0, doubtful) => format!("nothing is wrong; {doubtful} to look at"),
        (wrong, doubtful) => format!("{wrong} wrong, {doubtful} to look at"),
    }
}
