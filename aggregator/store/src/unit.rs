//! A unit of work: rows are read once, changed in memory, and written back at the commit.

use rightsizer_records::{Day, Timestamp, printable};
use rightsizer_rules::evidence::FunctionKey;
use rightsizer_rules::window::{DayStats, EnvironmentState};
use rusqlite::{OptionalExtension, Transaction, params};

use super::columns::int;
use super::crowding::Crowding;
use super::days::{DayRow, PeakKey, PeakRow};
use super::environments::EnvironmentRow;
use super::error::StoreError;
use super::files::OpenFiles;
use super::functions::FunctionRow;
use super::memory::Bounds;
use super::rows::Rows;

/// Row id of a function.
pub type FunctionId = i64;

/// The quarantine keeps this many entries, the newest.
const QUARANTINE_ROWS: i64 = 10_000;
/// How much of a bad record is kept, of why it is bad, and of where it came from: all of them may be
/// words of a stranger.
const SAMPLE_CHARS: usize = 500;
const REASON_CHARS: usize = 500;
const ORIGIN_CHARS: usize = 128;
/// Bytes of marks that environments in memory have on average, at most.
const AVERAGE_MARKS: usize = 256;
/// The rows in memory. They outlive the unit that changed them if it commits.
#[derive(Debug)]
pub(super) struct WorkingSet {
    pub(super) functions: Rows<FunctionKey, FunctionRow>,
    pub(super) days: Rows<DayRow, DayStats>,
    pub(super) peaks: Rows<PeakKey, PeakRow>,
    pub(super) environments: Rows<EnvironmentRow, EnvironmentState>,
    /// The sizes and versions of days, as `days` has them.
    pub(super) crowding: Rows<(FunctionId, Day), Crowding>,
    /// The function and day that had too many of them last.
    pub(super) crowded: Option<(FunctionId, Day)>,
    /// How much of all this stays.
    bounds: Bounds,
    /// The id that the next new function gets; 0 if it was not read yet.
    pub(super) next_function: FunctionId,
    /// From this one on functions are newer than the last flush: the tables hold nothing of them.
    pub(super) unwritten: FunctionId,
}

impl Default for WorkingSet {
    fn default() -> Self {
        Self {
            functions: Rows::default(),
            days: Rows::default(),
            peaks: Rows::default(),
            environments: Rows::default(),
            crowding: Rows::default(),
            crowded: None,
            bounds: Bounds::of_this_machine(),
            next_function: 0,
            unwritten: FunctionId::MAX,
        }
    }
}

impl WorkingSet {
    /// Forgets days and environments that were written, once there are many.
    fn bound_days(&mut self) {
        let most = self.bounds.days;
        self.days.bound(most);
        self.crowding.bound(most);
        // Few environments can be large: those whose records were lost have a range of marks for each.
        let bytes = |state: &EnvironmentState| state.marks.bytes();
        let large = self.environments.len() > most / 64
            && self.environments.weight(bytes) > most.saturating_mul(AVERAGE_MARKS);
        self.environments.bound(if large { 0 } else { most });
    }
}

/// Empties the working set when its unit ends without a commit: what is in it never happened.
#[derive(Debug)]
pub(super) struct Borrowed<'s> {
    pub(super) set: &'s mut WorkingSet,
    committed: bool,
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        if !self.committed {
            *self.set = WorkingSet::default();
        }
    }
}

/// A record that cannot be used.
#[derive(Debug, Clone, Copy)]
pub struct Quarantined<'a> {
    /// Its origin.
    pub origin: &'a str,
    /// Why it cannot be used.
    pub reason: &'a str,
    /// How many bytes it has.
    pub bytes: u64,
    /// How it begins.
    pub sample: &'a str,
}

/// One transaction with its working set.
#[derive(Debug)]
pub struct Unit<'s> {
    pub(super) tx: Transaction<'s>,
    pub(super) memory: Borrowed<'s>,
    /// Checked, if it is the writer's.
    files: Option<&'s OpenFiles>,
}

impl<'s> Unit<'s> {
    pub(super) const fn new(tx: Transaction<'s>, set: &'s mut WorkingSet) -> Self {
        Self {
            tx,
            memory: Borrowed {
                set,
                committed: false,
            },
            files: None,
        }
    }

    /// A commit counts only while these files are at their paths.
    pub(super) fn watching(self, files: &'s OpenFiles) -> Self {
        Self {
            files: Some(files),
            ..self
        }
    }

    /// Writes what was changed into the transaction, so that queries see it.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        self.flush_functions()?;
        self.flush_environments()?;
        self.flush_days()?;
        self.memory.set.unwritten = FunctionId::MAX;
        Ok(())
    }

    /// Writes what was changed once that is much.
    pub fn flush_if_large(&mut self) -> Result<(), StoreError> {
        let set = &self.memory.set;
        if set.days.changed() + set.environments.changed() / 4 < set.bounds.waiting {
            return Ok(());
        }
        self.flush()?;
        self.memory.set.bound_days();
        Ok(())
    }

    /// Commits all of it.
    pub fn commit(mut self) -> Result<(), StoreError> {
        self.flush()?;
        self.tx.commit()?;
        // Before anything is acknowledged, because a commit to a file without a name is lost.
        self.files.map_or(Ok(()), OpenFiles::check)?;
        let set = &mut *self.memory.set;
        set.functions.bound(set.bounds.functions);
        set.peaks.bound(set.bounds.functions);
        set.bound_days();
        self.memory.committed = true;
        Ok(())
    }

    /// A value kept under `key`.
    pub fn state(&self, key: &str) -> Result<Option<String>, StoreError> {
        let mut statement = self
            .tx
            .prepare_cached("SELECT value FROM state WHERE key = ?")?;
        Ok(statement.query_row([key], |row| row.get(0)).optional()?)
    }

    /// Keeps `value` under `key`; `None` forgets it.
    pub fn set_state(&self, key: &str, value: Option<&str>) -> Result<(), StoreError> {
        match value {
            Some(value) => self
                .tx
                .prepare_cached("INSERT OR REPLACE INTO state (key, value) VALUES (?, ?)")?
                .execute([key, value])?,
            None => self
                .tx
                .prepare_cached("DELETE FROM state WHERE key = ?")?
                .execute([key])?,
        };
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

    /// Keeps a record of which nothing can be used, with the reason.
    pub fn quarantine_whole(
        &self,
        origin: &str,
        reason: &str,
        bytes: &[u8],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let begin = bytes.get(..4 * SAMPLE_CHARS).unwrap_or(bytes);
        let what = Quarantined {
            origin,
            reason,
            bytes: bytes.len() as u64,
            sample: &String::from_utf8_lossy(begin),
        };
        self.quarantine(&what, now)
    }

    /// Keeps a record that is none, with the reason; the newest 10,000 are kept.
    pub fn quarantine(&self, record: &Quarantined<'_>, now: Timestamp) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "INSERT INTO quarantine (at_ms, origin, reason, bytes, sample)
                 VALUES (?, ?, ?, ?, ?)",
            )?
            .execute(params![
                now.as_ms(),
                printable(record.origin, ORIGIN_CHARS),
                printable(record.reason, REASON_CHARS),
                int(record.bytes),
                printable(record.sample, SAMPLE_CHARS),
            ])?;
        let newest = self.tx.last_insert_rowid();
        self.tx
            .prepare_cached("DELETE FROM quarantine WHERE id <= ?")?
            .execute([newest - QUARANTINE_ROWS])?;
        Ok(())
    }
}
