//! What a policy sees of one function, and the settings it goes by.

use rightsizer_records::{Day, EvidenceWindow, Megabytes, Timestamp};
use serde::Deserialize;

/// `[policy]` in `rightsizer.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicySettings {
    /// P1: added to the mean of the daily peaks.
    pub buffer_mb: Megabytes,
    /// P2: whether the floor holds; `false` gives the plain rule.
    pub floor: bool,
    /// P2: the floor is this many times the highest peak.
    pub floor_headroom: f64,
    /// P2: peaks of this many days hold the floor up, besides the window and the open day.
    pub floor_days: i32,
    /// P4: the smallest size.
    pub min_mb: Megabytes,
    /// P4: the largest size; new accounts have 3008.
    pub max_mb: Megabytes,
}

impl Default for PolicySettings {
    fn default() -> Self {
        Self {
            buffer_mb: Megabytes(100),
            floor: true,
            floor_headroom: 1.10,
            floor_days: 35,
            min_mb: Megabytes(128),
            max_mb: Megabytes(10_240),
        }
    }
}

/// One function's window, as the policies look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionEvidence {
    /// Size of the environment that started last, or a size applied since.
    pub current_mb: Megabytes,
    /// A larger size that was sent and not answered yet, if any.
    pub pending_mb: Option<Megabytes>,
    /// The window that is decided on, with its counts.
    pub window: EvidenceWindow,
    /// Daily peaks of the window's closed days with invocations; where none is closed yet, of the
    /// open ones (W4: a recommendation exists as soon as there is evidence).
    pub daily_peaks: Vec<Megabytes>,
    /// Day and height of the highest peak that holds the floor up: window, open days and the last
    /// `floor_days` (P2).
    pub floor_peak: Option<(Day, Megabytes)>,
    /// The largest size in which the demand was hidden, and when (P3).
    pub censored: Option<(Day, Megabytes)>,
    /// First report ever seen of the function.
    pub first_report: Timestamp,
    /// The present, as the window's clock sees it.
    pub present: Timestamp,
}
