//! `/healthz`: whether the writer commits, how far the reading is behind, whether sending is paused.
//! Answers 503 where nothing is committed any more, so that whoever watches can act.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rightsizer_aws::clock::now;
use rightsizer_aws::kinesis::ShardStatus;
use rightsizer_records::Timestamp;
use rightsizer_store::NotedGap;
use rightsizer_store::inspect::{self, Stops};
use serde::Serialize;
use serde_json::json;

use super::Port;
use crate::snapshot::SnapshotHealth;

/// A commit is due every second; closing a day of a million functions may take this long.
const WRITER_SILENT_MS: i64 = 60_000;

#[derive(Serialize)]
struct Health {
    status: &'static str,
    writer_alive: bool,
    last_commit: Option<Timestamp>,
    #[serde(flatten)]
    stops: Stops,
    /// Why this machine's clock is not believed, if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<String>,
    /// How far the shard that is furthest behind is behind.
    behind_seconds: Option<f64>,
    shards: BTreeMap<String, ShardStatus>,
    /// The newest that the store knows of.
    gaps: Vec<NotedGap>,
    /// How the snapshots go, where any are made.
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<SnapshotHealth>,
}

pub(super) async fn without_token(State(port): State<Port>) -> Response {
    let health = health(&port).await;
    let status = code(&health);
    if port.may_look(None) {
        return (status, Json(health)).into_response();
    }
    // Load balancers have no token; they need no more than this.
    (status, Json(json!({ "status": health.status }))).into_response()
}

pub(super) async fn with_token(State(port): State<Port>, Path(token): Path<String>) -> Response {
    if !port.may_look(Some(&token)) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let health = health(&port).await;
    (code(&health), Json(health)).into_response()
}

fn code(health: &Health) -> StatusCode {
    if health.writer_alive {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

/// What keeps recommendations from being sent, where the store tells.
pub(super) async fn stops(port: &Port) -> Option<Stops> {
    let store = port.options.store.clone();
    let stops = tokio::task::spawn_blocking(move || inspect::stops(&store)).await;
    stops.ok()?.ok()
}

async fn health(port: &Port) -> Health {
    let store = port.options.store.clone();
    let told = tokio::task::spawn_blocking(move || inspect::stops_and_gaps(&store)).await;
    let (stops, gaps) = told.ok().and_then(Result::ok).unwrap_or_default();
    let last_commit = port.writer.metrics().last_commit();
    let writer_alive = last_commit.is_none_or(|at| now().as_ms() - at.as_ms() < WRITER_SILENT_MS);
    let shards = port.options.streams.shards();
    let keeper = port.options.keeper.as_ref();
    let snapshot = keeper.map(|keeper| keeper.status().health());
    let unkept = snapshot.as_ref().is_some_and(SnapshotHealth::is_degraded);
    let clock = port.writer.metrics().clock_doubt();
    let failing = unkept || clock.is_some() || shards.values().any(|shard| shard.failing.is_some());
    let behind = shards.values().map(|shard| shard.behind_ms).max();
    #[expect(clippy::cast_precision_loss, reason = "a lag is far below 2^52 ms")]
    let behind_seconds = behind.map(|ms| ms as f64 / 1000.0);
    Health {
        status: match (writer_alive, failing) {
            (false, _) => "stalled",
            (true, true) => "degraded",
            (true, false) => "ok",
        },
        writer_alive,
        last_commit,
        stops,
        clock,
        behind_seconds,
        shards,
        gaps,
        snapshot,
    }
}
