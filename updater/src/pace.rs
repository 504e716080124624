//! Spaces calls out in time.

use std::sync::{Mutex as StdMutex, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// Lets calls through one after the other with a gap between them, in the order they were made.
#[derive(Debug)]
pub(crate) struct Pace {
    gap: Duration,
    next: Mutex<Option<Instant>>,
    held_until: StdMutex<Option<Instant>>,
}

impl Pace {
    /// With so much between two calls.
    pub(crate) fn with_gap(gap: Duration) -> Self {
        Self {
            gap,
            next: Mutex::new(None),
            held_until: StdMutex::new(None),
        }
    }

    /// Returns when it is the caller's turn.
    pub(crate) async fn turn(&self) {
        let mut next = self.next.lock().await;
        loop {
            let now = Instant::now();
            let at = next.unwrap_or(now).max(self.held_until().unwrap_or(now));
            if at <= now {
                // From now, not from when it could have been: a late wake-up gives no right to a
                // call that follows too soon.
                *next = Some(now + self.gap);
                return;
            }
            sleep_until(at).await;
        }
    }

    /// Blocks all calls for a while.
    pub(crate) fn hold(&self, how_long: Duration) {
        let until = Instant::now() + how_long;
        let mut held = self
            .held_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *held = Some(held.map_or(until, |held| held.max(until)));
    }

    fn held_until(&self) -> Option<Instant> {
        *self
            .held_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn eleven_calls_at_ten_a_second_take_a_second() {
        let (pace, start) = (Pace::with_gap(Duration::from_millis(100)), Instant::now());
        for _ in 0..11 {
            pace.turn().await;
        }
        // The first goes at once, ten gaps of 100 ms follow.
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_gives_no_right_to_a_burst() {
        let pace = Pace::with_gap(Duration::from_millis(100));
        pace.turn().await;
        tokio::time::advance(Duration::from_secs(5)).await;
        let start = Instant::now();
        pace.turn().await;
        pace.turn().await;
        assert_eq!(start.elapsed(), Duration::from_millis(100));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hold_stops_also_who_waits_already() {
        let (pace, start) = (Pace::with_gap(Duration::from_millis(100)), Instant::now());
        pace.turn().await;
        let waiting = pace.turn();
        pace.hold(Duration::from_secs(1));
        waiting.await;
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }
}
