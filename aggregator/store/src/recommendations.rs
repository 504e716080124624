//! `recommendations` and `outcomes`: the life of a decision.

use rightsizer_records::{Day, Megabytes, Outcome, OutcomeStatus, Timestamp, Usd};
use rightsizer_rules::policy::Decision;
use rusqlite::{OptionalExtension, params};

use super::columns::{int, megabytes};
use super::error::StoreError;
use super::evidence::Assessment;
use super::unit::{FunctionId, Unit};

/// The status of a recommendation; the diagram is in `docs/ALGORITHM.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Life {
    /// Waits for a person, or to be sent.
    Open,
    /// Approved; waits to be sent.
    Approved,
    /// Rejected by a person.
    Rejected,
    /// A later decision took its place.
    Superseded,
    /// Its evidence does not hold any more.
    Withdrawn,
    /// Not reviewed in time.
    Expired,
    /// On the decisions stream, not answered yet.
    Sent,
    /// The function has the new size.
    Applied,
    /// The updater left the function alone, on purpose.
    Skipped,
    /// The updater could not.
    Failed,
    /// It proved good at the new size.
    Verified,
    /// The old size was put back.
    RolledBack,
    /// Someone else put the old size back, and it is left there.
    Reverted,
}

impl Life {
    const ALL: [Self; 13] = [
        Self::Open,
        Self::Approved,
        Self::Rejected,
        Self::Superseded,
        Self::Withdrawn,
        Self::Expired,
        Self::Sent,
        Self::Applied,
        Self::Skipped,
        Self::Failed,
        Self::Verified,
        Self::RolledBack,
        Self::Reverted,
    ];

    /// Its name in the store and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Superseded => "superseded",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
            Self::Sent => "sent",
            Self::Applied => "applied",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Verified => "verified",
            Self::RolledBack => "rolled-back",
            Self::Reverted => "reverted",
        }
    }

    /// The life of that name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|life| life.name() == name)
    }

    fn from_outcome(status: OutcomeStatus) -> Self {
        match status {
            OutcomeStatus::Applied => Self::Applied,
            OutcomeStatus::Skipped => Self::Skipped,
            OutcomeStatus::Failed => Self::Failed,
            OutcomeStatus::RolledBack => Self::RolledBack,
        }
    }
}

/// A recommendation to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRecommendation {
    /// Its id (P8).
    pub id: String,
    /// Decision day.
    pub day: Day,
    /// Size before.
    pub from_mb: Megabytes,
    /// Size after this step.
    pub to_mb: Megabytes,
    /// Not to be delayed.
    pub urgent: bool,
    /// May be acted on without a person.
    pub auto: bool,
    /// As it is sent on the stream; `None` if only the function's name is known.
    pub record: Option<String>,
    /// When it was decided.
    pub issued_at: Timestamp,
    /// When it is too old to act on.
    pub expires_at: Timestamp,
    /// The recommendation that it rolls back, if any.
    pub rollback_of: Option<String>,
    /// Whether the inventory or history knows the function.
    pub known: bool,
    /// Dollars a month that it adds, if it is an increase.
    pub added_usd: f64,
}

impl Unit<'_> {
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
            .prepare_cached(
                "INSERT INTO recommendations (id, function_id, day, status, from_mb, to_mb, urgent,
                    auto, record, issued_ms, expires_ms, rollback_of, known, added_usd)
                 VALUES (?, ?, ?, 'open', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT (function_id, id) DO UPDATE SET status = 'open', urgent = excluded.urgent,
                    auto = excluded.auto AND NOT (status = 'open' AND sent_ms IS NOT NULL AND NOT auto), record = excluded.record, issued_ms = excluded.issued_ms,
                    expires_ms = excluded.expires_ms, rollback_of = excluded.rollback_of,
                    known = excluded.known, added_usd = excluded.added_usd, closed_ms = NULL, closed_reason = NULL,
                    again_ms = NULL
                 WHERE status IN ('open', 'superseded')
                    OR (status = 'withdrawn' AND closed_reason NOT LIKE 'a peak of %')
                    OR (status IN ('skipped', 'failed') AND again_ms <= excluded.issued_ms)
                    OR (excluded.urgent AND status IN ('skipped', 'failed')
                        AND closed_ms < excluded.issued_ms - 300000)",
            )?
            .execute(params![
                new.id,
                function,
                new.day.number(),
                new.from_mb.0,
                new.to_mb.0,
                new.urgent,
                new.auto,
                new.record,
                new.issued_at.as_ms(),
                new.expires_at.as_ms(),
                new.rollback_of,
                new.known,
                new.added_usd,
            ])?;
        Ok(())
    }

    /// The highest peak that the function's last decision knew.
    pub fn highest_peak_decided_on(&self, id: FunctionId) -> Result<Megabytes, StoreError> {
        let mut statement = self
            .tx
            .prepare_cached("SELECT coalesce(peak_mb, 0) FROM functions WHERE id = ?")?;
        Ok(megabytes(statement.query_row([id], |row| row.get(0))?))
    }

    /// Removes earlier replacements that were replaced before they were sent or reviewed. A series
    /// of slightly different sizes for many days helps no reader.
    pub fn forget_superseded(&self, function: FunctionId) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "DELETE FROM recommendations WHERE function_id = ? AND status = 'superseded'
                    AND sent_ms IS NULL AND reviewed_ms IS NULL",
            )?
            .execute([function])?;
        Ok(())
    }

    /// What ran out of memory on `day` or before does not count any more.
    pub(super) fn clear_sizes(&self, id: FunctionId, day: Day) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "UPDATE functions SET cleared_day = max(coalesce(cleared_day, ?1), ?1) WHERE id = ?2",
            )?
            .execute(params![day.number(), id])?;
        Ok(())
    }

    /// A size ran out of memory on `day` although it was cleared through that day: from there on it
    /// counts again.
    pub fn ran_out_again(&self, id: FunctionId, day: Day) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "UPDATE functions SET cleared_day = ?1 - 1 WHERE id = ?2 AND cleared_day >= ?1",
            )?
            .execute(params![day.number(), id])?;
        Ok(())
    }

    /// Ends a recommendation's life with `reason`.
    pub fn end_recommendation(
        &self,
        function: FunctionId,
        id: &str,
        life: Life,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "UPDATE recommendations SET status = ?, closed_ms = ?, closed_reason = ?
                 WHERE function_id = ? AND id = ?",
            )?
            .execute(params![life.name(), now.as_ms(), reason, function, id])?;
        Ok(())
    }

    /// Takes in an outcome of a recommendation that was sent, with the sizes it was sent with; the
    /// function it gave another size to, and which, if it did. What came twice changes nothing, and what was applied stays applied: a repeated recommendation finds the new size
    /// and is skipped as stale.
    pub fn take_outcome(
        &self,
        outcome: &Outcome,
        present: Timestamp,
        now: Timestamp,
    ) -> Result<Option<(FunctionId, Megabytes)>, StoreError> {
        let new = self.note_outcome(outcome)?;
        let key = params![
            outcome.id,
            outcome.function.as_str(),
            outcome.from_mb.0,
            outcome.to_mb.0
        ];
        let known: Option<(FunctionId, String, bool)> = self
            .tx
            .prepare_cached(
                "SELECT r.function_id, r.status, r.reviewed_by IS NULL FROM functions f
                 JOIN recommendations r ON r.function_id = f.id
                 WHERE r.id = ? AND f.function = ? AND r.from_mb = ? AND r.to_mb = ?
                    AND r.sent_ms IS NOT NULL",
            )?
            .query_row(key, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((function, status, unreviewed)) = known.filter(|_| new) else {
            return Ok(None);
        };
        if status == Life::Applied.name() && outcome.status != OutcomeStatus::RolledBack {
            return Ok(None);
        }
        let life = Life::from_outcome(outcome.status);
        if unreviewed && life == Life::Skipped && rightsizer_records::asks_a_person(&outcome.reason)
        {
            self.leave_to_a_person(function, &outcome.id)?;
            return Ok(None);
        }
        self.end_recommendation(function, &outcome.id, life, &outcome.reason, now)?;
        self.note_again(function, outcome, now)?;
        if life == Life::Applied {
            // If it rolled another back, that one ends now.
            self.tx
                .prepare_cached(
                    "UPDATE recommendations SET status = 'rolled-back', closed_ms = ?1,
                        closed_reason = 'taken back by ' || ?3
                     WHERE function_id = ?2 AND status = 'applied' AND id = (SELECT rollback_of
                        FROM recommendations WHERE function_id = ?2 AND id = ?3)",
                )?
                .execute(params![now.as_ms(), function, outcome.id])?;
        }
        if matches!(life, Life::Applied | Life::RolledBack) {
            self.tx
                .prepare_cached(
                    "UPDATE recommendations SET applied_ms = ? WHERE function_id = ? AND id = ?",
                )?
                .execute(params![present.as_ms(), function, outcome.id])?;
        }
        Ok(match life {
            Life::Applied => Some((function, outcome.to_mb)),
            Life::RolledBack => Some((function, outcome.from_mb)),
            _ => None,
        })
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

    /// The updater wants an approval: it waits for one, and is not sent automatically again.
    fn leave_to_a_person(&self, function: FunctionId, id: &str) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "UPDATE recommendations SET status = 'open', auto = 0
                 WHERE function_id = ? AND id = ? AND (status = 'sent' OR status = 'failed')",
            )?
            .execute(params![function, id])?;
        Ok(())
    }

    /// A function without reports in the window is not decided any more: what was decided before does
    /// not hold, and what is open is withdrawn.
    pub fn forget_decision(&self, id: FunctionId, now: Timestamp) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "UPDATE recommendations SET status = 'withdrawn', closed_ms = ?,
                    closed_reason = 'no reports in the window'
                 WHERE status IN ('open', 'approved') AND function_id = ?",
            )?
            .execute(params![now.as_ms(), id])?;
        self.tx
            .prepare_cached(
                "UPDATE functions SET policy_mb = NULL, target_mb = NULL, to_mb = NULL,
                    confidence = NULL, reasons = NULL, invocations = 0, usd_before = NULL,
                    usd_after = NULL WHERE id = ?",
            )?
            .execute([id])?;
        Ok(())
    }

    /// Notes a decision on its function, whether or not anything is to change; `reasons` are the
    /// decision's as JSON.
    pub fn note_decision(
        &self,
        id: FunctionId,
        assessment: &Assessment,
        decision: &Decision,
        reasons: &str,
        usd: (Usd, Usd),
    ) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "UPDATE functions SET decided_day = ?, peak_mb = ?, policy_mb = ?, target_mb = ?,
                        to_mb = ?, confidence = ?, reasons = ?, invocations = ?, p99_ms = ?,
                        usd_before = ?, usd_after = ?
                 WHERE id = ?",
            )?
            .execute(params![
                assessment.evidence.present.day().number(),
                assessment.peak_mb.0,
                decision.policy_mb.0,
                decision.target_mb.0,
                decision.to_mb.map(|mb| mb.0),
                decision.confidence.name(),
                reasons,
                int(assessment.evidence.window.invocations),
                assessment.p99.map(rightsizer_records::Millis::as_ms_f64),
                usd.0.as_f64(),
                usd.1.as_f64(),
                id,
            ])?;
        Ok(())
    }
}
