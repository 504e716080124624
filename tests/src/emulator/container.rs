//! The credentials endpoint that Lambda has inside a sandbox if it sets no keys.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use rightsizer_records::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Less than the five minutes that the extension keeps in hand: the next send asks again.
const GOOD_FOR_MS: i64 = 120_000;
const TOKEN: &str = "token-of-the-container";

/// A running endpoint; ends when dropped. Every answer is other keys: `NAME0`, `NAME1`…, good for a
/// moment only.
pub struct Container {
    url: String,
    keys: Arc<Mutex<Keys>>,
    task: JoinHandle<()>,
}

struct Keys {
    name: String,
    given: u64,
}

impl Container {
    /// Starts one on a free port.
    pub async fn start(name: &str) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}/creds", listener.local_addr()?);
        let keys = Arc::new(Mutex::new(Keys::of(name)));
        let router = Router::new().route("/creds", get(answer));
        let router = router.with_state(Arc::clone(&keys));
        let task = tokio::spawn(async move {
            // Ends with the test.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, keys, task })
    }

    /// From now on the keys have this name, as after a restore.
    pub fn rename(&self, name: &str) {
        *lock(&self.keys) = Keys::of(name);
    }

    /// For the extension's process.
    pub fn variables(&self) -> Vec<(String, String)> {
        [
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", self.url.as_str()),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", TOKEN),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Keys {
    fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            given: 0,
        }
    }
}

fn lock(keys: &Mutex<Keys>) -> MutexGuard<'_, Keys> {
    keys.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(
    State(keys): State<Arc<Mutex<Keys>>>,
    headers: HeaderMap,
) -> (StatusCode, Json<Value>) {
    let given = headers.get("authorization").and_then(|v| v.to_str().ok());
    if given != Some(TOKEN) {
        let why = json!({"message": "no such token"});
        return (StatusCode::FORBIDDEN, Json(why));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = i64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(i64::MAX);
    let ends = Timestamp::from_ms(now.saturating_add(GOOD_FOR_MS)).unwrap_or(Timestamp::MIN);
    let mut keys = lock(&keys);
    let id = format!("{}{}", keys.name, keys.given);
    keys.given += 1;
    let answer = json!({
        "AccessKeyId": id, "SecretAccessKey": "secret", "Token": "session",
        "Expiration": ends.to_string(),
    });
    (StatusCode::OK, Json(answer))
}
