//! What a decision does to the recommendations that are there.

use rightsizer_records::Megabytes;
use rightsizer_rules::assess::{Assessment, NewRecommendation, Noted, Proposal, Viewpoint};
use rightsizer_rules::lifecycle::{self, ClosedCode, Status};
use rightsizer_store::{Earlier, FunctionId, StoreError};

use super::propose::{Considered, Outlook};
use super::session::Session;

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
        let assessed = self.unit.evidence().assess(id..=id, self.view())?.pop();
        let Some(seen) = assessed.and_then(|one| one.seen) else {
            return Ok(());
        };
        let earlier = self.unit.recommendations().earlier(&(id..=id))?;
        let proposal = (!seen.is_on_trial()).then(|| self.outlook().propose(&seen));
        self.settle(id, seen, &earlier, proposal.flatten())
    }

    /// Does what a function that was looked at calls for.
    pub(super) fn carry_out(&mut self, one: Considered) -> Result<(), StoreError> {
        match one.seen {
            Some(seen) if one.due => self.settle(one.id, seen, &one.earlier, one.proposal),
            // What was applied is judged at every close, however seldom it is decided.
            Some(seen) if seen.is_on_trial() => self.only_judge(one.id, seen, &one.earlier),
            None if one.has_decision => self.unit.decisions().forget(one.id, self.now),
            _ => Ok(()),
        }
    }

    fn settle(
        &mut self,
        id: FunctionId,
        mut seen: Assessment,
        earlier: &[Earlier],
        proposal: Option<Proposal>,
    ) -> Result<(), StoreError> {
        let proposal = if seen.is_on_trial() {
            let rollback = self.judge(id, &mut seen)?;
            self.outlook().drafter().propose_with(&seen, rollback)
        } else {
            proposal
        };
        match proposal {
            Some(proposal) => self.propose(id, &seen, earlier, &proposal),
            None => Ok(()),
        }
    }

    fn only_judge(
        &mut self,
        id: FunctionId,
        mut seen: Assessment,
        earlier: &[Earlier],
    ) -> Result<(), StoreError> {
        let Some(rollback) = self.judge(id, &mut seen)? else {
            return Ok(());
        };
        let drafter = self.outlook().drafter();
        match drafter.propose_with(&seen, Some(rollback)) {
            Some(proposal) => self.propose(id, &seen, earlier, &proposal),
            None => Ok(()),
        }
    }

    fn propose(
        &mut self,
        id: FunctionId,
        seen: &Assessment,
        earlier: &[Earlier],
        proposal: &Proposal,
    ) -> Result<(), StoreError> {
        let noted = Noted::of(seen, proposal);
        self.do_as_proposed(id, &noted, earlier, proposal.recommendation.as_ref())
    }

    /// Notes a decision, and brings the function's recommendations in line with it.
    pub(super) fn do_as_proposed(
        &mut self,
        id: FunctionId,
        noted: &Noted,
        earlier: &[Earlier],
        new: Option<&NewRecommendation>,
    ) -> Result<(), StoreError> {
        self.unit.decisions().note(id, noted)?;
        self.digest.decided += 1;
        match new {
            Some(new) => self.put(id, earlier, new),
            None if noted.target_mb == noted.current_mb => {
                let code = ClosedCode::SizeRightAgain;
                self.close_all(earlier, code, "its size is right again")
            }
            None => self.close_all(earlier, ClosedCode::NextStepWaits, "the next step waits"),
        }
    }

    /// Closes those of `earlier` that the code's event changes.
    fn close_all(
        &self,
        earlier: &[Earlier],
        code: ClosedCode,
        why: &str,
    ) -> Result<(), StoreError> {
        let changed = |one: &&Earlier| lifecycle::next(one.status, code.event()).is_some();
        for one in earlier.iter().filter(changed) {
            self.close(one, code, why)?;
        }
        Ok(())
    }

    fn close(&self, one: &Earlier, code: ClosedCode, why: &str) -> Result<(), StoreError> {
        self.unit
            .recommendations()
            .close((one.function, &one.id), code, why, self.now)
    }

    /// Withdraws an open, approved or sent decrease if a peak is above 90 % of its size (W9). A decrease that was
    /// decided with a peak as high stays, because P2 alone allows peaks of 91 % of the floor.
    pub(super) fn withdraw_decreases_near(
        &self,
        id: FunctionId,
        peak: Megabytes,
    ) -> Result<bool, StoreError> {
        let known = self.unit.decisions().highest_peak(id)?;
        let mut withdrawn = false;
        let earlier = self.unit.recommendations().earlier(&(id..=id))?;
        for one in earlier.iter().filter(|one| one.is_active()) {
            let near = u64::from(peak.0) * 10 > u64::from(one.to_mb.0) * 9 && peak > known;
            if one.to_mb < one.from_mb && near {
                let why = format!("a peak of {peak} is above 90 % of it");
                self.close(one, ClosedCode::PeakNear, &why)?;
                withdrawn = true;
            }
        }
        Ok(withdrawn)
    }

    fn put(
        &self,
        id: FunctionId,
        earlier: &[Earlier],
        new: &NewRecommendation,
    ) -> Result<(), StoreError> {
        let change = (new.from_mb, new.to_mb);
        let mut wanted = !earlier.iter().any(|one| one.rejects(change, self.now));
        let mut replaced = None;
        for one in earlier.iter().filter(|one| one.is_active()) {
            if one.only_waits() && one.id != new.id && replaced.is_none() {
                replaced = Some(one);
            } else if one.expires_at < self.now.as_ms() {
                self.close(one, ClosedCode::NotReviewed, "it was not reviewed in time")?;
            } else if is_under_way(one, change) {
                wanted = false;
            } else if one.id != new.id {
                self.supersede(one, &new.id)?;
            }
        }
        match (wanted, replaced) {
            (true, Some(old)) => self.unit.recommendations().replace(old, new, self.now),
            (true, None) => self.unit.recommendations().recommend(id, new),
            (false, Some(old)) => self.supersede(old, &new.id),
            (false, None) => Ok(()),
        }
    }

    fn supersede(&self, old: &Earlier, by: &str) -> Result<(), StoreError> {
        self.unit
            .recommendations()
            .forget_superseded(old.function)?;
        self.close(old, ClosedCode::LaterDecision, &format!("by {by}"))
    }
}

/// Whether a change is on its way already, or one that does for it.
fn is_under_way(one: &Earlier, change: (Megabytes, Megabytes)) -> bool {
    let same = (one.from_mb, one.to_mb) == change;
    (same && one.status != Status::Open) || still_approved(one, change)
}

/// Whether an approved decrease stays valid although the new decision goes further down. It does up to 32 MB, because
/// the approved size is the safer one.
fn still_approved(one: &Earlier, (from, to): (Megabytes, Megabytes)) -> bool {
    one.status == Status::Approved
        && one.from_mb == from
        && one.to_mb < from
        && (to..=Megabytes(to.0.saturating_add(32))).contains(&one.to_mb)
}
