//! The store to serve: opened, or restored from its newest snapshot; and the task that makes
//! snapshots while it is served, if any.

use std::net::SocketAddr;
use std::sync::Arc;

use rightsizer_rules::commands::AppliedCommand;
use rightsizer_store::Store;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::warn;

use super::{RecordSource, ServeOptions};
use crate::emit::MaySend;
use crate::snapshot::{self, Bucket, LeaseHandle, LeaseHolder, Superseded};

/// A store that is open for writing.
#[derive(Debug)]
pub(super) struct OpenedStore {
    pub(super) store: Store,
    /// Review commands since its snapshot was made.
    pub(super) words: Vec<AppliedCommand>,
    /// Whether it came from a snapshot.
    pub(super) restored: bool,
    holder: Option<(LeaseHolder, LeaseHandle)>,
}

/// Opens the store, the newest there is.
pub(super) async fn open(
    options: &ServeOptions,
    address: SocketAddr,
) -> anyhow::Result<OpenedStore> {
    let holder = format!("rightsizer serve on {address}");
    let Some(location) = options.snapshot.clone() else {
        return Ok(OpenedStore {
            store: Store::open(&options.store, &holder)?,
            words: Vec::new(),
            restored: false,
            holder: None,
        });
    };
    if options.source == RecordSource::Embedded {
        warn!(
            "no stream keeps records that arrive on this port: those since the last snapshot are \
             lost with this disk"
        );
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let host = host.map_or_else(|_| "this machine".to_owned(), |host| host.trim().to_owned());
    let taker = format!("{holder} (process {} of {host})", std::process::id());
    let bucket = Bucket::new(&options.place.config().await, location);
    let settings = options.settings.snapshot;
    let names = (holder.as_str(), taker.as_str());
    let opened = snapshot::open(bucket, &options.store, names, settings.retention()).await;
    let (store, opened) = opened?;
    let (words, restored) = (opened.head.commands.clone(), opened.restored);
    Ok(OpenedStore {
        store,
        words,
        restored,
        holder: Some(LeaseHolder::new(opened, options.store.clone(), settings)?),
    })
}

/// The lease holder at work.
#[derive(Debug)]
pub(super) struct LeaseTask {
    task: Option<JoinHandle<Result<LeaseHolder, Superseded>>>,
    handle: Option<LeaseHandle>,
    stop_if_dropped: DropGuard,
}

impl OpenedStore {
    /// Takes the lease holder out and sets it to work.
    pub(super) fn hold_lease(&mut self) -> LeaseTask {
        let stopped = CancellationToken::new();
        let stop_if_dropped = stopped.clone().drop_guard();
        let (task, handle) = match self.holder.take() {
            Some((holder, handle)) => (Some(tokio::spawn(holder.run(stopped))), Some(handle)),
            None => (None, None),
        };
        LeaseTask {
            task,
            handle,
            stop_if_dropped,
        }
    }
}

impl LeaseTask {
    pub(super) fn handle(&self) -> Option<LeaseHandle> {
        self.handle.clone()
    }

    /// What the emitter asks.
    pub(super) fn permission(&self) -> Option<Arc<dyn MaySend>> {
        self.handle.clone().map(Into::into)
    }

    /// Completes when the lease is lost to another task; never if there is no lease.
    pub(super) async fn lost(&mut self) -> anyhow::Error {
        let Some(task) = &mut self.task else {
            return std::future::pending().await;
        };
        let ended = task.await;
        self.task = None;
        match ended {
            Ok(Err(superseded)) => superseded.into(),
            Ok(Ok(_)) => anyhow::anyhow!("the task that keeps snapshots ended unexpectedly"),
            Err(error) => anyhow::Error::from(error).context("the task that keeps snapshots"),
        }
    }

    /// The store is closed. If that succeeded, its last state is saved too.
    pub(super) async fn finish(self, well: bool) -> anyhow::Result<()> {
        drop(self.stop_if_dropped);
        let Some(task) = self.task else {
            return Ok(());
        };
        let holder = task.await??;
        if well {
            holder.finish().await?;
        }
        Ok(())
    }
}
