//! The loop closes: what was applied is judged by what ran since, at every decision.

use rightsizer_rules::assess::{Assessment, Rollback, Ruling, rule};
use rightsizer_rules::outcome::HOLD_DAYS;
use rightsizer_store::{FunctionId, StoreError};

use super::session::Session;

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
        let tolerance = settings.p95_tolerance.of(seen.evidence.objective(settings));
        let present = self.clock.present(self.now);
        let trial = self.unit.trials().evidence(id, &open, present, tolerance)?;
        match rule(&open.id, &trial, seen) {
            Ruling::Wait => Ok(None),
            Ruling::Close { code, why, holds } => {
                self.unit
                    .recommendations()
                    .close((id, &open.id), code, &why, self.now)?;
                if holds {
                    self.unit.holds().extend(id, HOLD_DAYS, &why, self.now)?;
                }
                Ok(None)
            }
            Ruling::Harm { why, rollback } => {
                self.unit.holds().extend(id, HOLD_DAYS, &why, self.now)?;
                if let Some(rollback) = &rollback
                    && !self
                        .unit
                        .recommendations()
                        .is_taken_back(id, &rollback.of)?
                {
                    let function = seen.function.to_string();
                    let most = self.settings.limits.rollbacks_to_pause;
                    self.unit
                        .stops()
                        .note_rollback((id, &function), trial.now, most)?;
                }
                Ok(rollback)
            }
        }
    }
}
