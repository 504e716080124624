//! How the rest of the process asks the lease holder: to keep a review command, and whether decreases may be sent.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures_util::future::BoxFuture;
use rightsizer_rules::commands::AppliedCommand;
use rightsizer_store::Outgoing;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::bucket::HEAD_WITHIN;
use super::location::Location;
use super::status::SnapshotStatus;
use crate::emit::{MaySend, SEND_WITHIN};

/// After the lease was acquired, decreases wait until any send that the other task had started is
/// over. A check has at most three waits: the head's tag, and if it changed, the response and its
/// bytes. Nothing else happens before the send: 3 × 5 s + 10 s, and 5 s within the process.
const OTHERS_END_WITHIN: Duration =
    Duration::from_secs(3 * HEAD_WITHIN.as_secs() + SEND_WITHIN.as_secs() + 5);
/// Requests that may wait.
const QUEUE: usize = 256;

/// A review command that is in the store alone.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "it was applied here, but is not saved in {location} yet ({why}): it would be lost if this task were \
     lost before that. Saving is retried; /healthz has words_waiting"
)]
pub(super) struct NotSaved {
    pub(super) location: Location,
    pub(super) why: String,
}

/// What the lease holder is asked.
pub(super) enum Request {
    /// To keep a review command in the bucket.
    Keep(AppliedCommand, oneshot::Sender<Result<(), NotSaved>>),
    /// Whether the head is still this task's.
    Check(oneshot::Sender<bool>),
}

/// A cheap handle to the lease holder.
#[derive(Debug, Clone)]
pub struct LeaseHandle {
    requests: mpsc::Sender<Request>,
    status: SnapshotStatus,
    /// When decreases may be sent, if another task may still be sending.
    decreases_from: Instant,
}

impl LeaseHandle {
    /// A handle, and the receiver of its requests and those of its clones. If the head is
    /// `contested`, another task may still be sending.
    pub(super) fn new(status: SnapshotStatus, contested: bool) -> (Self, mpsc::Receiver<Request>) {
        let (requests, asked) = mpsc::channel(QUEUE);
        let wait = if contested {
            OTHERS_END_WITHIN
        } else {
            Duration::ZERO
        };
        let handle = Self {
            requests,
            status,
            decreases_from: Instant::now() + wait,
        };
        (handle, asked)
    }

    /// How it goes.
    pub fn status(&self) -> &SnapshotStatus {
        &self.status
    }

    /// Keeps a review command in the bucket; answers when it is there.
    pub async fn keep(&self, command: AppliedCommand) -> anyhow::Result<()> {
        let (reply, answer) = oneshot::channel();
        let gone = "this task is stopping, and another one may not have the command: repeat it \
                    there";
        let request = Request::Keep(command, reply);
        self.requests.send(request).await.ok().context(gone)?;
        Ok(answer.await.context(gone)??)
    }

    async fn holds(&self) -> Option<bool> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::Check(reply)).await.ok()?;
        answer.await.ok()
    }
}

impl MaySend for LeaseHandle {
    fn may_send(&self) -> BoxFuture<'_, Option<Outgoing>> {
        Box::pin(async {
            if self.holds().await? && Instant::now() >= self.decreases_from {
                return Some(Outgoing::All);
            }
            // An increase does no harm from either task, and nothing delays it (P5).
            Some(Outgoing::Increases)
        })
    }
}

/// The handle as the emitter asks it.
impl From<LeaseHandle> for Arc<dyn MaySend> {
    fn from(handle: LeaseHandle) -> Self {
        Arc::new(handle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A handle whose lease holder responds that it holds the lease, or that it is unknown.
    fn asked(contested: bool, holds: bool) -> LeaseHandle {
        let (handle, mut requests) = LeaseHandle::new(SnapshotStatus::default(), contested);
        tokio::spawn(async move {
            while let Some(request) = requests.recv().await {
                if let Request::Check(reply) = request {
                    reply.send(holds).unwrap();
                }
            }
        });
        handle
    }

    /// For 30 s the previous lease holder may be in the middle of a send.
    #[tokio::test(start_paused = true)]
    async fn after_a_taking_over_no_decrease_goes_for_thirty_seconds() {
        let handle = asked(true, true);
        assert_eq!(handle.may_send().await, Some(Outgoing::Increases));
        tokio::time::advance(Duration::from_millis(29_900)).await;
        assert_eq!(handle.may_send().await, Some(Outgoing::Increases));
        tokio::time::advance(Duration::from_millis(100)).await;
        assert_eq!(handle.may_send().await, Some(Outgoing::All));
    }

    #[tokio::test(start_paused = true)]
    async fn if_no_other_task_can_be_sending_nothing_waits() {
        assert_eq!(asked(false, true).may_send().await, Some(Outgoing::All));
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_with_an_unknown_lease_sends_only_increases() {
        let handle = asked(false, false);
        assert_eq!(handle.may_send().await, Some(Outgoing::Increases));
    }
}
