//! Holds the keys that sign, and fetches them where they are to be asked for: late, again before
//! they end, and anew after a restore.

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
                 AWS_CONTAINER_CREDENTIALS_FULL_URI is set. Lambda sets them; does a wrapper \
                 script take them away?"
            ),
        };
        let now = timestamp(now);
        let held = self.of(env).keys.clone();
        if let Some(keys) = held.clone().filter(|keys| !keys.is_stale(now)) {
            return Ok(keys);
        }
        let fetched = timeout(PATIENCE, self.fetch(endpoint, authorization)).await;
        let fetched = fetched
            .context("no answer within a second")
            .and_then(|keys| keys);
        match (fetched, held.filter(|keys| !keys.is_over(now))) {
            (Ok(keys), _) => {
                self.of(env).keys = Some(keys.clone());
                Ok(keys)
            }
            (Err(_), Some(keys)) => Ok(keys),
            (Err(e), None) => Err(e.context(format!(
                "the credentials endpoint {} gives none",
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
                let token = std::fs::read_to_string(path);
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
            bail!("it answered {}", parts.status);
        }
        parse_answer(&body).map_err(anyhow::Error::msg)
    }
}

fn timestamp(now: SystemTime) -> Timestamp {
    let since = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let ms = i64::try_from(since.as_millis()).ok();
    ms.and_then(Timestamp::from_ms).unwrap_or(Timestamp::MIN)
}
