//! Calls to one service, at a limited rate, repeated if they were throttled.

use std::future::Future;
use std::time::Duration;

use rightsizer_updater::{Backoff, RateLimiter};
use tracing::warn;

/// How often a call is made that is throttled each time.
const TRIES: usize = 8;
/// The first wait after a call was throttled, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// A wait of this length or more is logged, so that a command does not seem to hang.
const LOGGED_PAUSE: Duration = Duration::from_secs(8);

/// An error that may mean that a call was throttled.
pub trait MayBeThrottled {
    /// If it was throttled: how long to wait at least.
    fn throttled(&self) -> Option<Duration>;
}

/// Lets calls through one by one.
#[derive(Debug)]
pub struct Throttle(RateLimiter);

impl Throttle {
    /// The most calls a second.
    pub fn per_second(calls: f64) -> Self {
        Self(RateLimiter::with_gap(Duration::from_secs_f64(1.0 / calls)))
    }

    /// Makes a call when it is its turn, and again if it was throttled; all others wait as long.
    pub async fn call<T, E, F>(&self, make: impl Fn() -> F) -> Result<T, E>
    where
        E: MayBeThrottled,
        F: Future<Output = Result<T, E>>,
    {
        let pauses = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE).take(TRIES - 1);
        for (pause, tries) in pauses.zip(1..) {
            self.0.turn().await;
            let answer = make().await;
            let Some(wait) = answer.as_ref().err().and_then(MayBeThrottled::throttled) else {
                return answer;
            };
            let pause = wait.max(pause);
            if pause >= LOGGED_PAUSE {
                let seconds = pause.as_secs();
                warn!(
                    "AWS throttles calls: attempt {tries} of {TRIES} failed; the next one is in {seconds} s"
                );
            }
            self.0.hold(pause);
        }
        self.0.turn().await;
        make().await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::time::Instant;

    use super::*;

    struct Refused;

    impl MayBeThrottled for Refused {
        fn throttled(&self) -> Option<Duration> {
            Some(Duration::ZERO)
        }
    }

    /// 1 + 2 + 4 + 8 + 16 + 32 + 60 s between eight calls.
    #[tokio::test(start_paused = true)]
    async fn a_throttled_call_is_made_eight_times_and_the_waits_double() {
        let (throttle, begun) = (Throttle::per_second(10.0), Instant::now());
        let calls = AtomicU32::new(0);
        let call = throttle.call(|| async {
            calls.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(Refused)
        });
        assert!(call.await.is_err());
        assert_eq!(calls.load(Ordering::Relaxed), 8);
        assert_eq!(begun.elapsed(), Duration::from_secs(123));
    }
}
