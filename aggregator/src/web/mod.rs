//! The HTTP port: Kinesis `PutRecords` for the embedded stream, and `/healthz`.

mod put_records;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::Router;
use axum::extract::DefaultBodyLimit;
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
        .route("/", post(put_records::without_token))
        .route("/{token}", post(put_records::with_token))
        .route("/{token}/", post(put_records::with_token))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(port)
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
