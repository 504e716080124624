//! A Kinesis stream as a source: all shards, parents before children, each from its checkpoint in
//! the store. Checkpoints belong to one life of a stream, told by its creation time: one that is
//! deleted and made anew under its name is read from its beginning. A shard's next read waits until the last one is committed, so a checkpoint is never
//! ahead of its data and memory is bounded by one read a shard.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::operation::get_records::GetRecordsOutput;
use aws_sdk_kinesis::types::{Shard, ShardIteratorType};
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::delivery::{Channel, Delivery, Inbox};
use crate::stop::Stop;

/// A shard answers five reads a second.
const READ_INTERVAL: Duration = Duration::from_millis(250);
/// How often new shards are looked for when none ends.
const LIST_INTERVAL: Duration = Duration::from_secs(30);
/// The longest wait after repeated failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Position of a shard that was read to its end.
const SHARD_END: &str = "SHARD_END";

/// A stream by name or ARN; from another account only the ARN will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamName(String);

impl StreamName {
    /// Takes either form.
    pub fn parse(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The name, unless it is an ARN.
    pub fn name(&self) -> Option<String> {
        (!self.0.starts_with("arn:")).then(|| self.0.clone())
    }

    /// The ARN, if it is one.
    pub fn arn(&self) -> Option<String> {
        self.0.starts_with("arn:").then(|| self.0.clone())
    }
}

/// An SDK error in words, with the service's code where there is one.
pub(crate) fn words<E, R>(error: &SdkError<E, R>) -> String
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug,
{
    match (error.code(), error.message()) {
        (Some(code), message) => format!("{code}: {}", message.unwrap_or("no message")),
        _ => DisplayErrorContext(error).to_string(),
    }
}

/// Reads one stream.
#[derive(Debug, Clone)]
pub struct StreamReader {
    client: Client,
    stream: StreamName,
    channel: Channel,
    /// For logs, metrics and the quarantine.
    label: String,
    /// When the stream that is read was made, in milliseconds.
    created: Option<i64>,
    backlog: Arc<Mutex<Backlog>>,
}

/// Which shards have not been read to their newest record yet.
#[derive(Debug, Default)]
struct Backlog {
    listed: bool,
    behind: HashSet<String>,
    caught_up: HashSet<String>,
    told: bool,
}

impl Backlog {
    /// These shards are not read to their end.
    fn list(&mut self, open: impl Iterator<Item = String>) {
        self.listed = true;
        let caught_up = &self.caught_up;
        self.behind
            .extend(open.filter(|shard| !caught_up.contains(shard)));
    }

    /// This shard is read to its newest record. Answers whether that was the last one, once.
    fn reached(&mut self, shard: &str) -> bool {
        self.caught_up.insert(shard.to_owned());
        self.behind.remove(shard);
        let now = self.listed && self.behind.is_empty() && !self.told;
        self.told |= now;
        now
    }
}

impl StreamReader {
    /// A reader of `stream`, which these writers may write to.
    pub fn new(client: Client, stream: &str, channel: Channel) -> Self {
        Self {
            client,
            stream: StreamName::parse(stream),
            channel,
            label: format!("kinesis:{stream}/"),
            created: None,
            backlog: Arc::default(),
        }
    }

    /// Reads until told to stop. Faults of the stream are waited out; faults of the store end it.
    pub async fn run(mut self, inbox: impl Inbox, mut stopped: Stop) -> anyhow::Result<()> {
        let mut readers: JoinSet<anyhow::Result<String>> = JoinSet::new();
        let mut running = HashSet::new();
        let mut pause = Pause::default();
        loop {
            let wait = match self.due_shards(&inbox, &running).await {
                Ok(None) => {
                    // What is still being read is of a stream that is no more.
                    readers = JoinSet::new();
                    running.clear();
                    Duration::ZERO
                }
                Ok(Some(due)) => {
                    pause = Pause::default();
                    for (shard, position) in due {
                        info!(stream = %self.label, %shard, "reading");
                        running.insert(shard.clone());
                        let (reader, inbox, stopped) =
                            (self.clone(), inbox.clone(), stopped.clone());
                        readers.spawn(reader.read_shard(shard, position, inbox, stopped));
                    }
                    LIST_INTERVAL
                }
                Err(error) => {
                    pause.next(&format!("cannot list the shards of {}", self.label), &error)
                }
            };
            tokio::select! {
                () = stopped.requested() => break,
                () = tokio::time::sleep(wait) => {}
                Some(ended) = readers.join_next() => { running.remove(&ended??); }
            }
        }
        while let Some(ended) = readers.join_next().await {
            ended??;
        }
        Ok(())
    }

    /// Shards to begin with now, each with the position to go on from: not read yet, not read to
    /// the end, and every parent that the stream still lists read to the end. `None` where the
    /// stream is another one than before.
    async fn due_shards(
        &mut self,
        inbox: &impl Inbox,
        running: &HashSet<String>,
    ) -> anyhow::Result<Option<Vec<(String, Option<String>)>>> {
        let created = self.creation_time().await?;
        if self.created != Some(created) {
            self.take_up(created, inbox).await?;
            return Ok(None);
        }
        let shards = self.list_shards().await?;
        let checkpoints: HashMap<String, String> = inbox
            .checkpoints(&self.source(""))
            .await?
            .into_iter()
            .collect();
        let position = |id: &str| checkpoints.get(&self.source(id));
        let ended = |id: &str| position(id).is_some_and(|p| p == SHARD_END);
        let open = shards.iter().map(|s| s.shard_id().to_owned());
        self.backlog().list(open.filter(|id| !ended(id)));
        let listed: HashSet<&str> = shards.iter().map(Shard::shard_id).collect();
        let parents_read = |shard: &Shard| {
            [shard.parent_shard_id(), shard.adjacent_parent_shard_id()]
                .into_iter()
                .flatten()
                .all(|parent| ended(parent) || !listed.contains(parent))
        };
        let due = shards.iter().filter(|shard| {
            let id = shard.shard_id();
            !running.contains(id) && !ended(id) && parents_read(shard)
        });
        let due = due.map(|s| (s.shard_id().to_owned(), position(s.shard_id()).cloned()));
        Ok(Some(due.collect()))
    }

    /// From now on it is this stream that is read.
    async fn take_up(&mut self, created: i64, inbox: &impl Inbox) -> anyhow::Result<()> {
        let label = self.label.trim_end_matches('/');
        let known = inbox.checkpoints(&format!("{label}@")).await?;
        self.created = Some(created);
        *self.backlog() = Backlog::default();
        let begun = self.source("");
        if !known.is_empty() && !known.iter().any(|(source, _)| source.starts_with(&begun)) {
            warn!("{label} was deleted and made anew: it is read from its beginning");
        }
        Ok(())
    }

    async fn creation_time(&self) -> anyhow::Result<i64> {
        let request = self.client.describe_stream_summary();
        let request = request.set_stream_name(self.stream.name());
        let answer = request.set_stream_arn(self.stream.arn()).send().await;
        let answer = answer.map_err(|e| anyhow::anyhow!(words(&e)))?;
        let summary = answer.stream_description_summary();
        let created = summary.context("the stream has no description")?;
        Ok(created.stream_creation_timestamp().to_millis()?)
    }

    /// The name of a shard's checkpoint, or of all of this stream's with an empty id.
    fn source(&self, shard: &str) -> String {
        let label = self.label.trim_end_matches('/');
        format!("{label}@{}/{shard}", self.created.unwrap_or(0))
    }

    fn backlog(&self) -> MutexGuard<'_, Backlog> {
        // Nothing that holds it can panic half-way.
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn list_shards(&self) -> anyhow::Result<Vec<Shard>> {
        let mut shards = Vec::new();
        let mut next: Option<String> = None;
        loop {
            // A page token stands for the stream: the two must not be given together.
            let first = next.is_none();
            let page = self
                .client
                .list_shards()
                .set_stream_name(self.stream.name().filter(|_| first))
                .set_stream_arn(self.stream.arn().filter(|_| first))
                .set_next_token(next)
                .send()
                .await
                .map_err(|e| anyhow::anyhow!(words(&e)))?;
            shards.extend(page.shards().iter().cloned());
            next = page.next_token().map(str::to_owned);
            if next.is_none() {
                return Ok(shards);
            }
        }
    }

    /// Reads one shard until it ends or the reader is told to stop; answers its id.
    async fn read_shard(
        self,
        shard: String,
        mut position: Option<String>,
        inbox: impl Inbox,
        mut stopped: Stop,
    ) -> anyhow::Result<String> {
        let mut iterator: Option<String> = None;
        let mut pause = Pause::default();
        loop {
            let wait = match self
                .read_once(&shard, position.as_deref(), iterator.take())
                .await
            {
                Ok(read) => {
                    pause = Pause::default();
                    let behind = read.millis_behind_latest().unwrap_or(0);
                    inbox.behind(&format!("{}{shard}", self.label), behind);
                    iterator = read.next_shard_iterator().map(str::to_owned);
                    let last = read
                        .records()
                        .last()
                        .map(|r| r.sequence_number().to_owned());
                    let end = iterator.is_none().then(|| SHARD_END.to_owned());
                    if let Some(reached) = end.clone().or(last) {
                        self.deliver(&shard, read, &reached, &inbox).await?;
                        position = Some(reached);
                    }
                    if (behind == 0 || end.is_some())
                        && self.backlog().reached(&shard)
                        && self.channel == Channel::Reports
                    {
                        inbox.caught_up().await?;
                    }
                    if end.is_some() {
                        info!(stream = %self.label, %shard, "read to its end");
                        return Ok(shard);
                    }
                    if behind > 0 {
                        Duration::ZERO
                    } else {
                        READ_INTERVAL
                    }
                }
                Err(error) => pause.next(&format!("cannot read {}{shard}", self.label), &error),
            };
            tokio::select! {
                () = stopped.requested() => return Ok(shard),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// One `GetRecords`; without an iterator (at the start, after a failure or an expiry) one is
    /// made from the position.
    async fn read_once(
        &self,
        shard: &str,
        position: Option<&str>,
        iterator: Option<String>,
    ) -> anyhow::Result<GetRecordsOutput> {
        let iterator = match iterator {
            Some(iterator) => iterator,
            None => self.iterator(shard, position).await?,
        };
        self.client
            .get_records()
            .shard_iterator(iterator)
            .set_stream_arn(self.stream.arn())
            .send()
            .await
            .map_err(|e| anyhow::anyhow!(words(&e)))
    }

    async fn iterator(&self, shard: &str, position: Option<&str>) -> anyhow::Result<String> {
        let kind = match position {
            Some(_) => ShardIteratorType::AfterSequenceNumber,
            None => ShardIteratorType::TrimHorizon,
        };
        self.client
            .get_shard_iterator()
            .set_stream_name(self.stream.name())
            .set_stream_arn(self.stream.arn())
            .shard_id(shard)
            .shard_iterator_type(kind)
            .set_starting_sequence_number(position.map(str::to_owned))
            .send()
            .await
            .map_err(|e| anyhow::anyhow!(words(&e)))?
            .shard_iterator
            .context("the stream gave no iterator")
    }

    async fn deliver(
        &self,
        shard: &str,
        read: GetRecordsOutput,
        reached: &str,
        inbox: &impl Inbox,
    ) -> anyhow::Result<()> {
        let payloads = read
            .records
            .into_iter()
            .map(|record| record.data.into_inner())
            .collect();
        let delivery = Delivery {
            origin: format!("{}{shard}", self.label),
            channel: self.channel,
            payloads,
            checkpoint: Some((self.source(shard), reached.to_owned())),
        };
        inbox.take(vec![delivery]).await
    }
}

/// Growing pauses after repeated failures, the first of which is said.
#[derive(Debug, Default)]
struct Pause {
    failures: u32,
}

impl Pause {
    fn next(&mut self, what: &str, error: &anyhow::Error) -> Duration {
        // Expired iterators and throttling are everyday: only what stays is worth a line.
        if self.failures == 2 {
            warn!("{what}: {error:#}; nothing is lost, retrying");
        }
        let pause = Duration::from_millis(250).saturating_mul(1 << self.failures.min(7));
        self.failures += 1;
        pause.min(LONGEST_PAUSE)
    }
}
