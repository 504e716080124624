//! `days` and `peaks`: what each day keeps, and the peaks alone for longer.

use std::collections::hash_map::Entry;

use rightsizer_records::{Day, Megabytes};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{count, int, megabytes};
use super::error::StoreError;
use super::unit::{FunctionId, MergedDay, Unit};
use crate::window::{DayDelta, DayKey, DayStats, Distribution};

/// A day's peak and the largest size that hid the demand, of any source: whoever saw it, it was
/// used. (Which source counts is a question of counting invocations, see `Unit::totals`.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PeakRow {
    pub(super) peak_mb: Megabytes,
    pub(super) censored_mb: Megabytes,
}

impl PeakRow {
    /// Joins two views of the same day; commutative, associative and idempotent (W7).
    pub(super) fn join(self, other: Self) -> Self {
        Self {
            peak_mb: self.peak_mb.max(other.peak_mb),
            censored_mb: self.censored_mb.max(other.censored_mb),
        }
    }
}

impl Unit<'_> {
    /// Adds `delta` to its day.
    pub fn merge_day(
        &mut self,
        function: FunctionId,
        delta: DayDelta,
    ) -> Result<MergedDay, StoreError> {
        let DayDelta { key, stats } = delta;
        let peak = PeakRow {
            peak_mb: stats.peak_mb,
            censored_mb: if stats.censored {
                key.memory_mb
            } else {
                Megabytes(0)
            },
        };
        let merged = self.merge_peak(function, key.day, peak)?;
        match self.days.entry((function, key)) {
            Entry::Occupied(mut slot) => slot.get_mut().merge(&stats),
            Entry::Vacant(slot) => {
                let mut day = select_day(&self.tx, function, &slot.key().1)?.unwrap_or_default();
                day.merge(&stats);
                slot.insert(day);
            }
        }
        Ok(merged)
    }

    fn merge_peak(
        &mut self,
        function: FunctionId,
        day: Day,
        peak: PeakRow,
    ) -> Result<MergedDay, StoreError> {
        let slot = match self.peaks.entry((function, day)) {
            Entry::Occupied(slot) => Some(slot.into_mut()),
            Entry::Vacant(slot) => {
                if let Some(stored) = select_peak(&self.tx, function, day)? {
                    Some(slot.insert(stored))
                } else {
                    slot.insert(peak);
                    None
                }
            }
        };
        let (before, after) = match slot {
            None => (Megabytes(0), peak),
            Some(stored) => {
                let before = stored.peak_mb;
                *stored = stored.join(peak);
                (before, *stored)
            }
        };
        Ok(MergedDay {
            raised: after.peak_mb > before,
            peak_mb: after.peak_mb,
            censored: peak.censored_mb > Megabytes(0),
        })
    }

    pub(super) fn flush_days(&mut self) -> Result<(), StoreError> {
        let mut peak = self.tx.prepare_cached(
            "INSERT OR REPLACE INTO peaks (function_id, day, peak_mb, censored_mb)
             VALUES (?, ?, ?, ?)",
        )?;
        for ((function, day), row) in self.peaks.drain() {
            peak.execute(params![
                function,
                day.number(),
                row.peak_mb.0,
                row.censored_mb.0
            ])?;
        }
        let mut write = self.tx.prepare_cached(
            "INSERT OR REPLACE INTO days (day, function_id, source, memory_mb, version, peak_mb,
                invocations, errors, timeouts, ooms, at_limit, censored, environments, billed_ms,
                durations, used)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?;
        for ((function, key), day) in self.days.drain() {
            write.execute(params![
                key.day.number(),
                function,
                key.source.rank(),
                key.memory_mb.0,
                key.version,
                day.peak_mb.0,
                int(day.invocations),
                int(day.errors),
                int(day.timeouts),
                int(day.ooms),
                int(day.at_limit),
                day.censored,
                int(day.environments),
                int(day.billed_ms),
                day.durations.to_bytes(),
                day.used.to_bytes(),
            ])?;
        }
        Ok(())
    }
}

/// The columns that [`read_day`] reads, from the seventh of the table on.
pub(super) const DAY_COLUMNS: &str = "peak_mb, invocations, errors, timeouts, ooms, at_limit, \
     censored, environments, billed_ms, durations, used";

fn select_day(
    tx: &Connection,
    function: FunctionId,
    key: &DayKey,
) -> Result<Option<DayStats>, StoreError> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {DAY_COLUMNS} FROM days WHERE day = ? AND function_id = ? AND source = ?
            AND memory_mb = ? AND version = ?"
    ))?;
    let key = params![
        key.day.number(),
        function,
        key.source.rank(),
        key.memory_mb.0,
        key.version
    ];
    statement
        .query_row(key, |row| Ok(read_day(row, 0)))
        .optional()?
        .transpose()
}

pub(super) fn read_day(row: &Row<'_>, from: usize) -> Result<DayStats, StoreError> {
    let number = |n: usize| row.get::<_, i64>(from + n);
    let blob = |n: usize| row.get::<_, Vec<u8>>(from + n);
    Ok(DayStats {
        peak_mb: megabytes(number(0)?),
        invocations: count(number(1)?),
        errors: count(number(2)?),
        timeouts: count(number(3)?),
        ooms: count(number(4)?),
        at_limit: count(number(5)?),
        censored: row.get(from + 6)?,
        environments: count(number(7)?),
        billed_ms: count(number(8)?),
        durations: Distribution::from_bytes(&blob(9)?)?,
        used: Distribution::from_bytes(&blob(10)?)?,
    })
}

fn select_peak(
    tx: &Connection,
    function: FunctionId,
    day: Day,
) -> Result<Option<PeakRow>, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT peak_mb, censored_mb FROM peaks WHERE function_id = ? AND day = ?",
    )?;
    let row = statement
        .query_row(params![function, day.number()], |row| {
            Ok(PeakRow {
                peak_mb: megabytes(row.get(0)?),
                censored_mb: megabytes(row.get(1)?),
            })
        })
        .optional()?;
    Ok(row)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row() -> impl Strategy<Value = PeakRow> {
        (0_u32..5, 0_u32..3).prop_map(|(peak, censored)| PeakRow {
            peak_mb: Megabytes(peak),
            censored_mb: Megabytes(censored),
        })
    }

    proptest! {
        #[test]
        fn w7_joining_peaks_is_commutative_associative_and_idempotent(
            a in row(), b in row(), c in row(),
        ) {
            prop_assert_eq!(a.join(b), b.join(a));
            prop_assert_eq!(a.join(b).join(c), a.join(b.join(c)));
            prop_assert_eq!(a.join(a), a);
        }
    }
}
