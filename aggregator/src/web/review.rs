//! The review API, at `/TOKEN/review` with a reviewer's token: `GET` lists every function, `GET
//! …/FUNCTION` shows one, `POST` applies a [`ReviewCommand`]; `GET /TOKEN/export` gives what an export
//! chooses from. Writers of records have another token, or none, and are not answered here.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Path, RawQuery, Request, State};
use axum::http::header::LINK;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rightsizer_aws::clock::now;
use rightsizer_rules::commands::{Done, Refused, ReviewCommand, Switched};
use rightsizer_store::inspect;
use rightsizer_store::{Reader, ReviewRow, StoreError};
use serde::Serialize;
use serde_json::json;

use super::Port;
use super::body::BodyError;
use super::document::{Wanted, json_answer};

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
    #[error("not forced starts: {0}")]
    NotStarts(String),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{}", .0.message)]
    NotSaved(Done),
    #[error("the response cannot be written as JSON: {0}")]
    Unwritable(serde_json::Error),
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
            Self::Unreadable(_) | Self::NotStarts(_) => StatusCode::BAD_REQUEST,
            Self::Refused(Refused::NotFound(_)) => StatusCode::NOT_FOUND,
            Self::Refused(_) => StatusCode::CONFLICT,
            Self::Store(_) | Self::Unwritable(_) | Self::Stopped(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
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

    /// Whether it is everything.
    const fn is_whole(&self) -> bool {
        self.limit.is_none() && self.after.is_empty()
    }

    /// Reads its lines: everything by urgency and money, a page by key. With a page that is full comes the address of the
    /// next one.
    fn read(&self, reader: &Reader) -> Result<(Vec<ReviewRow>, Option<String>), StoreError> {
        if self.is_whole() {
            return Ok((reader.review()?, None));
        }
        let limit = self.limit.unwrap_or(MOST).clamp(1, MOST);
        let rows = reader.review_after(&self.after, limit)?;
        let full = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        let next = rows.last().filter(|_| full).map(|row| {
            let after: String = form_urlencoded::byte_serialize(row.function.as_bytes()).collect();
            format!("<?after={after}&limit={limit}>; rel=\"next\"")
        });
        Ok((rows, next))
    }
}

pub(super) async fn list(
    State(port): State<Port>,
    Path(token): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    if !port.may_review(&token) {
        return ReviewError::Forbidden.into_response();
    }
    let part = Part::parse(&query.unwrap_or_default());
    let _turn = match part.is_whole().then(|| port.lists.acquire()) {
        Some(turn) => match turn.await {
            Ok(turn) => Some(turn),
            Err(_) => return stopping().into_response(),
        },
        None => None,
    };
    let wanted = Wanted::of(&headers);
    let settings = Arc::clone(&port.options.settings);
    let listed = read(&port, &token, move |store| {
        let reader = Reader::open(&store)?.with_prices(&settings.price);
        let (rows, next) = part.read(&reader)?;
        let mut response = wanted.answer(&rows).map_err(ReviewError::Unwritable)?;
        if let Some(next) = next.and_then(|next| HeaderValue::from_str(&next).ok()) {
            response.headers_mut().insert(LINK, next);
        }
        Ok(response)
    });
    listed.await.unwrap_or_else(IntoResponse::into_response)
}

pub(super) async fn exportable(
    State(port): State<Port>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    if !port.may_review(&token) {
        return ReviewError::Forbidden.into_response();
    }
    let Ok(_turn) = port.lists.acquire().await else {
        return stopping().into_response();
    };
    let wanted = Wanted::of(&headers);
    let listed = read(&port, &token, move |store| {
        let answer = wanted.answer(&inspect::exportable(&store)?);
        answer.map_err(ReviewError::Unwritable)
    });
    listed.await.unwrap_or_else(IntoResponse::into_response)
}

fn stopping() -> ReviewError {
    ReviewError::Stopped("the server is stopping".to_owned())
}

pub(super) async fn show(
    State(port): State<Port>,
    Path((token, function)): Path<(String, String)>,
) -> Response {
    let settings = Arc::clone(&port.options.settings);
    let detail = move |store: PathBuf| {
        let found = inspect::function_named(&store, &function, &settings.price);
        Ok(found??)
    };
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
