//! `state`: single values, each under a key that its owner's module defines.

use rusqlite::{Connection, OptionalExtension};

use super::error::StoreError;

/// The single values of the store.
#[derive(Debug)]
pub struct State<'u> {
    pub(super) tx: &'u Connection,
}

impl State<'_> {
    /// Returns the value of `key`.
    pub fn get(&self, key: &str) -> Result<Option<String>, StoreError> {
        let mut statement = self
            .tx
            .prepare_cached("SELECT value FROM state WHERE key = ?")?;
        Ok(statement.query_row([key], |row| row.get(0)).optional()?)
    }

    /// Sets the value of `key`; `None` deletes it.
    pub fn set(&self, key: &str, value: Option<&str>) -> Result<(), StoreError> {
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
}
