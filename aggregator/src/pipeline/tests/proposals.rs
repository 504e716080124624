//! Decisions of another engine: reviewed, limited and sent from here, each once.

use rightsizer_records::{
    Arch, BilledUse, Confidence, EvidenceWindow, MonthlyUsd, Proposal, ProposedDecision,
    ProposedVerdict, Reason, Usd,
};

use super::*;

impl Case {
    pub(super) fn with_proposals() -> Self {
        let mut case = Self::new();
        let pipeline = case.pipeline.take().unwrap();
        case.pipeline = Some(pipeline.deciding_elsewhere(true));
        case
    }

    fn propose(&mut self, proposal: &Proposal) -> Digest {
        let record = Record::Proposal(Box::new(proposal.clone()));
        self.deliver(vec![encode(&record)], Channel::Proposals)
    }
}

/// A decrease from 1024 to 300 MB, decided at the close of a day of May.
fn proposal(day: u32, to: u32) -> Proposal {
    let decided_at = at(&format!("2026-05-{:02}T01:00:00Z", day + 1));
    let to_mb = Megabytes(to);
    let id = rightsizer_rules::policy::recommendation_id(
        arn("f").as_str(),
        decided_at.day(),
        Megabytes(1024),
        to_mb,
    );
    Proposal {
        function: arn("f").to_string(),
        decided_at,
        closed: Some(decided_at.day().plus(-1)),
        version: "$LATEST".into(),
        current_mb: Megabytes(1024),
        peak_mb: Megabytes(200),
        known: true,
        decision: Some(ProposedDecision {
            id: Some(id),
            policy_mb: to_mb,
            target_mb: to_mb,
            to_mb: Some(to_mb),
            policy: "average-plus-buffer".into(),
            reasons: vec![Reason::AveragePlusBuffer {
                buffer_mb: Megabytes(100),
                days: 14,
                mb: to_mb,
                mean_mb: Megabytes(200),
            }],
            window: EvidenceWindow {
                from: decided_at.day().plus(-14),
                to: decided_at.day().plus(-1),
                days: 14,
                invocations: 1400,
            },
            p99_ms: Some(Millis::from_ms(100)),
            confidence: Confidence::High,
            monthly_usd: MonthlyUsd {
                before: Usd::from_f64(10.0),
                after: Usd::from_f64(3.0),
            },
            billed: None,
            urgent: false,
            auto: true,
            rollback_of: None,
        }),
        verdict: None,
    }
}

#[test]
fn a_proposal_is_shown_sent_once_and_answered() {
    let mut case = Case::with_proposals();
    case.propose(&proposal(14, 300));
    let line = case.line("f");
    assert_eq!((line.current_mb, line.to_mb), (1024, Some(300)));
    assert!(matches!(line.reasons[0], Reason::AveragePlusBuffer { .. }));
    let sent = case.send_all();
    assert_eq!(sent.len(), 1);
    // The stream delivers at least once.
    case.propose(&proposal(14, 300));
    assert!(case.send_all().is_empty());
    case.answer(&sent[0], "f", OutcomeStatus::Applied, 1024, 300);
    assert_eq!(case.line("f").current_mb, 300);
}

/// 14,000 s at 1024 MB are 14,000 GB-s, for 0.14; × 30/14 = 0.30. 28,000 s at 300 MB are 8,203.125 GB-s; 0.08203125 ×
/// 30/14 = 0.175781.
#[test]
fn what_a_proposal_costs_follows_the_prices_of_the_reader() {
    let mut case = Case::with_proposals();
    let read = |case: &Case| {
        let prices = "arm64_gb_second = 0.00001\nmillion_requests = 0";
        let prices = toml::from_str(prices).unwrap();
        let reader = Reader::open(&case.path()).unwrap().with_prices(&prices);
        let line = reader.exactly(arn("f").as_str()).unwrap().unwrap();
        (line.monthly_usd_before, line.monthly_usd_after)
    };
    case.propose(&proposal(14, 300));
    assert_eq!(read(&case), (Some(10.0), Some(3.0)), "of an earlier job");
    let mut next = proposal(15, 300);
    next.decision.as_mut().unwrap().billed = Some(BilledUse {
        days: 14,
        ms: 14_000_000,
        ms_after: 28_000_000,
        arch: Some(Arch::Arm64),
    });
    case.propose(&next);
    assert_eq!(read(&case), (Some(0.3), Some(0.175_781)));
    let stored = case.line("f");
    let stored = (stored.monthly_usd_before, stored.monthly_usd_after);
    assert_eq!(stored, (Some(10.0), Some(3.0)), "of the decision");
}

#[test]
fn an_older_proposal_changes_nothing_and_a_newer_one_takes_its_place() {
    let mut case = Case::with_proposals();
    case.propose(&proposal(15, 300));
    case.propose(&proposal(14, 500));
    assert_eq!(case.line("f").to_mb, Some(300));
    case.propose(&proposal(16, 350));
    assert_eq!(case.line("f").to_mb, Some(350));
    assert_eq!(case.outbox().len(), 1);
}

/// W9: 280 is above 90 % of 300 = 270.
#[test]
fn w9_a_peak_near_the_target_withdraws_the_decrease() {
    let mut case = Case::with_proposals();
    case.propose(&proposal(14, 300));
    let mut near = proposal(14, 300);
    near.peak_mb = Megabytes(280);
    near.closed = None;
    let decision = near.decision.as_mut().unwrap();
    (decision.id, decision.to_mb) = (None, None);
    decision.target_mb = Megabytes(1024);
    case.propose(&near);
    assert!(case.outbox().is_empty());
    let withdrawn = "SELECT count(*) FROM recommendations WHERE closed_code = 'peak-near'";
    assert_eq!(case.count(withdrawn), 1);
}

#[test]
fn a_verdict_ends_the_change_and_holds_the_function() {
    let mut case = Case::with_proposals();
    case.propose(&proposal(14, 300));
    let sent = case.send_all();
    case.answer(&sent[0], "f", OutcomeStatus::Applied, 1024, 300);
    let mut judged = proposal(16, 300);
    judged.current_mb = Megabytes(300);
    judged.decision = None;
    judged.verdict = Some(ProposedVerdict {
        id: sent[0].clone(),
        code: Some("restored-elsewhere".into()),
        why: "someone else restored the old size".into(),
        holds: true,
    });
    case.propose(&judged);
    let ended = "SELECT count(*) FROM recommendations WHERE status = 'reverted'";
    assert_eq!(case.count(ended), 1);
    assert_eq!(case.count("SELECT count(*) FROM holds"), 1);
}

#[test]
fn a_function_without_reports_has_no_decision_any_more() {
    let mut case = Case::with_proposals();
    case.propose(&proposal(14, 300));
    let mut idle = proposal(29, 300);
    idle.decision = None;
    case.propose(&idle);
    assert!(case.outbox().is_empty());
    assert_eq!(case.line("f").to_mb, None);
}

#[test]
fn each_stream_carries_its_own_records_alone() {
    let mut case = Case::with_proposals();
    let record = encode(&Record::Proposal(Box::new(proposal(14, 300))));
    for channel in [Channel::Reports, Channel::Decisions] {
        assert_eq!(case.deliver(vec![record.clone()], channel).quarantined, 1);
    }
    let reports = reports("f", 1, "2026-05-01T10:00:00Z", 512, 90, 1);
    let reports = encode(&Record::Reports(reports));
    let digest = case.deliver(vec![reports], Channel::Proposals);
    assert_eq!((digest.quarantined, digest.accepted), (1, 0));
}

/// A decrease that was skipped during a pause: five minutes later the other engine is asked, once, and its proposal is sent
/// again.
#[test]
fn what_passes_by_itself_is_asked_for_once_and_sent_again() {
    let mut case = Case::with_proposals();
    case.propose(&proposal(14, 300));
    let sent = case.send_all();
    case.answer_because(
        &sent[0],
        "f",
        (OutcomeStatus::Skipped, "paused"),
        (1024, 300),
    );
    let asked = "SELECT count(*) FROM state WHERE key LIKE 'notice/%'";
    for (minutes, notices) in [(4, 0), (2, 1), (2, 1)] {
        case.now = case.now.plus_ms(minutes * 60_000);
        let now = case.now;
        case.pipeline().tick(now).unwrap();
        assert_eq!(case.count(asked), notices);
    }
    assert!(case.outbox().is_empty());
    case.propose(&proposal(14, 300));
    assert_eq!(case.outbox(), sent);
}
