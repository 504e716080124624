//! The starter of AWS: each group of starts has a version of the scratch copy of its own.

use futures_util::future::join_all;
use rightsizer_aws::clock::now;
use rightsizer_aws::throttle::Throttle;
use rightsizer_aws::tune::{InvokeError, Reported, Scratch, reported};
use rightsizer_records::{FunctionArn, Megabytes};

use super::starter::Starter;
use crate::tune::StageError;

/// Invocations a second, at most.
const PER_SECOND: f64 = 100.0;

/// The versions of a scratch copy.
#[derive(Debug)]
pub struct Versions {
    scratch: Scratch,
    function: FunctionArn,
    pace: Throttle,
}

impl Versions {
    /// Starts environments of this copy.
    pub fn new(scratch: Scratch) -> Self {
        let own = scratch.function();
        Self {
            function: own.unwrap_or_else(|| scratch.original().function.clone()),
            scratch,
            pace: Throttle::per_second(PER_SECOND),
        }
    }

    /// The copy.
    pub const fn scratch(&self) -> &Scratch {
        &self.scratch
    }
}

impl Starter for Versions {
    async fn start(
        &self,
        size: Megabytes,
        payload: &str,
        count: u32,
    ) -> Result<Vec<Result<Reported, StageError>>, StageError> {
        let version = self.scratch.fresh_version_at(size).await;
        let version = version.map_err(|e| StageError::Refused(e.to_string()))?;
        let calls = (0..count).map(|_| async {
            let invoke = || self.scratch.invoke(&version, payload.as_bytes());
            let answer = self.pace.call(invoke).await.map_err(|error| match error {
                InvokeError::Throttled(by) => StageError::Concurrency(by.reason),
                InvokeError::Refused(why) => StageError::Refused(why),
                InvokeError::Unclear(why) => StageError::Unclear(why),
            })?;
            Ok(reported(&answer, &self.function, now()))
        });
        Ok(join_all(calls).await)
    }
}
