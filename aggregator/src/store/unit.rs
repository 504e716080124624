//! A unit of work: rows are read once, changed in memory, and written back at the commit.

use std::collections::HashMap;

use rightsizer_records::{Arch, Day, Megabytes, Timestamp};
use rusqlite::{OptionalExtension, Transaction, params};

use super::columns::int;
use super::days::PeakRow;
use super::environments::EnvironmentKey;
use super::error::StoreError;
use super::functions::FunctionRow;
use crate::window::{DayKey, DayStats, EnvironmentState};

/// Row id of a function.
pub type FunctionId = i64;

/// The quarantine keeps this many entries, the newest.
const QUARANTINE_ROWS: i64 = 10_000;
/// Days held in memory before they are written.
const WORKING_SET: usize = 65_536;
/// How much of a bad record is kept.
const SAMPLE_CHARS: usize = 500;

/// What a sighting says of a function.
#[derive(Debug, Clone)]
pub struct Identity<'a> {
    /// `$LATEST` or a published version's number.
    pub version: &'a str,
    /// Architecture, where known.
    pub arch: Option<Arch>,
    /// Runtime, where known.
    pub runtime: Option<&'a str>,
    /// Size of the environment.
    pub memory_mb: Megabytes,
    /// Its oldest report.
    pub oldest: Timestamp,
    /// Its newest report.
    pub newest: Timestamp,
    /// When it was heard of, for W4: the arrival for what streams tell, whose times a stranger can
    /// choose; the report's own time for what a person imports.
    pub heard: Timestamp,
    /// Whether an environment began here: the one that began last has the current size.
    pub starts: bool,
}

/// What merging into a day changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MergedDay {
    /// The day's peak is higher than it was.
    pub raised: bool,
    /// The day's peak now.
    pub peak_mb: Megabytes,
    /// The demand was hidden in what was merged.
    pub censored: bool,
}

/// One transaction with its working set.
#[derive(Debug)]
pub struct Unit<'s> {
    pub(super) tx: Transaction<'s>,
    pub(super) functions: HashMap<String, FunctionRow>,
    pub(super) days: HashMap<(FunctionId, DayKey), DayStats>,
    pub(super) peaks: HashMap<(FunctionId, Day), PeakRow>,
    pub(super) environments: HashMap<EnvironmentKey, EnvironmentState>,
}

impl<'s> Unit<'s> {
    pub(super) fn new(tx: Transaction<'s>) -> Self {
        Self {
            tx,
            functions: HashMap::new(),
            days: HashMap::new(),
            peaks: HashMap::new(),
            environments: HashMap::new(),
        }
    }

    /// Writes the working set into the transaction, so that queries see it.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        self.flush_functions()?;
        self.flush_environments()?;
        self.flush_days()
    }

    /// Writes the working set once it has grown large: a day takes half a kilobyte to two.
    pub fn flush_if_large(&mut self) -> Result<(), StoreError> {
        if self.days.len() + self.environments.len() / 16 < WORKING_SET {
            return Ok(());
        }
        self.flush()
    }

    /// Commits all of it.
    pub fn commit(mut self) -> Result<(), StoreError> {
        self.flush()?;
        Ok(self.tx.commit()?)
    }

    /// A value kept under `key`.
    pub fn state(&self, key: &str) -> Result<Option<String>, StoreError> {
        let mut statement = self
            .tx
            .prepare_cached("SELECT value FROM state WHERE key = ?")?;
        Ok(statement.query_row([key], |row| row.get(0)).optional()?)
    }

    /// Keeps `value` under `key`.
    pub fn set_state(&self, key: &str, value: &str) -> Result<(), StoreError> {
        self.tx
            .prepare_cached("INSERT OR REPLACE INTO state (key, value) VALUES (?, ?)")?
            .execute([key, value])?;
        Ok(())
    }

    /// How far `source` has been read.
    pub fn checkpoint(&self, source: &str) -> Result<Option<String>, StoreError> {
        let mut statement = self
            .tx
            .prepare_cached("SELECT position FROM checkpoints WHERE source = ?")?;
        Ok(statement.query_row([source], |row| row.get(0)).optional()?)
    }

    /// Every checkpoint whose source begins with `prefix`.
    pub fn checkpoints(&self, prefix: &str) -> Result<Vec<(String, String)>, StoreError> {
        let mut statement = self
            .tx
            .prepare("SELECT source, position FROM checkpoints WHERE substr(source, 1, ?) = ?")?;
        let length = int(prefix.chars().count() as u64);
        let rows = statement.query_map(params![length, prefix], |r| Ok((r.get(0)?, r.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Notes how far `source` has been read, in the same commit as what was read.
    pub fn set_checkpoint(
        &self,
        source: &str,
        position: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.tx
            .prepare_cached("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?)")?
            .execute(params![source, position, now.as_ms()])?;
        Ok(())
    }

    /// Keeps a record that is none, with the reason; the newest 10,000 are kept.
    pub fn quarantine(
        &self,
        origin: &str,
        reason: &str,
        bytes: &[u8],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sample: String = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * SAMPLE_CHARS)])
            .chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .take(SAMPLE_CHARS)
            .collect();
        self.tx
            .prepare_cached(
                "INSERT INTO quarantine (at_ms, origin, reason, bytes, sample)
                 VALUES (?, ?, ?, ?, ?)",
            )?
            .execute(params![
                now.as_ms(),
                origin,
                reason,
                int(bytes.len() as u64),
                sample
            ])?;
        let newest = self.tx.last_insert_rowid();
        self.tx
            .prepare_cached("DELETE FROM quarantine WHERE id <= ?")?
            .execute([newest - QUARANTINE_ROWS])?;
        Ok(())
    }
}
