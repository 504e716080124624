//! What is noted of a decision beside its function, whether or not it changes the size.

use rightsizer_records::{Confidence, Day, Megabytes, Millis, Usd};

use super::assessment::Assessment;
use super::draft::Proposal;
use crate::price::Billed;

/// What is noted of a decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Noted {
    /// The day it was decided.
    pub day: Day,
    /// The size that the function has.
    pub current_mb: Megabytes,
    /// The highest peak that it knew (W9).
    pub peak_mb: Megabytes,
    /// The size by the rules P1 to P4.
    pub policy_mb: Megabytes,
    /// The size that the policy aims for.
    pub target_mb: Megabytes,
    /// The size after this step; `None` if nothing should change.
    pub to_mb: Option<Megabytes>,
    /// How far the evidence carries.
    pub confidence: Confidence,
    /// Its reasons as JSON.
    pub reasons: String,
    /// Invocations in the window.
    pub invocations: u64,
    /// 99th percentile of the durations at the present size.
    pub p99: Option<Millis>,
    /// What a month costs now and then.
    pub usd: (Usd, Usd),
    /// What these dollars are made of, if it is known.
    pub billed: Option<Billed>,
    /// The dollars of a GB-second in them, if they are known.
    pub gb_second_usd: Option<f64>,
    /// Larger sizes at which it would be faster, as JSON, if there are any.
    pub offers: Option<String>,
}

impl Noted {
    /// Returns what is noted of a proposal.
    pub fn of(seen: &Assessment, proposal: &Proposal) -> Self {
        let decision = &proposal.decision;
        Self {
            day: seen.evidence.present.day(),
            current_mb: seen.evidence.current_mb,
            peak_mb: seen.peak_mb,
            policy_mb: decision.policy_mb,
            target_mb: decision.target_mb,
            to_mb: decision.to_mb,
            confidence: decision.confidence,
            reasons: proposal.reasons.clone(),
            invocations: seen.evidence.window.invocations,
            p99: seen.p99,
            usd: proposal.usd,
            billed: Some(proposal.billed),
            gb_second_usd: Some(proposal.gb_second_usd),
            offers: proposal.offers.clone(),
        }
    }
}
