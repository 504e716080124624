//! The global stop: asked before every change, so that it holds within seconds also for what is in
//! the stream already.
//!
//! In Lambda it is a tag on the updater itself, [`PAUSED_TAG`]: whoever may set that one tag on that
//! one function can stop everything, from this product or from any AWS tool. `rightsizer apply`
//! asks its store instead.

use std::future::Future;
use std::time::Duration;

use rightsizer_records::FunctionArn;
use rightsizer_records::tags::PAUSED_TAG;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::{ApiError, LambdaApi};

/// How long an answer is good for.
const GOOD_FOR: Duration = Duration::from_secs(2);

/// Tells whether everything is to stop.
pub trait PauseSwitch {
    /// Why no function may be changed now; `None` when they may.
    ///
    /// # Errors
    /// When that cannot be told: nothing is changed then.
    fn paused(&self) -> impl Future<Output = Result<Option<String>, ApiError>> + Send;
}

/// Never stops anything.
#[derive(Debug, Clone, Copy, Default)]
pub struct NeverPaused;

impl PauseSwitch for NeverPaused {
    async fn paused(&self) -> Result<Option<String>, ApiError> {
        Ok(None)
    }
}

/// Why everything is to stop, if it is and if that can be told.
type Answer = Result<Option<String>, ApiError>;

/// The tag on the updater's own function.
#[derive(Debug)]
pub struct PauseTag {
    api: LambdaApi,
    updater: FunctionArn,
    answer: Mutex<Option<(Instant, Answer)>>,
}

impl PauseTag {
    /// Reads the tags of `updater`, at most every two seconds.
    pub fn new(api: LambdaApi, updater: FunctionArn) -> Self {
        Self {
            api,
            updater,
            answer: Mutex::default(),
        }
    }
}

impl PauseSwitch for PauseTag {
    async fn paused(&self) -> Result<Option<String>, ApiError> {
        let mut answer = self.answer.lock().await;
        if let Some((at, paused)) = &*answer
            && at.elapsed() < GOOD_FOR
        {
            return paused.clone();
        }
        // A failure is an answer too: those who wait here do not each try again and wait as long.
        let paused = self.api.tags(&self.updater).await.map(|tags| {
            let value = tags.get(PAUSED_TAG)?.trim();
            let name = self.updater.name();
            (!value.eq_ignore_ascii_case("false")).then(|| {
                format!("the tag {PAUSED_TAG} of {name} says {value:?}: `rightsizer resume`, or remove it")
            })
        });
        *answer = Some((Instant::now(), paused.clone()));
        paused
    }
}
