//! `log_groups` and `log_days`: log groups that were read as a whole. What one gave for a day is taken
//! back when that day is read again (W7).

use rightsizer_records::{Day, Timestamp};
use rightsizer_rules::evidence::FunctionKey;
use rightsizer_rules::window::DaySource;
use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{count, int, timestamp};
use super::error::StoreError;
use super::functions::Functions;
use super::unit::WorkingSet;

/// A day of a log group as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogDay {
    /// When it was read.
    pub read_at: Timestamp,
    /// Number of invocations found.
    pub invocations: u64,
}

/// Log groups that were read.
#[derive(Debug)]
pub struct LogGroups<'u> {
    pub(super) tx: &'u Connection,
    pub(super) rows: &'u mut WorkingSet,
}

impl LogGroups<'_> {
    /// Returns the number of a log group, which gets one if it has none.
    pub fn number(&self, arn: &str) -> Result<u32, StoreError> {
        let found = self.find(arn)?;
        let id = found.map_or_else(
            || {
                self.tx
                    .prepare_cached("INSERT INTO log_groups (log_group) VALUES (?)")?
                    .insert([arn])
            },
            Ok,
        )?;
        u32::try_from(id).map_err(|e| StoreError::Damaged(format!("log group {id}: {e}")))
    }

    /// Returns the days of a log group that were read, from `from` on.
    pub fn days(&self, arn: &str, from: Day) -> Result<Vec<(Day, LogDay)>, StoreError> {
        let Some(id) = self.find(arn)? else {
            return Ok(Vec::new());
        };
        let mut statement = self.tx.prepare_cached(
            "SELECT day, read_ms, invocations FROM log_days WHERE log_group = ? AND day >= ?",
        )?;
        let mut rows = statement.query(params![id, from.number()])?;
        let mut days = Vec::new();
        while let Some(row) = rows.next()? {
            let read = LogDay {
                read_at: timestamp(row.get(1)?)?,
                invocations: count(row.get(2)?),
            };
            days.push((Day::from_number(row.get(0)?), read));
        }
        Ok(days)
    }

    /// Records that a day of a log group was read.
    pub fn set_day(&self, group: u32, day: Day, read: LogDay) -> Result<(), StoreError> {
        self.tx
            .prepare_cached("INSERT OR REPLACE INTO log_days VALUES (?, ?, ?, ?)")?
            .execute(params![
                group,
                day.number(),
                read.read_at.as_ms(),
                int(read.invocations)
            ])?;
        Ok(())
    }

    /// Removes the data of a log group for a day. Its peaks stay, because that memory was used.
    pub fn take_back(&mut self, group: u32, day: Day) -> Result<(), StoreError> {
        self.rows.flush(self.tx)?;
        let source = DaySource::LogGroup(group);
        let gave = self.given(source, day)?;
        for (function, invocations) in gave {
            self.functions().untally(&function, invocations)?;
        }
        self.tx
            .prepare_cached(
                "DELETE FROM days INDEXED BY days_of_log_groups WHERE source = ? AND day = ?
                    AND source >= 16 AND source < 1099511627776",
            )?
            .execute(params![source.rank(), day.number()])?;
        self.rows.forget_days(source, day);
        Ok(())
    }

    const fn functions(&mut self) -> Functions<'_> {
        Functions {
            tx: self.tx,
            rows: &mut *self.rows,
        }
    }

    fn given(&self, source: DaySource, day: Day) -> Result<Vec<(FunctionKey, u64)>, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT f.function, sum(d.invocations) FROM days d INDEXED BY days_of_log_groups
             JOIN functions f ON f.id = d.function_id
             WHERE d.source = ? AND d.day = ? AND d.source >= 16 AND d.source < 1099511627776
             GROUP BY 1",
        )?;
        let mut rows = statement.query(params![source.rank(), day.number()])?;
        let mut gave = Vec::new();
        while let Some(row) = rows.next()? {
            let key: String = row.get(0)?;
            let key = FunctionKey::stored(&key).map_err(|e| StoreError::Damaged(e.to_string()))?;
            gave.push((key, count(row.get(1)?)));
        }
        Ok(gave)
    }

    /// Returns whether a log event of a function is new, and marks it as seen.
    pub fn is_new_event(
        &self,
        function: &FunctionKey,
        day: Day,
        id: u64,
    ) -> Result<bool, StoreError> {
        mark_event(self.tx, function, (day, id))
    }

    fn find(&self, arn: &str) -> Result<Option<i64>, StoreError> {
        let mut statement = self
            .tx
            .prepare_cached("SELECT id FROM log_groups WHERE log_group = ?")?;
        Ok(statement.query_row([arn], |row| row.get(0)).optional()?)
    }
}

/// Marks a log event of a function as seen; returns whether it is new.
pub(super) fn mark_event(
    tx: &Connection,
    function: &FunctionKey,
    (day, id): (Day, u64),
) -> Result<bool, StoreError> {
    let new = tx
        .prepare_cached("INSERT OR IGNORE INTO log_events (day, id, function) VALUES (?, ?, ?)")?
        .execute(params![
            day.number(),
            id.cast_signed(),
            hash_of(&function.text())
        ])?;
    Ok(new > 0)
}

/// Returns the hash (FNV-1a) of a function's name in `log_events`. It is stored, so it must not change.
pub(super) fn hash_of(name: &str) -> i64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash.cast_signed()
}
