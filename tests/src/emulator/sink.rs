//! A stream that takes `PutRecords` and remembers, and fails on demand.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rightsizer_records::{Record, Reports, decode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How the sink answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SinkMode {
    /// It takes everything.
    #[default]
    Take,
    /// 500, and nothing is taken.
    Fail,
    /// Everything is taken, but the answer is a 500: the sender cannot know.
    TakeAndFail,
    /// Of each call only the first record is taken, the others are throttled.
    TakeFirst,
    /// The call is taken, each record in it is throttled.
    ThrottleEach,
    /// 400 with this error, and nothing is taken.
    Refuse(&'static str),
    /// 200 with a body that is not a response, and nothing is accepted.
    Garbage,
    /// It takes nothing and never answers.
    Hang,
}

/// A running sink; ends when dropped.
pub struct Sink {
    endpoint: String,
    state: Arc<Mutex<Taken>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Taken {
    mode: SinkMode,
    calls: usize,
    paths: Vec<String>,
    keys: Vec<String>,
    reports: Vec<Reports>,
    faults: Vec<String>,
}

impl Sink {
    /// Starts one on a free port.
    pub async fn start() -> Result<Self> {
        Self::start_at(0).await
    }

    /// Starts one on this port, which nothing answered at before.
    pub async fn start_at(port: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(Mutex::default());
        let router = Router::new()
            .fallback(put_records)
            .with_state(Arc::clone(&state));
        let task = tokio::spawn(async move {
            // Ends with the test.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            endpoint,
            state,
            task,
        })
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        self.endpoint.trim_start_matches("http://")
    }

    /// For `RIGHTSIZER_ENDPOINT`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// From now on it answers so.
    pub fn set_mode(&self, mode: SinkMode) {
        lock(&self.state).mode = mode;
    }

    /// Calls so far.
    pub fn calls(&self) -> usize {
        lock(&self.state).calls
    }

    /// Paths of the calls so far.
    pub fn paths(&self) -> Vec<String> {
        lock(&self.state).paths.clone()
    }

    /// Ids of the access keys that signed the calls so far.
    pub fn keys(&self) -> Vec<String> {
        lock(&self.state).keys.clone()
    }

    /// Everything taken so far, in order, repetitions included.
    pub fn reports(&self) -> Vec<Reports> {
        lock(&self.state).reports.clone()
    }

    /// Invalid calls and records that arrived.
    pub fn faults(&self) -> Vec<String> {
        lock(&self.state).faults.clone()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(state: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn put_records(
    State(state): State<Arc<Mutex<Taken>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mode = {
        let mut taken = lock(&state);
        let signed = headers.get("authorization").and_then(|v| v.to_str().ok());
        let key = signed.and_then(|v| v.split_once("Credential=")?.1.split_once('/'));
        taken.keys.push(key.map_or("", |(key, _)| key).to_owned());
        taken.calls += 1;
        taken.paths.push(uri.path().to_owned());
        taken.mode
    };
    if mode == SinkMode::Hang {
        std::future::pending::<()>().await;
    }
    let fail = (
        StatusCode::INTERNAL_SERVER_ERROR,
        Json(json!({"__type": "InternalFailure"})),
    );
    match mode {
        SinkMode::Fail => return fail.into_response(),
        SinkMode::Refuse(error) => {
            let why = json!({"__type": error, "message": "as in the scenario"});
            return (StatusCode::BAD_REQUEST, Json(why)).into_response();
        }
        SinkMode::Garbage => return "<html>welcome to the hotel</html>".into_response(),
        _ => {}
    }
    let call: Value = serde_json::from_slice(&body).unwrap_or_default();
    let records = call["Records"].as_array().cloned().unwrap_or_default();
    let mut answers = Vec::new();
    for (n, record) in records.iter().enumerate() {
        if mode == SinkMode::ThrottleEach || mode == SinkMode::TakeFirst && n > 0 {
            let throttled = "ProvisionedThroughputExceededException";
            answers.push(json!({"ErrorCode": throttled, "ErrorMessage": "slow down"}));
            continue;
        }
        take(&mut lock(&state), record);
        answers.push(json!({"SequenceNumber": n.to_string(), "ShardId": "shardId-000000000000"}));
    }
    if mode == SinkMode::TakeAndFail {
        return fail.into_response();
    }
    let failed = answers
        .iter()
        .filter(|a| a["ErrorCode"].is_string())
        .count();
    Json(json!({"FailedRecordCount": failed, "Records": answers})).into_response()
}

fn take(taken: &mut Taken, record: &Value) {
    let data = BASE64_STANDARD.decode(record["Data"].as_str().unwrap_or_default());
    match data.map(|data| decode(&data)) {
        Ok(Ok(Record::Reports(reports))) => {
            if record["PartitionKey"] != reports.env.to_string() {
                taken
                    .faults
                    .push(format!("partition key {}", record["PartitionKey"]));
            }
            taken.reports.push(reports);
        }
        other => taken.faults.push(format!("{other:?}")),
    }
}
