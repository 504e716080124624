//! How records of a stream reach whoever stores them.

use std::future::Future;

use super::kinesis::Gap;

/// Who may have written what is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Every function may: an outcome that comes this way is a forgery.
    Reports,
    /// Only the aggregator and the updater may.
    Decisions,
}

/// Records of one source, with how far that source is read once they are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Where from, for the quarantine.
    pub origin: String,
    /// Who may have written them.
    pub channel: Channel,
    /// The records' bytes.
    pub payloads: Vec<Vec<u8>>,
    /// Source and position to go on from.
    pub checkpoint: Option<(String, String)>,
    /// What the source dropped before it was read.
    pub gaps: Vec<Gap>,
}

/// Whoever stores deliveries.
pub trait Inbox: Clone + Send + Sync + 'static {
    /// Takes deliveries; answers once they and their checkpoints are stored. An error means that
    /// nothing more can be stored.
    fn take(&self, deliveries: Vec<Delivery>) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Takes note of how far the reading of `source` is behind its newest record.
    fn behind(&self, source: &str, ms: i64);

    /// Every shard of a stream has been read to its newest record once: what was written while nobody
    /// read is in.
    fn caught_up(&self, stream: Channel) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Checkpoints of the sources whose name begins with `prefix`, with their positions.
    fn checkpoints(
        &self,
        prefix: &str,
    ) -> impl Future<Output = anyhow::Result<Vec<(String, String)>>> + Send;
}
