//! The last decisions for functions and the applied sizes: columns of `functions` that evidence does not
//! change.

use std::sync::LazyLock;

use rightsizer_records::{Arch, Day, Megabytes, Millis, Timestamp};
use rightsizer_rules::assess::Noted;
use rightsizer_rules::lifecycle::{ClosedCode, Event};
use rusqlite::{Connection, params};

use super::columns::{int, megabytes};
use super::error::StoreError;
use super::transitions::changed_by;
use super::unit::FunctionId;

/// Withdraws pending recommendations of a function that is no longer decided.
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

/// The last decisions for functions, and the applied sizes.
#[derive(Debug)]
pub struct Decisions<'u> {
    pub(super) tx: &'u Connection,
}

impl Decisions<'_> {
    /// Returns the highest peak that was known to the function's last decision.
    pub fn highest_peak(&self, id: FunctionId) -> Result<Megabytes, StoreError> {
        let mut statement = self
            .tx
            .prepare_cached("SELECT coalesce(peak_mb, 0) FROM functions WHERE id = ?")?;
        Ok(megabytes(statement.query_row([id], |row| row.get(0))?))
    }

    /// Returns whether a size of it ran out of memory, or may have been too small, and still counts.
    pub(super) fn ran_out(&self, id: FunctionId) -> Result<bool, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM peaks WHERE function_id = ?1 AND censored_mb > 0
                AND day > (SELECT coalesce(cleared_day, -1) FROM functions WHERE id = ?1))",
        )?;
        Ok(statement.query_row([id], |row| row.get(0))?)
    }

    /// Records that out-of-memory up to `day` no longer counts.
    pub(super) fn clear_sizes(&self, id: FunctionId, day: Day) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "UPDATE functions SET cleared_day = max(coalesce(cleared_day, ?1), ?1) WHERE id = ?2",
            )?
            .execute(params![day.number(), id])?;
        Ok(())
    }

    /// Records that a size ran out of memory on `day` although it was cleared through that day, so that it
    /// counts again from there.
    pub fn ran_out_again(&self, id: FunctionId, day: Day) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "UPDATE functions SET cleared_day = ?1 - 1 WHERE id = ?2 AND cleared_day >= ?1",
            )?
            .execute(params![day.number(), id])?;
        Ok(())
    }

    /// Records that a function has no reports in the window, so that it is no longer decided: its decision
    /// ends, and its open recommendation is withdrawn.
    pub fn forget(&self, id: FunctionId, now: Timestamp) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(&WITHDRAW)?
            .execute(params![now.as_ms(), id])?;
        self.tx
            .prepare_cached(
                "UPDATE functions SET policy_mb = NULL, target_mb = NULL, to_mb = NULL,
                    confidence = NULL, reasons = NULL, invocations = 0, usd_before = NULL,
                    usd_after = NULL, offers = NULL, decided_mb = NULL, decided_arch = NULL,
                    billed_days = NULL, billed_ms = NULL, billed_ms_after = NULL,
                    gb_second_usd = NULL WHERE id = ?",
            )?
            .execute([id])?;
        Ok(())
    }

    /// Returns the day of a function's last decision.
    pub fn decided_on(&self, id: FunctionId) -> Result<Option<Day>, StoreError> {
        let mut statement = self
            .tx
            .prepare_cached("SELECT decided_day FROM functions WHERE id = ?")?;
        let day: Option<i32> = statement.query_row([id], |row| row.get(0))?;
        Ok(day.map(Day::from_number))
    }

    /// Records a decision on its function, whether or not it changes the size.
    pub fn note(&self, id: FunctionId, noted: &Noted) -> Result<(), StoreError> {
        let billed = noted.billed;
        self.tx
            .prepare_cached(
                "UPDATE functions SET decided_day = ?, peak_mb = ?, policy_mb = ?, target_mb = ?,
                        to_mb = ?, confidence = ?, reasons = ?, invocations = ?, p99_ms = ?,
                        usd_before = ?, usd_after = ?, offers = ?, decided_mb = ?,
                        decided_arch = ?, billed_days = ?, billed_ms = ?, billed_ms_after = ?,
                        gb_second_usd = ?
                 WHERE id = ?",
            )?
            .execute(params![
                noted.day.number(),
                noted.peak_mb.0,
                noted.policy_mb.0,
                noted.target_mb.0,
                noted.to_mb.map(|mb| mb.0),
                noted.confidence.name(),
                noted.reasons,
                int(noted.invocations),
                noted.p99.map(Millis::as_ms_f64),
                noted.usd.0.as_f64(),
                noted.usd.1.as_f64(),
                noted.offers,
                billed.map(|billed| billed.from_mb.0),
                billed.and_then(|billed| billed.arch).map(Arch::name),
                billed.map(|billed| billed.usage.days),
                billed.map(|billed| int(billed.usage.billed_ms)),
                billed.map(|billed| int(billed.ms_after)),
                noted.gb_second_usd,
                id,
            ])?;
        Ok(())
    }

    /// Records the durations before the first decrease, unless they are already known.
    pub fn note_baseline(&self, id: FunctionId, p95: Millis) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "UPDATE functions SET baseline_p95_ms = ?
                 WHERE id = ? AND baseline_p95_ms IS NULL",
            )?
            .execute(params![p95.as_ms_f64(), id])?;
        Ok(())
    }

    /// Records that the updater gave the function `size`, at `present` by the window's clock.
    pub fn set_applied(
        &self,
        id: FunctionId,
        size: Megabytes,
        present: Timestamp,
    ) -> Result<(), StoreError> {
        self.tx
            .prepare_cached("UPDATE functions SET applied_mb = ?, applied_ms = ? WHERE id = ?")?
            .execute(params![size.0, present.as_ms(), id])?;
        // Until the next refresh this counts as the account's value, for any time of the window's clock.
        self.tx
            .prepare_cached(
                "UPDATE inventory SET memory_mb = ?
                 WHERE function = (SELECT function FROM functions WHERE id = ?)",
            )?
            .execute(params![size.0, id])?;
        Ok(())
    }

    /// Returns the id of the last function.
    pub fn last_function(&self) -> Result<FunctionId, StoreError> {
        let mut statement = self
            .tx
            .prepare_cached("SELECT coalesce(max(id), 0) FROM functions")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }
}
