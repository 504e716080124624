//! Starts that a bench forced, on their way into the store. They change no decision.

use rightsizer_records::Timestamp;
use rightsizer_rules::evidence::FunctionKey;
use rightsizer_store::{Forced, ForcedLine, StoreError};

use super::Pipeline;

impl Pipeline {
    /// Stores starts that a bench forced. None of them was measured after `now`.
    pub(crate) fn keep_forced(
        &mut self,
        starts: &[Forced],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let unit = self.store.begin()?;
        for Forced { function, line } in starts {
            let line = ForcedLine {
                measured_at: line.measured_at.min(now),
                ..line.clone()
            };
            let key = FunctionKey::Arn(function.clone());
            unit.forced_starts().put(&key, &line)?;
        }
        unit.commit()
    }
}
