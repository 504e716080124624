//! Bodies of requests: bounded in size, in time, and all together in memory.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Bytes, HttpBody, to_bytes};
use axum::extract::Request;
use tokio::sync::Semaphore;

/// A `PutRecords` request of 5 MB is 6.7 MB in base64.
const MOST_BYTES: usize = 8 << 20;
/// Bytes of bodies that are held at once, some three times as many with what is decoded from them:
/// more wait for their turn.
const BUDGET_BYTES: usize = 64 << 20;
/// How long a client may take to send a body, and wait for its turn before.
const WITHIN: Duration = Duration::from_secs(30);

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the body is larger than {} bytes", MOST_BYTES)]
    TooLarge,
    #[error("the body did not arrive within {} seconds", WITHIN.as_secs())]
    TooSlow,
    #[error("too many requests at once; send it again")]
    Busy,
}

/// Room for bodies.
#[derive(Debug, Clone)]
pub(super) struct Bodies(Arc<Semaphore>);

/// A body, and the room that it takes until it is dropped.
pub(super) struct Body {
    pub(super) bytes: Bytes,
    _room: tokio::sync::OwnedSemaphorePermit,
}

impl Default for Bodies {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(kilobytes(BUDGET_BYTES) as usize)))
    }
}

impl Bodies {
    /// Reads a request's body.
    pub(super) async fn read(&self, request: Request) -> Result<Body, BodyError> {
        let body = request.into_body();
        // What does not say how long it is may be as long as any.
        let announced = body.size_hint().upper();
        let announced = announced.map_or(MOST_BYTES, |n| usize::try_from(n).unwrap_or(usize::MAX));
        if announced > MOST_BYTES {
            return Err(BodyError::TooLarge);
        }
        let room = self.0.clone().acquire_many_owned(kilobytes(announced));
        let room = tokio::time::timeout(WITHIN, room).await;
        let room = room.ok().and_then(Result::ok).ok_or(BodyError::Busy)?;
        let read = tokio::time::timeout(WITHIN, to_bytes(body, MOST_BYTES)).await;
        let bytes = read.map_err(|_| BodyError::TooSlow)?;
        // Cut off by the client, or longer than it may be: either way there is no body.
        let bytes = bytes.map_err(|_| BodyError::TooLarge)?;
        Ok(Body { bytes, _room: room })
    }
}

fn kilobytes(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}
