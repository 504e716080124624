//! `POST /TOKEN/forced-starts` with a reviewer's token: starts that `rightsizer coldstarts --bench` forced, because only the
//! server can write the store that it has. No decision uses them.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rightsizer_store::Forced;
use serde_json::json;

use super::Port;
use super::document::json_answer;
use super::review::ReviewError;

pub(super) async fn keep(
    State(port): State<Port>,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    match kept(&port, &token, request).await {
        Ok(kept) => json_answer(StatusCode::OK, &json!({ "kept": kept })),
        Err(error) => error.into_response(),
    }
}

/// Returns how many lines are stored: all of them, or none.
async fn kept(port: &Port, token: &str, request: Request) -> Result<usize, ReviewError> {
    if !port.may_review(token) {
        return Err(ReviewError::Forbidden);
    }
    let body = port.bodies.read(request).await?;
    let starts: Vec<Forced> = serde_json::from_slice(&body.bytes)
        .map_err(|error| ReviewError::NotStarts(error.to_string()))?;
    if let Some(wrong) = starts.iter().find(|forced| !forced.is_possible()) {
        let name = wrong.function.name();
        let why = format!(
            "the figures of {name} at {} are impossible",
            wrong.line.memory_mb
        );
        return Err(ReviewError::NotStarts(why));
    }
    let count = starts.len();
    let stored = port.writer.keep_forced(starts).await;
    stored.map_err(|error| ReviewError::Stopped(error.to_string()))?;
    Ok(count)
}
