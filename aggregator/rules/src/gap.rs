//! A gap in the evidence: records that a stream dropped before they were read.

use std::fmt;

use rightsizer_records::Timestamp;
use serde::{Deserialize, Serialize};

/// Records that a stream dropped before they were read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The shard, as `kinesis:STREAM/SHARD`.
    pub source: String,
    /// Everything written before this was read; `None` if unknown.
    pub from: Option<Timestamp>,
    /// What was written after this is read, or will be.
    pub to: Timestamp,
    /// How it shows.
    pub why: String,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = self.from.map(|from| from.to_string());
        write!(
            f,
            "{}: what was written between {} and {} may be lost ({})",
            self.source,
            from.as_deref().unwrap_or("the last read"),
            self.to,
            self.why
        )
    }
}
