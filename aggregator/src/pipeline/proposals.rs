//! Takes in the decisions that Flink made, instead of deciding here. Review, limits, pause and sending stay here.
//!
//! A proposal may be delivered again, and after Flink restores a checkpoint, older proposals may follow newer ones. The
//! id identifies a repetition, and a proposal that is older than the latest decision is ignored.

use rightsizer_records::{
    BilledUse, FunctionArn, Mode, Proposal, ProposedDecision, ProposedVerdict, Recommendation,
    Record, Timestamp, encode,
};
use rightsizer_rules::assess::{NewRecommendation, Noted};
use rightsizer_rules::evidence::FunctionKey;
use rightsizer_rules::lifecycle::ClosedCode;
use rightsizer_rules::limits::counted_usd;
use rightsizer_rules::outcome::HOLD_DAYS;
use rightsizer_rules::price::{Billed, Usage};
use rightsizer_rules::window::{Newest, Sighting};
use rightsizer_store::{FunctionId, Quarantined, Sighted, StoreError};

use super::session::Session;

impl Session<'_> {
    /// Takes in proposals, in their order.
    pub(super) fn take_proposals(&mut self, proposals: &[Proposal]) -> Result<(), StoreError> {
        if proposals.is_empty() {
            // Writing what waits would cost every delivery a statement for each of its functions.
            return Ok(());
        }
        let mut sighted = Vec::new();
        for proposal in proposals {
            match FunctionKey::parse(&proposal.function) {
                Ok(key) => sighted.push((proposal, self.sight_proposed(&key, proposal)?.id, key)),
                Err(error) => self.refuse(proposal, &error.to_string())?,
            }
        }
        self.unit.flush()?;
        for (proposal, id, key) in sighted {
            self.take_proposal(id, &key, proposal)?;
        }
        Ok(())
    }

    fn sight_proposed(
        &mut self,
        key: &FunctionKey,
        proposal: &Proposal,
    ) -> Result<Sighted, StoreError> {
        let at = proposal.decided_at;
        let sighting = Sighting {
            oldest: at,
            newest: Newest {
                at,
                memory_mb: proposal.current_mb,
                version: proposal.version.clone(),
            },
            arch: None,
            runtime: None,
            started: None,
            ran_out: None,
            mixed: None,
        };
        let sighted = self.unit.functions().sight(key, &sighting, at)?;
        self.clock.observe(sighted.id, at, self.now);
        Ok(sighted)
    }

    fn refuse(&mut self, proposal: &Proposal, why: &str) -> Result<(), StoreError> {
        self.digest.quarantined += 1;
        let bytes = encode(&Record::Proposal(Box::new(proposal.clone())));
        let what = Quarantined {
            origin: "proposals",
            reason: why,
            bytes: bytes.len() as u64,
            sample: &proposal.function,
        };
        self.unit.quarantine().add(&what, self.now)
    }

    fn take_proposal(
        &mut self,
        id: FunctionId,
        key: &FunctionKey,
        proposal: &Proposal,
    ) -> Result<(), StoreError> {
        if let Some(verdict) = &proposal.verdict {
            self.take_verdict(id, key, verdict, proposal)?;
        }
        let day = proposal.decided_at.day();
        let decided = self.unit.decisions().decided_on(id)?;
        if decided.is_some_and(|decided| decided > day) {
            return Ok(());
        }
        let Some(decision) = &proposal.decision else {
            return match proposal.verdict {
                None => self.unit.decisions().forget(id, self.now),
                Some(_) => Ok(()),
            };
        };
        // W9: Flink decides at once when a peak comes near, and the peak withdraws the decrease.
        self.withdraw_decreases_near(id, proposal.peak_mb)?;
        let noted = noted(proposal, decision);
        let new = self.proposed(key, proposal, decision);
        let earlier = self.unit.recommendations().earlier(&(id..=id))?;
        self.do_as_proposed(id, &noted, &earlier, new.as_ref())
    }

    fn take_verdict(
        &mut self,
        id: FunctionId,
        key: &FunctionKey,
        verdict: &ProposedVerdict,
        proposal: &Proposal,
    ) -> Result<(), StoreError> {
        let wanted = verdict.code.as_deref();
        let code = ClosedCode::all().find(|code| Some(code.name()) == wanted);
        if let Some(code) = code {
            self.unit
                .recommendations()
                .close((id, &verdict.id), code, &verdict.why, self.now)?;
        }
        if verdict.holds {
            self.unit
                .holds()
                .extend(id, HOLD_DAYS, &verdict.why, self.now)?;
        }
        let decision = proposal.decision.as_ref();
        let rolls_back = decision.is_some_and(|d| d.rollback_of.as_ref() == Some(&verdict.id));
        if rolls_back && !self.unit.recommendations().is_taken_back(id, &verdict.id)? {
            let most = self.settings.limits.rollbacks_to_pause;
            let name = key.to_string();
            self.unit
                .stops()
                .note_rollback((id, &name), proposal.decided_at, most)?;
        }
        Ok(())
    }

    /// The recommendation of a proposal; `None` if nothing should change.
    fn proposed(
        &self,
        key: &FunctionKey,
        proposal: &Proposal,
        decision: &ProposedDecision,
    ) -> Option<NewRecommendation> {
        let (id, to) = (decision.id.clone()?, decision.to_mb?);
        let from = proposal.current_mb;
        let expires_at = self.now.plus_ms(self.settings.window.cadence.lasts_ms());
        let usd = (decision.monthly_usd.before, decision.monthly_usd.after);
        let record = key.arn().map(|function| {
            let record = sent(
                function,
                proposal,
                decision,
                (id.clone(), to),
                self.now,
                expires_at,
            );
            String::from_utf8_lossy(&encode(&Record::Recommendation(record))).into_owned()
        });
        Some(NewRecommendation {
            id,
            day: proposal.decided_at.day(),
            from_mb: from,
            to_mb: to,
            urgent: decision.urgent,
            auto: decision.auto,
            record,
            issued_at: self.now,
            expires_at,
            rollback_of: decision.rollback_of.clone(),
            known: proposal.known,
            added_usd: if to > from {
                counted_usd(from, to, usd)
            } else {
                0.0
            },
        })
    }
}

fn noted(proposal: &Proposal, decision: &ProposedDecision) -> Noted {
    Noted {
        day: proposal.decided_at.day(),
        current_mb: proposal.current_mb,
        peak_mb: proposal.peak_mb,
        policy_mb: decision.policy_mb,
        target_mb: decision.target_mb,
        to_mb: decision.to_mb,
        confidence: decision.confidence,
        // Texts and numbers by name, all of which JSON can represent.
        reasons: serde_json::to_string(&decision.reasons).unwrap_or_default(),
        invocations: decision.window.invocations,
        p99: decision.p99_ms,
        usd: (decision.monthly_usd.before, decision.monthly_usd.after),
        billed: decision.billed.map(|used| billed(proposal, decision, used)),
        // A proposal from elsewhere does not carry them.
        gb_second_usd: None,
        offers: None,
    }
}

fn billed(proposal: &Proposal, decision: &ProposedDecision, used: BilledUse) -> Billed {
    Billed {
        usage: Usage {
            billed_ms: used.ms,
            invocations: decision.window.invocations,
            days: used.days,
        },
        ms_after: used.ms_after,
        from_mb: proposal.current_mb,
        to_mb: decision.to_mb,
        arch: used.arch,
    }
}

/// The record that goes to the updater.
fn sent(
    function: &FunctionArn,
    proposal: &Proposal,
    decision: &ProposedDecision,
    (id, to_mb): (String, rightsizer_records::Megabytes),
    issued_at: Timestamp,
    expires_at: Timestamp,
) -> Recommendation {
    Recommendation {
        id,
        function: function.clone(),
        version: proposal.version.clone(),
        from_mb: proposal.current_mb,
        to_mb,
        target_mb: decision.target_mb,
        policy: decision.policy.clone(),
        reasons: decision.reasons.clone(),
        window: decision.window,
        p99_ms: decision.p99_ms,
        confidence: decision.confidence,
        monthly_usd: decision.monthly_usd,
        mode: Mode::Auto,
        by: None,
        urgent: decision.urgent,
        issued_at,
        expires_at,
        rollback_of: decision.rollback_of.clone(),
        code_sha256: None,
    }
}
