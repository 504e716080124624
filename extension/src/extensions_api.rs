//! Client of the Extensions API and of the Telemetry API's subscription: three small requests over
//! plain HTTP to the sandbox itself. The SDK's client is not used here, so that init stays short.

use anyhow::{Context as _, bail, ensure};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;

use crate::invocations::ShutdownReason;

const IDENTIFIER: &str = "Lambda-Extension-Identifier";
/// The answers are a few hundred bytes.
const MOST_ANSWER_BYTES: usize = 65_536;

/// The API's address.
#[derive(Debug, Clone)]
pub struct Api {
    host: String,
}

/// What registering answered.
#[derive(Debug, Clone)]
pub struct Registration {
    id: String,
    /// Account of the function, where the platform says it.
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
            host: host.to_owned(),
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
        let id = id.context("the answer names no extension identifier")?;
        let account = serde_json::from_slice::<Registered>(&body).ok();
        Ok(Registration {
            id: id.to_owned(),
            account: account.and_then(|a| a.account_id),
        })
    }

    /// Subscribes to platform telemetry, delivered to our own `port`. Answers the platform's word:
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

    /// Waits for the next event; the reason where it is SHUTDOWN. The first call also says that
    /// init is done.
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
    async fn send(
        &self,
        request: hyper::http::request::Builder,
        body: String,
    ) -> anyhow::Result<(hyper::http::response::Parts, Bytes)> {
        let request = request
            .header(HOST, &self.host)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let socket = TcpStream::connect(&self.host).await?;
        let io = TokioIo::new(socket);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
        let connection = tokio::spawn(connection);
        let answer = sender.send_request(request).await?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, MOST_ANSWER_BYTES).collect().await;
        connection.abort();
        let body = body.map_err(|e| anyhow::anyhow!("the answer broke off: {e}"))?;
        Ok((parts, body.to_bytes()))
    }
}
