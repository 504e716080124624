//! How the rest of the process asks the writer: by message, answered after the commit.

use std::sync::{Arc, OnceLock};

use rightsizer_aws::clock::now;
use rightsizer_aws::inventory::InventorySink;
use rightsizer_aws::kinesis::Inbox;
use rightsizer_formats::{Channel, Delivery};
use rightsizer_records::begins_like_reports;
use rightsizer_rules::commands::{AppliedCommand, Done, Refused, ReviewCommand};
use rightsizer_rules::inventory::InventoryUpdate;
use rightsizer_store::{Forced, Noticed, Outbox, Outgoing, RecommendationKey};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tracing::info;

use super::{Command, DECODED_KIB, Reply, WriterStopped};
use crate::metrics::Metrics;
use crate::pipeline::{Digest, Gate, Prepared};

/// Smaller deliveries of `reports` records are decoded on the caller's thread, in a millisecond or
/// two. The size of other records does not show what they unpack to.
const INLINE_BYTES: usize = 256 << 10;

/// A cheap handle to the writer.
#[derive(Debug, Clone)]
pub struct WriterHandle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) decided: Arc<Notify>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) gate: Arc<Gate>,
    pub(super) unread: watch::Receiver<Unread>,
    pub(super) failure: Arc<OnceLock<WriterStopped>>,
    /// Turns to decode what may be large once unpacked: as many at once as there are processors.
    pub(super) turns: Arc<Semaphore>,
    /// KiB of memory for what is decoded, until it is committed.
    pub(super) room: Arc<Semaphore>,
}

/// The streams that were not read to their newest record since the start.
#[derive(Debug, Clone, Default)]
pub(super) struct Unread(pub(super) Vec<Channel>);

impl WriterHandle {
    /// The counters of this process.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Why the writer has stopped, if it failed.
    pub fn failure(&self) -> Option<&WriterStopped> {
        self.failure.get()
    }

    /// The first failure is the reason, also for those who come after it.
    fn stopped(&self) -> WriterStopped {
        let failure = self.failure().cloned();
        failure.unwrap_or_else(|| WriterStopped::new("the store's writer has stopped"))
    }

    /// Merges deliveries; returns once they are committed. They are decoded and folded here, by
    /// the asker, so that the writer only merges.
    pub async fn ingest(&self, deliveries: Vec<Delivery>) -> Result<Digest, WriterStopped> {
        if is_quick(&deliveries) {
            let bytes = bytes(&deliveries);
            let prepare = |delivery| self.gate.prepare(delivery, now());
            let prepared = deliveries.into_iter().map(prepare).collect();
            return self.merge(prepared, bytes).await;
        }
        let mut digest = Digest::default();
        for delivery in deliveries {
            digest.add(self.ingest_in_parts(delivery).await?);
        }
        Ok(digest)
    }

    /// Decodes one delivery on a thread of its own. What a commit has no room for is decoded when the
    /// part before it is committed: the last part has the checkpoint, and only after it is the delivery
    /// answered.
    async fn ingest_in_parts(&self, mut delivery: Delivery) -> Result<Digest, WriterStopped> {
        let failed = |e: tokio::task::JoinError| {
            WriterStopped::new(format!("decoding a delivery failed: {e}"))
        };
        let mut digest = Digest::default();
        loop {
            let turn = self.turns.clone().acquire_owned().await;
            let turn = turn.map_err(|_| self.stopped())?;
            let gate = self.gate.clone();
            let decoding = tokio::task::spawn_blocking(move || {
                let part = gate.prepare_part(&mut delivery, now());
                (part, delivery)
            });
            let part;
            (part, delivery) = decoding.await.map_err(failed)?;
            let kib = u32::try_from(part.weight() >> 10).unwrap_or(u32::MAX);
            let room = self.room.acquire_many(kib.min(DECODED_KIB)).await;
            let room = room.map_err(|_| self.stopped())?;
            drop(turn);
            let weight = part.weight();
            digest.add(self.merge(vec![part], weight).await?);
            drop(room);
            if delivery.payloads.is_empty() {
                return Ok(digest);
            }
        }
    }

    async fn merge(&self, parts: Vec<Prepared>, bytes: usize) -> Result<Digest, WriterStopped> {
        self.ask(|reply| Command::Ingest(parts, bytes, reply)).await
    }

    /// What to send now.
    pub async fn outbox(&self, which: Outgoing, most: usize) -> Result<Outbox, WriterStopped> {
        self.ask(|reply| Command::Outbox(which, most, reply)).await
    }

    /// Whether everything written while nothing read has been read and settled.
    pub(crate) fn is_up_to_date(&self) -> bool {
        self.unread.borrow().0.is_empty()
    }

    /// Completes when `stream` has been read to its newest record once, or the writer has stopped.
    pub(crate) async fn read_once(&self, stream: Channel) {
        let mut unread = self.unread.clone();
        let _ = unread.wait_for(|unread| !unread.0.contains(&stream)).await;
    }

    /// These were sent.
    pub async fn mark_sent(&self, keys: Vec<RecommendationKey>) -> Result<(), WriterStopped> {
        self.ask(|reply| Command::MarkSent(keys, reply)).await
    }

    /// Notices for another engine that wait to be sent.
    pub async fn notices(&self, most: usize) -> Result<Vec<Noticed>, WriterStopped> {
        self.ask(|reply| Command::Notices(most, reply)).await
    }

    /// These are on the decisions stream.
    pub(crate) async fn notices_sent(&self, keys: Vec<String>) -> Result<(), WriterStopped> {
        self.ask(|reply| Command::NoticesSent(keys, reply)).await
    }

    /// Applies a review command, or returns why not; on success returns the command with its target
    /// resolved.
    pub async fn review(
        &self,
        command: ReviewCommand,
    ) -> Result<Result<(Done, AppliedCommand), Refused>, WriterStopped> {
        self.ask(|reply| Command::Review(Box::new(command), reply))
            .await
    }

    /// Stores starts that a bench forced.
    pub(crate) async fn keep_forced(&self, starts: Vec<Forced>) -> Result<(), WriterStopped> {
        self.ask(|reply| Command::Forced(starts, reply)).await
    }

    /// Commits what waits, and under the event clock closes the days that the input's end closes.
    pub async fn finish(&self) -> Result<(), WriterStopped> {
        self.ask(Command::Finish).await
    }

    /// Completes when something was decided since the last call.
    pub async fn decided(&self) {
        self.decided.notified().await;
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, WriterStopped> {
        let (reply, answer) = oneshot::channel();
        self.commands
            .send(command(reply))
            .await
            .map_err(|_| self.stopped())?;
        answer.await.map_err(|_| self.stopped())?
    }
}

impl Inbox for WriterHandle {
    async fn take(&self, deliveries: Vec<Delivery>) -> anyhow::Result<()> {
        self.ingest(deliveries).await?;
        Ok(())
    }

    fn behind(&self, source: &str, ms: i64) {
        self.metrics.behind(source, ms);
    }

    async fn caught_up(&self, stream: Channel) -> anyhow::Result<()> {
        Ok(self.ask(|reply| Command::CaughtUp(stream, reply)).await?)
    }

    async fn checkpoints(&self, prefix: &str) -> anyhow::Result<Vec<(String, String)>> {
        let prefix = prefix.to_owned();
        Ok(self
            .ask(|reply| Command::Checkpoints(prefix, reply))
            .await?)
    }
}

impl InventorySink for WriterHandle {
    async fn refreshed(&self, update: InventoryUpdate) -> anyhow::Result<()> {
        let functions = update.functions.len();
        self.ask(|reply| Command::Inventory(update, reply)).await?;
        info!(functions, "the inventory was read");
        Ok(())
    }
}

/// Whether all of it is small and of the form that our own encoder writes, which holds nothing packed.
fn is_quick(deliveries: &[Delivery]) -> bool {
    let mut records = deliveries.iter().flat_map(|d| &d.payloads);
    bytes(deliveries) < INLINE_BYTES && records.all(|record| begins_like_reports(record))
}

fn bytes(deliveries: &[Delivery]) -> usize {
    deliveries
        .iter()
        .flat_map(|d| &d.payloads)
        .map(Vec::len)
        .sum()
}
