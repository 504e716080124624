//! Spaces calls out in time.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// Lets calls through one after the other with a gap between them.
#[derive(Debug)]
pub(crate) struct Pace {
    gap: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// At most `calls` a second.
    pub(crate) fn per_second(calls: u32) -> Self {
        Self {
            gap: Duration::from_secs(1) / calls.max(1),
            next: Mutex::new(None),
        }
    }

    /// Returns when it is the caller's turn.
    pub(crate) async fn turn(&self) {
        let mut next = self.next.lock().await;
        let at = next.unwrap_or_else(Instant::now).max(Instant::now());
        sleep_until(at).await;
        *next = Some(at + self.gap);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn eleven_calls_at_ten_a_second_take_a_second() {
        let (pace, start) = (Pace::per_second(10), Instant::now());
        for _ in 0..11 {
            pace.turn().await;
        }
        // The first goes at once, ten gaps of 100 ms follow.
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_gives_no_right_to_a_burst() {
        let pace = Pace::per_second(10);
        pace.turn().await;
        tokio::time::advance(Duration::from_secs(5)).await;
        let start = Instant::now();
        pace.turn().await;
        pace.turn().await;
        assert_eq!(start.elapsed(), Duration::from_millis(100));
    }
}
