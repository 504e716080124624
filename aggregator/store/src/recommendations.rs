//! `recommendations` and `outcomes`: the results of decisions.

use std::sync::LazyLock;

use rightsizer_records::{Megabytes, Outcome, Timestamp};
use rightsizer_rules::assess::NewRecommendation;
use rightsizer_rules::lifecycle::{self, ClosedCode, Event, Status};
use rusqlite::{Connection, Params, params};

use super::error::StoreError;
use super::transitions::{changed_by, status};
use super::unit::FunctionId;

/// An urgent increase that was skipped or failed may be sent again after this time, if memory ran out again.
const URGENT_AFTER_MS: i64 = 5 * 60_000;

/// The columns that [`values`] fills, and as many parameters.
pub(super) const WRITTEN: &str = "id, day, from_mb, to_mb, urgent, auto, record, issued_ms, \
    expires_ms, rollback_of, known, added_usd";
pub(super) const PARAMETERS: &str = "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?";

/// Writes a recommendation, or updates it after a repeated decision.
static RECOMMEND: LazyLock<String> = LazyLock::new(|| {
    let barring = ClosedCode::all().filter(|code| code.bars_the_same_decision());
    let barring: Vec<String> = barring.map(|code| format!("'{}'", code.name())).collect();
    format!(
        "INSERT INTO recommendations ({WRITTEN}, function_id, status)
         VALUES ({PARAMETERS}, ?, '{open}')
         ON CONFLICT (function_id, id) DO UPDATE SET status = '{open}', urgent = excluded.urgent,
            auto = excluded.auto AND NOT (status = '{open}' AND sent_ms IS NOT NULL AND NOT auto),
            record = excluded.record, issued_ms = excluded.issued_ms,
            expires_ms = excluded.expires_ms, rollback_of = excluded.rollback_of,
            known = excluded.known, added_usd = excluded.added_usd, closed_ms = NULL,
            closed_code = NULL, closed_reason = NULL, again_ms = NULL
         WHERE ({again} AND coalesce(closed_code, '') NOT IN ({barring}))
            OR ({when_due} AND (again_ms <= excluded.issued_ms
                OR (excluded.urgent AND closed_ms < excluded.issued_ms - {URGENT_AFTER_MS})))",
        open = Status::Open.name(),
        again = changed_by(Event::DecidedAgain),
        when_due = changed_by(Event::DecidedWhenDue),
        barring = barring.join(", "),
    )
});

/// Makes a recommendation wait for an approval if the updater requires one; it is not sent automatically again.
static LEAVE_TO_A_PERSON: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE recommendations SET status = '{}', auto = 0, closed_ms = NULL, closed_code = NULL,
            closed_reason = NULL
         WHERE function_id = ? AND id = ? AND {}",
        Event::LeftToAPerson.target().name(),
        changed_by(Event::LeftToAPerson)
    )
});

/// Ends the recommendation that another rolls back.
static TAKE_BACK: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE recommendations SET status = '{}', closed_ms = ?1, closed_code = '{}',
            closed_reason = 'taken back by ' || ?3
         WHERE function_id = ?2 AND {} AND id = (SELECT rollback_of
            FROM recommendations WHERE function_id = ?2 AND id = ?3)",
        Event::TakenBack.target().name(),
        ClosedCode::TakenBack.name(),
        changed_by(Event::TakenBack)
    )
});

/// Returns the values of the columns [`WRITTEN`], then `row`, the number of the row or of the function.
pub(super) fn values(new: &NewRecommendation, row: i64) -> impl Params + '_ {
    (
        &new.id,
        new.day.number(),
        new.from_mb.0,
        new.to_mb.0,
        new.urgent,
        new.auto,
        &new.record,
        new.issued_at.as_ms(),
        new.expires_at.as_ms(),
        &new.rollback_of,
        new.known,
        new.added_usd,
        row,
    )
}

/// The results of decisions.
#[derive(Debug)]
pub struct Recommendations<'u> {
    pub(super) tx: &'u Connection,
}

impl Recommendations<'_> {
    /// Writes a recommendation. The same decision on the same day refreshes it while it waits. It
    /// revives it if another had replaced it meanwhile, if it was skipped or failed for a temporary
    /// reason, or if it is urgent and was skipped or failed more than five minutes ago: memory ran
    /// out again since.
    pub fn recommend(
        &self,
        function: FunctionId,
        new: &NewRecommendation,
    ) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(&RECOMMEND)?
            .execute(values(new, function))?;
        Ok(())
    }

    /// Removes earlier replacements that were replaced before they were sent or reviewed, because a long series of
    /// slightly different sizes does not help a reader.
    pub fn forget_superseded(&self, function: FunctionId) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "DELETE FROM recommendations WHERE function_id = ? AND status = 'superseded'
                    AND sent_ms IS NULL AND reviewed_ms IS NULL",
            )?
            .execute([function])?;
        Ok(())
    }

    /// Applies an outcome of a sent recommendation, with the sizes it was sent with. Returns the function and its new
    /// size, if the outcome changed it. A repeated outcome changes nothing.
    pub fn take_outcome(
        &self,
        outcome: &Outcome,
        present: Timestamp,
        now: Timestamp,
    ) -> Result<Option<(FunctionId, Megabytes)>, StoreError> {
        let new = self.note_outcome(outcome)?;
        let Some((function, before, unreviewed)) = self.sent_with(outcome)?.filter(|_| new) else {
            return Ok(None);
        };
        let code = ClosedCode::of(outcome);
        let Some(after) = lifecycle::next(before, code.event()) else {
            return Ok(None);
        };
        let row = params![function, outcome.id];
        if unreviewed && code.asks_a_person() {
            self.tx.prepare_cached(&LEAVE_TO_A_PERSON)?.execute(row)?;
            return Ok(None);
        }
        self.close((function, &outcome.id), code, &outcome.reason, now)?;
        self.note_again(function, outcome, code, now)?;
        let size = match after {
            Status::Applied => outcome.to_mb,
            Status::RolledBack => outcome.from_mb,
            _ => return Ok(None),
        };
        if after == Status::Applied {
            self.tx.prepare_cached(&TAKE_BACK)?.execute(params![
                now.as_ms(),
                function,
                outcome.id
            ])?;
        }
        self.tx
            .prepare_cached(
                "UPDATE recommendations SET applied_ms = ? WHERE function_id = ? AND id = ?",
            )?
            .execute(params![present.as_ms(), function, outcome.id])?;
        Ok(Some((function, size)))
    }

    /// Returns the recommendation of an outcome, if it was sent: its function, its status, and whether it was not
    /// reviewed.
    fn sent_with(
        &self,
        outcome: &Outcome,
    ) -> Result<Option<(FunctionId, Status, bool)>, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT r.function_id, r.status, r.reviewed_by IS NULL FROM functions f
             JOIN recommendations r ON r.function_id = f.id
             WHERE r.id = ? AND f.function = ? AND r.from_mb = ? AND r.to_mb = ?
                AND r.sent_ms IS NOT NULL",
        )?;
        let mut rows = statement.query(params![
            outcome.id,
            outcome.function.as_str(),
            outcome.from_mb.0,
            outcome.to_mb.0
        ])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        Ok(Some((row.get(0)?, status(row.get_ref(1)?)?, row.get(2)?)))
    }

    /// Stores the updater's outcome; returns whether it is new.
    fn note_outcome(&self, outcome: &Outcome) -> Result<bool, StoreError> {
        let new = self
            .tx
            .prepare_cached("INSERT OR IGNORE INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?, ?)")?
            .execute(params![
                outcome.id,
                outcome.status.name(),
                outcome.at.as_ms(),
                outcome.function.as_str(),
                outcome.from_mb.0,
                outcome.to_mb.0,
                outcome.reason,
                outcome.detail,
            ])?;
        Ok(new > 0)
    }
}
