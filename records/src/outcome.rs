//! `outcome`: the result of a recommendation.

use serde::{Deserialize, Serialize};

use crate::{FunctionArn, Megabytes, Timestamp};

/// The updater's answer to one recommendation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The recommendation's id.
    pub id: String,
    /// Unqualified ARN of the function.
    pub function: FunctionArn,
    /// What happened.
    pub status: OutcomeStatus,
    /// The size before.
    pub from_mb: Megabytes,
    /// The size asked for.
    pub to_mb: Megabytes,
    /// Reason code of a skip or a failure; empty when applied.
    #[serde(default)]
    pub reason: String,
    /// The same in words, with the figures.
    #[serde(default)]
    pub detail: String,
    /// When it happened.
    pub at: Timestamp,
}

/// What happened to a recommendation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeStatus {
    /// The function has the new size.
    Applied,
    /// Nothing was changed, on purpose.
    Skipped,
    /// Nothing was changed, for a fault.
    Failed,
    /// The size was put back.
    RolledBack,
}

impl OutcomeStatus {
    /// Its name on the wire and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::RolledBack => "rolled-back",
        }
    }
}
