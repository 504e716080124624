//! `holds`: functions whose decreases are not sent for a while.

use rightsizer_records::Timestamp;
use rusqlite::{Connection, params};

use super::error::StoreError;
use super::unit::FunctionId;

/// Functions whose decreases are held.
#[derive(Debug)]
pub struct Holds<'u> {
    pub(super) tx: &'u Connection,
}

impl Holds<'_> {
    /// Holds decreases of a function for this number of days. A longer hold by a person is kept.
    pub fn extend(
        &self,
        id: FunctionId,
        days: u32,
        why: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let until = now.plus_ms(i64::from(days) * 86_400_000).as_ms();
        self.tx
            .prepare_cached(
                "INSERT INTO holds (function_id, until_ms, by, why, since_ms)
                 VALUES (?, ?, 'rightsizer', ?, ?)
                 ON CONFLICT (function_id) DO UPDATE SET until_ms = excluded.until_ms,
                    by = excluded.by, why = excluded.why, since_ms = excluded.since_ms
                 WHERE until_ms < excluded.until_ms",
            )?
            .execute(params![id, until, why, now.as_ms()])?;
        Ok(())
    }

    /// Holds decreases of a function until this time, and replaces its present hold. `by` is the author and the
    /// reason.
    pub(super) fn set(
        &self,
        id: FunctionId,
        until: Timestamp,
        (by, why): (&str, &str),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.tx.execute(
            "INSERT OR REPLACE INTO holds (function_id, until_ms, by, why, since_ms)
             VALUES (?, ?, ?, ?, ?)",
            params![id, until.as_ms(), by, why, now.as_ms()],
        )?;
        Ok(())
    }

    /// Ends a hold. Returns whether there was one.
    pub(super) fn release(&self, id: FunctionId) -> Result<bool, StoreError> {
        let released = self
            .tx
            .execute("DELETE FROM holds WHERE function_id = ?", [id])?;
        Ok(released > 0)
    }
}
