//! `proposal`: what an engine besides the aggregator decided about one function.

use serde::{Deserialize, Serialize};

use crate::{
    Arch, Confidence, Day, EvidenceWindow, Megabytes, Millis, MonthlyUsd, Reason, Timestamp,
};

/// A decision with what a reviewer has to see, and the verdict on the last change: Flink → aggregator.
///
/// The same decision has the same `id`, so that it counts once however often it is delivered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// The function, as the aggregator's tables name it: an unqualified ARN, or `local:` and a name.
    pub function: String,
    /// The present when it was decided, as the window's clock saw it.
    pub decided_at: Timestamp,
    /// The day whose close called for it; absent if it was decided at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Day>,
    /// The version with the traffic.
    pub version: String,
    /// The size that the function has.
    pub current_mb: Megabytes,
    /// Highest peak of the window and the open days.
    pub peak_mb: Megabytes,
    /// Whether the inventory or history knows the function.
    pub known: bool,
    /// The decision; absent if the function has no more reports in the window, or only the verdict was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<ProposedDecision>,
    /// The verdict on the last change, if it is out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<ProposedVerdict>,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProposedDecision {
    /// Hash of function, decision day, from and to; absent if nothing should change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The size by the rules P1 to P4.
    pub policy_mb: Megabytes,
    /// The size that the policy aims for after all steps.
    pub target_mb: Megabytes,
    /// The size after this step; absent if nothing should change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_mb: Option<Megabytes>,
    /// Name of the policy.
    pub policy: String,
    /// The rules that shaped the number, with their figures.
    pub reasons: Vec<Reason>,
    /// The evidence that it rests on.
    pub window: EvidenceWindow,
    /// 99th percentile of durations at the current size, if known.
    #[serde(default)]
    pub p99_ms: Option<Millis>,
    /// How far the evidence carries.
    pub confidence: Confidence,
    /// Projected cost a month before and after.
    pub monthly_usd: MonthlyUsd,
    /// What these dollars are made of; absent in proposals of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billed: Option<BilledUse>,
    /// Out of memory: not to be delayed by anything.
    #[serde(default)]
    pub urgent: bool,
    /// Whether it may be applied without an approval.
    #[serde(default)]
    pub auto: bool,
    /// The recommendation that it rolls back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_of: Option<String>,
}

/// What the dollars of a decision are made of besides its sizes and invocations: other prices give other dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BilledUse {
    /// Calendar days of the usage.
    pub days: u32,
    /// Billed milliseconds at the present size.
    pub ms: u64,
    /// Billed milliseconds expected at the size after this step; `ms` if nothing should change.
    pub ms_after: u64,
    /// The architecture, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arch: Option<Arch>,
}

/// The verdict on a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposedVerdict {
    /// The recommendation that brought the change.
    pub id: String,
    /// `no-harm` or `restored-elsewhere`; absent if it is to be rolled back, which ends it when that is applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The same in words.
    pub why: String,
    /// Whether decreases of the function are held.
    #[serde(default)]
    pub holds: bool,
}
