//! What a refresh of the inventory brings. The store compares it with what it knows.

use rightsizer_records::Timestamp;

use super::facts::FunctionFacts;

/// What a refresh found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryUpdate {
    /// When it began.
    pub seen_at: Timestamp,
    /// The functions found.
    pub functions: Vec<FunctionFacts>,
    /// Whether these are all of them: what is missing then is gone.
    pub complete: bool,
    /// Whether it was asked which alarms ring; else what is known of them stays.
    pub with_alarms: bool,
}
