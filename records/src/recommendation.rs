//! `recommendation`: what the aggregator wants a function's memory size to be, and why.

use serde::{Deserialize, Serialize};

use crate::{Day, FunctionArn, Megabytes, Millis, Reason, Timestamp, Usd};

/// A memory size for one function, with everything a reader needs to judge it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recommendation {
    /// Hash of function, decision day, from and to: deciding again is the same recommendation.
    pub id: String,
    /// Unqualified ARN of the function.
    pub function: FunctionArn,
    /// The version whose traffic this is about.
    pub version: String,
    /// The size it was decided for; the updater skips it when the function has another one now.
    pub from_mb: Megabytes,
    /// The size after this step.
    pub to_mb: Megabytes,
    /// The size that the policy aims for after all steps.
    pub target_mb: Megabytes,
    /// Name of the policy.
    pub policy: String,
    /// The rules that shaped the number, with their figures.
    pub reasons: Vec<Reason>,
    /// The evidence it rests on.
    pub window: EvidenceWindow,
    /// 99th percentile of durations at `from_mb`, if known.
    #[serde(default)]
    pub p99_ms: Option<Millis>,
    /// How far the evidence carries.
    pub confidence: Confidence,
    /// Projected cost a month before and after.
    pub monthly_usd: MonthlyUsd,
    /// Whether a person approved it.
    pub mode: Mode,
    /// Who approved it; set when `mode` is `approved`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Out of memory: not to be delayed by anything.
    #[serde(default)]
    pub urgent: bool,
    /// When it was decided.
    pub issued_at: Timestamp,
    /// When it is too old to act on.
    pub expires_at: Timestamp,
    /// The recommendation this one rolls back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_of: Option<String>,
    /// Hash of the code the evidence is from, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_sha256: Option<String>,
}

/// The evidence behind a recommendation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceWindow {
    /// First day of the window.
    pub from: Day,
    /// Last day of the window.
    pub to: Day,
    /// Days with invocations in it.
    pub days: u32,
    /// Invocations in it.
    pub invocations: u64,
}

/// Projected monthly cost of the function's compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonthlyUsd {
    /// At `from_mb`.
    pub before: Usd,
    /// At `to_mb`.
    pub after: Usd,
}

/// How far the evidence carries (W4, W6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Under 7 active days or 50 invocations.
    Low,
    /// Less than 14 days since the first report.
    Medium,
    /// A full window.
    High,
}

impl Confidence {
    /// Its name on the wire and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// On whose word the updater acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The aggregator's: the function's own tag decides whether that is enough.
    Auto,
    /// A person's.
    Approved,
}
