//! The review API, at `/TOKEN/review` with a reviewer's token: `GET` lists every function, `GET
//! …/FUNCTION` shows one, `POST` applies a [`ReviewCommand`]; `GET /TOKEN/export` gives what an export
//! chooses from. Writers of records have another token, or none, and are not answered here.

use std::path::PathBuf;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rightsizer_aws::clock::now;
use rightsizer_rules::commands::{Done, Refused, ReviewCommand, Switched};
use rightsizer_store::inspect;
use rightsizer_store::{Reader, StoreError};
use serde::Serialize;
use serde_json::json;

use super::body::BodyError;
use super::{Port, json_answer};

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
enum ReviewError {
    #[error(
        "the review API needs a reviewer's token in the path, as http://HOST:PORT/TOKEN: the \
         server's --review-token; on the server's own machine `rightsizer` finds one beside the \
         store"
    )]
    Forbidden,
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("not a review command: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{}", .0.message)]
    NotKept(Done),
    #[error("{0}")]
    Stopped(String),
}

impl IntoResponse for ReviewError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Body(BodyError::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(BodyError::TooSlow) => StatusCode::REQUEST_TIMEOUT,
            Self::Body(BodyError::Busy) | Self::NotKept(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unreadable(_) => StatusCode::BAD_REQUEST,
            Self::Refused(Refused::NotFound(_)) => StatusCode::NOT_FOUND,
            Self::Refused(_) => StatusCode::CONFLICT,
            Self::Store(_) | Self::Stopped(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut body = json!({ "error": self.to_string() });
        if let Self::NotKept(Done { updater, .. }) = &self {
            body["updater"] = json!(updater);
        }
        json_answer(status, &body)
    }
}

pub(super) async fn without_token() -> Response {
    ReviewError::Forbidden.into_response()
}

pub(super) async fn say(
    State(port): State<Port>,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    answer(carry_out(&port, &token, request).await)
}

pub(super) async fn list(State(port): State<Port>, Path(token): Path<String>) -> Response {
    if !port.may_review(&token) {
        return ReviewError::Forbidden.into_response();
    }
    let Ok(_turn) = port.lists.acquire().await else {
        return ReviewError::Stopped("the server is stopping".to_owned()).into_response();
    };
    answer(read(&port, &token, |store| Ok(Reader::open(&store)?.review()?)).await)
}

pub(super) async fn exportable(State(port): State<Port>, Path(token): Path<String>) -> Response {
    if !port.may_review(&token) {
        return ReviewError::Forbidden.into_response();
    }
    let Ok(_turn) = port.lists.acquire().await else {
        return ReviewError::Stopped("the server is stopping".to_owned()).into_response();
    };
    answer(read(&port, &token, |store| Ok(inspect::exportable(&store)?)).await)
}

pub(super) async fn show(
    State(port): State<Port>,
    Path((token, function)): Path<(String, String)>,
) -> Response {
    let detail = move |store: PathBuf| Ok(inspect::function_named(&store, &function)??);
    answer(read(&port, &token, detail).await)
}

fn answer<T: Serialize>(result: Result<T, ReviewError>) -> Response {
    result.map_or_else(IntoResponse::into_response, |value| {
        json_answer(StatusCode::OK, &value)
    })
}

async fn carry_out(port: &Port, token: &str, request: Request) -> Result<Done, ReviewError> {
    if !port.may_review(token) {
        return Err(ReviewError::Forbidden);
    }
    let body = port.bodies.read(request).await?;
    let command: ReviewCommand = serde_json::from_slice(&body.bytes)?;
    // As a task of its own, so that an applied command is also saved if the client disconnects
    // meanwhile.
    let carried = tokio::spawn(carry_out_and_keep(port.clone(), command)).await;
    carried.map_err(|e| ReviewError::Stopped(e.to_string()))?
}

async fn carry_out_and_keep(port: Port, command: ReviewCommand) -> Result<Done, ReviewError> {
    let answered = port.writer.review(command.clone()).await;
    let (mut done, carried) = answered.map_err(|e| ReviewError::Stopped(e.to_string()))??;
    // After the sending: that stops whatever becomes of this.
    let switched = async {
        match &port.options.updater {
            Some(updater) => updater.turn(&command, now()).await,
            None if command.action.is_stop() => Some(Switched::NotNamed),
            None => None,
        }
    };
    // Neither waits for the other: each may take seconds, in which this task may be lost.
    let kept = async {
        match &port.options.holder {
            Some(holder) => holder.keep(carried).await,
            None => Ok(()),
        }
    };
    let (kept, switched) = tokio::join!(kept, switched);
    done.updater = switched;
    match kept {
        Ok(()) => Ok(done),
        Err(error) => {
            done.message = format!("{}; {error:#}", done.message);
            Err(ReviewError::NotKept(done))
        }
    }
}

/// Reads the store beside the writer, on a thread that may wait for the disk.
async fn read<T: Send + 'static>(
    port: &Port,
    token: &str,
    what: impl FnOnce(PathBuf) -> Result<T, ReviewError> + Send + 'static,
) -> Result<T, ReviewError> {
    if !port.may_review(token) {
        return Err(ReviewError::Forbidden);
    }
    let store = port.options.store.clone();
    let done = tokio::task::spawn_blocking(move || what(store)).await;
    done.map_err(|e| ReviewError::Stopped(e.to_string()))?
}
