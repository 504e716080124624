//! Calls to one service, at a limited rate, with a retry if they were throttled.

use std::future::Future;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

/// How often a call is made that is throttled each time.
const THROTTLED_TRIES: u32 = 8;

/// An error that may mean that a call was throttled.
pub trait TooSoon {
    /// If it was throttled: how long to wait at least.
    fn too_soon(&self) -> Option<Duration>;
}

/// Lets calls through one by one.
#[derive(Debug)]
pub struct Pace(Mutex<Interval>);

impl Pace {
    /// The most calls a second.
    pub fn per_second(calls: f64) -> Self {
        let mut turns = interval(Duration::from_secs_f64(1.0 / calls));
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self(Mutex::new(turns))
    }

    /// Makes a call when it is its turn, and again if it was throttled; all others wait as long.
    pub async fn call<T, E, F>(&self, make: impl Fn() -> F) -> Result<T, E>
    where
        E: TooSoon,
        F: Future<Output = Result<T, E>>,
    {
        let mut pause = Duration::from_secs(1);
        let mut tries = 0;
        loop {
            self.0.lock().await.tick().await;
            tries += 1;
            let answer = make().await;
            let wait = answer.as_ref().err().and_then(TooSoon::too_soon);
            let Some(wait) = wait.filter(|_| tries < THROTTLED_TRIES) else {
                return answer;
            };
            let _others_wait = self.0.lock().await;
            sleep(wait.max(pause)).await;
            pause = (pause * 2).min(Duration::from_mins(1));
        }
    }
}
