//! Decisions as records for the aggregator.

use rightsizer_records::{
    BilledUse, Day, MonthlyUsd, Proposal, ProposedDecision, ProposedVerdict, Record, encode,
};
use rightsizer_rules::state::{Decided, Ended, FunctionState};
use rightsizer_rules::window::DayClock;

use super::moment::Moment;

/// A decision; `closed` is the day whose close called for it.
pub(crate) fn of(decided: &Decided, closed: Option<Day>) -> Vec<u8> {
    let seen = &decided.seen;
    let decision = decided.proposal.as_ref().map(|proposal| {
        let decision = &proposal.decision;
        let new = proposal.recommendation.as_ref();
        ProposedDecision {
            id: new.map(|new| new.id.clone()),
            policy_mb: decision.policy_mb,
            target_mb: decision.target_mb,
            to_mb: new.map(|new| new.to_mb),
            policy: proposal.policy.clone(),
            reasons: decision.reasons.clone(),
            window: seen.evidence.window,
            p99_ms: seen.p99,
            confidence: decision.confidence,
            monthly_usd: MonthlyUsd {
                before: proposal.usd.0,
                after: proposal.usd.1,
            },
            billed: Some(BilledUse {
                days: proposal.billed.usage.days,
                ms: proposal.billed.usage.billed_ms,
                ms_after: proposal.billed.ms_after,
                arch: proposal.billed.arch,
            }),
            urgent: decision.urgent,
            auto: decision.auto,
            rollback_of: new.and_then(|new| new.rollback_of.clone()),
        }
    });
    let proposal = Proposal {
        function: seen.function.to_string(),
        decided_at: seen.evidence.present,
        closed,
        version: seen.version.clone(),
        current_mb: seen.evidence.current_mb,
        peak_mb: seen.peak_mb,
        known: seen.known,
        decision,
        verdict: decided.ended.as_ref().map(verdict),
    };
    encode(&Record::Proposal(Box::new(proposal)))
}

fn verdict(ended: &Ended) -> ProposedVerdict {
    ProposedVerdict {
        id: ended.id.clone(),
        code: ended.code.map(|code| code.name().to_owned()),
        why: ended.why.clone(),
        holds: ended.holds,
    }
}

/// The function has no more reports in the window, so its decision ends.
pub(crate) fn idle(state: &FunctionState, clock: &DayClock, moment: Moment) -> Option<Vec<u8>> {
    let (version, current_mb) = state.current()?;
    let proposal = Proposal {
        function: state.function().to_string(),
        decided_at: clock.present(moment.now),
        closed: moment.closed,
        version,
        current_mb,
        peak_mb: rightsizer_records::Megabytes(0),
        known: false,
        decision: None,
        verdict: None,
    };
    Some(encode(&Record::Proposal(Box::new(proposal))))
}
