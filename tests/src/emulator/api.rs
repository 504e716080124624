//! The HTTP side that the extension talks to: Extensions API and telemetry subscription.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, body::Bytes};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::scenario::{FunctionSpec, SubscribeAnswer};

const IDENTIFIER: &str = "lambda-extension-identifier";

/// A telemetry subscription.
#[derive(Debug, Clone)]
pub(super) struct Subscription {
    pub(super) port: u16,
    pub(super) schema: String,
    pub(super) max_items: usize,
    pub(super) timeout_ms: u64,
}

/// What the extension has done in this life of its process.
#[derive(Debug, Default, Clone)]
pub(super) struct Life {
    /// Its identifier, once registered.
    id: Option<String>,
    /// The name it registered under.
    pub(super) name: Option<String>,
    pub(super) subscription: Option<Subscription>,
    /// It called `next`.
    pub(super) is_ready: bool,
    /// The event that `next` is answered with.
    shutdown: Option<Value>,
}

/// A running server; ends when dropped.
pub(super) struct Api {
    shared: Arc<Shared>,
    pub(super) port: u16,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    spec: FunctionSpec,
    answer: SubscribeAnswer,
    life: watch::Sender<Life>,
    lives: Mutex<u32>,
}

impl Api {
    pub(super) async fn start(spec: FunctionSpec, answer: SubscribeAnswer) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            spec,
            answer,
            life: watch::Sender::default(),
            lives: Mutex::default(),
        });
        let router = Router::new()
            .route("/2020-01-01/extension/register", post(register))
            .route("/2020-01-01/extension/event/next", get(next))
            .route("/2022-07-01/telemetry", put(subscribe))
            .with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            // Ends with the test.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { shared, port, task })
    }

    /// A new process begins.
    pub(super) fn new_life(&self) {
        *lock(&self.shared.lives) += 1;
        self.shared.life.send_replace(Life::default());
    }

    /// Waits until the extension has called `next`.
    pub(super) async fn ready(&self) -> Result<Life> {
        let mut life = self.shared.life.subscribe();
        let ready = life.wait_for(|life| life.is_ready).await;
        Ok(ready.context("the emulator ended")?.clone())
    }

    /// What the extension has done so far.
    pub(super) fn life(&self) -> Life {
        self.shared.life.borrow().clone()
    }

    /// Responds to the waiting `next` with SHUTDOWN.
    pub(super) fn shut_down(&self, reason: &str, deadline_ms: i64) {
        let event = json!({
            "eventType": "SHUTDOWN", "shutdownReason": reason, "deadlineMs": deadline_ms,
        });
        self.shared
            .life
            .send_modify(|life| life.shutdown = Some(event));
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refuse(status: StatusCode, kind: &str, message: &str) -> Response {
    let body = json!({"errorType": kind, "errorMessage": message});
    (status, Json(body)).into_response()
}

async fn register(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(name) = header("lambda-extension-name") else {
        return refuse(
            StatusCode::BAD_REQUEST,
            "Extension.InvalidExtensionName",
            "no name",
        );
    };
    if body["events"] != json!(["SHUTDOWN"]) {
        let why = "this environment takes observers only: events must be SHUTDOWN alone";
        return refuse(StatusCode::BAD_REQUEST, "Extension.InvalidEventType", why);
    }
    let id = format!("00000000-0000-4000-8000-{:012x}", *lock(&shared.lives));
    shared.life.send_modify(|life| {
        life.id = Some(id.clone());
        life.name = Some(name.to_owned());
    });
    let spec = &shared.spec;
    let mut answer = json!({
        "functionName": spec.name, "functionVersion": spec.version, "handler": "index.handler",
    });
    if header("lambda-extension-accept-feature") == Some("accountId")
        && let Some(account) = &spec.account
    {
        answer["accountId"] = json!(account);
    }
    ([(HeaderName::from_static(IDENTIFIER), id)], Json(answer)).into_response()
}

fn is_registered(shared: &Shared, headers: &HeaderMap) -> bool {
    let id = headers.get(IDENTIFIER).and_then(|id| id.to_str().ok());
    id.is_some() && id == shared.life.borrow().id.as_deref()
}

async fn next(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    if !is_registered(&shared, &headers) {
        let why = "unknown extension identifier";
        return refuse(
            StatusCode::FORBIDDEN,
            "Extension.UnknownExtensionIdentifier",
            why,
        );
    }
    shared.life.send_modify(|life| life.is_ready = true);
    let mut life = shared.life.subscribe();
    let event = life.wait_for(|life| life.shutdown.is_some()).await;
    Json(event.map_or(Value::Null, |life| life.shutdown.clone().into())).into_response()
}

async fn subscribe(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    if !is_registered(&shared, &headers) {
        let why = "unknown extension identifier";
        return refuse(
            StatusCode::FORBIDDEN,
            "Extension.UnknownExtensionIdentifier",
            why,
        );
    }
    if shared.life.borrow().is_ready || shared.answer == SubscribeAnswer::Closed {
        let why = "subscriptions are taken during init only";
        return refuse(StatusCode::FORBIDDEN, "Telemetry.SubscriptionClosed", why);
    }
    match (subscription(&body), &shared.answer) {
        (Err(e), _) => refuse(
            StatusCode::BAD_REQUEST,
            "ValidationError",
            &format!("{e:#}"),
        ),
        (Ok(_), SubscribeAnswer::NotSupported) => refuse(
            StatusCode::ACCEPTED,
            "Telemetry.NotSupported",
            "not supported here",
        ),
        (Ok(s), SubscribeAnswer::Only(schema)) if s.schema != *schema => {
            let why = format!("schemaVersion must be {schema}");
            refuse(StatusCode::BAD_REQUEST, "ValidationError", &why)
        }
        (Ok(subscription), _) => {
            shared
                .life
                .send_modify(|life| life.subscription = Some(subscription));
            "OK".into_response()
        }
    }
}

/// Checks what the platform checks.
fn subscription(body: &[u8]) -> Result<Subscription> {
    let body: Value = serde_json::from_slice(body).context("not JSON")?;
    let schema = body["schemaVersion"].as_str().context("no schemaVersion")?;
    let known = ["2022-07-01", "2022-12-13", "2025-01-29"];
    ensure!(
        known.contains(&schema),
        "schemaVersion {schema} is not known"
    );
    ensure!(
        body["types"] == json!(["platform"]),
        "types: wanted platform alone"
    );
    let number = |field: &str, least: u64, most: u64| {
        let n = body["buffering"][field].as_u64();
        n.filter(|n| (least..=most).contains(n))
            .with_context(|| format!("{field} is {n:?}, wanted {least} to {most}"))
    };
    let (max_items, timeout_ms) = (
        number("maxItems", 1000, 10_000)?,
        number("timeoutMs", 25, 30_000)?,
    );
    number("maxBytes", 262_144, 1_048_576)?;
    ensure!(
        body["destination"]["protocol"] == "HTTP",
        "protocol must be HTTP"
    );
    let uri = body["destination"]["URI"].as_str().context("no URI")?;
    let port = ["sandbox.localdomain", "sandbox"].iter().find_map(|host| {
        let port = uri.strip_prefix(&format!("http://{host}:"))?;
        port.trim_end_matches('/').parse::<u16>().ok()
    });
    let port = port.with_context(|| format!("{uri} is not http://sandbox.localdomain:PORT"))?;
    ensure!(port != 9001, "port 9001 is taken by the platform");
    Ok(Subscription {
        port,
        schema: schema.to_owned(),
        max_items: usize::try_from(max_items)?,
        timeout_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Value {
        json!({
            "schemaVersion": "2022-12-13", "types": ["platform"],
            "buffering": {"maxItems": 1000, "maxBytes": 262_144, "timeoutMs": 25},
            "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:4243"},
        })
    }

    #[test]
    fn a_subscription_is_checked_as_the_platform_does() {
        let check = |body: &Value| subscription(body.to_string().as_bytes());
        let taken = check(&wanted()).unwrap();
        assert_eq!(
            (taken.port, taken.max_items, taken.timeout_ms),
            (4243, 1000, 25)
        );
        for (pointer, bad) in [
            ("/schemaVersion", json!("2021-01-01")),
            ("/types", json!(["platform", "function"])),
            ("/buffering/maxItems", json!(999)),
            ("/buffering/maxBytes", json!(2_000_000)),
            ("/buffering/timeoutMs", json!(24)),
            ("/destination/protocol", json!("TCP")),
            ("/destination/URI", json!("http://127.0.0.1:4243")),
            ("/destination/URI", json!("http://sandbox.localdomain:9001")),
        ] {
            let mut body = wanted();
            *body.pointer_mut(pointer).unwrap() = bad;
            assert!(check(&body).is_err(), "{body}");
        }
    }
}
