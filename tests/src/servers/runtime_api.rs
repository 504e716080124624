//! A minimal Lambda Runtime API: hands one event at a time to a function's binary and takes its
//! answer. Knows nothing about what the event means.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

/// What the function's own timeout would be.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A Runtime API on a free port; it stops when dropped.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    address: SocketAddr,
    events: mpsc::Sender<Invocation>,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

/// What a function answers: a payload, or the document of its error.
pub(super) type Answer = Result<Value, Value>;

#[derive(Debug)]
struct Invocation {
    id: String,
    event: Value,
}

#[derive(Debug)]
struct Shared {
    function_arn: String,
    events: Mutex<mpsc::Receiver<Invocation>>,
    waiting: Mutex<HashMap<String, oneshot::Sender<Answer>>>,
}

impl RuntimeApi {
    /// Serves the function of this ARN.
    pub(super) async fn start(function_arn: String) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (sender, receiver) = mpsc::channel(1);
        let shared = Arc::new(Shared {
            function_arn,
            events: Mutex::new(receiver),
            waiting: Mutex::default(),
        });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route(
                "/2018-06-01/runtime/invocation/{id}/response",
                post(response),
            )
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            // Ends with the task only: an accepted connection's failure is the function's to see.
            let _ended = axum::serve(listener, router).await;
        });
        Ok(Self {
            address,
            events: sender,
            shared,
            server,
        })
    }

    /// For `AWS_LAMBDA_RUNTIME_API`.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Hands an event to the function and waits for its answer.
    pub(super) async fn invoke(&self, id: &str, event: Value) -> Result<Answer> {
        let (sender, receiver) = oneshot::channel();
        self.shared
            .waiting
            .lock()
            .await
            .insert(id.to_owned(), sender);
        let answered = async {
            self.events
                .send(Invocation {
                    id: id.to_owned(),
                    event,
                })
                .await?;
            anyhow::Ok(receiver.await?)
        };
        match tokio::time::timeout(TIMEOUT, answered).await {
            Ok(answer) => answer.context("the function's Runtime API is gone"),
            Err(_) => bail!("the function did not answer within {TIMEOUT:?}"),
        }
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let Some(Invocation { id, event }) = shared.events.lock().await.recv().await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let headers = [
        ("lambda-runtime-aws-request-id", id),
        (
            "lambda-runtime-deadline-ms",
            (now + TIMEOUT).as_millis().to_string(),
        ),
        (
            "lambda-runtime-invoked-function-arn",
            shared.function_arn.clone(),
        ),
    ];
    (headers, Json(event)).into_response()
}

async fn response(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> StatusCode {
    answer(&shared, &id, Ok(json(&body))).await
}

async fn error(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> StatusCode {
    answer(&shared, &id, Err(json(&body))).await
}

/// The body, whatever its content type: runtimes leave that out. Null if it is not JSON.
fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

async fn answer(shared: &Shared, id: &str, answer: Answer) -> StatusCode {
    match shared.waiting.lock().await.remove(id) {
        Some(waiting) => {
            // Nothing waits after a timeout.
            let _unheard = waiting.send(answer);
            StatusCode::ACCEPTED
        }
        None => StatusCode::BAD_REQUEST,
    }
}
