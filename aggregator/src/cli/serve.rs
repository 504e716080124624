//! `rightsizer serve`.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use rightsizer_aws::clock::now;
use rightsizer_aws::kinesis::StartAt;
use rightsizer_records::ApplyMode;
use rightsizer_rules::inventory::Home;
use rightsizer_rules::window::ClockMode;
use tokio::signal::unix::{SignalKind, signal};

use super::flags;
use super::out;
use super::place::PlaceArgs;
use super::runtime::run_server;
use super::{ConfigArg, SnapshotArg, StoreArg, UpdaterArg};
use crate::pipeline::{Accept, AcceptRule};
use crate::serve::{Engine, RecordSource, ServeOptions, run as serve};
use crate::settings::Settings;
use crate::snapshot::Superseded;

/// The exit code of a task that lost the lease: it has not failed, and must not be restarted beside
/// the new lease holder.
const SUPERSEDED: u8 = 3;

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    config: ConfigArg,
    /// The source of records: `embedded` (this port accepts Kinesis `PutRecords`) or
    /// `kinesis:NAME`
    #[arg(long, default_value = "embedded", value_parser = flags::source)]
    source: RecordSource,
    /// Where to begin reading a Kinesis stream that was never read: `oldest`, `latest`, or a time such as
    /// 2026-03-01T10:00:00Z; otherwise reading continues from the checkpoints
    #[arg(long, default_value = "oldest", value_name = "WHERE")]
    from: StartAt,
    /// Send recommendations to this stream, `kinesis:NAME`, and read outcomes from it
    /// [default: keep them in the store only]
    #[arg(long, value_parser = flags::stream)]
    emit: Option<String>,
    /// What makes the decisions: this process, or Flink (docs/SCALE.md). With Flink, `--source` is the stream
    /// of its proposals
    #[arg(long, default_value = "own")]
    engine: EngineArg,
    /// What closes days: the wall clock, or the time of the events (replays, demos)
    #[arg(long, default_value = "wall")]
    clock: Clock,
    /// Address of the HTTP port; any address except loopback needs --token
    #[arg(long, default_value = "127.0.0.1:8750", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Token that clients need to put records, as `http://HOST:PORT/TOKEN`
    #[arg(long, env = "RIGHTSIZER_TOKEN", hide_env_values = true, value_parser = flags::token)]
    token: Option<String>,
    /// Token that reviewers on other machines need, as `http://HOST:PORT/TOKEN`; must differ from
    /// --token [default: review from this machine only]
    #[arg(long, env = "RIGHTSIZER_REVIEW_TOKEN", hide_env_values = true, value_parser = flags::token)]
    review_token: Option<String>,
    /// Also accept this `Host` name, for example of a proxy on this machine. Without a token only
    /// `localhost` and its addresses are accepted; may be repeated
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// Read memory, timeout, tags and code of every function from the Lambda API
    #[arg(long, default_value = "none", value_name = "WHERE")]
    inventory: InventoryFrom,
    /// Who may change functions without the tag `rightsizer:mode`: use the same as for the updater
    /// [default: that of rightsizer.toml; else the updater decides]
    #[arg(long, env = "RIGHTSIZER_MODE", value_name = "MODE", value_parser = flags::mode)]
    mode: Option<ApplyMode>,
    /// Accept only functions of this account and region; may be repeated [default: all]
    #[arg(long, value_name = "ACCOUNT/REGION")]
    accept: Vec<AcceptRule>,
    /// Account of functions that are known by name only; completes their ARNs together with --region
    #[arg(long, requires = "region", value_parser = flags::account)]
    account: Option<String>,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    snapshot: SnapshotArg,
    /// The shortest time between two snapshots, in minutes [default: 5, or that of
    /// rightsizer.toml]
    #[arg(long, value_name = "N", requires = "snapshot", value_parser = flags::minutes)]
    snapshot_minutes: Option<f64>,
    #[command(flatten)]
    updater: UpdaterArg,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Clock {
    Wall,
    Event,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum EngineArg {
    Own,
    Flink,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum InventoryFrom {
    /// Read the functions of this account and region
    Lambda,
    /// Do not read it; no account is needed
    None,
}

pub(super) fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    if !args.listen.ip().is_loopback() && args.token.is_none() {
        out::note(format_args!(
            "error: {} can be reached from other machines, so it needs a token\nhint: add --token \
             TOKEN (or RIGHTSIZER_TOKEN); clients then use http://HOST:{}/TOKEN as their endpoint",
            args.listen,
            args.listen.port()
        ));
        return Ok(ExitCode::from(2));
    }
    if let Some(wrong) = contradiction(&args) {
        out::note(format_args!("error: {wrong}"));
        return Ok(ExitCode::from(2));
    }
    let mut settings = Settings::load(args.config.config.as_deref())?;
    settings.updater.function = args.updater.named(&settings);
    settings.policy.mode = args.mode.or(settings.policy.mode);
    settings.snapshot.minutes = args.snapshot_minutes.unwrap_or(settings.snapshot.minutes);
    let options = ServeOptions {
        store: args.store.store,
        source: args.source,
        from: args.from,
        emit: args.emit,
        clock: match args.clock {
            Clock::Wall => ClockMode::Wall,
            Clock::Event => ClockMode::Event,
        },
        engine: match args.engine {
            EngineArg::Own => Engine::Own,
            EngineArg::Flink => Engine::Flink,
        },
        token: args.token,
        hosts: args.allow_host,
        review_token: args.review_token,
        inventory: args.inventory == InventoryFrom::Lambda,
        accept: Accept::new(args.accept),
        home: args.account.map(|account| Home {
            account,
            region: args.place.region().unwrap_or_default().to_owned(),
        }),
        place: args.place.place(),
        snapshot: args.snapshot.snapshot,
        settings,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    match run_server(runtime, listen_and_serve(options, args.listen)) {
        Err(error) if error.is::<Superseded>() => {
            out::failure(&error);
            Ok(ExitCode::from(SUPERSEDED))
        }
        done => done.map(|()| ExitCode::SUCCESS),
    }
}

/// Flags that contradict each other.
fn contradiction(args: &ServeArgs) -> Option<&'static str> {
    if args.from != StartAt::Oldest && args.source == RecordSource::Embedded {
        return Some(
            "--from needs --source kinesis:NAME, because the embedded stream keeps no records",
        );
    }
    if matches!(args.from, StartAt::Time(time) if time > now()) {
        return Some("--from is a time in the future");
    }
    if args.token.is_some() && args.token == args.review_token {
        return Some(
            "--token and --review-token are the same, so every writer of records could approve",
        );
    }
    None
}

async fn listen_and_serve(options: ServeOptions, address: SocketAddr) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| {
            format!(
                "cannot listen on {address}\nhint: --listen ADDRESS selects \
                                  another address"
            )
        })?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let shutdown = async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
    };
    // For scripts that asked for port 0.
    let ready = |address| {
        // If it is not read, the server runs anyway.
        let _ = out::line(format_args!("listening on {address}"));
    };
    // On the heap: what all its parts keep between two steps takes 16 KB.
    Box::pin(serve(options, listener, ready, shutdown)).await
}
