//! The review API: `POST /review` with a [`Word`] as JSON. A browser's page from elsewhere cannot
//! send that content type without asking first, and is not answered when it asks.

use std::net::IpAddr;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::HOST;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Port;
use crate::review::Word;

pub(super) async fn without_token(
    State(port): State<Port>,
    headers: HeaderMap,
    word: Json<Word>,
) -> Response {
    review(&port, None, &headers, word.0).await
}

pub(super) async fn with_token(
    State(port): State<Port>,
    Path(token): Path<String>,
    headers: HeaderMap,
    word: Json<Word>,
) -> Response {
    review(&port, Some(&token), &headers, word.0).await
}

async fn review(port: &Port, token: Option<&str>, headers: &HeaderMap, word: Word) -> Response {
    if port.token.is_none() && !names_this_machine(headers) {
        return refused(
            StatusCode::FORBIDDEN,
            "without a token only this machine is answered",
        );
    }
    if port.token.as_deref() != token {
        return refused(
            StatusCode::FORBIDDEN,
            "the address does not carry this server's token",
        );
    }
    match port.writer.review(word).await {
        Ok(Ok(done)) => Json(done).into_response(),
        Ok(Err(why)) => refused(StatusCode::CONFLICT, &why.to_string()),
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// Whether the request was sent to an address of this machine: a page whose name was made to point
/// here carries its own name.
fn names_this_machine(headers: &HeaderMap) -> bool {
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = name.trim_matches(['[', ']']);
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn refused(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}
