//! `checkpoints`: the position up to which each source has been read.

use rightsizer_records::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::columns::int;
use super::error::StoreError;
use super::open::Reader;

impl Reader {
    /// Returns the positions up to which the shards of streams have been read.
    pub fn positions(&self) -> Result<Vec<String>, StoreError> {
        let checkpoints = Checkpoints {
            tx: &self.connection,
        };
        let read = checkpoints.beginning_with("kinesis:")?;
        Ok(read.into_iter().map(|(_, position)| position).collect())
    }
}

/// The checkpoints of sources.
#[derive(Debug)]
pub struct Checkpoints<'u> {
    pub(super) tx: &'u Connection,
}

impl Checkpoints<'_> {
    /// Returns the checkpoint of `source`.
    pub fn get(&self, source: &str) -> Result<Option<String>, StoreError> {
        let mut statement = self
            .tx
            .prepare_cached("SELECT position FROM checkpoints WHERE source = ?")?;
        Ok(statement.query_row([source], |row| row.get(0)).optional()?)
    }

    /// Returns every checkpoint whose source begins with `prefix`.
    pub fn beginning_with(&self, prefix: &str) -> Result<Vec<(String, String)>, StoreError> {
        let mut statement = self
            .tx
            .prepare("SELECT source, position FROM checkpoints WHERE substr(source, 1, ?) = ?")?;
        let length = int(prefix.chars().count() as u64);
        let rows = statement.query_map(params![length, prefix], |r| Ok((r.get(0)?, r.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Writes the checkpoint of `source`, in the same commit as the data that was read.
    pub fn set(&self, source: &str, position: &str, now: Timestamp) -> Result<(), StoreError> {
        self.tx
            .prepare_cached("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?)")?
            .execute(params![source, position, now.as_ms()])?;
        Ok(())
    }
}
