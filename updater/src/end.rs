//! How a try ends: for good, or for now.

use rightsizer_records::{
    ApiFault, FailureCode, Outcome, OutcomeStatus, Recommendation, SkipCode, Timestamp,
};

use crate::ApiError;

/// Nothing is known to have been written, and the same recommendation may succeed later: deliver it
/// again. If a change was made after all, the next delivery finds it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{function}: {fault}, to be retried: {error}", fault = error.fault.name())]
pub struct RetryLater {
    /// ARN of the function.
    pub function: String,
    /// The control plane's message.
    pub error: ApiError,
    /// Whether a change was requested and may have been made, because the function could not be
    /// read since.
    pub unclear: bool,
}

/// How a recommendation ended, without what every outcome repeats.
#[derive(Debug)]
pub(crate) struct End {
    status: OutcomeStatus,
    reason: &'static str,
    detail: String,
}

/// How one round of a recommendation went.
#[derive(Debug)]
pub(crate) enum Step {
    /// That is all.
    End(End),
    /// Another change or a temporary fault prevents it: another round, and this as the outcome
    /// after the last.
    Wait(Result<End, ApiError>),
    /// Something was done, and it is known what comes next: another round after a moment.
    Next(End),
}

impl End {
    pub(crate) fn applied(detail: String) -> Self {
        Self::new(OutcomeStatus::Applied, "", detail)
    }

    pub(crate) fn skipped(code: SkipCode, detail: String) -> Self {
        Self::new(OutcomeStatus::Skipped, code.name(), detail)
    }

    pub(crate) fn failed(reason: &'static str, detail: String) -> Self {
        Self::new(OutcomeStatus::Failed, reason, detail)
    }

    fn new(status: OutcomeStatus, reason: &'static str, detail: String) -> Self {
        Self {
            status,
            reason,
            detail,
        }
    }

    /// The end that giving up a recommendation is.
    pub(crate) fn given_up(later: &RetryLater) -> Self {
        let error = &later.error;
        if later.unclear {
            let detail = format!(
                "a change was requested without a clear response, and the function could not be \
                 read since ({error}): check its memory size"
            );
            return Self::failed(FailureCode::UpdateUnclear.name(), detail);
        }
        let detail = format!("nothing was changed, and this was the last attempt: {error}");
        Self::failed(error.fault.name(), detail)
    }

    pub(crate) fn outcome(self, rec: &Recommendation, now: Timestamp) -> Outcome {
        Outcome {
            id: rec.id.clone(),
            function: rec.function.clone(),
            status: self.status,
            from_mb: rec.from_mb,
            to_mb: rec.to_mb,
            reason: self.reason.to_owned(),
            detail: shortened(self.detail),
            at: now,
        }
    }
}

impl Step {
    pub(crate) fn skip((code, detail): (SkipCode, String)) -> Self {
        let end = End::skipped(code, detail);
        if code == SkipCode::UpdateInProgress {
            Self::Wait(Ok(end))
        } else {
            Self::End(end)
        }
    }

    /// The result of a call that wrote nothing.
    pub(crate) fn of_fault(error: ApiError) -> Self {
        let message = error.message.clone();
        match error.fault {
            ApiFault::Conflict => Self::Wait(Ok(End::skipped(SkipCode::UpdateInProgress, message))),
            ApiFault::RevisionChanged => {
                Self::Wait(Ok(End::skipped(SkipCode::RevisionChanged, message)))
            }
            ApiFault::Throttled
            | ApiFault::Unavailable
            | ApiFault::Credentials
            | ApiFault::OutOfTime => Self::Wait(Err(error)),
            ApiFault::BlockedRuntime => Self::End(End::skipped(SkipCode::BlockedRuntime, message)),
            ApiFault::OtherCode => Self::End(End::skipped(SkipCode::AliasAhead, message)),
            ApiFault::AccessDenied | ApiFault::NotFound | ApiFault::Refused => {
                Self::End(End::failed(error.fault.name(), message))
            }
        }
    }
}

/// Held to what the record format takes; services answer with whole documents now and then.
fn shortened(detail: String) -> String {
    if detail.len() <= 1024 {
        detail
    } else {
        detail.chars().take(1000).collect()
    }
}
