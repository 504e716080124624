//! What was last decided for functions, and applied to them: columns of `functions` that evidence does not
//! change.

use std::sync::LazyLock;

use rightsizer_records::{Day, Megabytes, Millis, Timestamp, Usd};
use rightsizer_rules::lifecycle::{ClosedCode, Event};
use rightsizer_rules::policy::Decision;
use rusqlite::{Connection, params};

use super::columns::{int, megabytes};
use super::error::StoreError;
use super::evidence::Assessment;
use super::transitions::changed_by;
use super::unit::FunctionId;

/// Withdraws what waits of a function that is not decided any more.
static WITHDRAW: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE recommendations SET status = '{}', closed_ms = ?, closed_code = '{}',
            closed_reason = 'no reports in the window'
         WHERE {} AND function_id = ?",
        Event::Withdrawn.target().name(),
        ClosedCode::NoReports.name(),
        changed_by(Event::Withdrawn)
    )
});

/// What was last decided for functions, and applied to them.
#[derive(Debug)]
pub struct Decisions<'u> {
    pub(super) tx: &'u Connection,
}

impl Decisions<'_> {
    /// The highest peak that the function's last decision knew.
    pub fn highest_peak(&self, id: FunctionId) -> Result<Megabytes, StoreError> {
        let mut statement = self
            .tx
            .prepare_cached("SELECT coalesce(peak_mb, 0) FROM functions WHERE id = ?")?;
        Ok(megabytes(statement.query_row([id], |row| row.get(0))?))
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

    /// A function without reports in the window is not decided any more: what was decided before does
    /// not hold, and what is open is withdrawn.
    pub fn forget(&self, id: FunctionId, now: Timestamp) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(&WITHDRAW)?
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
    pub fn note(
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
                assessment.p99.map(Millis::as_ms_f64),
                usd.0.as_f64(),
                usd.1.as_f64(),
                id,
            ])?;
        Ok(())
    }

    /// How long invocations took before the first decrease, unless that is known.
    pub fn note_baseline(&self, id: FunctionId, p95: Millis) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "UPDATE functions SET baseline_p95_ms = ?
                 WHERE id = ? AND baseline_p95_ms IS NULL",
            )?
            .execute(params![p95.as_ms_f64(), id])?;
        Ok(())
    }

    /// Records that the function has `size` by the updater, at `present` by the window's clock.
    pub fn set_applied(
        &self,
        id: FunctionId,
        size: Megabytes,
        present: Timestamp,
    ) -> Result<(), StoreError> {
        self.tx
            .prepare_cached("UPDATE functions SET applied_mb = ?, applied_ms = ? WHERE id = ?")?
            .execute(params![size.0, present.as_ms(), id])?;
        // Until the next refresh this is the account's value, whatever the window's clock shows.
        self.tx
            .prepare_cached(
                "UPDATE inventory SET memory_mb = ?
                 WHERE function = (SELECT function FROM functions WHERE id = ?)",
            )?
            .execute(params![size.0, id])?;
        Ok(())
    }

    /// The last function there is.
    pub fn last_function(&self) -> Result<FunctionId, StoreError> {
        let mut statement = self
            .tx
            .prepare_cached("SELECT coalesce(max(id), 0) FROM functions")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }
}
