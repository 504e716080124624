//! Holds the keys that sign. If they come from an endpoint, fetches them late, before they expire,
//! and after a restore.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{Request, StatusCode};
use rightsizer_records::{EnvId, Timestamp};
use tokio::time::timeout;

use crate::credentials::{Authorization, Keys, Source, parse_answer};
use crate::endpoint::Endpoint;
use crate::http::Connection;
use crate::tls;

/// The endpoint is inside the sandbox.
const PATIENCE: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub struct Wallet {
    source: Source,
    ca_bundle: Option<String>,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    keys: Option<Keys>,
    env: Option<EnvId>,
}

impl Wallet {
    /// An empty one.
    pub fn new(source: Source, ca_bundle: Option<String>) -> Self {
        Self {
            source,
            ca_bundle,
            held: Mutex::default(),
        }
    }

    /// Keys for records of this environment. Those of another are of before a restore.
    pub async fn keys(&self, env: EnvId, now: SystemTime) -> anyhow::Result<Keys> {
        let (endpoint, authorization) = match &self.source {
            Source::Fixed(keys) => return Ok(keys.clone()),
            Source::Container(endpoint, authorization) => (endpoint, authorization),
            Source::Missing => bail!(
                "there are no credentials: neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY nor \
                 AWS_CONTAINER_CREDENTIALS_FULL_URI is set. Lambda sets them; check whether a \
                 wrapper script removes them."
            ),
        };
        let now = timestamp(now);
        let held = self.of(env).keys.clone();
        if let Some(keys) = held.clone().filter(|keys| !keys.is_stale(now)) {
            return Ok(keys);
        }
        let fetched = timeout(PATIENCE, self.fetch(endpoint, authorization)).await;
        let fetched = fetched
            .context("no response within a second")
            .and_then(|keys| keys);
        match (fetched, held.filter(|keys| !keys.is_over(now))) {
            (Ok(keys), _) => {
                self.of(env).keys = Some(keys.clone());
                Ok(keys)
            }
            (Err(_), Some(keys)) => Ok(keys),
            (Err(e), None) => Err(e.context(format!(
                "the credentials endpoint {} returns none",
                endpoint.url()
            ))),
        }
    }

    /// Drops the keys, as the stream does not take them. Whether there may be others.
    pub fn refused(&self) -> bool {
        self.held().keys = None;
        matches!(self.source, Source::Container(..))
    }

    fn of(&self, env: EnvId) -> MutexGuard<'_, Held> {
        let mut held = self.held();
        if held.env != Some(env) {
            *held = Held {
                keys: None,
                env: Some(env),
            };
        }
        held
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(
        &self,
        endpoint: &Endpoint,
        authorization: &Authorization,
    ) -> anyhow::Result<Keys> {
        let token = match authorization {
            Authorization::None => None,
            Authorization::Token(token) => Some(token.clone()),
            Authorization::File(path) => {
                let token = tls::plain_file(path).and_then(std::fs::read_to_string);
                let token = token.with_context(|| format!("its token file {path}"))?;
                Some(token.trim().to_owned())
            }
        };
        let mut request = Request::get(endpoint.path.as_str()).header(HOST, endpoint.authority());
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token);
        }
        let bundle = self.ca_bundle.as_deref();
        let tls = endpoint.tls.then(|| tls::client(bundle)).transpose()?;
        let mut connection = Connection::open(endpoint, tls).await?;
        let (parts, body) = connection.send(request.body(Bytes::new())?).await?;
        if parts.status != StatusCode::OK {
            bail!("it responded with {}", parts.status);
        }
        Ok(parse_answer(&body)?)
    }
}

fn timestamp(now: SystemTime) -> Timestamp {
    let since = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let ms = i64::try_from(since.as_millis()).ok();
    ms.and_then(Timestamp::from_ms).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use axum::extract::State;
    use axum::http::HeaderMap;
    use axum::routing::get;
    use axum::{Json, Router};
    use serde_json::{Value, json};
    use tokio::net::TcpListener;

    use super::*;

    const ENV: EnvId = EnvId(1);
    /// When the first keys end; every further ones end an hour later.
    const END_S: u64 = 1_800_000_000;
    const HOUR_S: u64 = 3600;

    /// An endpoint that gives other keys each time, to those who show its token.
    async fn rotate(State(given): State<Arc<AtomicU32>>, headers: HeaderMap) -> Json<Value> {
        if headers
            .get(AUTHORIZATION)
            .is_none_or(|token| token != "t0ken")
        {
            return Json(json!({"code": "Unauthorized"}));
        }
        let n = given.fetch_add(1, Ordering::Relaxed);
        let end = at(END_S + u64::from(n) * HOUR_S);
        Json(json!({
            "AccessKeyId": format!("id{n}"), "SecretAccessKey": "s", "Token": "t",
            "Expiration": timestamp(end).to_string(),
        }))
    }

    struct Served {
        wallet: Wallet,
        given: Arc<AtomicU32>,
        task: tokio::task::JoinHandle<()>,
    }

    async fn serve(authorization: Authorization) -> Served {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let given = Arc::<AtomicU32>::default();
        let router = Router::new().route("/keys", get(rotate));
        let router = router.with_state(Arc::clone(&given));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let source = Source::Container(Endpoint::parse(&url).unwrap(), authorization);
        Served {
            wallet: Wallet::new(source, None),
            given,
            task,
        }
    }

    fn token() -> Authorization {
        Authorization::Token("t0ken".to_owned())
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    async fn id(wallet: &Wallet, env: EnvId, seconds: u64) -> anyhow::Result<String> {
        Ok(wallet.keys(env, at(seconds)).await?.id)
    }

    #[tokio::test]
    async fn keys_are_fetched_late_kept_and_renewed_before_they_end() -> anyhow::Result<()> {
        let served = serve(token()).await;
        let wallet = &served.wallet;
        assert_eq!(served.given.load(Ordering::Relaxed), 0);
        for seconds in [END_S - HOUR_S, END_S - 301] {
            assert_eq!(id(wallet, ENV, seconds).await?, "id0");
        }
        assert_eq!(id(wallet, ENV, END_S - 299).await?, "id1");
        Ok(())
    }

    #[tokio::test]
    async fn keys_of_before_a_restore_or_that_were_refused_are_dropped() -> anyhow::Result<()> {
        let served = serve(token()).await;
        let wallet = &served.wallet;
        let early = END_S - HOUR_S;
        assert_eq!(id(wallet, ENV, early).await?, "id0");
        assert_eq!(id(wallet, EnvId(2), early).await?, "id1");
        assert!(wallet.refused());
        assert_eq!(id(wallet, EnvId(2), early).await?, "id2");
        Ok(())
    }

    #[tokio::test]
    async fn if_the_endpoint_fails_keys_are_used_until_they_expire() -> anyhow::Result<()> {
        let served = serve(token()).await;
        let wallet = &served.wallet;
        assert_eq!(id(wallet, ENV, END_S - HOUR_S).await?, "id0");
        served.task.abort();
        let _ = served.task.await;
        assert_eq!(id(wallet, ENV, END_S - 1).await?, "id0");
        let over = format!("{:#}", id(wallet, ENV, END_S).await.unwrap_err());
        assert!(over.contains("the credentials endpoint"), "{over}");
        Ok(())
    }

    #[tokio::test]
    async fn the_token_file_is_read_each_time() -> anyhow::Result<()> {
        let file = tempfile::NamedTempFile::new()?;
        let path = file.path().display().to_string();
        let served = serve(Authorization::File(path)).await;
        assert!(id(&served.wallet, ENV, END_S).await.is_err());
        std::fs::write(file.path(), "t0ken\n")?;
        assert_eq!(id(&served.wallet, ENV, END_S - HOUR_S).await?, "id0");
        Ok(())
    }

    #[tokio::test]
    async fn without_a_source_the_message_names_what_is_missing() {
        let wallet = Wallet::new(Source::Missing, None);
        let why = wallet.keys(ENV, at(0)).await.unwrap_err().to_string();
        assert!(why.contains("AWS_ACCESS_KEY_ID"), "{why}");
        assert!(!wallet.refused());
    }
}
