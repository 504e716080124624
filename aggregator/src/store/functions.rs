//! `functions`: one row a function, with what was last decided for it.

use std::collections::hash_map::Entry;

use rightsizer_records::{Arch, Megabytes, Timestamp};
use rusqlite::{OptionalExtension, Row, params};

use super::columns::{int, megabytes, timestamp};
use super::error::StoreError;
use super::unit::{FunctionId, Identity, Unit};
use crate::source::FunctionKey;

/// Environments live for hours.
const DAY_MS: i64 = 86_400_000;

#[derive(Debug, Clone)]
pub(super) struct FunctionRow {
    pub(super) id: FunctionId,
    version: String,
    arch: Option<String>,
    runtime: Option<String>,
    first: Timestamp,
    heard: Timestamp,
    last: Timestamp,
    current_mb: Megabytes,
    current_at: Timestamp,
    seen: u64,
    duplicates: u64,
    late: u64,
    /// When the updater gave it a size, by the window's clock.
    applied_at: Option<Timestamp>,
}

impl FunctionRow {
    fn sight(&mut self, identity: &Identity<'_>) {
        self.first = self.first.min(identity.oldest);
        self.heard = self.heard.min(identity.heard);
        let newest = identity.newest >= self.last;
        if newest {
            self.last = identity.newest;
            identity.version.clone_into(&mut self.version);
            if let Some(arch) = identity.arch {
                self.arch = Some(arch.name().to_owned());
            }
            if let Some(runtime) = identity.runtime {
                self.runtime = Some(runtime.to_owned());
            }
        }
        // A log line without a start may be of an old environment: it tells the size where nothing
        // better does, or where it is the newest and a day after whatever did, longer than old
        // environments live.
        let starts = identity.starts && identity.oldest >= self.current_at;
        let told = self
            .current_at
            .max(self.applied_at.unwrap_or(Timestamp::MIN));
        let settled = told == Timestamp::MIN || identity.oldest > told.plus_ms(DAY_MS);
        if starts || (newest && settled) {
            self.current_mb = identity.memory_mb;
        }
        if starts || (newest && settled && self.applied_at.is_some()) {
            self.current_at = identity.oldest;
        }
    }
}

impl Unit<'_> {
    /// Finds or makes the row of `key` and takes note of `identity`; the second answer is whether
    /// the function is new.
    pub fn function(
        &mut self,
        key: &FunctionKey,
        identity: &Identity<'_>,
    ) -> Result<(FunctionId, bool), StoreError> {
        let name = key.to_string();
        if let Entry::Vacant(slot) = self.functions.entry(name.clone()) {
            let Some(row) = select(&self.tx, &name)? else {
                let row = insert(&self.tx, &name, identity)?;
                let id = slot.insert(row).id;
                return Ok((id, true));
            };
            slot.insert(row);
        }
        let row = self
            .functions
            .get_mut(&name)
            .ok_or_else(|| missing(&name))?;
        row.sight(identity);
        Ok((row.id, false))
    }

    /// Counts what arrived for a function: reports seen, come again, come late.
    pub fn tally(
        &mut self,
        key: &FunctionKey,
        seen: u64,
        duplicates: u64,
        late: u64,
    ) -> Result<(), StoreError> {
        let name = key.to_string();
        let row = self
            .functions
            .get_mut(&name)
            .ok_or_else(|| missing(&name))?;
        row.seen = row.seen.saturating_add(seen);
        row.duplicates = row.duplicates.saturating_add(duplicates);
        row.late = row.late.saturating_add(late);
        Ok(())
    }

    pub(super) fn flush_functions(&mut self) -> Result<(), StoreError> {
        let mut update = self.tx.prepare_cached(
            "UPDATE functions SET version = ?, arch = ?, runtime = ?, first_ms = ?, heard_ms = ?, last_ms = ?,
                    current_mb = ?, current_ms = ?, seen = ?, duplicates = ?, late = ?
             WHERE id = ?",
        )?;
        for (_, row) in self.functions.drain() {
            update.execute(params![
                row.version,
                row.arch,
                row.runtime,
                row.first.as_ms(),
                row.heard.as_ms(),
                row.last.as_ms(),
                row.current_mb.0,
                row.current_at.as_ms(),
                int(row.seen),
                int(row.duplicates),
                int(row.late),
                row.id,
            ])?;
        }
        Ok(())
    }

    /// The updater says that the function has `size` now, at `present` by the window's clock.
    pub fn set_applied(
        &self,
        id: FunctionId,
        size: Megabytes,
        present: Timestamp,
    ) -> Result<(), StoreError> {
        self.tx
            .prepare_cached("UPDATE functions SET applied_mb = ?, applied_ms = ? WHERE id = ?")?
            .execute(params![size.0, present.as_ms(), id])?;
        Ok(())
    }
}

/// The start that the current size is known by; the beginning of time where it is not.
const fn started_at(identity: &Identity<'_>) -> Timestamp {
    if identity.starts {
        identity.oldest
    } else {
        Timestamp::MIN
    }
}

fn missing(name: &str) -> StoreError {
    StoreError::Damaged(format!("{name} has no row"))
}

fn select(tx: &rusqlite::Connection, name: &str) -> Result<Option<FunctionRow>, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT id, version, arch, runtime, first_ms, last_ms, current_mb, current_ms,
                seen, duplicates, late, heard_ms, applied_ms
         FROM functions WHERE function = ?",
    )?;
    let row = statement
        .query_row([name], |row| Ok(read(row)))
        .optional()?;
    row.transpose()
}

fn read(row: &Row<'_>) -> Result<FunctionRow, StoreError> {
    let number = |n| row.get::<_, i64>(n);
    Ok(FunctionRow {
        id: number(0)?,
        version: row.get(1)?,
        arch: row.get(2)?,
        runtime: row.get(3)?,
        first: timestamp(number(4)?)?,
        last: timestamp(number(5)?)?,
        current_mb: megabytes(number(6)?),
        current_at: timestamp(number(7)?)?,
        seen: super::columns::count(number(8)?),
        duplicates: super::columns::count(number(9)?),
        late: super::columns::count(number(10)?),
        heard: timestamp(number(11)?)?,
        applied_at: row.get::<_, Option<i64>>(12)?.map(timestamp).transpose()?,
    })
}

fn insert(
    tx: &rusqlite::Connection,
    name: &str,
    identity: &Identity<'_>,
) -> Result<FunctionRow, StoreError> {
    tx.prepare_cached(
        "INSERT INTO functions (function, version, first_ms, heard_ms, last_ms, current_mb, current_ms)
         VALUES (?, '', ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        name,
        identity.oldest.as_ms(),
        identity.heard.as_ms(),
        identity.newest.as_ms(),
        identity.memory_mb.0,
        started_at(identity).as_ms(),
    ])?;
    Ok(FunctionRow {
        id: tx.last_insert_rowid(),
        version: identity.version.to_owned(),
        arch: identity.arch.map(Arch::name).map(str::to_owned),
        runtime: identity.runtime.map(str::to_owned),
        first: identity.oldest,
        heard: identity.heard,
        last: identity.newest,
        current_mb: identity.memory_mb,
        current_at: started_at(identity),
        applied_at: None,
        seen: 0,
        duplicates: 0,
        late: 0,
    })
}
