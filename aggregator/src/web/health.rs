//! `/healthz`: whether the writer commits, how far the reader is behind, whether sending is paused.
//! Responds with 503 if commits have stopped, or the store is damaged or gone, so that a monitor
//! can act.

use std::collections::BTreeMap;
use std::path::Path as FsPath;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rightsizer_aws::clock::now;
use rightsizer_aws::kinesis::ShardStatus;
use rightsizer_records::Timestamp;
use rightsizer_store::inspect::{self, Stops};
use rightsizer_store::{NotedGap, WAL_LARGE, wal_bytes};
use serde::Serialize;
use serde_json::json;

use super::{Port, json_answer};
use crate::snapshot::SnapshotHealth;

/// A commit is due every second; closing a day of a million functions may take this long.
const WRITER_SILENT_MS: i64 = 60_000;

#[derive(Serialize)]
pub(super) struct Health {
    pub(super) status: &'static str,
    writer_alive: bool,
    pub(super) last_commit: Option<Timestamp>,
    /// Absent while the store cannot be read: nothing is claimed of it then.
    #[serde(flatten)]
    stops: Option<Stops>,
    /// Why this machine's clock is not believed, if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<String>,
    /// How far the shard that is furthest behind is behind.
    behind_seconds: Option<f64>,
    pub(super) shards: BTreeMap<String, ShardStatus>,
    /// The newest that the store knows of.
    #[serde(skip_serializing_if = "Option::is_none")]
    gaps: Option<Vec<NotedGap>>,
    store: StoreHealth,
    /// The state of snapshots, if any are made.
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<SnapshotHealth>,
}

impl Health {
    /// What is wrong, each in a sentence.
    pub(super) fn troubles(&self) -> Vec<String> {
        let store = [
            self.store.error.clone(),
            self.store.warning.map(str::to_owned),
        ];
        let silent =
            (!self.writer_alive).then(|| "the writer has not committed for a minute".to_owned());
        let snapshot = self.snapshot.as_ref().map(SnapshotHealth::troubles);
        let mut troubles: Vec<String> = store.into_iter().flatten().chain(silent).collect();
        troubles.extend(self.clock.clone());
        troubles.extend(snapshot.unwrap_or_default());
        troubles
    }
}

pub(super) async fn without_token(State(port): State<Port>) -> Response {
    let health = health(&port).await;
    let status = code(&health);
    if port.may_look(None) {
        return json_answer(status, &health);
    }
    // Load balancers have no token; they need no more than this.
    json_answer(status, &json!({ "status": health.status }))
}

pub(super) async fn with_token(State(port): State<Port>, Path(token): Path<String>) -> Response {
    if !port.may_look(Some(&token)) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let health = health(&port).await;
    json_answer(code(&health), &health)
}

fn code(health: &Health) -> StatusCode {
    match health.status {
        "stalled" | "failed" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    }
}

/// How the store's own files are.
#[derive(Serialize)]
struct StoreHealth {
    /// Bytes of its log.
    wal_bytes: u64,
    /// Why it cannot be read or written.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// What should be looked at before it becomes an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<&'static str>,
}

impl StoreHealth {
    fn of(store: &FsPath, error: Option<String>) -> Self {
        let wal_bytes = wal_bytes(store);
        Self {
            wal_bytes,
            error,
            warning: (wal_bytes > WAL_LARGE).then_some(
                "the log grows because another program has been reading the store for a long time: \
                 stop it",
            ),
        }
    }

    const fn is_degraded(&self) -> bool {
        self.error.is_some() || self.warning.is_some()
    }
}

/// The facts in the store, unless its files are gone or it cannot be read.
pub(super) async fn look(port: &Port) -> Result<(Stops, Vec<NotedGap>), StoreTrouble> {
    if let Some(failure) = port.writer.failure() {
        return Err(StoreTrouble::for_good(failure));
    }
    let options = port.options.clone();
    let read = move || {
        options.files.check()?;
        inspect::stops_and_gaps(&options.store)
    };
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) if error.is_damage() || error.is_gone() => {
            Err(StoreTrouble::for_good(&error))
        }
        Ok(Err(error)) => Err(StoreTrouble::of(&error)),
        Err(error) => Err(StoreTrouble::of(&error)),
    }
}

/// Why the store cannot be read.
pub(super) struct StoreTrouble {
    why: String,
    /// Whether it will not pass by itself.
    lasts: bool,
}

impl StoreTrouble {
    fn of(error: &dyn std::error::Error) -> Self {
        Self {
            why: error.to_string(),
            lasts: false,
        }
    }

    fn for_good(error: &dyn std::error::Error) -> Self {
        Self {
            lasts: true,
            ..Self::of(error)
        }
    }
}

pub(super) async fn health(port: &Port) -> Health {
    let (found, trouble) = match look(port).await {
        Ok(found) => (Some(found), None),
        Err(trouble) => (None, Some(trouble)),
    };
    let (stops, gaps) = found.unzip();
    let failed = trouble.as_ref().is_some_and(|trouble| trouble.lasts);
    let store = StoreHealth::of(&port.options.store, trouble.map(|trouble| trouble.why));
    let last_commit = port.writer.metrics().last_commit();
    let writer_alive = last_commit.is_none_or(|at| now().as_ms() - at.as_ms() < WRITER_SILENT_MS);
    let shards = port.options.streams.shards();
    let holder = port.options.holder.as_ref();
    let snapshot = holder.map(|holder| holder.status().health());
    let unsaved = snapshot.as_ref().is_some_and(SnapshotHealth::is_degraded);
    let clock = port.writer.metrics().clock_doubt();
    let degraded = unsaved || clock.is_some() || store.is_degraded();
    let failing = degraded || shards.values().any(|shard| shard.failing.is_some());
    let behind = shards.values().map(|shard| shard.behind_ms).max();
    #[expect(clippy::cast_precision_loss, reason = "a lag is far below 2^52 ms")]
    let behind_seconds = behind.map(|ms| ms as f64 / 1000.0);
    Health {
        status: match (failed, writer_alive, failing) {
            (true, ..) => "failed",
            (_, false, _) => "stalled",
            (_, _, true) => "degraded",
            _ => "ok",
        },
        writer_alive,
        last_commit,
        stops,
        clock,
        behind_seconds,
        shards,
        gaps,
        store,
        snapshot,
    }
}
