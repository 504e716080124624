//! Deletes functions: those that a person names, and those that are idle and known neither to the inventory nor
//! to history.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use rightsizer_records::Day;
use rusqlite::params;

use super::error::StoreError;
use super::retention::Retention;
use super::unit::FunctionId;

/// An unknown function is forgotten after this number of idle days; its peaks no longer affect its
/// floor (P2).
const IDLE_DAYS: i32 = 35;

impl Retention<'_> {
    /// Forgets, of the functions `ids`, those that are not known and have been idle for long, as of
    /// the last closed day. A function whose first report arrived recently is kept, however old
    /// that report is, because a backlog may have been read.
    pub(super) fn forget_idle_strangers(
        &mut self,
        ids: &RangeInclusive<FunctionId>,
        closed: Day,
    ) -> Result<(), StoreError> {
        let idle = closed.plus(-IDLE_DAYS).start().as_ms();
        let found: Vec<FunctionId> = {
            let mut statement = self.tx.prepare_cached(
                "SELECT f.id FROM functions_now f
                 WHERE f.id BETWEEN ?1 AND ?2 AND f.last_ms < ?3 AND f.heard_ms < ?3 AND NOT f.known
                    AND NOT EXISTS (SELECT 1 FROM recommendations r
                        WHERE r.function_id = f.id AND r.reviewed_ms IS NOT NULL)",
            )?;
            let key = params![ids.start(), ids.end(), idle];
            let rows = statement.query_map(key, |row| row.get(0))?;
            rows.collect::<Result<_, _>>()?
        };
        self.forget_functions(&found)
    }

    /// Deletes all data of these functions except the inventory, which belongs to the account.
    pub(super) fn forget_functions(&mut self, ids: &[FunctionId]) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        self.rows.flush(self.tx)?;
        let days = self.days_with_details()?;
        let mut of_day = self
            .tx
            .prepare_cached("DELETE FROM days WHERE day = ? AND function_id = ?")?;
        for id in ids {
            for day in &days {
                of_day.execute(params![day, id])?;
            }
            for sql in [
                "DELETE FROM peaks WHERE function_id = ?",
                "DELETE FROM witnesses WHERE function_id = ?",
                "DELETE FROM environments WHERE function_id = ?",
                "DELETE FROM holds WHERE function_id = ?",
                "DELETE FROM recommendations WHERE function_id = ?",
                "DELETE FROM measured_sizes WHERE function = (SELECT function FROM functions WHERE id = ?)",
                "DELETE FROM forced_starts WHERE function = (SELECT function FROM functions WHERE id = ?)",
                "DELETE FROM compute_optimizer WHERE function = (SELECT function FROM functions WHERE id = ?)",
                "DELETE FROM functions WHERE id = ?",
            ] {
                self.tx.prepare_cached(sql)?.execute([id])?;
            }
        }
        drop(of_day);
        let gone: HashSet<FunctionId> = ids.iter().copied().collect();
        let set = &mut *self.rows;
        set.functions.forget_rows(|row| gone.contains(&row.id));
        set.days.forget(|row| gone.contains(&row.function));
        set.peaks.forget(|(id, _)| gone.contains(id));
        set.environments.forget(|(id, _)| gone.contains(id));
        set.crowding.forget(|(id, _)| gone.contains(id));
        // An id is not reused while the process runs; afterwards no row refers to it.
        Ok(())
    }

    /// Returns the days that have details.
    fn days_with_details(&self) -> Result<Vec<i32>, StoreError> {
        let mut next = self
            .tx
            .prepare_cached("SELECT min(day) FROM days WHERE day > ?")?;
        let (mut after, mut days) = (i32::MIN, Vec::new());
        while let Some(day) = next.query_row([after], |row| row.get::<_, Option<i32>>(0))? {
            days.push(day);
            after = day;
        }
        Ok(days)
    }
}
