//! What the page shows beside `list` and `show`: the days of one function by size, recent changes of the whole
//! fleet, and the newest records that could not be used.

use std::collections::BTreeMap;

use rightsizer_records::{Day, Megabytes, Timestamp};
use rightsizer_rules::lifecycle::Status;
use rightsizer_rules::outcome::factor_in;
use rightsizer_rules::window::{DaySource, Distribution};
use rusqlite::params;

use super::columns::{count, megabytes, timestamp};
use super::error::StoreError;
use super::open::Reader;
use super::review::{DayLine, ReviewRow, day_line};
use super::transitions::status;

/// A day of a function at one size, of the source that counts (W7), all versions together.
#[derive(Debug, Clone, PartialEq)]
pub struct SizeDay {
    /// The day.
    pub day: Day,
    /// The size.
    pub memory_mb: Megabytes,
    /// Invocations.
    pub invocations: u64,
    /// Those that failed in any way.
    pub failures: u64,
    /// Those that ran out of memory.
    pub ooms: u64,
    /// Billed milliseconds.
    pub billed_ms: u64,
    /// Durations of invocations in ms.
    pub durations: Distribution,
    /// Durations of init in ms.
    pub inits: Distribution,
    /// Durations of restores from a snapshot in ms.
    pub restores: Distribution,
    /// Memory used in MB.
    pub used: Distribution,
}

/// A change of a function's size that was applied.
#[derive(Debug, Clone, PartialEq)]
pub struct AppliedChange {
    /// The recommendation's id.
    pub id: String,
    /// ARN, or `local:NAME`.
    pub function: String,
    /// The size before.
    pub from_mb: Megabytes,
    /// The size after.
    pub to_mb: Megabytes,
    /// The status now.
    pub status: String,
    /// The reason for which it was closed, as text.
    pub reason: Option<String>,
    /// When the function got its size.
    pub applied: Timestamp,
    /// The promised saving a month, from the record that was sent.
    pub promised_usd: Option<f64>,
}

/// Changes of sizes, counted by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ChangeCounts {
    /// All that were applied.
    pub changed: u64,
    /// Those that were verified.
    pub verified: u64,
    /// Those that were rolled back.
    pub rolled_back: u64,
    /// Those that are still being verified.
    pub applied: u64,
    /// What those that were not rolled back promised, in dollars a month.
    pub promised_usd: f64,
}

/// The verified changes of a month, with what they saved.
#[derive(Debug, Clone, PartialEq)]
pub struct MonthSaved {
    /// Such as `2026-01`.
    pub month: String,
    /// The number of decreases that were verified in it.
    pub changes: u64,
    /// What they promised, in dollars a month.
    pub promised_usd: f64,
    /// What they saved by the billed durations at both sizes, in dollars a month.
    pub billed_usd: f64,
}

/// An increase after an out-of-memory that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrgentIncrease {
    /// The recommendation's id.
    pub id: String,
    /// ARN, or `local:NAME`.
    pub function: String,
    /// The size now.
    pub from_mb: Megabytes,
    /// The recommended size.
    pub to_mb: Megabytes,
}

/// A record that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineLine {
    /// When it arrived.
    pub at: Timestamp,
    /// Its origin.
    pub origin: String,
    /// The reason for which it cannot be used.
    pub reason: String,
}

/// The last remembered days of a function.
const DAILY_PEAKS: &str = "SELECT day, peak_mb, censored_mb FROM
        (SELECT p.* FROM peaks p JOIN functions f ON f.id = p.function_id
         WHERE f.function = ? ORDER BY day DESC LIMIT ?)
     ORDER BY day";
/// A day of a function by size.
const SIZE_DAYS: &str =
    "SELECT d.source, d.memory_mb, d.invocations, d.errors + d.timeouts + d.ooms, d.ooms,
        d.billed_ms, d.durations, d.inits, d.used, d.restores
     FROM functions f JOIN days d ON d.day = ?2 AND d.function_id = f.id
     WHERE f.function = ?1 ORDER BY d.source, d.memory_mb";
/// Verified decreases with what they promised.
const SAVINGS: &str = "SELECT strftime('%Y-%m', r.closed_ms / 1000, 'unixepoch'), r.closed_reason,
        json_extract(r.record, '$.monthly_usd.before'), json_extract(r.record, '$.monthly_usd.after')
     FROM recommendations r INDEXED BY recommendations_changes
     WHERE r.applied_ms IS NOT NULL AND r.status = 'verified' AND r.closed_ms >= ? AND r.to_mb < r.from_mb
        AND r.closed_reason IS NOT NULL AND r.record IS NOT NULL";
/// Urgent increases that wait for a person.
const URGENT: &str = "SELECT r.id, f.function, r.from_mb, r.to_mb
     FROM recommendations r JOIN functions f ON f.id = r.function_id
     WHERE r.status = 'open' AND r.urgent AND r.to_mb > r.from_mb AND NOT r.auto
     ORDER BY r.issued_ms, r.id LIMIT ?";

/// Applied changes by what became of them.
const CHANGE_COUNTS: &str = "SELECT r.status, count(*), coalesce(sum(
        json_extract(r.record, '$.monthly_usd.before') - json_extract(r.record, '$.monthly_usd.after')), 0.0)
     FROM recommendations r INDEXED BY recommendations_changes
     WHERE r.applied_ms IS NOT NULL AND r.applied_ms >= ? GROUP BY r.status";

/// Applied changes that fulfil a condition. It reads the index of what changed a function's size, not the whole history.
fn changes(condition: &str) -> String {
    format!(
        "SELECT r.id, f.function, r.from_mb, r.to_mb, r.status, r.closed_reason, r.applied_ms,
            json_extract(r.record, '$.monthly_usd.before') - json_extract(r.record, '$.monthly_usd.after')
         FROM recommendations r INDEXED BY recommendations_changes
         JOIN functions f ON f.id = r.function_id
         WHERE r.applied_ms IS NOT NULL AND {condition}
         ORDER BY r.applied_ms DESC, f.function LIMIT ?2"
    )
}

impl Reader {
    /// Calls `each` with every function, in no particular order. Nothing is kept of a row.
    pub fn each_review_row(&self, mut each: impl FnMut(ReviewRow)) -> Result<(), StoreError> {
        self.walk_review("1", params![], "", |row| {
            each(row);
            Ok(())
        })
    }

    /// Returns the number that changes whenever another connection commits. It is only comparable with other
    /// answers of this reader.
    pub fn data_version(&self) -> Result<i64, StoreError> {
        Ok(self
            .connection
            .pragma_query_value(None, "data_version", |row| row.get(0))?)
    }

    /// Returns the last `most` remembered days of a function, oldest first.
    pub fn daily_peaks(&self, function: &str, most: u32) -> Result<Vec<DayLine>, StoreError> {
        let mut statement = self.connection.prepare_cached(DAILY_PEAKS)?;
        let rows = statement.query_map(params![function, most], day_line)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns a function's usage on each of `days` by size. One search of the table for each day.
    pub fn size_days(
        &self,
        function: &str,
        days: impl Iterator<Item = Day>,
    ) -> Result<Vec<SizeDay>, StoreError> {
        let mut statement = self.connection.prepare_cached(SIZE_DAYS)?;
        let mut found: Vec<SizeDay> = Vec::new();
        for day in days {
            let begin = found.len();
            let mut counting = None;
            let mut rows = statement.query(params![function, day.number()])?;
            while let Some(row) = rows.next()? {
                let kind = DaySource::kind(row.get(0)?);
                if *counting.get_or_insert(kind) != kind {
                    break;
                }
                let number = |n: usize| -> rusqlite::Result<u64> { Ok(count(row.get(n)?)) };
                let blob = |n: usize| -> Result<Distribution, StoreError> {
                    let bytes: Vec<u8> = row.get(n)?;
                    Ok(Distribution::from_bytes(&bytes)?)
                };
                let size = megabytes(row.get(1)?);
                let known = found.iter().skip(begin).position(|d| d.memory_mb == size);
                let at = known.map_or(found.len(), |at| begin + at);
                if known.is_none() {
                    found.push(SizeDay::empty(day, size));
                }
                let of = &mut found[at];
                of.invocations = of.invocations.saturating_add(number(2)?);
                of.failures = of.failures.saturating_add(number(3)?);
                of.ooms = of.ooms.saturating_add(number(4)?);
                of.billed_ms = of.billed_ms.saturating_add(number(5)?);
                of.durations.merge(&blob(6)?);
                of.inits.merge(&blob(7)?);
                of.used.merge(&blob(8)?);
                of.restores.merge(&blob(9)?);
            }
        }
        Ok(found)
    }

    /// Returns the changes that were applied at or after `since`, the newest first, `most` of them.
    pub fn applied_changes(
        &self,
        since: Timestamp,
        most: u32,
    ) -> Result<Vec<AppliedChange>, StoreError> {
        self.changes_where("r.applied_ms >= ?1", since, most)
    }

    /// Counts the changes that were applied at or after `since`.
    pub fn change_counts(&self, since: Timestamp) -> Result<ChangeCounts, StoreError> {
        let mut statement = self.connection.prepare_cached(CHANGE_COUNTS)?;
        let mut rows = statement.query([since.as_ms()])?;
        let mut counts = ChangeCounts::default();
        while let Some(row) = rows.next()? {
            let (status, number) = (status(row.get_ref(0)?)?, count(row.get(1)?));
            counts.changed += number;
            match status {
                Status::Verified => counts.verified += number,
                Status::RolledBack => counts.rolled_back += number,
                Status::Applied => counts.applied += number,
                _ => {}
            }
            if status != Status::RolledBack {
                counts.promised_usd += row.get::<_, f64>(2)?;
            }
        }
        Ok(counts)
    }

    /// Returns the changes that were rolled back at or after `since`, the newest first, `most` of them.
    pub fn rolled_back(
        &self,
        since: Timestamp,
        most: u32,
    ) -> Result<Vec<AppliedChange>, StoreError> {
        self.changes_where(
            "r.status = 'rolled-back' AND r.closed_ms >= ?1",
            since,
            most,
        )
    }

    fn changes_where(
        &self,
        condition: &str,
        since: Timestamp,
        most: u32,
    ) -> Result<Vec<AppliedChange>, StoreError> {
        let mut statement = self.connection.prepare_cached(&changes(condition))?;
        let mut rows = statement.query(params![since.as_ms(), most])?;
        let mut changes = Vec::new();
        while let Some(row) = rows.next()? {
            changes.push(AppliedChange {
                id: row.get(0)?,
                function: row.get(1)?,
                from_mb: megabytes(row.get(2)?),
                to_mb: megabytes(row.get(3)?),
                status: row.get(4)?,
                reason: row.get(5)?,
                applied: timestamp(row.get(6)?)?,
                promised_usd: row.get(7)?,
            });
        }
        Ok(changes)
    }

    /// Returns what decreases saved that were verified at or after `since`, by month, oldest first. A change without
    /// billed durations on both sides is left out.
    pub fn verified_savings(&self, since: Timestamp) -> Result<Vec<MonthSaved>, StoreError> {
        let mut statement = self.connection.prepare_cached(SAVINGS)?;
        let mut rows = statement.query([since.as_ms()])?;
        let mut months: BTreeMap<String, MonthSaved> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let reason: String = row.get(1)?;
            let usd: (Option<f64>, Option<f64>) = (row.get(2)?, row.get(3)?);
            let (Some(factor), (Some(before), Some(after))) = (factor_in(&reason), usd) else {
                continue;
            };
            let name: String = row.get(0)?;
            let month = months.entry(name.clone()).or_insert_with(|| MonthSaved {
                month: name,
                changes: 0,
                promised_usd: 0.0,
                billed_usd: 0.0,
            });
            month.changes += 1;
            month.promised_usd += before - after;
            month.billed_usd += before * (1.0 - factor);
        }
        Ok(months.into_values().collect())
    }

    /// Returns the urgent increases that wait for a person, `most` of them.
    pub fn urgent_waiting(&self, most: u32) -> Result<Vec<UrgentIncrease>, StoreError> {
        let mut statement = self.connection.prepare_cached(URGENT)?;
        let rows = statement.query_map([most], |row| {
            Ok(UrgentIncrease {
                id: row.get(0)?,
                function: row.get(1)?,
                from_mb: megabytes(row.get(2)?),
                to_mb: megabytes(row.get(3)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the newest `most` records that could not be used, newest first.
    pub fn newest_quarantined(&self, most: u32) -> Result<Vec<QuarantineLine>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT at_ms, origin, reason FROM quarantine ORDER BY id DESC LIMIT ?",
        )?;
        let mut rows = statement.query([most])?;
        let mut lines = Vec::new();
        while let Some(row) = rows.next()? {
            lines.push(QuarantineLine {
                at: timestamp(row.get(0)?)?,
                origin: row.get(1)?,
                reason: row.get(2)?,
            });
        }
        Ok(lines)
    }
}

impl SizeDay {
    fn empty(day: Day, memory_mb: Megabytes) -> Self {
        Self {
            day,
            memory_mb,
            invocations: 0,
            failures: 0,
            ooms: 0,
            billed_ms: 0,
            durations: Distribution::default(),
            inits: Distribution::default(),
            restores: Distribution::default(),
            used: Distribution::default(),
        }
    }
}

#[cfg(test)]
mod tests;
