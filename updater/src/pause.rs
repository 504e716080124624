//! The global pause: checked before every change, so that it applies within seconds, also to what
//! is on the stream already.
//!
//! In Lambda it is a tag on the updater itself, [`PAUSED_TAG`]: a role that may set this tag on
//! this function can stop everything, with this product or any AWS tool. `rightsizer apply` checks
//! its store instead.

use std::future::Future;
use std::time::Duration;

use rightsizer_records::FunctionArn;
use rightsizer_records::tags::PAUSED_TAG;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::{ApiError, LambdaApi};

/// How long an answer is good for.
const GOOD_FOR: Duration = Duration::from_secs(2);

/// Decides whether everything is paused.
pub trait PauseSwitch {
    /// Returns why no function may be changed now; `None` if they may.
    ///
    /// # Errors
    /// Fails if that cannot be read. Then nothing is changed.
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

/// Why everything is paused; `None` if it is not.
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
                format!(
                    "the tag {PAUSED_TAG} of {name} is {value:?}: run `rightsizer resume`, or \
                         remove the tag"
                )
            })
        });
        *answer = Some((Instant::now(), paused.clone()));
        paused
    }
}
