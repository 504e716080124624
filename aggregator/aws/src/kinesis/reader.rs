//! Keeps one reader running for every shard that is due.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use aws_sdk_kinesis::Client;
use rightsizer_formats::Channel;
use rightsizer_rules::gap::Gap;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::api::{Fault, StreamApi, StreamFacts};
use super::backlog::Backlog;
use super::context::{Context, Life};
use super::pause::Pause;
use super::plan::plan;
use super::position::{Position, StartAt};
use super::shard::ShardReader;
use super::status::StreamStatus;
use crate::clock::now;
use crate::kinesis::Inbox;

/// How often new shards are looked for when none ends.
const LIST_INTERVAL: Duration = Duration::from_secs(30);
/// Beside the shards' own checkpoints: the position at which this stream was started.
const BEGUN: &str = "from";

/// Reads one stream.
#[derive(Debug)]
pub struct StreamReader {
    context: Context,
    start: StartAt,
    /// The life of the stream that is read.
    life: Option<Life>,
}

/// Why a look at the shards came to nothing.
enum Trouble {
    /// The stream's: to be waited out.
    Stream(Fault),
    /// The store's: nothing more can be stored.
    Store(anyhow::Error),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Stream(fault)
    }
}

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Self {
        Self::Store(error)
    }
}

impl StreamReader {
    /// A reader of `stream`, which these writers may write to. It updates `status`.
    pub fn new(client: &Client, stream: &str, channel: Channel, status: StreamStatus) -> Self {
        let context = Context {
            api: StreamApi::new(client, stream),
            channel,
            label: format!("kinesis:{stream}"),
            backlog: Backlog::default(),
            status,
        };
        Self {
            context,
            start: StartAt::Oldest,
            life: None,
        }
    }

    /// Where to begin, should this stream never have been read.
    #[must_use]
    pub fn starting(self, start: StartAt) -> Self {
        Self { start, ..self }
    }

    /// Reads until a stop is requested. Faults of the stream are waited out; faults of the store
    /// end it.
    pub async fn run(
        mut self,
        inbox: impl Inbox,
        stopped: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut readers: JoinSet<anyhow::Result<String>> = JoinSet::new();
        let mut running = HashSet::new();
        let mut pause = Pause::default();
        let label = self.context.label.clone();
        loop {
            let wait = match self.due_shards(&inbox, &running).await {
                Ok(None) => {
                    // What is still being read is from a stream that no longer exists.
                    readers = JoinSet::new();
                    running.clear();
                    Duration::ZERO
                }
                Ok(Some(due)) => {
                    pause.over();
                    self.context.status.ended(&label);
                    for reader in due {
                        info!(shard = %reader.name(), "reading");
                        running.insert(reader.id().to_owned());
                        readers.spawn(reader.run(inbox.clone(), stopped.clone()));
                    }
                    LIST_INTERVAL
                }
                Err(Trouble::Stream(fault)) => {
                    let wait = pause.next(&format!("cannot list the shards of {label}"), &fault);
                    if pause.is_long() {
                        self.context.status.failing(&label, &fault);
                    }
                    wait
                }
                Err(Trouble::Store(error)) => return Err(error),
            };
            tokio::select! {
                () = stopped.cancelled() => break,
                () = tokio::time::sleep(wait) => {}
                Some(ended) = readers.join_next() => { running.remove(&ended??); }
            }
        }
        while let Some(ended) = readers.join_next().await {
            ended??;
        }
        Ok(())
    }

    /// Readers of the shards to begin with now. `None` if the stream is another one than before.
    async fn due_shards(
        &mut self,
        inbox: &impl Inbox,
        running: &HashSet<String>,
    ) -> Result<Option<Vec<ShardReader>>, Trouble> {
        let facts = self.context.api.describe().await?;
        let life = match self.life {
            Some(life) if life.facts.created == facts.created => Life { facts, ..life },
            _ => {
                self.take_up(facts, inbox).await?;
                return Ok(None);
            }
        };
        let shards = self.context.api.shards().await?;
        if shards.is_empty() {
            return Err(Fault::Other("the stream lists no shard".to_owned()).into());
        }
        let known = self.positions(facts.created, inbox).await?;
        let plan = plan(&shards, &known, running);
        self.context.backlog.list(plan.open.into_iter());
        for (shard, position) in plan.vanished {
            self.vanished(life, &shard, &position, inbox).await?;
        }
        let reader = |(id, position)| ShardReader::new(self.context.clone(), life, id, position);
        Ok(Some(plan.due.into_iter().map(reader).collect()))
    }

    /// From now on it is this life of the stream that is read.
    async fn take_up(&mut self, facts: StreamFacts, inbox: &impl Inbox) -> anyhow::Result<()> {
        let label = &self.context.label;
        let all = inbox.checkpoints(&format!("{label}@")).await?;
        let known = self.positions(facts.created, inbox).await?;
        self.context.backlog.forget();
        let mut from = known.get(BEGUN).and_then(|position| position.complete_to);
        if known.is_empty() && !all.is_empty() {
            warn!("{label} was deleted and created again: it is read from its beginning");
        } else if known.is_empty() {
            from = match self.start {
                StartAt::Oldest => None,
                StartAt::Latest => Some(now()),
                StartAt::Time(time) => Some(time),
            };
        }
        if let Some(time) = from.filter(|_| known.is_empty()) {
            // Stored, so that the next start leaves nothing out that comes meanwhile.
            let begun = Position {
                complete_to: Some(time),
                ..Position::default()
            };
            info!("{label} is read from {time} on");
            let begun = self
                .context
                .delivery(facts.created, BEGUN, vec![], &begun, vec![]);
            inbox.take(vec![begun]).await?;
        }
        self.life = Some(Life { facts, from });
        Ok(())
    }

    /// How far each shard of this life is read, and where the stream was started.
    async fn positions(
        &self,
        created: i64,
        inbox: &impl Inbox,
    ) -> anyhow::Result<HashMap<String, Position>> {
        let prefix = self.context.source(created, "");
        let checkpoints = inbox.checkpoints(&prefix).await?;
        let shard = |source: &str| source.strip_prefix(&prefix).unwrap_or(source).to_owned();
        let positions = checkpoints.iter();
        Ok(positions
            .map(|(source, text)| (shard(source), Position::from(text.as_str())))
            .collect())
    }

    /// The rest of a shard is gone with the shard: logged once, and then it counts as read.
    async fn vanished(
        &self,
        life: Life,
        shard: &str,
        position: &Position,
        inbox: &impl Inbox,
    ) -> anyhow::Result<()> {
        if shard == BEGUN {
            return Ok(());
        }
        let context = &self.context;
        let gap = Gap {
            source: context.name(shard),
            from: position.complete_to,
            to: now(),
            why: "the stream no longer lists the shard, and it was not read to its end".to_owned(),
        };
        context.status.gap(&gap);
        context.status.ended(&context.name(shard));
        let end = context.delivery(
            life.facts.created,
            shard,
            vec![],
            &Position::end(),
            vec![gap],
        );
        inbox.take(vec![end]).await?;
        context.reached(shard, inbox).await
    }
}
