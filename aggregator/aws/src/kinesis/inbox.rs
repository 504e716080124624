//! The receiver of a stream's deliveries.

use std::future::Future;

use rightsizer_formats::{Channel, Delivery};

/// The part that stores deliveries.
pub trait Inbox: Clone + Send + Sync + 'static {
    /// Takes deliveries; returns once they and their checkpoints are stored. An error means that
    /// nothing more can be stored.
    fn take(&self, deliveries: Vec<Delivery>) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Takes note of how far the reading of `source` is behind its newest record.
    fn behind(&self, source: &str, ms: i64);

    /// Every shard of a stream has been read to its newest record once: what was written while
    /// nothing read is in.
    fn caught_up(&self, stream: Channel) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Checkpoints of the sources whose name begins with `prefix`, with their positions.
    fn checkpoints(
        &self,
        prefix: &str,
    ) -> impl Future<Output = anyhow::Result<Vec<(String, String)>>> + Send;
}
