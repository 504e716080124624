//! What a decision does to the recommendations that are there.

use rightsizer_records::Megabytes;
use rightsizer_rules::policy::decide;
use rightsizer_store::{
    Assessment, FunctionId, Life, NewRecommendation, Standing, StoreError, Viewpoint,
};

use super::propose::{Considered, Outlook, Proposal, is_on_trial};
use super::session::Session;
use super::verdict::Rollback;

impl<'p> Session<'p> {
    /// From where functions are looked at.
    pub(super) const fn outlook(&self) -> Outlook<'p> {
        Outlook {
            clock: self.clock,
            now: self.now,
            settings: self.settings,
        }
    }

    /// How windows look from here.
    pub(super) const fn view(&self) -> Viewpoint<'_> {
        Viewpoint {
            clock: &self.clock,
            now: self.now,
            settings: &self.settings.policy,
        }
    }

    /// Decides a function, due or not, and brings its recommendations in line.
    pub(super) fn decide(&mut self, id: FunctionId) -> Result<(), StoreError> {
        let assessed = self.unit.assess(id..=id, self.view())?.pop();
        let Some(seen) = assessed.and_then(|one| one.seen) else {
            return Ok(());
        };
        let standing = self.unit.standing(&(id..=id))?;
        let proposal = (!is_on_trial(&seen)).then(|| self.outlook().propose(&seen));
        self.settle(id, seen, &standing, proposal.flatten())
    }

    /// Does what a function that was looked at calls for.
    pub(super) fn carry_out(&mut self, one: Considered) -> Result<(), StoreError> {
        match one.seen {
            Some(seen) if one.due => self.settle(one.id, seen, &one.standing, one.proposal),
            // What was applied is judged at every close, however seldom it is decided.
            Some(seen) if is_on_trial(&seen) => self.only_judge(one.id, seen, &one.standing),
            None if one.has_decision => self.unit.forget_decision(one.id, self.now),
            _ => Ok(()),
        }
    }

    fn settle(
        &mut self,
        id: FunctionId,
        mut seen: Assessment,
        standing: &[Standing],
        proposal: Option<Proposal>,
    ) -> Result<(), StoreError> {
        let proposal = if is_on_trial(&seen) {
            let rollback = self.judge(id, &mut seen)?;
            self.with_rollback(&seen, rollback)
        } else {
            proposal
        };
        match proposal {
            Some(proposal) => self.do_as_proposed(id, &seen, standing, &proposal),
            None => Ok(()),
        }
    }

    fn only_judge(
        &mut self,
        id: FunctionId,
        mut seen: Assessment,
        standing: &[Standing],
    ) -> Result<(), StoreError> {
        let Some(rollback) = self.judge(id, &mut seen)? else {
            return Ok(());
        };
        match self.with_rollback(&seen, Some(rollback)) {
            Some(proposal) => self.do_as_proposed(id, &seen, standing, &proposal),
            None => Ok(()),
        }
    }

    fn do_as_proposed(
        &mut self,
        id: FunctionId,
        seen: &Assessment,
        standing: &[Standing],
        proposal: &Proposal,
    ) -> Result<(), StoreError> {
        let decision = &proposal.decision;
        self.unit
            .note_decision(id, seen, decision, &proposal.reasons, proposal.usd)?;
        self.digest.decided += 1;
        match &proposal.recommendation {
            Some(new) => self.put(id, standing, new),
            None if decision.target_mb == seen.evidence.current_mb => {
                self.withdraw_all(standing, "its size is right again")
            }
            None => self.withdraw_all(standing, "the next step waits"),
        }
    }

    /// The decision of the policies, and the verdict on the last change.
    fn with_rollback(&self, seen: &Assessment, rollback: Option<Rollback>) -> Option<Proposal> {
        let mut decision = decide(&seen.evidence, &self.settings.policy)?;
        let rollback_of = rollback.map(|rollback| rollback.shape(&mut decision));
        Some(self.outlook().proposal(seen, decision, rollback_of))
    }

    /// Nothing is to change any more. What was sent stays sent: the updater will answer.
    fn withdraw_all(&self, standing: &[Standing], why: &str) -> Result<(), StoreError> {
        let waits = |one: &&Standing| matches!(one.life, Life::Open | Life::Approved);
        for live in standing.iter().filter(waits) {
            self.end(live, Life::Withdrawn, why)?;
        }
        Ok(())
    }

    fn end(&self, standing: &Standing, life: Life, why: &str) -> Result<(), StoreError> {
        self.unit
            .end_recommendation(standing.function, &standing.id, life, why, self.now)
    }

    /// W9: a peak above 90 % of a decrease that is open, approved or sent withdraws it, unless the
    /// decrease was decided knowing a peak as high: P2 alone lets peaks come to 91 % of its floor.
    pub(super) fn withdraw_decreases_near(
        &self,
        id: FunctionId,
        peak: Megabytes,
    ) -> Result<bool, StoreError> {
        let known = self.unit.highest_peak_decided_on(id)?;
        let mut withdrawn = false;
        let standing = self.unit.standing(&(id..=id))?;
        for live in standing.iter().filter(|one| one.is_live()) {
            let near = u64::from(peak.0) * 10 > u64::from(live.to_mb.0) * 9 && peak > known;
            if live.to_mb < live.from_mb && near {
                let why = format!("a peak of {peak} is above 90 % of it");
                self.end(live, Life::Withdrawn, &why)?;
                withdrawn = true;
            }
        }
        Ok(withdrawn)
    }

    fn put(
        &self,
        id: FunctionId,
        standing: &[Standing],
        new: &NewRecommendation,
    ) -> Result<(), StoreError> {
        let change = (new.from_mb, new.to_mb);
        let mut wanted = !standing.iter().any(|one| one.rejects(change, self.now));
        let mut replaced = None;
        for live in standing.iter().filter(|one| one.is_live()) {
            if live.only_waits() && live.id != new.id && replaced.is_none() {
                replaced = Some(live);
            } else if live.expires_at < self.now.as_ms() {
                self.end(live, Life::Expired, "it was not reviewed in time")?;
            } else if is_under_way(live, change) {
                wanted = false;
            } else if live.id != new.id {
                self.supersede(live, &new.id)?;
            }
        }
        match (wanted, replaced) {
            (true, Some(old)) => self.unit.replace(old, new, self.now),
            (true, None) => self.unit.recommend(id, new),
            (false, Some(old)) => self.supersede(old, &new.id),
            (false, None) => Ok(()),
        }
    }

    fn supersede(&self, old: &Standing, by: &str) -> Result<(), StoreError> {
        self.unit.forget_superseded(old.function)?;
        self.end(old, Life::Superseded, &format!("by {by}"))
    }
}

/// Whether a change is on its way already, or one that does for it.
fn is_under_way(live: &Standing, change: (Megabytes, Megabytes)) -> bool {
    let same = (live.from_mb, live.to_mb) == change;
    (same && live.life != Life::Open) || still_approved(live, change)
}

/// A person's yes to a decrease outlives a decision that would go at most 32 MB further: the approved
/// size is the safer one.
fn still_approved(live: &Standing, (from, to): (Megabytes, Megabytes)) -> bool {
    live.life == Life::Approved
        && live.from_mb == from
        && live.to_mb < from
        && (to..=Megabytes(to.0.saturating_add(32))).contains(&live.to_mb)
}
