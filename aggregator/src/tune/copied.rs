//! The stage of AWS: a scratch copy of the function, and the processors before and after each invocation.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rightsizer_aws::clock::now;
use rightsizer_aws::throttle::Throttle;
use rightsizer_aws::tune::{Invocation, InvokeError, Reported, Scratch, TuneCalls, reported};
use rightsizer_records::{FunctionArn, Megabytes};

use super::stage::{Stage, StageError};

/// Invocations a second, at most: far below what Lambda accepts for one function.
const PER_SECOND: f64 = 100.0;

/// Functions that are invoked around each invocation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Processors {
    /// Before it: what it returns becomes the payload.
    pub before: Option<String>,
    /// After it: it gets the response.
    pub after: Option<String>,
}

/// A scratch copy as a stage.
#[derive(Debug)]
pub struct Copied<'a> {
    calls: &'a TuneCalls,
    scratch: &'a Scratch,
    function: FunctionArn,
    processors: &'a Processors,
    pace: Throttle,
    /// How often invocations were not accepted, by the service's reason.
    throttled: Mutex<BTreeMap<String, u64>>,
}

impl<'a> Copied<'a> {
    /// Invokes `scratch`.
    pub fn new(calls: &'a TuneCalls, scratch: &'a Scratch, processors: &'a Processors) -> Self {
        let own = scratch.function();
        Self {
            calls,
            function: own.unwrap_or_else(|| scratch.original().function.clone()),
            scratch,
            processors,
            pace: Throttle::per_second(PER_SECOND),
            throttled: Mutex::default(),
        }
    }

    /// Returns how often invocations were not accepted and had to wait, by the service's reason.
    pub fn throttled(&self) -> BTreeMap<String, u64> {
        let throttled = self.throttled.lock();
        throttled.unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn invoke_copy(&self, version: &str, payload: &[u8]) -> Result<Invocation, InvokeError> {
        let once = || async {
            let answer = self.scratch.invoke(version, payload).await;
            if let Err(InvokeError::Throttled(by)) = &answer {
                let throttled = self.throttled.lock();
                let mut throttled = throttled.unwrap_or_else(PoisonError::into_inner);
                *throttled.entry(by.reason.clone()).or_default() += 1;
            }
            answer
        };
        self.pace.call(once).await
    }

    /// Invokes a processor; returns its output if it has one.
    async fn process(
        &self,
        which: &'static str,
        function: &str,
        payload: &[u8],
    ) -> Result<Option<Vec<u8>>, StageError> {
        let failed = |why: String| StageError::Processor {
            which,
            function: function.to_owned(),
            why,
        };
        let answer = self
            .pace
            .call(|| self.calls.invoke(function, None, payload));
        let answer = answer.await.map_err(|e| failed(e.to_string()))?;
        if answer.failed {
            let text = String::from_utf8_lossy(&answer.payload);
            return Err(failed(text.chars().take(300).collect()));
        }
        let output = Some(answer.payload);
        Ok(output.filter(|output| !output.is_empty() && output.as_slice() != b"null"))
    }
}

impl Stage for Copied<'_> {
    async fn invoke(
        &self,
        size: Megabytes,
        payload: &str,
        cold: bool,
    ) -> Result<Reported, StageError> {
        let version = if cold {
            self.scratch.fresh_version_at(size).await
        } else {
            self.scratch.version_at(size).await
        };
        let version = version.map_err(|e| StageError::Refused(e.to_string()))?;
        let mut payload = payload.as_bytes().to_vec();
        if let Some(before) = &self.processors.before {
            let output = self.process("pre-processor", before, &payload).await?;
            payload = output.unwrap_or(payload);
        }
        let answer = self.invoke_copy(&version, &payload).await;
        let answer = answer.map_err(|error| match error {
            InvokeError::Throttled(by) => StageError::Concurrency(by.reason),
            InvokeError::Refused(why) => StageError::Refused(why),
            InvokeError::Unclear(why) => StageError::Unclear(why),
        })?;
        if let Some(after) = &self.processors.after {
            self.process("post-processor", after, &answer.payload)
                .await?;
        }
        Ok(reported(&answer, &self.function, now()))
    }
}

/// Returns the time after which the copy of a run with this number of invocations cannot be needed any more.
pub(crate) fn longest(invocations: u64, timeout_ms: f64, pause: Duration) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "a count of invocations")]
    let busy = invocations as f64 * (timeout_ms / 1000.0 + pause.as_secs_f64() + 20.0);
    Duration::from_secs_f64(busy.clamp(1800.0, 7.0 * 86_400.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `--cleanup --expired` leaves a copy for so long: 1000 × (30 + 10 + 20) s, half an hour for few, a week at most.
    #[test]
    fn a_copy_is_needed_for_as_long_as_its_run_may_take() {
        let long = |invocations| longest(invocations, 30_000.0, Duration::from_secs(10)).as_secs();
        assert_eq!(long(1000), 60_000);
        assert_eq!(long(1), 1800);
        assert_eq!(long(1_000_000), 7 * 86_400);
    }
}
