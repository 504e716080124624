//! The HTTP port: Kinesis `PutRecords` for the embedded stream, `/healthz`, `/metrics`,
//! the review API, and the page.

mod body;
mod document;
mod forced;
mod gzip;
mod health;
mod hosts;
mod listen;
pub(crate) mod page;
mod patient;
mod put_records;
mod review;
mod seats;
mod secret;
mod starting;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use body::Bodies;
use document::json_answer;
use rightsizer_aws::kinesis::StreamStatus;
use rightsizer_aws::pause_tag::UpdaterSwitch;
use rightsizer_records::shown::{has_hidden, shown_lines};
use rightsizer_store::files::OpenFiles;
use serde::Deserialize;
use serde_json::json as object;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::settings::Settings;
use crate::snapshot::LeaseHandle;
use crate::writer::WriterHandle;
pub(crate) use hosts::Hosts;
pub(crate) use listen::serve;
pub(crate) use page::{Desk, LocalDesk, Page, PageOptions};
pub(crate) use secret::Secret;
pub(crate) use starting::Starting;

/// What the port does, and for whom.
#[derive(Debug, Clone)]
pub(crate) struct PortOptions {
    /// If set, `PutRecords`, `/metrics` and `/healthz` need it in the path.
    pub(crate) token: Option<Secret>,
    /// Under which names it may be asked, on loopback without a token.
    pub(crate) hosts: Hosts,
    /// Any of these is wanted in the path by the review API.
    pub(crate) reviewers: Vec<Secret>,
    /// Whether records are taken here.
    pub(crate) embedded: bool,
    /// Whether Flink decides: reports are then for its job, and are not taken here.
    pub(crate) from_flink: bool,
    /// The updater, to be stopped by a pause.
    pub(crate) updater: Option<UpdaterSwitch>,
    /// The store, to read reviews from.
    pub(crate) store: PathBuf,
    /// Prices and rules of the page's power curves.
    pub(crate) settings: Arc<Settings>,
    /// The files that the writer has open.
    pub(crate) files: OpenFiles,
    /// How the reading of streams goes.
    pub(crate) streams: StreamStatus,
    /// The lease holder of snapshots and review commands.
    pub(crate) holder: Option<LeaseHandle>,
    /// Ends streams of events when the server stops.
    pub(crate) stop: CancellationToken,
}

#[derive(Debug, Clone)]
pub(crate) struct Port {
    writer: WriterHandle,
    options: Arc<PortOptions>,
    bodies: Bodies,
    /// Makers of `/metrics`, two at a time.
    metrics: Arc<Semaphore>,
    /// Readers of the whole fleet, one at a time: each holds all of it.
    lists: Arc<Semaphore>,
    /// The next sequence number, counted up from the time of the start in microseconds: larger
    /// than any this store's earlier processes gave.
    sequence: Arc<AtomicU64>,
}

impl Port {
    /// Whether a request with this token, or without one, may write records.
    fn may_write(&self, token: Option<&str>) -> bool {
        match (&self.options.token, token) {
            (None, None) => true,
            (Some(wanted), Some(given)) => wanted.is(given),
            _ => false,
        }
    }

    fn may_review(&self, token: &str) -> bool {
        self.options.reviewers.iter().any(|wanted| wanted.is(token))
    }

    /// Whether a request with this token, or without one, may read the health details.
    fn may_look(&self, token: Option<&str>) -> bool {
        self.may_write(token) || token.is_some_and(|token| self.may_review(token))
    }
}

/// The routes. With a token, requests go to `/TOKEN/`: an endpoint URL is all that an SDK client
/// can be given.
pub(crate) fn router(writer: WriterHandle, options: PortOptions) -> Router {
    let start = u64::try_from(rightsizer_aws::clock::now().as_ms()).unwrap_or(0) * 1000;
    let port = Port {
        writer,
        options: Arc::new(options),
        bodies: Bodies::default(),
        metrics: Arc::new(Semaphore::new(2)),
        lists: Arc::new(Semaphore::new(1)),
        sequence: Arc::new(AtomicU64::new(start)),
    };
    let page = Page::new(PageOptions {
        store: port.options.store.clone(),
        hosts: port.options.hosts.clone(),
        reviewers: port.options.reviewers.clone(),
        desk: Desk::Server(Box::new(port.clone())),
        settings: Arc::clone(&port.options.settings),
        stop: port.options.stop.clone(),
    });
    let codes = Codes {
        port: port.clone(),
        page: page.clone(),
    };
    let api = Router::new()
        .route("/healthz", get(health::without_token))
        .route("/{token}/healthz", get(health::with_token))
        .route("/metrics", get(metrics_without_token))
        .route("/{token}/metrics", get(metrics_with_token))
        .route(
            "/review",
            get(review::without_token).post(review::without_token),
        )
        .route("/{token}/review", get(review::list).post(review::apply))
        .route("/{token}/review/{function}", get(review::show))
        .route("/{token}/export", get(review::exportable))
        .route("/{token}/forced-starts", post(forced::keep))
        .route("/", post(put_records::without_token))
        .route("/{token}", post(put_records::with_token))
        .route("/{token}/", post(put_records::with_token))
        .with_state(port.clone());
    let codes = Router::new()
        .route("/{token}/code", post(one_time_code))
        .with_state(codes);
    api.merge(codes)
        .merge(page::routes(page))
        .layer(from_fn_with_state(port, hosts::only_ours))
}

/// The routes of the page alone, for a store that no server has.
pub(crate) fn page_router(page: Page) -> Router {
    page::routes(page)
}

#[derive(Debug, Clone)]
struct Codes {
    port: Port,
    page: Page,
}

#[derive(Debug, Deserialize)]
struct Visitor {
    by: String,
}

/// Draws a code that signs one browser in, for a reviewer on this machine.
async fn one_time_code(
    State(codes): State<Codes>,
    Path(token): Path<String>,
    Json(visitor): Json<Visitor>,
) -> Response {
    let by = visitor.by.trim();
    if !codes.port.may_review(&token) {
        return StatusCode::FORBIDDEN.into_response();
    }
    if !(1..=128).contains(&by.len()) || has_hidden(by) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    match codes.page.code(by) {
        Ok(code) => json_answer(StatusCode::OK, &object!({ "code": code })),
        Err(error) => {
            error!("{error:#}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn metrics_without_token(State(port): State<Port>) -> Response {
    metrics(&port, None).await
}

async fn metrics_with_token(State(port): State<Port>, Path(token): Path<String>) -> Response {
    metrics(&port, Some(&token)).await
}

async fn metrics(port: &Port, token: Option<&str>) -> Response {
    if !port.may_look(token) {
        return StatusCode::FORBIDDEN.into_response();
    }
    // An endless request takes at most this much from others.
    let Ok(_turn) = port.metrics.acquire().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let format = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let looked = health::look(port).await;
    if let Ok((stops, _)) = &looked {
        port.writer.metrics().stopped(stops);
    }
    let wal = rightsizer_store::wal_bytes(&port.options.store);
    port.writer.metrics().store(wal, looked.is_err());
    let counters = port.writer.metrics().text();
    let holder = port.options.holder.as_ref();
    let snapshots = holder.map(|holder| holder.status().metrics(rightsizer_aws::clock::now()));
    // One exposition has one end.
    let text: String = [counters, snapshots.unwrap_or_default()]
        .iter()
        .map(|text| text.strip_suffix("# EOF\n").unwrap_or(text))
        .chain([port.options.streams.metrics().as_str()])
        .collect();
    let text = shown_lines(&text).into_owned();
    ([(CONTENT_TYPE, format)], text).into_response()
}
