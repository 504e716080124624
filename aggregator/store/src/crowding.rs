//! Limits the sizes and versions that a day of a function stores separately (W2). A writer on the stream may
//! claim any number of them; those above the limits are added up in one row, so that a day stays small.

use rightsizer_records::{Day, Megabytes};
use rightsizer_rules::window::{Crowding, DayKey, MOST_SIZES, MOST_VERSIONS};
use rusqlite::params;

use super::columns::megabytes;
use super::days::Days;
use super::error::StoreError;
use super::state::State;
use super::unit::FunctionId;

/// Key in `state` of the last function that had too many of them.
pub(super) const CROWDED: &str = "crowded";

impl Days<'_> {
    /// Changes `key` to the key under which it is stored.
    pub(super) fn admit(
        &mut self,
        function: FunctionId,
        key: &mut DayKey,
    ) -> Result<(), StoreError> {
        let tx = self.tx;
        let known = function < self.rows.unwritten;
        let load = |_: &(FunctionId, Day)| {
            if known {
                load(tx, function, key.day)
            } else {
                Ok(Crowding::default())
            }
        };
        let crowding = self.rows.crowding.look((function, key.day), load)?;
        let room = crowding.has_room_for_size(key);
        let own_size = room || self.is_its_own(function, key.memory_mb)?;
        let day = key.day;
        let crowding = self
            .rows
            .crowding
            .look((function, day), |_| Ok(Crowding::default()))?;
        if crowding.admit(key, own_size) {
            self.note_crowded(function, day)?;
        }
        Ok(())
    }

    /// Returns whether it is the size of the function, or a size of one of its applied changes.
    fn is_its_own(&self, function: FunctionId, size: Megabytes) -> Result<bool, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM functions_now WHERE id = ?1 AND current_mb = ?2)
                OR EXISTS (SELECT 1 FROM recommendations INDEXED BY recommendations_changes
                    WHERE function_id = ?1 AND applied_ms IS NOT NULL AND (from_mb = ?2 OR to_mb = ?2))",
        )?;
        Ok(statement.query_row(params![function, size.0], |row| row.get(0))?)
    }

    fn note_crowded(&mut self, function: FunctionId, day: Day) -> Result<(), StoreError> {
        if self.rows.crowded == Some((function, day)) {
            return Ok(());
        }
        self.rows.crowded = Some((function, day));
        let name = self.name_of(function)?;
        let words = format!(
            "{day}: reports of {name} claim more than {MOST_SIZES} sizes or {MOST_VERSIONS} versions; the \
             others are added up"
        );
        State { tx: self.tx }.set(CROWDED, Some(&words))
    }

    /// Returns the name of a function that may not be written yet.
    fn name_of(&self, function: FunctionId) -> Result<String, StoreError> {
        let named = self.rows.functions.find(|row| row.id == function);
        if let Some(name) = named {
            return Ok(name.to_string());
        }
        let mut statement = self
            .tx
            .prepare_cached("SELECT function FROM functions WHERE id = ?")?;
        Ok(statement.query_row([function], |row| row.get(0))?)
    }
}

fn load(tx: &rusqlite::Connection, function: FunctionId, day: Day) -> Result<Crowding, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT DISTINCT memory_mb, version FROM days WHERE day = ? AND function_id = ?",
    )?;
    let mut rows = statement.query(params![day.number(), function])?;
    let mut crowding = Crowding::default();
    while let Some(row) = rows.next()? {
        let version = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        crowding.note(megabytes(row.get(0)?), version);
    }
    Ok(crowding)
}
