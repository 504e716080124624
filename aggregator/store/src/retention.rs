//! Deletes old data at a day's close, function by function with its decision, so that it never delays arriving
//! records.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

use rightsizer_records::Day;
use rightsizer_rules::lifecycle::Status;
use rightsizer_rules::window::{DETAIL_DAYS, PEAK_MEMORY_DAYS};
use rusqlite::{Connection, params};

use super::comparisons::Comparisons;
use super::error::StoreError;
use super::forced_starts::ForcedStarts;
use super::transitions::any_of;
use super::unit::{FunctionId, WorkingSet};

/// Repeated deliveries of a log event arrive within hours.
const LOG_EVENT_DAYS: i32 = 3;

/// Deletes old recommendations that are not active.
static ENDED: LazyLock<String> = LazyLock::new(|| {
    let active = Status::ALL.into_iter().filter(|status| status.is_active());
    format!(
        "DELETE FROM recommendations WHERE function_id = ? AND day < ? AND NOT {}",
        any_of(active)
    )
});

/// Old data.
#[derive(Debug)]
pub struct Retention<'u> {
    pub(super) tx: &'u Connection,
    pub(super) rows: &'u mut WorkingSet,
}

impl Retention<'_> {
    /// Deletes, of the functions `ids`, the details and deduplication marks older than 60 days, and
    /// peaks and ended recommendations older than 400, counted back from the last closed day. 60
    /// days are much longer than the lifetime of an environment and the usual retention of a stream.
    ///
    /// With `strangers`, it also deletes unknown functions that have been idle.
    pub fn delete_old(
        &mut self,
        ids: RangeInclusive<FunctionId>,
        closed: Day,
        strangers: bool,
    ) -> Result<(), StoreError> {
        if strangers {
            self.forget_idle_strangers(&ids, closed)?;
        }
        let details = closed.plus(-DETAIL_DAYS);
        let peaks = closed.plus(-PEAK_MEMORY_DAYS).number();
        let (first, last) = (*ids.start(), *ids.end());
        for day in self.days_before(details)? {
            self.tx
                .prepare_cached("DELETE FROM days WHERE day = ? AND function_id BETWEEN ? AND ?")?
                .execute(params![day, first, last])?;
        }
        self.tx
            .prepare_cached(
                "DELETE FROM environments WHERE function_id BETWEEN ? AND ? AND last_ms < ?",
            )?
            .execute(params![first, last, details.start().as_ms()])?;
        for id in self.first_seen_before(ids, closed.plus(-PEAK_MEMORY_DAYS))? {
            self.tx
                .prepare_cached("DELETE FROM peaks WHERE function_id = ? AND day < ?")?
                .execute(params![id, peaks])?;
            self.tx
                .prepare_cached("DELETE FROM witnesses WHERE function_id = ? AND day < ?")?
                .execute(params![id, peaks])?;
            self.tx
                .prepare_cached(&ENDED)?
                .execute(params![id, peaks])?;
        }
        Ok(())
    }

    /// Deletes data that belongs to no single function: outcomes and results of other tools older than 400 days, ids
    /// of log events older than 3 (in files: as old as details), and the record of which days of log groups were read.
    pub fn delete_old_logs(&self, closed: Day) -> Result<(), StoreError> {
        let outcomes = closed.plus(-PEAK_MEMORY_DAYS).start().as_ms();
        self.tx
            .execute("DELETE FROM outcomes WHERE at_ms < ?", [outcomes])?;
        let events = closed.plus(-LOG_EVENT_DAYS).number();
        self.tx
            .execute("DELETE FROM log_events WHERE day < ? AND id >= 0", [events])?;
        let details = closed.plus(-DETAIL_DAYS).number();
        self.tx
            .execute("DELETE FROM log_days WHERE day < ?", [details])?;
        // Those of exports, see `Mark::exported`.
        self.tx
            .execute("DELETE FROM log_events WHERE day < ?", [details])?;
        Comparisons { tx: self.tx }.forget_before(closed.plus(-PEAK_MEMORY_DAYS))?;
        ForcedStarts { tx: self.tx }.forget_before(closed.plus(-PEAK_MEMORY_DAYS))?;
        Ok(())
    }

    /// Returns those of `ids` that can have data older than `day`.
    fn first_seen_before(
        &self,
        ids: RangeInclusive<FunctionId>,
        day: Day,
    ) -> Result<Vec<FunctionId>, StoreError> {
        let mut statement = self
            .tx
            .prepare_cached("SELECT id FROM functions WHERE id BETWEEN ? AND ? AND first_ms < ?")?;
        let key = params![ids.start(), ids.end(), day.start().as_ms()];
        let rows = statement.query_map(key, |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the days before `day` that still have details, usually only the one that expired last.
    fn days_before(&self, day: Day) -> Result<Vec<i32>, StoreError> {
        let mut next = self
            .tx
            .prepare_cached("SELECT min(day) FROM days WHERE day >= ? AND day < ?")?;
        let (mut from, mut days) = (0, Vec::new());
        while let Some(found) = next.query_row(params![from, day.number()], |row| {
            row.get::<_, Option<i32>>(0)
        })? {
            days.push(found);
            from = found + 1;
        }
        Ok(days)
    }
}
