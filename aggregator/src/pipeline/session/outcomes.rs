//! Outcomes of changes, in a unit of work.

use rightsizer_records::Outcome;
use rightsizer_store::{FunctionId, RecommendationKey, StoreError};

use super::Session;

impl Session<'_> {
    pub(super) fn take_outcome(&mut self, outcome: &Outcome) -> Result<(), StoreError> {
        let present = self.clock.present(self.now);
        if let Some((id, size)) = self
            .unit
            .recommendations()
            .take_outcome(outcome, present, self.now)?
        {
            self.note_baseline(id, outcome)?;
            self.unit.decisions().set_applied(id, size, present)?;
            self.touched.insert(id);
        }
        Ok(())
    }

    /// An outcome counts only for what was sent, so it is marked as sent when its outcome arrives.
    pub(in crate::pipeline) fn applied_here(
        &mut self,
        key: &RecommendationKey,
        outcome: &Outcome,
    ) -> Result<(), StoreError> {
        self.unit
            .sending()
            .mark_sent(std::slice::from_ref(key), self.now)?;
        self.take_outcome(outcome)?;
        self.decide_touched()
    }

    /// P6 holds durations against those before the first decrease: 25 % a step would add up.
    fn note_baseline(&self, id: FunctionId, outcome: &Outcome) -> Result<(), StoreError> {
        if outcome.to_mb >= outcome.from_mb {
            return Ok(());
        }
        let seen = self.unit.evidence().assess(id..=id, self.view())?.pop();
        let sizes = seen
            .and_then(|one| one.seen)
            .map(|seen| seen.evidence.sizes);
        let before = sizes
            .iter()
            .flatten()
            .find(|s| s.memory_mb == outcome.from_mb);
        before.map_or(Ok(()), |size| {
            self.unit.decisions().note_baseline(id, size.shorter_p95())
        })
    }
}
