//! A Kinesis stream as a source: all shards, parents before children, each from its checkpoint in
//! the store. Checkpoints belong to one stream, identified by its creation time: if a stream is
//! deleted and created again under its name, it is read from its beginning. A shard's next read
//! waits until the last one is committed, so a checkpoint is never ahead of its data and memory is
//! bounded by one read a shard. What the stream has dropped before it was read is recorded as a
//! [`Gap`](rightsizer_rules::gap::Gap).

mod api;
mod backlog;
mod context;
mod inbox;
mod pause;
mod plan;
mod position;
mod reader;
mod shard;
mod status;

pub(crate) use api::client_config;
pub use api::{StreamName, client};
pub use inbox::Inbox;
pub use position::{StartAt, read_until};
pub use reader::StreamReader;
pub use status::{ShardStatus, StreamStatus};
