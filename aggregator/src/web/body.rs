//! Reads the bodies of requests. Each body is bounded in size and time, and all bodies together in memory. What counts
//! is what was received, not the announced length.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body as Sent, Bytes, HttpBody};
use axum::extract::Request;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::seats::Seat;

/// A `PutRecords` request of 5 MB is 6.7 MB in base64.
const MOST_BYTES: usize = 8 << 20;
/// So much of each body needs no room: most bodies are smaller, and so never wait for others.
const FREE_BYTES: usize = 64 << 10;
/// Bytes of larger bodies that are held at once, some three times as many with what is decoded from
/// them: more wait for their turn.
const BUDGET_BYTES: usize = 64 << 20;
/// How long a client may take to send a body, and wait for its turn with it.
const WITHIN: Duration = Duration::from_secs(30);
/// A body that has room and does not arrive for this long gives it up if others wait.
const STALL: Duration = Duration::from_millis(500);

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the body is larger than {} bytes", MOST_BYTES)]
    TooLarge,
    #[error("the body did not arrive within {} seconds", WITHIN.as_secs())]
    TooSlow,
    #[error("too many requests at once; try again")]
    Busy,
}

/// Room for bodies.
#[derive(Debug, Clone)]
pub(super) struct Bodies {
    room: Arc<Semaphore>,
    /// How many wait for room.
    waiting: Arc<AtomicUsize>,
}

/// A body, and the room that it takes until it is dropped.
pub(super) struct Body {
    pub(super) bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

impl Default for Bodies {
    fn default() -> Self {
        Self {
            room: Arc::new(Semaphore::new(kilobytes(BUDGET_BYTES) as usize)),
            waiting: Arc::default(),
        }
    }
}

impl Bodies {
    /// Reads a request's body.
    pub(super) async fn read(&self, request: Request) -> Result<Body, BodyError> {
        let seat = request.extensions().get::<Arc<Seat>>().cloned();
        let body = request.into_body();
        // A body without a length may be as long as any.
        let announced = body.size_hint().upper();
        let announced = announced.map_or(MOST_BYTES, |n| usize::try_from(n).unwrap_or(usize::MAX));
        if announced > MOST_BYTES {
            return Err(BodyError::TooLarge);
        }
        let read = tokio::time::timeout(WITHIN, self.gather(body, announced)).await;
        let read = read.unwrap_or(Err(BodyError::TooSlow))?;
        if let Some(seat) = &seat {
            seat.is_served();
        }
        Ok(read)
    }

    async fn gather(&self, mut body: Sent, announced: usize) -> Result<Body, BodyError> {
        let mut bytes = Vec::new();
        let mut room = None;
        while let Some(data) = self.next(&mut body, room.is_some()).await? {
            if bytes.len() + data.len() > MOST_BYTES {
                return Err(BodyError::TooLarge);
            }
            if room.is_none() && bytes.len() + data.len() > FREE_BYTES {
                // All at once: two that have half of what they need would wait for each other.
                room = Some(self.room(announced).await?);
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Body {
            bytes: bytes.into(),
            _room: room,
        })
    }

    /// The next bytes of a body; `None` at its end.
    async fn next(&self, body: &mut Sent, has_room: bool) -> Result<Option<Bytes>, BodyError> {
        loop {
            let Ok(frame) = tokio::time::timeout(STALL, body.frame()).await else {
                if has_room && self.waiting.load(Ordering::Relaxed) > 0 {
                    return Err(BodyError::TooSlow);
                }
                continue;
            };
            // Cut off by the client, or longer than it may be: either way there is no body.
            match frame.transpose().map_err(|_| BodyError::TooLarge)? {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    async fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, BodyError> {
        let _waiting = Waiting::new(&self.waiting);
        let room = self.room.clone().acquire_many_owned(kilobytes(bytes));
        let room = tokio::time::timeout(WITHIN, room).await;
        room.ok().and_then(Result::ok).ok_or(BodyError::Busy)
    }
}

/// Counts itself while it lives.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn kilobytes(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}
