//! Client of the Extensions API and of the Telemetry API's subscription: three small requests over
//! plain HTTP to the sandbox itself.

use anyhow::{Context as _, bail, ensure};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::http::request::Builder;
use hyper::http::response::Parts;
use hyper::{Method, Request, StatusCode};
use serde::Deserialize;
use serde_json::json;

use crate::endpoint::Endpoint;
use crate::http::Connection;
use crate::invocations::ShutdownReason;

const IDENTIFIER: &str = "Lambda-Extension-Identifier";

/// The API's address.
#[derive(Debug, Clone)]
pub struct Api {
    endpoint: Option<Endpoint>,
}

/// What registering answered.
#[derive(Debug, Clone)]
pub struct Registration {
    id: String,
    /// Account of the function, if the platform sends it.
    pub account: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registered {
    account_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NextEvent {
    event_type: String,
    #[serde(default)]
    shutdown_reason: String,
}

impl Api {
    /// `host` is the value of `AWS_LAMBDA_RUNTIME_API`.
    pub fn new(host: &str) -> Self {
        Self {
            endpoint: Endpoint::parse(&format!("http://{host}/")),
        }
    }

    /// Registers for SHUTDOWN alone: INVOKE would put this process on every invocation's path, and
    /// managed instances refuse it.
    pub async fn register(&self, file_name: &str) -> anyhow::Result<Registration> {
        let request = Request::post("/2020-01-01/extension/register")
            .header("Lambda-Extension-Name", file_name)
            .header("Lambda-Extension-Accept-Feature", "accountId");
        let events = json!({"events": ["SHUTDOWN"]}).to_string();
        let (parts, body) = self.send(request, events).await?;
        if parts.status != StatusCode::OK {
            bail!("{}: {}", parts.status, String::from_utf8_lossy(&body));
        }
        let id = parts
            .headers
            .get(IDENTIFIER)
            .and_then(|id| id.to_str().ok());
        let id = id.context("the response has no extension identifier")?;
        let account = serde_json::from_slice::<Registered>(&body).ok();
        Ok(Registration {
            id: id.to_owned(),
            account: account.and_then(|a| a.account_id),
        })
    }

    /// Subscribes to platform telemetry, delivered to our own `port`. Returns the platform's word:
    /// 200 subscribed, 202 not supported here, 400 not with this schema, 403 too late.
    pub async fn subscribe(
        &self,
        registration: &Registration,
        schema: &str,
        port: u16,
    ) -> anyhow::Result<StatusCode> {
        let request = Request::builder()
            .method(Method::PUT)
            .uri("/2022-07-01/telemetry")
            .header(IDENTIFIER, &registration.id);
        let wanted = json!({
            "schemaVersion": schema,
            "types": ["platform"],
            "buffering": {"maxItems": 1000, "maxBytes": 262_144, "timeoutMs": 25},
            "destination": {
                "protocol": "HTTP",
                "URI": format!("http://sandbox.localdomain:{port}"),
            },
        });
        let (parts, _) = self.send(request, wanted.to_string()).await?;
        Ok(parts.status)
    }

    /// Waits for the next event, and returns the reason if it is SHUTDOWN. The first call also
    /// signals that init is done.
    pub async fn next(
        &self,
        registration: &Registration,
    ) -> anyhow::Result<Option<ShutdownReason>> {
        let request =
            Request::get("/2020-01-01/extension/event/next").header(IDENTIFIER, &registration.id);
        let (parts, body) = self.send(request, String::new()).await?;
        ensure!(parts.status == StatusCode::OK, "{}", parts.status);
        let event: NextEvent =
            serde_json::from_slice(&body).context("the event is not understood")?;
        let is_shutdown = event.event_type == "SHUTDOWN";
        Ok(is_shutdown.then(|| ShutdownReason::from_name(&event.shutdown_reason)))
    }

    /// One request over a connection of its own: a kept one would be dead after a freeze.
    async fn send(&self, request: Builder, body: String) -> anyhow::Result<(Parts, Bytes)> {
        let endpoint = self.endpoint.as_ref();
        let endpoint = endpoint.context("AWS_LAMBDA_RUNTIME_API is not a host and port")?;
        let request = request
            .header(HOST, endpoint.authority())
            .header(CONTENT_TYPE, "application/json")
            .body(Bytes::from(body))?;
        Connection::open(endpoint, None).await?.send(request).await
    }
}
