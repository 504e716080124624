//! The HTTP port: Kinesis `PutRecords` for the embedded stream, `/healthz`, `/metrics`,
//! and the review API.

mod put_records;
mod review;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;

use crate::stop::Stop;
use crate::writer::WriterHandle;

/// A `PutRecords` request of 5 MB is 6.7 MB in base64.
const MAX_BODY_BYTES: usize = 8 << 20;

#[derive(Debug, Clone)]
pub(crate) struct Port {
    writer: WriterHandle,
    token: Option<String>,
    /// Whether records are taken here.
    embedded: bool,
    /// The next sequence number, counted up from the time of the start in microseconds: larger
    /// than any this store's earlier processes gave.
    sequence: Arc<AtomicU64>,
}

/// The routes. With a token, requests go to `/TOKEN/`: an endpoint URL is all that an SDK client
/// can be given.
pub fn router(writer: WriterHandle, token: Option<String>, embedded: bool) -> Router {
    let start = u64::try_from(crate::wall::now().as_ms()).unwrap_or(0) * 1000;
    let port = Port {
        writer,
        token,
        embedded,
        sequence: Arc::new(AtomicU64::new(start)),
    };
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/metrics", get(metrics_without_token))
        .route("/{token}/metrics", get(metrics_with_token))
        .route("/review", post(review::without_token))
        .route("/{token}/review", post(review::with_token))
        .route("/", post(put_records::without_token))
        .route("/{token}", post(put_records::with_token))
        .route("/{token}/", post(put_records::with_token))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(port)
}

async fn metrics_without_token(State(port): State<Port>) -> Response {
    metrics(&port, None)
}

async fn metrics_with_token(State(port): State<Port>, Path(token): Path<String>) -> Response {
    metrics(&port, Some(&token))
}

fn metrics(port: &Port, token: Option<&str>) -> Response {
    if port.token.as_deref() != token {
        return StatusCode::FORBIDDEN.into_response();
    }
    let format = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, format)], port.writer.metrics().text()).into_response()
}

/// Serves until told to stop, and lets requests under way finish.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    mut stopped: Stop,
) -> anyhow::Result<()> {
    let stop = async move {
        let () = stopped.requested().await;
    };
    Ok(axum::serve(listener, router)
        .with_graceful_shutdown(stop)
        .await?)
}
