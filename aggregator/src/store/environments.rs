//! `environments`: deduplication marks and counts of every environment that can still send.

use std::collections::BTreeSet;
use std::collections::hash_map::Entry;

use rightsizer_records::{Arch, Day, EnvId, Megabytes, Timestamp};
use rusqlite::{OptionalExtension, Row, params};

use super::columns::{count, int, timestamp};
use super::error::StoreError;
use super::unit::{FunctionId, Unit};
use crate::window::{EnvironmentState, SeqMarks};

/// An environment has one size and one version; a stranger who claims several gets several rows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct EnvironmentKey {
    function: FunctionId,
    env: EnvId,
    memory_mb: Megabytes,
    version: String,
}

impl Unit<'_> {
    /// The state of an environment, to be changed in place; a new one starts at `t0`.
    pub fn environment(
        &mut self,
        function: FunctionId,
        env: EnvId,
        memory_mb: Megabytes,
        version: &str,
        t0: Timestamp,
    ) -> Result<&mut EnvironmentState, StoreError> {
        let key = EnvironmentKey {
            function,
            env,
            memory_mb,
            version: version.to_owned(),
        };
        match self.environments.entry(key) {
            Entry::Occupied(slot) => Ok(slot.into_mut()),
            Entry::Vacant(slot) => {
                let stored = select(&self.tx, slot.key())?;
                Ok(slot.insert(stored.unwrap_or_else(|| EnvironmentState::starting(t0))))
            }
        }
    }

    pub(super) fn flush_environments(&mut self) -> Result<(), StoreError> {
        let mut write = self.tx.prepare_cached(
            "INSERT OR REPLACE INTO environments (function_id, env, memory_mb, version, first_ms,
                last_ms, marks, total, seen, events_dropped, days, arch, self_kib, cpu_ms)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?;
        for (key, state) in self.environments.drain() {
            let days: Vec<String> = state.days.iter().map(|d| d.number().to_string()).collect();
            write.execute(params![
                key.function,
                key.env.to_string(),
                key.memory_mb.0,
                key.version,
                state.first.as_ms(),
                state.last.as_ms(),
                state.marks.to_text(),
                int(state.total),
                int(state.seen),
                int(state.events_dropped),
                days.join(","),
                state.arch.map(Arch::name),
                int(state.self_kib),
                int(state.cpu_ms),
            ])?;
        }
        Ok(())
    }
}

fn select(
    tx: &rusqlite::Connection,
    key: &EnvironmentKey,
) -> Result<Option<EnvironmentState>, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT first_ms, last_ms, marks, total, seen, events_dropped, days, arch, self_kib, cpu_ms
         FROM environments WHERE function_id = ? AND env = ? AND memory_mb = ? AND version = ?",
    )?;
    let key = params![
        key.function,
        key.env.to_string(),
        key.memory_mb.0,
        key.version
    ];
    statement
        .query_row(key, |row| Ok(read(row)))
        .optional()?
        .transpose()
}

fn read(row: &Row<'_>) -> Result<EnvironmentState, StoreError> {
    let number = |n| row.get::<_, i64>(n);
    let (marks, days): (String, String) = (row.get(2)?, row.get(6)?);
    let damaged = |what: &str| StoreError::Damaged(format!("an environment's {what}"));
    let days: Option<BTreeSet<Day>> = days
        .split(',')
        .filter(|day| !day.is_empty())
        .map(|day| day.parse().ok().map(Day::from_number))
        .collect();
    let arch: Option<String> = row.get(7)?;
    Ok(EnvironmentState {
        first: timestamp(number(0)?)?,
        last: timestamp(number(1)?)?,
        marks: SeqMarks::from_text(&marks).ok_or_else(|| damaged("marks"))?,
        total: count(number(3)?),
        seen: count(number(4)?),
        events_dropped: count(number(5)?),
        days: days.ok_or_else(|| damaged("days"))?,
        arch: arch.map(|name| Arch::from_name(&name)),
        self_kib: count(number(8)?),
        cpu_ms: count(number(9)?),
    })
}
