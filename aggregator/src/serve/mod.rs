//! `rightsizer serve`: sources, writer, emitter and HTTP port, composed and run until told to stop.

mod aws;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tracing::{info, warn};

pub use aws::kinesis_client;

use crate::emit;
use crate::pipeline::{Accept, Pipeline};
use crate::settings::Settings;
use crate::source::{Channel, Home, kinesis};
use crate::stop::Stop;
use crate::store::Store;
use crate::web;
use crate::window::ClockMode;
use crate::writer;

/// Where records come from.
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
    /// Where records come from.
    pub source: RecordSource,
    /// The decisions stream; without one recommendations stay in the store.
    pub emit: Option<String>,
    /// What makes days close.
    pub clock: ClockMode,
    /// Wanted in the path of every request, where set.
    pub token: Option<String>,
    /// Whose functions are taken.
    pub accept: Accept,
    /// Where functions are that payloads know by name only.
    pub home: Option<Home>,
    /// All the rest.
    pub settings: Settings,
}

/// How long requests under way may take to end once it is time to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// Serves on `listener`, telling `ready` its address once the store is open, until `shutdown` completes, then commits what is under way and closes the
/// store. An error of the store ends it too: nothing is acknowledged that is not stored.
pub async fn run(
    options: ServeOptions,
    listener: TcpListener,
    ready: impl FnOnce(SocketAddr),
    shutdown: impl Future<Output = ()> + Send,
) -> anyhow::Result<()> {
    let address = listener.local_addr().context("the listening address")?;
    let holder = format!("rightsizer serve on {address}");
    let store = Store::open(&options.store, &holder)?;
    let pipeline = Pipeline::new(store, options.clock, options.settings, options.accept)?
        .at_home(options.home)
        .holding_days(options.source != RecordSource::Embedded);
    ready(address);
    let (writer, thread) = writer::spawn(pipeline, options.clock)?;
    let (stop, stopped) = Stop::new();
    let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();

    let embedded = options.source == RecordSource::Embedded;
    let router = web::router(writer.clone(), options.token, embedded);
    tasks.spawn(web::serve(listener, router, stopped.clone()));
    tasks.spawn(writer::tick_every_second(writer.clone(), stopped.clone()));
    if let RecordSource::Kinesis(stream) = options.source {
        let reader = kinesis::StreamReader::new(kinesis_client().await, &stream, Channel::Reports);
        tasks.spawn(reader.run(writer.clone(), stopped.clone()));
    }
    if let Some(stream) = options.emit {
        let client = kinesis_client().await;
        let outcomes = kinesis::StreamReader::new(client.clone(), &stream, Channel::Decisions);
        tasks.spawn(outcomes.run(writer.clone(), stopped.clone()));
        tasks.spawn(emit::run(client, stream, writer.clone(), stopped.clone()));
    }
    info!(store = %options.store.display(), %address, "serving");

    let failed = tokio::select! {
        () = shutdown => None,
        ended = tasks.join_next() => ended.and_then(|task| task.map_err(Into::into).flatten().err()),
    };
    stop.now();
    if tokio::time::timeout(DRAIN, drain(&mut tasks))
        .await
        .is_err()
    {
        warn!("some connections did not end within {DRAIN:?}; they are closed unanswered");
        tasks.abort_all();
        drain(&mut tasks).await;
    }
    let finished = writer.finish().await;
    drop(writer);
    tokio::task::spawn_blocking(move || thread.join())
        .await?
        .map_err(|_| {
            anyhow::anyhow!("the writer ended abnormally; the store holds its last commit")
        })?;
    if let Some(error) = failed {
        return Err(error);
    }
    finished?;
    info!("stopped; everything acknowledged is stored");
    Ok(())
}

/// Waits until every task has ended. What was aborted is no news.
async fn drain(tasks: &mut JoinSet<anyhow::Result<()>>) {
    while let Some(ended) = tasks.join_next().await {
        match ended.map_err(|e| (e.is_cancelled(), anyhow::Error::from(e))) {
            Ok(Err(error)) | Err((false, error)) => warn!("while stopping: {error:#}"),
            Ok(Ok(())) | Err((true, _)) => {}
        }
    }
}
