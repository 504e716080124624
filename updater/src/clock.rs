//! The time and waiting, behind a trait, so that tests need not wait.

use std::future::Future;
use std::time::Duration;

use rightsizer_records::Timestamp;
use tokio::time::Instant;

/// What the updater knows of time.
pub trait Clock {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Waits for `how_long`.
    fn wait(&self, how_long: Duration) -> impl Future<Output = ()> + Send;
}

/// A clock that is set once and then follows tokio's time, so that a test which pauses tokio's time
/// has a virtual clock. Set it again for every invocation, because it stops while a Lambda
/// environment is frozen.
#[derive(Debug, Clone, Copy)]
pub struct RunningClock {
    set_to: Timestamp,
    set_at: Instant,
}

impl RunningClock {
    /// Returns a clock that is at `now`.
    pub fn set_to(now: Timestamp) -> Self {
        Self {
            set_to: now,
            set_at: Instant::now(),
        }
    }
}

impl Clock for RunningClock {
    fn now(&self) -> Timestamp {
        let since = i64::try_from(self.set_at.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.set_to.plus_ms(since)
    }

    async fn wait(&self, how_long: Duration) {
        tokio::time::sleep(how_long).await;
    }
}
