//! `notice`: what the aggregator knows about a function, and an engine beside it has to know too.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Arch, Day, Megabytes, Timestamp};

/// News about one function: aggregator → Flink, on the decisions stream.
///
/// A repeated notice changes nothing, nor does one that is older than what is known of its kind of news.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The function, as the aggregator's tables name it: an unqualified ARN, or `local:` and a name.
    pub function: String,
    /// When the aggregator learned it.
    pub at: Timestamp,
    /// The news.
    #[serde(flatten)]
    pub news: News,
}

/// What is new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "kebab-case")]
pub enum News {
    /// The control plane lists it.
    Listed(Box<Listing>),
    /// A complete refresh of the inventory did not find it.
    Gone,
    /// A person cleared it: what ran out of memory through this day no longer counts.
    Cleared {
        /// That day.
        through: Day,
    },
    /// A person had everything that is known of it deleted.
    Forgotten,
    /// What was in the way of its last recommendation may have passed: it has to be decided again.
    Due,
}

/// A function's `$LATEST` as the control plane describes it, as far as decisions need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Configured memory.
    pub memory_mb: Megabytes,
    /// The seconds after which an invocation is ended.
    pub timeout_s: u32,
    /// Its processor.
    pub arch: Arch,
    /// Base64 of the SHA-256 of its code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_sha256: Option<String>,
    /// Its tags; absent if they could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    /// Whether its logs hold reports of failures alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failures_only: bool,
    /// Whether its environments are restored from a snapshot.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub snap_start: bool,
    /// When its code or configuration was last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
    /// An alarm on it that is in `ALARM`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm: Option<String>,
    /// Whether alarms were read; else what is known of them stays.
    pub alarms_read: bool,
}
