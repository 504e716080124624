//! A server that has a store: the one that is named, or the one that the store's lock names. Reads
//! and review commands go through its review API.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use flate2::read::MultiGzDecoder;
use hyper::Method;
use hyper::header::CONTENT_ENCODING;
use rightsizer_rules::commands::{Done, ReviewCommand, Switched};
use rightsizer_store::Forced;
use rightsizer_store::inspect::{Exportable, Stops};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::runtime::runtime;
use crate::http::{self, Answer};
use rightsizer_store::key::read_key;

/// How long a server may take to respond.
const PATIENCE: Duration = Duration::from_secs(30);
/// Asks for a compressed response: the list of a large fleet becomes a tenth.
const GZIP: (&str, &str) = ("accept-encoding", "gzip");
/// How long a health check may take.
const HEALTH_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct ServerArg {
    /// The server that has the store, with its review token: `https://HOST/TOKEN`
    #[arg(
        long,
        env = "RIGHTSIZER_SERVER",
        hide_env_values = true,
        value_name = "URL"
    )]
    server: Option<String>,
}

impl ServerArg {
    /// The server that is named, if one is.
    pub(super) fn named(&self) -> Option<Server> {
        self.server.as_deref().map(Server::at)
    }
}

/// The address of a server.
#[derive(Debug)]
pub(super) struct Server {
    /// With the token, without a slash at its end.
    url: String,
}

/// A server's response if it did not do everything.
#[derive(Debug, Deserialize, thiserror::Error)]
#[error("{error}")]
pub(super) struct NotDone {
    error: String,
    /// The updater's part of a pause or resume that was applied otherwise.
    #[serde(default)]
    pub(super) updater: Option<Switched>,
}

impl Server {
    pub(super) fn at(url: &str) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
        }
    }

    /// The server of this machine that holds `store`'s lock, from the lock's text `rightsizer serve
    /// on ADDRESS (process N)`; `None` if it names none.
    pub(super) fn holding(store: &Path, holder: &str) -> anyhow::Result<Option<Self>> {
        let Some(address) = serving_address(holder) else {
            return Ok(None);
        };
        let key = read_key(store)?;
        Ok(Some(Self::at(&format!("http://{address}/{key}"))))
    }

    /// Sends a review command to the server.
    pub(super) fn post(&self, command: &ReviewCommand) -> anyhow::Result<Done> {
        let command = serde_json::to_vec(command)?;
        ask(&Method::POST, &format!("{}/review", self.url), command)
    }

    /// Has the server store starts that a bench forced.
    pub(super) async fn keep_forced(&self, starts: &[Forced]) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Kept {}
        let url = format!("{}/forced-starts", self.url);
        let Kept {} = asked(&Method::POST, &url, serde_json::to_vec(starts)?).await?;
        Ok(())
    }

    /// Reads what is at `/review` and this below it.
    pub(super) fn read<T: DeserializeOwned>(&self, below: &str) -> anyhow::Result<T> {
        let url = format!("{}/review{below}", self.url);
        ask(&Method::GET, &url, Vec::new())
    }

    /// Reads what is at `/review` and this below it, within a runtime.
    pub(super) async fn fetch<T: DeserializeOwned>(&self, below: &str) -> anyhow::Result<T> {
        let url = format!("{}/review{below}", self.url);
        asked(&Method::GET, &url, Vec::new()).await
    }

    /// The recommendations that an export chooses from.
    pub(super) fn exportable(&self) -> anyhow::Result<Exportable> {
        ask(&Method::GET, &format!("{}/export", self.url), Vec::new())
    }

    /// Why it does not send; empty if it does not report a reason.
    pub(super) fn stops(&self) -> Stops {
        let health = runtime().and_then(|runtime| runtime.block_on(self.health()));
        let stops = health.map(serde_json::from_value);
        stops.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// The address that signs one browser in as `by`.
    pub(super) fn entrance(&self, by: &str) -> anyhow::Result<String> {
        #[derive(Deserialize)]
        struct Drawn {
            code: String,
        }
        let visitor = serde_json::to_vec(&serde_json::json!({ "by": by }))?;
        let drawn: Drawn = ask(&Method::POST, &format!("{}/code", self.url), visitor)?;
        // Without the token, which is the last part.
        let server = self.url.rsplit_once('/').map_or("", |(server, _)| server);
        Ok(format!("{server}/ui/enter?code={}", drawn.code))
    }

    /// Its health, whatever the status of the response.
    pub(super) async fn health(&self) -> anyhow::Result<serde_json::Value> {
        let url = format!("{}/healthz", self.url);
        let answer = http::send(&Method::GET, &url, Vec::new(), HEALTH_WITHIN).await?;
        serde_json::from_slice(&answer.body).context("it is not a Rightsizer of this version")
    }
}

fn ask<T: DeserializeOwned>(method: &Method, url: &str, body: Vec<u8>) -> anyhow::Result<T> {
    runtime()?.block_on(asked(method, url, body))
}

async fn asked<T: DeserializeOwned>(
    method: &Method,
    url: &str,
    body: Vec<u8>,
) -> anyhow::Result<T> {
    let answer = http::send_with(method, url, &[GZIP], body, PATIENCE).await;
    let answer = answer.and_then(unpacked).context(
        "the server that has the store does not respond\nhint: --server URL names another",
    )?;
    if answer.status.is_success() {
        return serde_json::from_slice(&answer.body)
            .context("the server's response is not understood: does it have the same version?");
    }
    Err(match serde_json::from_slice::<NotDone>(&answer.body) {
        Ok(not_done) => not_done.into(),
        Err(_) => anyhow::anyhow!(
            "the server responded with {}: is it a Rightsizer of the same version?",
            answer.status
        ),
    })
}

/// A response as it was before the server compressed it.
fn unpacked(mut answer: Answer) -> anyhow::Result<Answer> {
    if answer
        .headers
        .get(CONTENT_ENCODING)
        .is_some_and(|coding| coding == GZIP.1)
    {
        let mut body = Vec::new();
        let read = MultiGzDecoder::new(answer.body.as_slice()).read_to_end(&mut body);
        read.context("its response is compressed and cannot be unpacked")?;
        answer.body = body;
    }
    Ok(answer)
}

fn serving_address(holder: &str) -> Option<&str> {
    holder
        .strip_prefix("rightsizer serve on ")?
        .split(' ')
        .next()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use axum::Router;
    use axum::http::{HeaderMap, StatusCode};
    use axum::response::IntoResponse;
    use axum::routing::get;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// A server that only has compressed lists.
    async fn list(headers: HeaderMap) -> impl IntoResponse {
        if headers
            .get("accept-encoding")
            .is_none_or(|coding| coding != "gzip")
        {
            return StatusCode::NOT_ACCEPTABLE.into_response();
        }
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(b"[1, 2, 3]").unwrap();
        ([("content-encoding", "gzip")], packed.finish().unwrap()).into_response()
    }

    #[tokio::test]
    async fn lists_are_asked_for_and_read_in_gzip() {
        let broken = || async { ([("content-encoding", "gzip")], "[1, 2, 3]") };
        let routes = Router::new()
            .route("/token/review", get(list))
            .route("/token/review/plain", get(|| async { "[4]" }))
            .route("/token/review/broken", get(broken));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await });
        let server = Server::at(&format!("http://{address}/token"));
        let rows: Vec<u32> = server.fetch("").await.unwrap();
        assert_eq!(rows, [1, 2, 3]);
        let rows: Vec<u32> = server.fetch("/plain").await.unwrap();
        assert_eq!(rows, [4], "a server before this one, or a short answer");
        let error = server.fetch::<Vec<u32>>("/broken").await.unwrap_err();
        assert!(
            format!("{error:#}").contains("cannot be unpacked"),
            "{error:#}"
        );
        serving.abort();
    }
}
