//! The review API: `POST /review` with a [`Word`] as JSON. A browser's page from elsewhere cannot
//! send that content type without asking first, and is not answered when it asks.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Port;
use crate::review::Word;

pub(super) async fn without_token(State(port): State<Port>, word: Json<Word>) -> Response {
    review(&port, None, word.0).await
}

pub(super) async fn with_token(
    State(port): State<Port>,
    Path(token): Path<String>,
    word: Json<Word>,
) -> Response {
    review(&port, Some(&token), word.0).await
}

async fn review(port: &Port, token: Option<&str>, word: Word) -> Response {
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

fn refused(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}
