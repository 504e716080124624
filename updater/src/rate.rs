//! Limits how often calls are made.

use std::sync::{Mutex as StdMutex, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// Lets calls through one after the other with a gap between them, in the order they were made.
#[derive(Debug)]
pub struct RateLimiter {
    gap: Duration,
    next: Mutex<Option<Instant>>,
    held_until: StdMutex<Option<Instant>>,
}

impl RateLimiter {
    /// Leaves `gap` between two calls.
    pub fn with_gap(gap: Duration) -> Self {
        Self {
            gap,
            next: Mutex::new(None),
            held_until: StdMutex::new(None),
        }
    }

    /// Waits for the caller's turn.
    pub async fn turn(&self) {
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
    pub fn hold(&self, how_long: Duration) {
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

/// Pauses that double, up to a longest one.
#[derive(Debug, Clone)]
pub struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    /// From the first one.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self {
            next: first,
            longest,
        }
    }
}

impl Iterator for Backoff {
    type Item = Duration;

    /// The next one; there is always one.
    fn next(&mut self) -> Option<Duration> {
        let pause = self.next.min(self.longest);
        self.next = pause.saturating_mul(2);
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn eleven_calls_at_ten_a_second_take_a_second() {
        let (limiter, start) = (
            RateLimiter::with_gap(Duration::from_millis(100)),
            Instant::now(),
        );
        for _ in 0..11 {
            limiter.turn().await;
        }
        // The first goes at once, ten gaps of 100 ms follow.
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_gives_no_right_to_a_burst() {
        let limiter = RateLimiter::with_gap(Duration::from_millis(100));
        limiter.turn().await;
        tokio::time::advance(Duration::from_secs(5)).await;
        let start = Instant::now();
        limiter.turn().await;
        limiter.turn().await;
        assert_eq!(start.elapsed(), Duration::from_millis(100));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hold_also_stops_calls_that_wait() {
        let (limiter, start) = (
            RateLimiter::with_gap(Duration::from_millis(100)),
            Instant::now(),
        );
        limiter.turn().await;
        let waiting = limiter.turn();
        limiter.hold(Duration::from_secs(1));
        waiting.await;
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let seconds = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
        let seconds: Vec<u64> = seconds.take(5).map(|pause| pause.as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 5, 5]);
    }
}
