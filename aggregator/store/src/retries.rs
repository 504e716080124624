//! A skip or failure for a temporary reason (a pause, another change in progress, a service that
//! did not respond) is decided again, after a time that doubles with each attempt. So is an
//! increase without an outcome.

use std::sync::LazyLock;

use rightsizer_records::{Outcome, SkipCode, Timestamp};
use rightsizer_rules::lifecycle::{ClosedCode, Event};
use rusqlite::params;

use super::error::StoreError;
use super::recommendations::Recommendations;
use super::transitions::changed_by;
use super::unit::FunctionId;

/// The wait after the first outcome.
const FIRST_MS: i64 = 5 * 60_000;
/// The longest wait; the decision of the next day starts over.
const LONGEST_MS: i64 = 24 * 3_600_000;
/// An increase without an outcome after this time is lost: the updater discards a record after an hour.
const LOST_AFTER_MS: i64 = 2 * 3_600_000;
/// Functions of one unit of work.
const MOST: i64 = 500;

/// Makes an approval valid again after its wait.
static APPROVE_AGAIN: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE recommendations SET status = '{}', again_ms = NULL, closed_ms = NULL,
            closed_code = NULL, closed_reason = NULL
         WHERE function_id = ?1 AND again_ms <= ?2 AND expires_ms > ?2
            AND reviewed_by IS NOT NULL AND {}",
        Event::ApprovalDue.target().name(),
        changed_by(Event::ApprovalDue)
    )
});

/// Ends increases without an outcome; they are due at once.
static GIVE_UP_LOST: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE recommendations INDEXED BY recommendations_sent SET status = '{}', closed_ms = ?1,
            closed_code = '{}', closed_reason = 'no answer from the updater', again_ms = ?1
         WHERE {} AND sent_ms <= ?2 AND to_mb > from_mb",
        Event::OutcomeLost.target().name(),
        ClosedCode::NoOutcome.name(),
        changed_by(Event::OutcomeLost)
    )
});

/// Returns the wait after this number of such outcomes.
fn wait_ms(answers: u32) -> i64 {
    let doubled = FIRST_MS.checked_shl(answers.saturating_sub(1).min(20));
    doubled.unwrap_or(LONGEST_MS).min(LONGEST_MS)
}

impl Recommendations<'_> {
    /// Records when a recommendation with this outcome may be decided again; never if the outcome
    /// is final.
    pub(super) fn note_again(
        &self,
        function: FunctionId,
        outcome: &Outcome,
        code: ClosedCode,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let again = if code.passes_by_itself() {
            let mut answers = self
                .tx
                .prepare_cached("SELECT count(*) FROM outcomes WHERE id = ? AND function = ?")?;
            let key = params![outcome.id, outcome.function.as_str()];
            let answers = answers.query_row(key, |row| row.get(0))?;
            Some(now.plus_ms(wait_ms(answers)).as_ms())
        } else {
            None
        };
        self.tx
            .prepare_cached(
                "UPDATE recommendations SET again_ms = ? WHERE function_id = ? AND id = ?",
            )?
            .execute(params![again, function, outcome.id])?;
        Ok(())
    }

    /// Returns the functions to decide again because of such an outcome. An approval stays valid, also
    /// after a pause.
    pub fn due_again(&self, now: Timestamp) -> Result<Vec<FunctionId>, StoreError> {
        self.give_up_lost_increases(now)?;
        let mut statement = self.tx.prepare_cached(
            "SELECT DISTINCT function_id FROM recommendations INDEXED BY recommendations_again
             WHERE again_ms BETWEEN 0 AND ? LIMIT ?",
        )?;
        let rows = statement.query_map(params![now.as_ms(), MOST], |row| row.get(0))?;
        let due: Vec<FunctionId> = rows.collect::<Result<_, _>>()?;
        let mut approved = self.tx.prepare_cached(&APPROVE_AGAIN)?;
        for id in &due {
            approved.execute(params![id, now.as_ms()])?;
        }
        Ok(due)
    }

    /// Ends increases without an outcome as failed, and makes them due at once, because the function may be
    /// running out of memory. If the updater applied one after all, its outcome still counts.
    fn give_up_lost_increases(&self, now: Timestamp) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(&GIVE_UP_LOST)?
            .execute(params![now.as_ms(), now.as_ms() - LOST_AFTER_MS])?;
        Ok(())
    }

    /// Records that they were decided again.
    pub fn was_due(&self, function: FunctionId, now: Timestamp) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "UPDATE recommendations SET again_ms = NULL WHERE function_id = ? AND again_ms <= ?",
            )?
            .execute(params![function, now.as_ms()])?;
        Ok(())
    }

    /// Records that another engine was asked to decide them again. They stay due until its proposal comes, but it is asked
    /// once.
    pub fn was_asked(&self, function: FunctionId, now: Timestamp) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "UPDATE recommendations SET again_ms = -again_ms
                 WHERE function_id = ? AND again_ms BETWEEN 0 AND ?",
            )?
            .execute(params![function, now.as_ms()])?;
        Ok(())
    }

    /// Ends the waits of recommendations that were skipped because of a pause.
    pub(super) fn end_waiting_for_pause(&self, now: Timestamp) -> Result<(), StoreError> {
        self.tx.execute(
            "UPDATE recommendations INDEXED BY recommendations_again SET again_ms = ?1
             WHERE again_ms > ?1 AND closed_code = ?2",
            params![now.as_ms(), SkipCode::Paused.name()],
        )?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_from_five_minutes_to_a_day() {
        let minutes = [1, 2, 3, 4, 9, 10, 99].map(|n| wait_ms(n) / 60_000);
        assert_eq!(minutes, [5, 10, 20, 40, 1280, 1440, 1440]);
    }
}
