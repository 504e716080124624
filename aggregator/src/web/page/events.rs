//! Notifies open pages of commits. An event carries a number only, and a page asks for itself what
//! has changed, so a slow reader gets fewer events and never a backlog of them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::Page;
use super::cache::FleetCache;

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
    let events = Events::new(page.options.stop.clone());
    let parts = stream::unfold((events, place), move |(mut events, place)| {
        let cache = Arc::clone(&page.fleet);
        async move {
            let part = events.next(|| version(Arc::clone(&cache))).await?;
            Some((Ok::<_, Infallible>(part), (events, place)))
        }
    });
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, Body::from_stream(parts)).into_response()
}

/// The number of the newest commit that pages show; `None` while the store cannot be read.
async fn version(cache: Arc<FleetCache>) -> Option<i64> {
    let read = tokio::task::spawn_blocking(move || cache.shown()).await;
    read.ok().and_then(Result::ok)
}

/// What one open page is sent, and when.
#[derive(Debug)]
struct Events {
    stop: CancellationToken,
    begun: Instant,
    /// The number that the page knows.
    last: Option<i64>,
    sent: Instant,
}

impl Events {
    fn new(stop: CancellationToken) -> Self {
        let begun = Instant::now();
        Self {
            stop,
            begun,
            last: None,
            sent: begun,
        }
    }

    /// Returns the next part of the stream; `None` at its end. A stop ends it also while `version` reads.
    async fn next<F: Future<Output = Option<i64>>>(
        &mut self,
        version: impl Fn() -> F,
    ) -> Option<Bytes> {
        let stop = self.stop.clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => None,
            part = self.part(version) => part,
        }
    }

    async fn part<F: Future<Output = Option<i64>>>(
        &mut self,
        version: impl Fn() -> F,
    ) -> Option<Bytes> {
        // The first event comes at once, and each other one not sooner than this after the one before.
        let mut pause = self.last.map_or(Duration::ZERO, |_| EVERY);
        loop {
            sleep(pause).await;
            pause = EVERY;
            if self.begun.elapsed() > LASTS {
                return None;
            }
            let version = version().await;
            if let Some(newest) = version.filter(|_| version != self.last) {
                self.last = version;
                self.sent = Instant::now();
                return Some(format!("event: change\ndata: {newest}\n\n").into());
            }
            if self.sent.elapsed() > ALIVE {
                self.sent = Instant::now();
                return Some(Bytes::from_static(b":\n\n"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    /// The parts of ten minutes in which the newest commit has these numbers, with the ms at which they were sent.
    async fn parts(version: impl Fn(u128) -> Option<i64>) -> Vec<(u128, String)> {
        let mut events = Events::new(CancellationToken::new());
        let begun = Instant::now();
        let mut parts = Vec::new();
        while let Some(part) = events
            .next(|| ready(version(begun.elapsed().as_millis())))
            .await
        {
            let text = String::from_utf8(part.to_vec()).unwrap();
            parts.push((begun.elapsed().as_millis(), text));
        }
        parts
    }

    fn change(number: i64) -> String {
        format!("event: change\ndata: {number}\n\n")
    }

    /// A commit at 1,700 ms is found when the store is asked the fourth time after the first.
    #[tokio::test(start_paused = true)]
    async fn a_commit_is_an_event_within_half_a_second() {
        let parts = parts(|ms| Some(if ms < 1700 { 6 } else { 7 })).await;
        let changes: Vec<_> = parts.iter().filter(|(_, text)| text != ":\n\n").collect();
        assert_eq!(changes, [&(0, change(6)), &(2000, change(7))]);
        // Each 20 seconds and a half after the one before: 298 seconds hold 14.
        assert_eq!(parts.len(), 2 + 14, "{parts:?}");
    }

    /// A commit each millisecond for five minutes is an event each half second.
    #[tokio::test(start_paused = true)]
    async fn a_burst_of_commits_is_a_few_events_and_ends_as_well() {
        let parts = parts(|ms| i64::try_from(ms).ok()).await;
        let times: Vec<u128> = parts.iter().map(|(at, _)| *at).collect();
        let wanted: Vec<u128> = (0..=600).map(|n| n * 500).collect();
        assert_eq!(times, wanted);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_cannot_be_read_is_no_event() {
        let parts = parts(|ms| (ms >= 30_000).then_some(1)).await;
        let changes: Vec<_> = parts.iter().filter(|(_, text)| text != ":\n\n").collect();
        assert_eq!(changes.len(), 1, "{parts:?}");
    }

    /// The reading of a large fleet may take longer than a stop should.
    #[tokio::test(start_paused = true)]
    async fn a_stop_does_not_wait_for_a_reading() {
        let stop = CancellationToken::new();
        let mut events = Events::new(stop.clone());
        let (part, ()) = tokio::join!(events.next(pending), async {
            sleep(Duration::from_secs(1)).await;
            stop.cancel();
        });
        assert_eq!(part, None);
        assert_eq!(events.begun.elapsed().as_secs(), 1);
    }
}
