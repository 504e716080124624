//! Reads one shard, with one commit per read, until it ends or a stop is requested.

use std::time::{Duration, Instant};

use aws_sdk_kinesis::operation::get_records::GetRecordsOutput;
use aws_sdk_kinesis::types::Record;
use rightsizer_formats::Channel;
use rightsizer_records::Timestamp;
use rightsizer_rules::gap::Gap;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::api::{Fault, timestamp};
use super::context::{Context, Life};
use super::pause::Pause;
use super::position::{Begin, LastRecord, Position};
use crate::clock::now;
use crate::kinesis::Inbox;

/// The time between two reads of a shard, which accepts five a second from all readers together. The
/// updater's event source reads the decisions stream too: about once a second, more often while it has a
/// backlog.
const fn read_interval(channel: Channel) -> Duration {
    match channel {
        Channel::Reports | Channel::Proposals => Duration::from_millis(250),
        Channel::Decisions => Duration::from_secs(1),
    }
}
/// How often the position of a quiet shard is stored: a gap after a pause is known so closely.
const QUIET_CHECKPOINT_MS: i64 = 10 * 60 * 1000;

/// The reader of one shard.
#[derive(Debug)]
pub(super) struct ShardReader {
    context: Context,
    life: Life,
    id: String,
    position: Position,
    /// `complete_to` of the stored position.
    stored_to: Option<Timestamp>,
    iterator: Option<String>,
    pause: Pause,
    /// What was found dropped and is not stored yet.
    gaps: Vec<Gap>,
}

/// What one look at the shard came to.
enum Step {
    /// It was read.
    Read,
    /// It was not; try again after this.
    Failed(Duration),
    /// It does not exist; the code that lists the shards decides what that means.
    Gone(Duration),
    /// It was read to its end.
    Ended,
}

impl ShardReader {
    pub(super) fn new(context: Context, life: Life, id: String, position: Position) -> Self {
        Self {
            context,
            life,
            id,
            stored_to: position.complete_to,
            position,
            iterator: None,
            pause: Pause::default(),
            gaps: Vec::new(),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn name(&self) -> String {
        self.context.name(&self.id)
    }

    /// Reads until the shard ends or a stop is requested; returns the shard's id.
    pub(super) async fn run(
        mut self,
        inbox: impl Inbox,
        stopped: CancellationToken,
    ) -> anyhow::Result<String> {
        let interval = read_interval(self.context.channel);
        loop {
            let began = Instant::now();
            let (wait, last) = match self.step(&inbox).await? {
                Step::Read => (interval.saturating_sub(began.elapsed()), false),
                Step::Failed(wait) => (wait, false),
                Step::Gone(wait) => (wait, true),
                Step::Ended => {
                    info!(shard = %self.name(), "read to its end");
                    self.context.status.ended(&self.name());
                    return Ok(self.id);
                }
            };
            tokio::select! {
                () = stopped.cancelled() => return Ok(self.id),
                () = tokio::time::sleep(wait) => {}
            }
            if last {
                return Ok(self.id);
            }
        }
    }

    async fn step(&mut self, inbox: &impl Inbox) -> anyhow::Result<Step> {
        let iterator = match self.iterator.take() {
            Some(iterator) => Ok(iterator),
            None => self.make_iterator().await,
        };
        let asked = now();
        let read = match iterator {
            Ok(iterator) => self.context.api.records(iterator).await,
            Err(fault) => Err(fault),
        };
        match read {
            Ok(read) => self.take(read, asked, inbox).await,
            Err(fault) => Ok(self.fail(&fault)),
        }
    }

    /// An iterator behind the last record read. What was dropped before that is recorded here.
    async fn make_iterator(&mut self) -> Result<String, Fault> {
        let (now, retention) = (now(), self.life.facts.retention);
        if let Some(to) = self.position.dropped_to(now, retention) {
            self.gap(to, "it is older than the stream's retention");
        }
        let begin = self.position.begin(self.life.from, now, retention);
        match self.context.api.iterator(&self.id, &begin).await {
            Err(Fault::BadPosition(text)) if matches!(begin, Begin::After(_)) => {
                self.gap(
                    now,
                    &format!("the stream no longer knows the position: {text}"),
                );
                self.position.last = None;
                self.context.api.iterator(&self.id, &Begin::Oldest).await
            }
            made => made,
        }
    }

    fn gap(&mut self, to: Timestamp, why: &str) {
        let gap = Gap {
            source: self.name(),
            from: self.position.complete_to,
            to,
            why: why.to_owned(),
        };
        self.context.status.gap(&gap);
        self.gaps.push(gap);
        self.position.complete_to = Some(to);
    }

    /// Hands a read on, with the position behind it.
    async fn take(
        &mut self,
        read: GetRecordsOutput,
        asked: Timestamp,
        inbox: &impl Inbox,
    ) -> anyhow::Result<Step> {
        self.pause.over();
        let behind = read.millis_behind_latest().unwrap_or(0).max(0);
        inbox.behind(&self.name(), behind);
        self.context.status.read(&self.name(), behind, asked);
        // A reader slower than the retention is overtaken by it.
        if let Some(to) = self.position.dropped_to(asked, self.life.facts.retention) {
            self.gap(
                to,
                "the reader is further behind than the stream's retention",
            );
        }
        let reached = self.reached(&read, asked.plus_ms(-behind));
        self.iterator = read.next_shard_iterator().map(str::to_owned);
        let quiet_ms = match (reached.complete_to, self.stored_to) {
            (Some(to), Some(stored)) => to.as_ms() - stored.as_ms(),
            _ => i64::MAX,
        };
        let due = reached.ended || quiet_ms >= QUIET_CHECKPOINT_MS || !self.gaps.is_empty();
        if !read.records().is_empty() || due {
            let payloads = read.records.into_iter().map(payload).collect();
            let created = self.life.facts.created;
            let delivery = self.context.delivery(
                created,
                &self.id,
                payloads,
                &reached,
                std::mem::take(&mut self.gaps),
            );
            inbox.take(vec![delivery]).await?;
            self.stored_to = reached.complete_to;
        }
        let ended = reached.ended;
        self.position = reached;
        if behind == 0 || ended {
            self.context.reached(&self.id, inbox).await?;
        }
        Ok(if ended { Step::Ended } else { Step::Read })
    }

    /// The position behind a read: everything written before `complete_to` is in it or before it.
    fn reached(&self, read: &GetRecordsOutput, complete_to: Timestamp) -> Position {
        if read.next_shard_iterator().is_none() {
            return Position::end();
        }
        let last = read.records().last().map(|record| LastRecord {
            sequence: record.sequence_number().to_owned(),
            at: record.approximate_arrival_timestamp().and_then(timestamp),
        });
        Position {
            last: last.or_else(|| self.position.last.clone()),
            complete_to: Some(complete_to),
            ended: false,
        }
    }

    fn fail(&mut self, fault: &Fault) -> Step {
        let name = self.name();
        match fault {
            Fault::Expired(_) => self.context.status.expired(&name),
            Fault::Throttled(_) => self.context.status.throttled(&name),
            _ => {}
        }
        let wait = self.pause.next(&format!("cannot read {name}"), fault);
        if self.pause.is_long() {
            self.context.status.failing(&name, fault);
        }
        match fault {
            Fault::Missing(_) => Step::Gone(wait),
            _ => Step::Failed(wait),
        }
    }
}

fn payload(record: Record) -> Vec<u8> {
    record.data.into_inner()
}
