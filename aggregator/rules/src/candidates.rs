//! What an export of sizes chooses from: recommendations and present sizes, with what is known of their
//! functions. The store fills them in, `rightsizer-export` chooses.

use rightsizer_records::{Megabytes, Timestamp};
use serde::{Deserialize, Serialize};

use crate::inventory::Tags;
use crate::lifecycle::Status;

/// A recommendation with what is known of its function now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// ARN, or `local:NAME`.
    pub function: String,
    /// Its id.
    pub id: String,
    /// Its status.
    pub status: Status,
    /// The size that it was decided for.
    pub from_mb: Megabytes,
    /// The size that it wants.
    pub to_mb: Megabytes,
    /// The size that the policy aims for, if the record has it.
    pub target_mb: Option<Megabytes>,
    /// Not to be delayed.
    pub urgent: bool,
    /// When it is too old to act on.
    pub expires_at: Timestamp,
    /// The size that the function has now.
    pub current_mb: Megabytes,
    /// Decreases are held until then.
    pub held_until: Option<Timestamp>,
    /// The function's tags, if known.
    pub tags: Option<Tags>,
    /// The function no longer exists.
    pub gone: bool,
}

/// What a function has now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Present {
    /// ARN, or `local:NAME`.
    pub function: String,
    /// Its size.
    pub current_mb: Megabytes,
    /// The stack that made it, by its tags.
    pub stack: Option<String>,
    /// What it is called in that stack's template, by its tags.
    pub logical_id: Option<String>,
}
