//! Notifies open pages of commits. An event carries a number only, and a page asks for itself what
//! has changed, so a slow reader gets fewer events and never a backlog of them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::Page;

/// How often the store is asked whether something was committed.
const EVERY: Duration = Duration::from_millis(500);
/// A line that keeps proxies from ending the stream.
const ALIVE: Duration = Duration::from_secs(20);
/// A stream ends then; the browser opens another, so that a session that ended is noticed.
const LASTS: Duration = Duration::from_mins(5);

pub(super) async fn events(State(page): State<Page>, headers: HeaderMap) -> Response {
    if page.sessions.of(&headers).is_none() {
        return StatusCode::FORBIDDEN.into_response();
    }
    let Ok(place) = Arc::clone(&page.streams).try_acquire_owned() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let begun = Instant::now();
    let state = (page, None, Instant::now(), place);
    let parts = stream::unfold(state, move |(page, mut last, mut sent, place)| async move {
        let stop = page.options.stop.clone();
        // The first event comes at once, and each other one not sooner than this after the one before.
        let mut pause = last.map_or(Duration::ZERO, |_| EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(pause) => pause = EVERY,
            }
            let version = version(&page).await;
            if version.is_some() && version != last {
                last = version;
                sent = Instant::now();
                let text = format!("event: change\ndata: {}\n\n", version.unwrap_or_default());
                return Some((
                    Ok::<_, Infallible>(Bytes::from(text)),
                    (page, last, sent, place),
                ));
            }
            if sent.elapsed() > ALIVE {
                sent = Instant::now();
                return Some((Ok(Bytes::from_static(b":\n\n")), (page, last, sent, place)));
            }
            if begun.elapsed() > LASTS {
                return None;
            }
        }
    });
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, axum::body::Body::from_stream(parts)).into_response()
}

/// The number of the newest commit that pages show; `None` while the store cannot be read.
async fn version(page: &Page) -> Option<i64> {
    let cache = Arc::clone(&page.fleet);
    let read = tokio::task::spawn_blocking(move || cache.shown()).await;
    read.ok().and_then(Result::ok)
}
