//! What all readers of a stream share, and which life of the stream they read.

use rightsizer_formats::{Channel, Delivery};
use rightsizer_records::Timestamp;
use rightsizer_rules::gap::Gap;

use super::api::{StreamApi, StreamFacts};
use super::backlog::Backlog;
use super::inbox::Inbox;
use super::position::Position;
use super::status::StreamStatus;

/// What all readers of a stream share.
#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) api: StreamApi,
    pub(super) channel: Channel,
    /// `kinesis:STREAM`, for logs, metrics and the quarantine.
    pub(super) label: String,
    pub(super) backlog: Backlog,
    pub(super) status: StreamStatus,
}

/// One life of a stream, from its creation to its deletion.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    pub(super) facts: StreamFacts,
    /// The position it was started at, unless with its oldest record.
    pub(super) from: Option<Timestamp>,
}

impl Context {
    /// The name of a shard's checkpoint, or of all of this life's with an empty id.
    pub(super) fn source(&self, created: i64, shard: &str) -> String {
        format!("{}@{created}/{shard}", self.label)
    }

    /// A shard as people know it.
    pub(super) fn name(&self, shard: &str) -> String {
        format!("{}/{shard}", self.label)
    }

    /// Payloads of a shard with the position behind them.
    pub(super) fn delivery(
        &self,
        created: i64,
        shard: &str,
        payloads: Vec<Vec<u8>>,
        reached: &Position,
        gaps: Vec<Gap>,
    ) -> Delivery {
        Delivery {
            origin: self.name(shard),
            channel: self.channel,
            payloads,
            checkpoint: Some((self.source(created, shard), reached.to_string())),
            gaps,
        }
    }

    /// This shard has no more to give for now.
    pub(super) async fn reached(&self, shard: &str, inbox: &impl Inbox) -> anyhow::Result<()> {
        if self.backlog.reached(shard) {
            inbox.caught_up(self.channel).await?;
        }
        Ok(())
    }
}
