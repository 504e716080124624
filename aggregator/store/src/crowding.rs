//! Limits the sizes and versions that a day of a function stores separately (W2). A writer on the stream may
//! claim any number of them; those above the limits are added up in one row, so that a day stays small.

use std::collections::BTreeSet;

use rightsizer_records::{Day, Megabytes};
use rightsizer_rules::evidence::LATEST;
use rightsizer_rules::window::{DayKey, DaySource};
use rusqlite::params;

use super::columns::megabytes;
use super::days::Days;
use super::error::StoreError;
use super::state::State;
use super::unit::FunctionId;

/// Most sizes of a function with their own rows on a day; a function usually has one or two.
const MOST_SIZES: usize = 32;
/// Most versions with their own rows.
const MOST_VERSIONS: usize = 64;
/// The size and the version under which the others are added up.
pub(super) const OTHER_SIZES: Megabytes = Megabytes(0);
const OTHER_VERSIONS: &str = "other";
/// Key in `state` of the last function that had too many of them.
pub(super) const CROWDED: &str = "crowded";

/// The sizes and versions of a function on a day.
#[derive(Debug, Default)]
pub(super) struct Crowding {
    sizes: BTreeSet<Megabytes>,
    versions: BTreeSet<String>,
}

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
        let size_fits =
            crowding.sizes.contains(&key.memory_mb) || crowding.sizes.len() < MOST_SIZES;
        let version_fits =
            crowding.versions.contains(&key.version) || crowding.versions.len() < MOST_VERSIONS;
        let log_group = matches!(
            key.source,
            DaySource::LogGroup(_) | DaySource::Import | DaySource::Wrapped
        );
        let own_size = size_fits || log_group || self.is_its_own(function, key.memory_mb)?;
        let own_version = version_fits || log_group || key.version == LATEST;
        if !(own_size && own_version) {
            self.note_crowded(function, key.day)?;
        }
        if !own_size {
            key.memory_mb = OTHER_SIZES;
        }
        if !own_version {
            OTHER_VERSIONS.clone_into(&mut key.version);
        }
        let crowding = self
            .rows
            .crowding
            .look((function, key.day), |_| Ok(Crowding::default()))?;
        if !crowding.versions.contains(&key.version) {
            crowding.versions.insert(key.version.clone());
        }
        crowding.sizes.insert(key.memory_mb);
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
        crowding.sizes.insert(megabytes(row.get(0)?));
        crowding.versions.insert(row.get(1)?);
    }
    Ok(crowding)
}
