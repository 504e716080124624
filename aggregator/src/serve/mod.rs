//! `rightsizer serve`: sources, writer, emitter and HTTP port, composed, and run until a stop is
//! requested.

mod figures;
mod lease;

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use rightsizer_aws::config::Place;
use rightsizer_aws::inventory::{self, AwsFleet};
use rightsizer_aws::kinesis::{StartAt, StreamReader, StreamStatus};
use rightsizer_aws::pause_tag::UpdaterSwitch;
use rightsizer_formats::Channel;
use rightsizer_rules::inventory::Home;
use rightsizer_rules::window::ClockMode;
use rightsizer_store::files::{OpenFiles, rescue_path};

use self::lease::{LeaseTask, OpenedStore};
use crate::emit::{self, MaySend};
use crate::notify;
use crate::pipeline::{Accept, Pipeline};
use crate::settings::Settings;
use crate::snapshot::Location;
use crate::web::{self, Hosts, PortOptions, Secret, Starting};
use crate::writer::{self, Remedy, WriterHandle, WriterStopped};

/// The source of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordSource {
    /// This process's own port answers Kinesis `PutRecords`.
    Embedded,
    /// A Kinesis stream, by name or ARN.
    Kinesis(String),
}

/// How to serve.
#[derive(Debug)]
pub struct ServeOptions {
    /// The store's file.
    pub store: PathBuf,
    /// The source of records.
    pub source: RecordSource,
    /// Where to begin a stream that was never read.
    pub from: StartAt,
    /// The decisions stream; without one recommendations stay in the store.
    pub emit: Option<String>,
    /// What makes days close.
    pub clock: ClockMode,
    /// If set, clients need it in the path to put records or read the metrics.
    pub token: Option<String>,
    /// Names beside `localhost` under which the port may be asked without a token.
    pub hosts: Vec<String>,
    /// Reviewers on other machines need it in the path; without one there is no remote review.
    pub review_token: Option<String>,
    /// What keeps the windows and decides.
    pub engine: Engine,
    /// Whether to ask the Lambda API what the fleet is.
    pub inventory: bool,
    /// Whose functions are taken.
    pub accept: Accept,
    /// Account and region of functions that payloads know by name only.
    pub home: Option<Home>,
    /// Whose account is called, and where.
    pub place: Place,
    /// The location of snapshots, if any are kept.
    pub snapshot: Option<Location>,
    /// All the rest.
    pub settings: Settings,
}

/// What keeps the windows and decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// This process, in its store.
    Own,
    /// Flink: the source carries its proposals.
    Flink,
}

impl Engine {
    /// What the source carries.
    const fn channel(self) -> Channel {
        match self {
            Self::Own => Channel::Reports,
            Self::Flink => Channel::Proposals,
        }
    }
}

/// How long requests under way may take to end once it is time to stop.
pub(crate) const DRAIN: Duration = Duration::from_secs(5);

/// Serves on `listener`, calls `ready` with its address once the store is open, until `shutdown`
/// completes, then commits what is under way and closes the store. An error of the store ends it
/// too: nothing is acknowledged that is not stored.
pub async fn run(
    options: ServeOptions,
    listener: TcpListener,
    ready: impl FnOnce(SocketAddr),
    shutdown: impl Future<Output = ()> + Send,
) -> anyhow::Result<()> {
    let address = listener.local_addr().context("the listening address")?;
    tokio::pin!(shutdown);
    // A restore may take longer than a health check waits for a port.
    let (starting, listener) = Starting::on(listener).context("the listening port")?;
    let mut opened = tokio::select! {
        opened = lease::open(&options, address) => opened?,
        () = &mut shutdown => return Ok(()),
    };
    let mut lease = opened.hold_lease();
    let restored = opened.restored;
    let files = opened.store.files();
    let pipeline = pipeline(&options, opened)?;
    let streams = StreamStatus::default();
    let stopped = CancellationToken::new();
    let watch = (streams.clone(), stopped.clone());
    let port = port(&options, address, watch, &lease, files).await?;
    let (writer, thread) = writer::spawn(pipeline, options.clock, streams_of(&options))?;
    let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();

    drop(starting);
    ready(address);
    let router = web::router(writer.clone(), port);
    tasks.spawn(web::serve(listener, router, stopped.clone()));
    tasks.spawn(writer::tick_every_second(writer.clone(), stopped.clone()));
    tasks.spawn(figures::measure(
        writer.clone(),
        streams.clone(),
        stopped.clone(),
    ));
    let parts = (&writer, &streams, &stopped);
    spawn_aws_tasks(&options, parts, lease.permission(), restored, &mut tasks).await;
    info!(store = %options.store.display(), %address, "serving");

    let failed = tokio::select! {
        () = &mut shutdown => None,
        lost = lease.lost() => Some(lost),
        ended = tasks.join_next() => ended.and_then(|task| task.map_err(Into::into).flatten().err()),
    };
    stopped.cancel();
    if tokio::time::timeout(DRAIN, drain(&mut tasks))
        .await
        .is_err()
    {
        warn!("some connections did not end within {DRAIN:?}; they are closed without a response");
        tasks.abort_all();
        drain(&mut tasks).await;
    }
    let finished = writer.finish().await.map_err(anyhow::Error::from);
    drop(writer);
    tokio::task::spawn_blocking(move || thread.join())
        .await?
        .map_err(|_| {
            anyhow::anyhow!("the writer ended unexpectedly; the store has its last commit")
        })?;
    let failed = failed.or(finished.err());
    let lost = lease.finish(failed.is_none()).await.err();
    if let Some(error) = failed.or(lost) {
        return Err(explained(error, &options.store));
    }
    info!("stopped; everything acknowledged is stored");
    Ok(())
}

/// Proposals may be put to the port, as the tests do; a job cannot.
fn warn_without_source(options: &ServeOptions) {
    if options.engine == Engine::Flink && options.source == RecordSource::Embedded {
        warn!(
            "no stream of the Flink job is read: --engine flink without --source takes only proposals that are put to \
             this port. hint: add --source kinesis:PROPOSALS, the job's stream of proposals"
        );
    }
}

/// The pipeline over the store, with missing review commands applied.
fn pipeline(options: &ServeOptions, opened: OpenedStore) -> anyhow::Result<Pipeline> {
    warn_without_source(options);
    let (settings, accept) = (options.settings.clone(), options.accept.clone());
    let mut pipeline = Pipeline::new(opened.store, options.clock, settings, accept)?
        .at_home(options.home.clone())
        .holding_days(options.source != RecordSource::Embedded)
        .deciding_elsewhere(options.engine == Engine::Flink);
    pipeline.carry_out_again(&opened.words)?;
    Ok(pipeline)
}

/// The streams whose backlog has to be read before the store is up to date.
fn streams_of(options: &ServeOptions) -> Vec<Channel> {
    let from_stream = matches!(options.source, RecordSource::Kinesis(_));
    let reports = from_stream.then_some(options.engine.channel());
    let decisions = options.emit.as_ref().map(|_| Channel::Decisions);
    reports.into_iter().chain(decisions).collect()
}

/// What the port does, with a key drawn for the reviewers of this machine.
async fn port(
    options: &ServeOptions,
    address: SocketAddr,
    (streams, stop): (StreamStatus, CancellationToken),
    lease: &LeaseTask,
    files: OpenFiles,
) -> anyhow::Result<PortOptions> {
    let local = rightsizer_store::key::draw(&options.store)?;
    let mut reviewers = vec![Secret::new(&local)];
    reviewers.extend(options.review_token.as_deref().map(Secret::new));
    Ok(PortOptions {
        token: options.token.as_deref().map(Secret::new),
        hosts: Hosts::new(address, options.hosts.clone()),
        reviewers,
        embedded: options.source == RecordSource::Embedded,
        from_flink: options.engine == Engine::Flink,
        updater: match options.settings.updater.function.clone() {
            Some(updater) => Some(UpdaterSwitch::of(updater, &options.place).await),
            None => None,
        },
        store: options.store.clone(),
        settings: Arc::new(options.settings.clone()),
        files,
        streams,
        holder: lease.handle(),
        stop,
    })
}

/// Starts everything that calls AWS, if configured. Outcomes of what a restored store does not know
/// yet wait until the reports have been read.
async fn spawn_aws_tasks(
    options: &ServeOptions,
    (writer, streams, stopped): (&WriterHandle, &StreamStatus, &CancellationToken),
    permission: Option<Arc<dyn MaySend>>,
    restored: bool,
    tasks: &mut JoinSet<anyhow::Result<()>>,
) {
    if let RecordSource::Kinesis(stream) = &options.source {
        let client = options.place.kinesis(stream).await;
        let reader = StreamReader::new(&client, stream, options.engine.channel(), streams.clone())
            .starting(options.from);
        tasks.spawn(reader.run(writer.clone(), stopped.clone()));
    }
    if let Some(stream) = options.emit.clone() {
        let client = options.place.kinesis(&stream).await;
        let outcomes = StreamReader::new(&client, &stream, Channel::Decisions, streams.clone());
        let source = options.engine.channel();
        let (outcome_writer, end) = (writer.clone(), stopped.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = outcome_writer.read_once(source), if restored => {}
                () = end.cancelled(), if restored => return Ok(()),
                else => {}
            }
            outcomes.run(outcome_writer, end).await
        });
        let (writer, stopped) = (writer.clone(), stopped.clone());
        if options.engine == Engine::Flink {
            tasks.spawn(emit::run_notices(
                client.clone(),
                stream.clone(),
                writer.clone(),
                stopped.clone(),
            ));
        }
        tasks.spawn(emit::run(client, stream, writer, permission, stopped));
    }
    if options.settings.notify.is_on() {
        let settings = &options.settings;
        let settings = (settings.notify.clone(), settings.price.clone());
        let store = options.store.clone();
        let place = options.place.clone();
        tasks.spawn(notify::run(settings, place, store, stopped.clone()));
    }
    if options.inventory {
        let fleet = AwsFleet::new(&options.place.config().await);
        let settings = options.settings.inventory;
        let sink = writer.clone();
        tasks.spawn(inventory::keep_fresh(
            fleet,
            settings,
            sink,
            stopped.clone(),
        ));
    }
}

/// An error with what to do about it, if it is one of the store.
fn explained(error: anyhow::Error, store: &Path) -> anyhow::Error {
    let stopped = error.downcast_ref::<WriterStopped>();
    match stopped.map(|stopped| stopped.remedy) {
        Some(remedy) => error.context(cannot_store(store, remedy)),
        None => error,
    }
}

/// What a failure of the store means and what to do.
fn cannot_store(store: &Path, remedy: Remedy) -> String {
    let store_path = store.display();
    match remedy {
        Remedy::Room => {
            let room = rightsizer_store::inspect::free_bytes(store).map_or_else(
                || "unknown room".to_owned(),
                |bytes| format!("{} MB free", bytes >> 20),
            );
            format!(
                "stopped: cannot write to the store {store_path} ({room} on its disk). Everything \
                 acknowledged is stored; a Kinesis stream keeps the rest for its retention.\nhint: \
                 make room or make it writable, then start again; reading continues from the last \
                 commit"
            )
        }
        Remedy::Backup => format!(
            "stopped: the store {store_path} is damaged\nhint: keep the file and its -wal, check \
             the disk, restore a backup or a snapshot in its place (docs/BACKUP.md), and start \
             again; a Kinesis stream is read on from there, as far as its retention reaches"
        ),
        Remedy::Files => {
            let rescued = rescue_path(store);
            let copy = if rescued.exists() {
                format!("  A copy of what was stored is in {}.", rescued.display())
            } else {
                String::new()
            };
            format!(
                "stopped: the files of the store {store_path} are not the ones this process \
                 opened. Nothing was acknowledged since.{copy}\nhint: put them back, the store \
                 together with its -wal if that was moved too, or restore a backup; then start \
                 again"
            )
        }
    }
}

/// Waits until every task has ended. Aborted tasks are not reported.
async fn drain(tasks: &mut JoinSet<anyhow::Result<()>>) {
    while let Some(ended) = tasks.join_next().await {
        match ended.map_err(|e| (e.is_cancelled(), anyhow::Error::from(e))) {
            Ok(Err(error)) | Err((false, error)) => warn!("while stopping: {error:#}"),
            Ok(Ok(())) | Err((true, _)) => {}
        }
    }
}
