//! The stops of sending: a person's pause, and the circuit breaker for automatic decreases after rollbacks.

use rightsizer_records::Timestamp;
use rightsizer_rules::limits::Rollbacks;
use rusqlite::Connection;

use super::error::StoreError;
use super::state::State;
use super::unit::FunctionId;

/// Key in `state` of the author and the reason of a pause.
const PAUSED: &str = "paused";
/// Key of the time and the reason of a pause of automatic decreases.
const AUTO_PAUSED: &str = "auto_paused";
/// Key of the times of rollbacks in the last 24 hours.
const ROLLBACKS: &str = "rollbacks";

/// The stops of sending.
#[derive(Debug)]
pub struct Stops<'u> {
    pub(super) tx: &'u Connection,
}

impl Stops<'_> {
    const fn state(&self) -> State<'_> {
        State { tx: self.tx }
    }

    /// Returns whether everything is paused.
    pub(super) fn is_paused(&self) -> Result<bool, StoreError> {
        Ok(self.state().get(PAUSED)?.is_some())
    }

    /// Returns whether automatic decreases are paused.
    pub(super) fn is_auto_paused(&self) -> Result<bool, StoreError> {
        Ok(self.state().get(AUTO_PAUSED)?.is_some())
    }

    /// Pauses everything, with this message.
    pub(super) fn set_paused(&self, words: &str) -> Result<(), StoreError> {
        self.state().set(PAUSED, Some(words))
    }

    /// Ends a pause and the pause of automatic decreases; returns the messages of both. Rollbacks are counted from
    /// now.
    pub(super) fn end_pauses(&self) -> Result<[Option<String>; 2], StoreError> {
        let were = [self.state().get(PAUSED)?, self.state().get(AUTO_PAUSED)?];
        for key in [PAUSED, AUTO_PAUSED, ROLLBACKS] {
            self.state().set(key, None)?;
        }
        Ok(were)
    }

    /// Records a rollback at `at`; the `most`th within 24 hours pauses automatic decreases.
    pub fn note_rollback(
        &self,
        (id, function): (FunctionId, &str),
        at: Timestamp,
        most: u32,
    ) -> Result<(), StoreError> {
        let mut rollbacks = Rollbacks::parse(&self.state().get(ROLLBACKS)?.unwrap_or_default());
        let count = rollbacks.add(id, at);
        self.state().set(ROLLBACKS, Some(&rollbacks.to_string()))?;
        if most > 0 && count >= most as usize && !self.is_auto_paused()? {
            let words =
                format!("since {at}: {count} rollbacks within 24 hours, the last of {function}");
            self.state().set(AUTO_PAUSED, Some(&words))?;
        }
        Ok(())
    }
}
