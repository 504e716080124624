//! The loop closes: what was applied is judged by what ran since, at every decision.

use rightsizer_records::{Megabytes, Reason};
use rightsizer_rules::lifecycle::ClosedCode;
use rightsizer_rules::outcome::{Cause, HOLD_DAYS, Trial, Verdict, judge, rollback_size};
use rightsizer_rules::policy::Decision;
use rightsizer_store::{Assessment, FunctionId, OpenTrial, StoreError};

use super::session::Session;

/// An old size that should be restored.
pub(super) struct Rollback {
    pub(super) to: Megabytes,
    /// The recommendation that is rolled back.
    pub(super) of: String,
    pub(super) reason: Reason,
}

impl Rollback {
    /// Makes a decision one that rolls a change back: at once, and at least that far. Returns
    /// whose.
    pub(super) fn shape(self, decision: &mut Decision) -> String {
        let to = decision.to_mb.map_or(self.to, |to| to.max(self.to));
        decision.policy_mb = decision.policy_mb.max(to);
        decision.target_mb = decision.target_mb.max(to);
        decision.to_mb = Some(to);
        decision.reasons.push(self.reason);
        (decision.urgent, decision.auto) = (true, true);
        // That it was faster there is what was measured, not what is projected.
        decision.projection = None;
        self.of
    }
}

impl Session<'_> {
    /// Judges the last change of a function, and returns the rollback that it calls for. What
    /// proved good counts as that in `seen`, so that the next step can follow at once.
    pub(super) fn judge(
        &mut self,
        id: FunctionId,
        seen: &mut Assessment,
    ) -> Result<Option<Rollback>, StoreError> {
        if seen.evidence.changes.last.is_none_or(|last| last.verified) {
            return Ok(None);
        }
        let Some(open) = self.unit.trials().open(id)? else {
            return Ok(None);
        };
        let settings = &self.settings.policy;
        let tolerance = settings.p95_tolerance.of(seen.evidence.strategy(settings));
        let present = self.clock.present(self.now);
        let trial = self.unit.trials().evidence(id, &open, present, tolerance)?;
        match judge(&trial) {
            Verdict::Wait => {}
            Verdict::Verified(saving) => {
                let why = saving.map_or_else(|| "no harm seen".to_owned(), |s| s.in_words());
                self.unit.recommendations().close(
                    (id, &open.id),
                    ClosedCode::NoHarm,
                    &why,
                    self.now,
                )?;
                let changes = &mut seen.evidence.changes;
                changes.verified_mb = Some(open.to_mb);
                changes.increases = 0;
                if let Some(last) = &mut changes.last {
                    last.verified = true;
                }
            }
            Verdict::Reverted => {
                let why = "someone else restored the old size";
                self.unit.recommendations().close(
                    (id, &open.id),
                    ClosedCode::RestoredElsewhere,
                    why,
                    self.now,
                )?;
                self.unit.holds().extend(id, HOLD_DAYS, why, self.now)?;
            }
            Verdict::Rollback(cause) => return self.roll_back(id, seen, &open, &trial, cause),
        }
        Ok(None)
    }

    fn roll_back(
        &self,
        id: FunctionId,
        seen: &Assessment,
        open: &OpenTrial,
        trial: &Trial,
        cause: Cause,
    ) -> Result<Option<Rollback>, StoreError> {
        let why = format!("rolled back: {cause}");
        self.unit.holds().extend(id, HOLD_DAYS, &why, self.now)?;
        let ran_out = seen.evidence.censored.map(|(_, size)| size);
        let verified = seen.evidence.changes.verified_mb;
        let to = rollback_size(trial, verified, ran_out);
        if to <= seen.evidence.current_mb {
            return Ok(None);
        }
        if !self.unit.recommendations().is_taken_back(id, &open.id)? {
            let (function, most) = (
                seen.function.to_string(),
                self.settings.limits.rollbacks_to_pause,
            );
            self.unit
                .stops()
                .note_rollback((id, &function), trial.now, most)?;
        }
        Ok(Some(Rollback {
            to,
            of: open.id.clone(),
            reason: cause.reason(),
        }))
    }
}
