//! Records of a stream on their way to the store.

use rightsizer_rules::gap::Gap;

/// Who may have written what is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Every function may: an outcome that comes this way is a forgery.
    Reports,
    /// Only the aggregator and the updater may.
    Decisions,
    /// Only the engine that decides besides the aggregator may.
    Proposals,
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
    /// Source and position to continue from.
    pub checkpoint: Option<(String, String)>,
    /// What the source dropped before it was read.
    pub gaps: Vec<Gap>,
}
