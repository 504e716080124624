//! One HTTP request to a server that the user names, over TLS if its address is `https`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::http::request::Builder;
use hyper::{Method, Request, StatusCode};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The response.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Sends `body`, JSON, to `url` and waits up to the given time for the whole response. Errors do
/// not show the URL: it may carry a token.
pub(crate) async fn send(
    method: &Method,
    url: &str,
    body: Vec<u8>,
    within: Duration,
) -> anyhow::Result<Answer> {
    send_with(method, url, &[], body, within).await
}

/// The same with these headers.
pub(crate) async fn send_with(
    method: &Method,
    url: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
    within: Duration,
) -> anyhow::Result<Answer> {
    let request = Request::builder()
        .method(method)
        .uri(url)
        .header(CONTENT_TYPE, "application/json");
    let with = |request: Builder, (name, value): &(&str, &str)| request.header(*name, *value);
    let request = headers
        .iter()
        .fold(request, with)
        .body(Full::new(Bytes::from(body)))
        .context("not the address of a server: expected http://HOST:PORT/TOKEN or https://…")?;
    let connector = HttpsConnectorBuilder::new();
    let connector = if request.uri().scheme_str() == Some("https") {
        connector
            .with_provider_and_native_roots(ring::default_provider())
            .context(
                "this machine has no TLS roots: install ca-certificates, or set SSL_CERT_FILE",
            )?
    } else {
        // Roots are only loaded for TLS.
        connector.with_tls_config(without_roots()?)
    };
    let connector = connector.https_or_http().enable_http1().build();
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let exchange = async {
        let answer = client.request(request).await?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes().to_vec();
        anyhow::Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    };
    tokio::time::timeout(within, exchange)
        .await
        .map_err(|_| anyhow::anyhow!("no response within {} seconds", within.as_secs()))?
}

fn without_roots() -> anyhow::Result<ClientConfig> {
    Ok(
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth(),
    )
}
