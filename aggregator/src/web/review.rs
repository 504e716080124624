//! The review API, at `/TOKEN/review` with a reviewer's token: `GET` lists every function, `GET
//! …/FUNCTION` shows one, `POST` applies a [`ReviewCommand`]; `GET /TOKEN/export` gives what an export
//! chooses from. Writers of records have another token, or none, and are not answered here.

use std::path::PathBuf;

use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt as _, Collected};
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
pub(super) enum ReviewError {
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
    NotSaved(Done),
    #[error("{0}")]
    Stopped(String),
}

impl IntoResponse for ReviewError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Body(BodyError::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(BodyError::TooSlow) => StatusCode::REQUEST_TIMEOUT,
            Self::Body(BodyError::Busy) | Self::NotSaved(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unreadable(_) => StatusCode::BAD_REQUEST,
            Self::Refused(Refused::NotFound(_)) => StatusCode::NOT_FOUND,
            Self::Refused(_) => StatusCode::CONFLICT,
            Self::Store(_) | Self::Stopped(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut body = json!({ "error": self.to_string() });
        if let Self::NotSaved(Done { updater, .. }) = &self {
            body["updater"] = json!(updater);
        }
        json_answer(status, &body)
    }
}

pub(super) async fn without_token() -> Response {
    ReviewError::Forbidden.into_response()
}

pub(super) async fn apply(
    State(port): State<Port>,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    answer(carry_out(&port, &token, request).await)
}

/// The most functions on a page of the list.
const MOST: u32 = 10_000;

/// A part of the list: after a function, and not more than this number.
#[derive(Debug, Default)]
struct Part {
    after: String,
    limit: Option<u32>,
}

impl Part {
    fn parse(query: &str) -> Self {
        let mut part = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "after" => part.after = value.into_owned(),
                "limit" => part.limit = value.parse().ok(),
                _ => {}
            }
        }
        part
    }
}

pub(super) async fn list(
    State(port): State<Port>,
    Path(token): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let part = Part::parse(&query.unwrap_or_default());
    let listed = match part.limit {
        Some(limit) => page(&port, &token, part.after, limit.clamp(1, MOST)).await,
        None if part.after.is_empty() => whole(&port, &token).await,
        None => page(&port, &token, part.after, MOST).await,
    };
    tagged(listed, &headers).await
}

/// A page in the order of the functions' keys, with the address of the next one.
async fn page(port: &Port, token: &str, after: String, limit: u32) -> Response {
    let listed = read(port, token, move |store| {
        Ok(Reader::open(&store)?.review_after(&after, limit)?)
    });
    let rows = match listed.await {
        Ok(rows) => rows,
        Err(error) => return error.into_response(),
    };
    let full = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let next = rows.last().filter(|_| full).map(|row| {
        let after: String = form_urlencoded::byte_serialize(row.function.as_bytes()).collect();
        format!("<?after={after}&limit={limit}>; rel=\"next\"")
    });
    let mut response = json_answer(StatusCode::OK, &rows);
    if let Some(next) = next.and_then(|next| HeaderValue::from_str(&next).ok()) {
        response.headers_mut().insert(LINK, next);
    }
    response
}

/// The response with a tag of its content; nothing but the tag if the client has that content already.
async fn tagged(response: Response, request: &HeaderMap) -> Response {
    if response.status() != StatusCode::OK {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let Ok(body) = body.collect().await.map(Collected::to_bytes) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let tag = format!("\"{}\"", blake3::hash(&body).to_hex());
    let known = request
        .get(IF_NONE_MATCH)
        .and_then(|tags| tags.to_str().ok());
    let known = known.is_some_and(|tags| {
        tags.split(',')
            .any(|one| one.trim() == tag || one.trim() == "*")
    });
    if let Ok(value) = HeaderValue::from_str(&tag) {
        head.headers.insert(ETAG, value);
    }
    if known {
        head.status = StatusCode::NOT_MODIFIED;
        head.headers.remove(CONTENT_TYPE);
        return Response::from_parts(head, Body::empty());
    }
    Response::from_parts(head, Body::from(body))
}

async fn whole(port: &Port, token: &str) -> Response {
    if !port.may_review(token) {
        return ReviewError::Forbidden.into_response();
    }
    let Ok(_turn) = port.lists.acquire().await else {
        return ReviewError::Stopped("the server is stopping".to_owned()).into_response();
    };
    answer(read(port, token, |store| Ok(Reader::open(&store)?.review()?)).await)
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

pub(super) async fn carry_out_and_keep(
    port: Port,
    command: ReviewCommand,
) -> Result<Done, ReviewError> {
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
    let saved = async {
        match &port.options.holder {
            Some(holder) => holder.keep(carried).await,
            None => Ok(()),
        }
    };
    let (saved, switched) = tokio::join!(saved, switched);
    done.updater = switched;
    match saved {
        Ok(()) => Ok(done),
        Err(error) => {
            done.message = format!("{}; {error:#}", done.message);
            Err(ReviewError::NotSaved(done))
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
