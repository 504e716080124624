//! The Extensions and Telemetry APIs as any extension may use them. More lenient than the emulator's:
//! it also takes extensions that register for INVOKE, to measure how long they hold an invocation.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use axum::extract::State;
use axum::http::HeaderName;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;

/// What the extension has done.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// It registered for invocations, so each waits for it.
    pub holds: bool,
    /// The destination of its telemetry.
    pub port: Option<u16>,
    /// When it signalled that it was ready.
    pub ready: Option<Instant>,
    /// How often it called `next`.
    pub nexts: usize,
}

/// A running platform for one process; ends when dropped.
pub struct Platform {
    /// For `AWS_LAMBDA_RUNTIME_API`.
    pub host: String,
    events: mpsc::Sender<Value>,
    seen: watch::Sender<Seen>,
    task: JoinHandle<()>,
}

struct Shared {
    events: Mutex<mpsc::Receiver<Value>>,
    seen: watch::Sender<Seen>,
}

impl Platform {
    /// Starts one on a free port.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let host = listener.local_addr()?.to_string();
        let (events, received) = mpsc::channel(8);
        let seen = watch::Sender::default();
        let shared = Arc::new(Shared {
            events: Mutex::new(received),
            seen: seen.clone(),
        });
        let router = Router::new()
            .route("/2020-01-01/extension/register", post(register))
            .route("/2020-01-01/extension/event/next", get(next))
            .route("/2022-07-01/telemetry", put(subscribe))
            .route("/2020-08-15/logs", put(subscribe))
            .with_state(shared);
        let task = tokio::spawn(async move {
            // Ends with the measurement.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            host,
            events,
            seen,
            task,
        })
    }

    /// What it has done so far; a receiver to wait on.
    pub fn seen(&self) -> watch::Receiver<Seen> {
        self.seen.subscribe()
    }

    /// Responds to a waiting `next`, or the one to come.
    pub async fn send(&self, event: Value) -> Result<()> {
        let sent = self.events.send(event).await;
        sent.context("the platform ended")
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn register(State(shared): State<Arc<Shared>>, Json(body): Json<Value>) -> Response {
    let events = body["events"].as_array().cloned().unwrap_or_default();
    let holds = events.iter().any(|event| event == "INVOKE");
    shared.seen.send_modify(|seen| seen.holds = holds);
    let id = "00000000-0000-4000-8000-000000000001";
    let header = HeaderName::from_static("lambda-extension-identifier");
    let answer = json!({
        "functionName": "weighed", "functionVersion": "$LATEST", "handler": "index.handler",
        "accountId": "123456789012",
    });
    ([(header, id)], Json(answer)).into_response()
}

async fn subscribe(State(shared): State<Arc<Shared>>, Json(body): Json<Value>) -> &'static str {
    let uri = body["destination"]["URI"].as_str().unwrap_or_default();
    let port = uri.trim_end_matches('/').rsplit(':').next();
    let port = port.and_then(|port| port.split('/').next()?.parse().ok());
    shared.seen.send_modify(|seen| seen.port = port);
    "OK"
}

async fn next(State(shared): State<Arc<Shared>>) -> Json<Value> {
    shared.seen.send_modify(|seen| {
        seen.nexts += 1;
        seen.ready.get_or_insert_with(Instant::now);
    });
    let event = shared.events.lock().await.recv().await;
    Json(event.unwrap_or_default())
}
