//! The policies by name (P7), and what the floor is made of (P2).

use serde::{Deserialize, Serialize};

/// The policies by the names that `rightsizer.toml` and recommendations have for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyName {
    /// P1: the mean of the window's daily peaks + 100 MB.
    #[default]
    AveragePlusBuffer,
    /// The highest peak of the window + 15 %.
    PeakPlusMargin,
    /// The Kubernetes VPA's rule: 90th percentile, half-life 24 h, + 15 %.
    Percentile,
    /// Several limits side by side, the one that would have cost least.
    Autopilot,
    /// The level that recurs, + 10 to 30 %: see `docs/POLICIES.md` for how it was found.
    RecurringPeak,
}

impl PolicyName {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AveragePlusBuffer => super::AVERAGE_PLUS_BUFFER,
            Self::PeakPlusMargin => "peak-plus-margin",
            Self::Percentile => "percentile",
            Self::Autopilot => "autopilot",
            Self::RecurringPeak => "recurring-peak",
        }
    }
}

/// The rule of P2's floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FloorRule {
    /// `floor_headroom` × the highest peak of `floor_days`.
    #[default]
    Highest,
    /// The size of `recurring-peak`.
    Recurring,
}
