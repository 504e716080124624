//! Applies one recommendation: read, judge, write, and say what became of it.

use rightsizer_records::{Outcome, OutcomeStatus, Recommendation, Timestamp};

use crate::check::{judge, judge_unread};
use crate::{ApiError, ApiFault, ControlPlane, LiveFunction, Settings, SkipCode, Verdict};

/// Applies recommendations through a control plane.
#[derive(Debug, Clone)]
pub struct Updater<C> {
    control_plane: C,
    settings: Settings,
}

/// Nothing was written, and the same recommendation may succeed later: deliver it again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{function}: {fault_name}, nothing was changed, to be tried again: {error}", fault_name = error.fault.name())]
pub struct RetryLater {
    /// ARN of the function.
    pub function: String,
    /// What the control plane said.
    pub error: ApiError,
}

/// How a recommendation ended, without what every outcome repeats.
struct End {
    status: OutcomeStatus,
    reason: &'static str,
    detail: String,
}

impl<C: ControlPlane> Updater<C> {
    /// An updater over `control_plane`.
    pub fn new(control_plane: C, settings: Settings) -> Self {
        Self {
            control_plane,
            settings,
        }
    }

    /// What it was told.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Applies `rec` if [`judge`] allows it. Safe to call again with the same recommendation: what
    /// is there already is answered `applied` and not written again.
    ///
    /// # Errors
    /// [`RetryLater`] when nothing was written and trying again makes sense.
    pub async fn apply(&self, rec: &Recommendation, now: Timestamp) -> Result<Outcome, RetryLater> {
        let end = self.end(rec, now).await.map_err(|error| RetryLater {
            function: rec.function.to_string(),
            error,
        })?;
        Ok(Outcome {
            id: rec.id.clone(),
            function: rec.function.clone(),
            status: end.status,
            from_mb: rec.from_mb,
            to_mb: rec.to_mb,
            reason: end.reason.to_owned(),
            detail: shortened(end.detail),
            at: now,
        })
    }

    async fn end(&self, rec: &Recommendation, now: Timestamp) -> Result<End, ApiError> {
        if let Some(Verdict::Skip { code, detail }) = judge_unread(rec, &self.settings) {
            return Ok(End::skipped(code, detail));
        }
        let live = match self.control_plane.get(&rec.function).await {
            Ok(live) => live,
            Err(e) if e.fault == ApiFault::Unavailable => return Err(e),
            Err(e) => return End::of_fault(e),
        };
        match judge(rec, &live, &self.settings, now) {
            Verdict::Apply => self.write(rec, &live).await,
            Verdict::AlreadyThere => Ok(End::applied(format!(
                "the function already had {}: nothing was changed now",
                rec.to_mb
            ))),
            Verdict::Skip { code, detail } => Ok(End::skipped(code, detail)),
        }
    }

    async fn write(&self, rec: &Recommendation, live: &LiveFunction) -> Result<End, ApiError> {
        let revision = live.revision_id.as_deref();
        match self
            .control_plane
            .set_memory(&rec.function, rec.to_mb, revision)
            .await
        {
            Ok(size) if size == rec.to_mb => Ok(End::applied(format!(
                "changed from {} to {size}",
                live.memory_mb
            ))),
            Ok(size) => Ok(End::failed(
                "other-size",
                format!(
                    "{} was asked for, and Lambda answered that it is {size}",
                    rec.to_mb
                ),
            )),
            Err(e) if e.fault == ApiFault::Unavailable => self.after_silence(rec, live, e).await,
            Err(e) => End::of_fault(e),
        }
    }

    /// The update got no clear answer: only reading the function tells whether it was made.
    async fn after_silence(
        &self,
        rec: &Recommendation,
        before: &LiveFunction,
        error: ApiError,
    ) -> Result<End, ApiError> {
        match self.control_plane.get(&rec.function).await {
            Ok(live) if live.memory_mb == rec.to_mb => Ok(End::applied(format!(
                "changed from {} to {}; the update got no clear answer, but the function says so",
                before.memory_mb, rec.to_mb
            ))),
            Ok(live) if live.memory_mb == before.memory_mb => Err(error),
            Ok(live) => Ok(End::failed(
                "other-size",
                format!("somebody made it {} meanwhile ({error})", live.memory_mb),
            )),
            Err(unread) => Ok(End::failed(
                "update-unclear",
                format!(
                    "the update got no clear answer ({error}), and the function cannot be read \
                     ({unread}): look at its memory size"
                ),
            )),
        }
    }
}

impl End {
    fn applied(detail: String) -> Self {
        Self {
            status: OutcomeStatus::Applied,
            reason: "",
            detail,
        }
    }

    fn skipped(code: SkipCode, detail: String) -> Self {
        Self {
            status: OutcomeStatus::Skipped,
            reason: code.name(),
            detail,
        }
    }

    fn failed(reason: &'static str, detail: String) -> Self {
        Self {
            status: OutcomeStatus::Failed,
            reason,
            detail,
        }
    }

    /// The end that a fault without a write is; the fault itself when it may pass.
    fn of_fault(error: ApiError) -> Result<Self, ApiError> {
        match error.fault {
            ApiFault::Conflict
            | ApiFault::RevisionChanged
            | ApiFault::Throttled
            | ApiFault::Unavailable => Err(error),
            ApiFault::BlockedRuntime => Ok(Self::skipped(SkipCode::BlockedRuntime, error.message)),
            ApiFault::AccessDenied | ApiFault::NotFound | ApiFault::Refused => {
                Ok(Self::failed(error.fault.name(), error.message))
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
