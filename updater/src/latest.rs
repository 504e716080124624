//! One round of a recommendation for a function whose traffic is on `$LATEST`: one update.

use rightsizer_records::{ApiFault, Megabytes, Recommendation};

use crate::check::{judge, skipped};
use crate::end::{End, Step};
use crate::updater::{Done, superseded};
use crate::{
    ApiError, Clock, ControlPlane, LastUpdate, LiveFunction, PauseSwitch, Updater, Verdict,
};

impl<C: ControlPlane, P: PauseSwitch, K: Clock> Updater<C, P, K> {
    pub(crate) async fn latest(
        &self,
        rec: &Recommendation,
        newer: &[&Recommendation],
        done: &mut Done,
    ) -> Step {
        let live = match self.call(|| self.control_plane.get(&rec.function)).await {
            Ok(live) => live,
            Err(e) => return unread(rec, done, e),
        };
        done.unclear = false;
        // What was written and is not there any more is not written again and again.
        if done.written && live.memory_mb != rec.to_mb {
            return came_to_nothing(&live);
        }
        let verdict = match judge(rec, &live, &self.settings, self.now()) {
            Verdict::Apply => {
                superseded(rec, newer, live.memory_mb).map_or_else(skipped, |()| Verdict::Apply)
            }
            verdict => verdict,
        };
        match verdict {
            Verdict::AlreadyThere => settled(rec, done, &live.last_update),
            Verdict::Apply => match self.may_write().await {
                Ok(()) => self.write(rec, &live, done).await,
                Err(step) => step,
            },
            Verdict::Skip { code, detail } => Step::skip((code, detail)),
        }
    }

    async fn write(&self, rec: &Recommendation, live: &LiveFunction, done: &mut Done) -> Step {
        match self.set_memory(rec, live, done).await {
            Ok((size, update)) if size == rec.to_mb => settled(rec, done, &update),
            Ok((size, _)) => Step::End(other_size(rec.to_mb, size)),
            Err(step) => step,
        }
    }

    /// Asks for the change under the revision that was read.
    pub(crate) async fn set_memory(
        &self,
        rec: &Recommendation,
        live: &LiveFunction,
        done: &mut Done,
    ) -> Result<(Megabytes, LastUpdate), Step> {
        let revision = live.revision_id.as_deref();
        let change = || {
            let (function, to) = (&rec.function, rec.to_mb);
            self.control_plane.set_memory(function, to, revision)
        };
        let answer = self.call(change).await;
        match answer {
            Ok(answer) => {
                done.written = true;
                Ok(answer)
            }
            Err(e) => {
                // Only reading the function shows whether it was made.
                done.unclear = e.fault == ApiFault::Unavailable;
                Err(Step::of_fault(e))
            }
        }
    }
}

/// The result of a function that cannot be read. What Lambda accepted stays accepted.
fn unread(rec: &Recommendation, done: &Done, e: ApiError) -> Step {
    if !done.written {
        return Step::of_fault(e);
    }
    Step::Next(End::applied(format!(
        "changed to {}; the result cannot be read ({e})",
        rec.to_mb
    )))
}

/// The result of a function that has the size.
fn settled(rec: &Recommendation, done: &Done, update: &LastUpdate) -> Step {
    let (from, to) = (rec.from_mb, rec.to_mb);
    match update {
        LastUpdate::Successful if done.written => {
            Step::End(End::applied(format!("changed from {from} to {to}")))
        }
        LastUpdate::Successful => Step::End(End::applied(format!(
            "the function has {to}: nothing was changed now"
        ))),
        // Accepted: what is left is Lambda's.
        LastUpdate::InProgress => Step::Next(End::applied(format!(
            "changed from {from} to {to}; Lambda is still applying it"
        ))),
        LastUpdate::Failed(why) => Step::End(update_failed(why)),
    }
}

fn came_to_nothing(live: &LiveFunction) -> Step {
    match &live.last_update {
        LastUpdate::Failed(why) => Step::End(update_failed(why)),
        _ => Step::End(End::failed(
            "put-back",
            format!(
                "it was changed, and someone else set it to {} right after",
                live.memory_mb
            ),
        )),
    }
}

pub(crate) fn update_failed(why: &str) -> End {
    End::failed(
        "update-failed",
        format!("Lambda accepted the change and could not make it: {why}"),
    )
}

pub(crate) fn other_size(wanted: Megabytes, got: Megabytes) -> End {
    let detail = format!("{wanted} was requested, but Lambda returned {got}");
    End::failed("other-size", detail)
}
