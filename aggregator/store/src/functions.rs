//! `functions`: one row for each function, with its last decision.

use rightsizer_records::{Arch, Timestamp};
use rightsizer_rules::evidence::FunctionKey;
use rightsizer_rules::state::Counts;
use rightsizer_rules::window::{Newest, Sighting};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{count, int, megabytes, timestamp};
use super::error::StoreError;
use super::unit::{FunctionId, WorkingSet};

#[derive(Debug, Clone)]
pub(super) struct FunctionRow {
    pub(super) id: FunctionId,
    pub(super) sighting: Sighting,
    pub(super) first_arrival: Timestamp,
    pub(super) seen: u64,
    pub(super) duplicates: u64,
    pub(super) late: u64,
    pub(super) lost: i64,
    pub(super) self_kib: u64,
    pub(super) imported: bool,
}

/// A function with evidence.
#[derive(Debug, Clone, Copy)]
pub struct Sighted {
    /// Its row.
    pub id: FunctionId,
    /// Whether its row is new.
    pub new: bool,
    /// The position of its row in memory, until the end of the unit.
    place: usize,
}

/// The changes of a function's counts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Arrived {
    /// Number of merged reports.
    pub seen: u64,
    /// Number of repeated reports.
    pub duplicates: u64,
    /// Number of reports that arrived after their window.
    pub late: u64,
    /// Change of the number of reports that its environments saw and that never arrived.
    pub lost: i64,
    /// The extension's own resident size in KiB, if reported.
    pub self_kib: u64,
    /// Whether a person imported it.
    pub imported: bool,
}

/// Functions with evidence.
#[derive(Debug)]
pub struct Functions<'u> {
    pub(super) tx: &'u Connection,
    pub(super) rows: &'u mut WorkingSet,
}

impl Functions<'_> {
    /// Finds or creates the row of `key` and adds `sighting`, which arrived at `first_arrival` (W4: the
    /// arrival for streams, whose times any writer can choose; the report's own time for an
    /// import).
    pub fn sight(
        &mut self,
        key: &FunctionKey,
        sighting: &Sighting,
        first_arrival: Timestamp,
    ) -> Result<Sighted, StoreError> {
        let known = self.known(key)?;
        let place = match known {
            Some(place) => place,
            None => self.add(key, sighting, first_arrival)?,
        };
        let row = self.rows.functions.at(place)?;
        row.sighting.join(sighting);
        row.first_arrival = row.first_arrival.min(first_arrival);
        Ok(Sighted {
            id: row.id,
            new: known.is_none(),
            place,
        })
    }

    /// Finds the row of `key` without a change; `None` if there is none.
    pub fn find(&mut self, key: &FunctionKey) -> Result<Option<Sighted>, StoreError> {
        let Some(place) = self.known(key)? else {
            return Ok(None);
        };
        let id = self.rows.functions.at(place)?.id;
        Ok(Some(Sighted {
            id,
            new: false,
            place,
        }))
    }

    /// Returns the position of the row of `key` in memory, and reads it if needed; `None` if there is none.
    fn known(&mut self, key: &FunctionKey) -> Result<Option<usize>, StoreError> {
        let set = &mut *self.rows;
        if let Some(place) = set.functions.place(key) {
            return Ok(Some(place));
        }
        // Ids ascend from 1. If as many are in memory as were given, the table has no others.
        let given = usize::try_from(set.next_function - 1).ok();
        if given == Some(set.functions.len()) {
            return Ok(None);
        }
        let stored = select(self.tx, &key.text())?;
        Ok(stored.map(|row| set.functions.keep(key.clone(), row)))
    }

    fn add(
        &mut self,
        key: &FunctionKey,
        sighting: &Sighting,
        first_arrival: Timestamp,
    ) -> Result<usize, StoreError> {
        let set = &mut *self.rows;
        if set.next_function == 0 {
            let query = "SELECT coalesce(max(id), 0) + 1 FROM functions";
            set.next_function = self.tx.query_row(query, [], |row| row.get(0))?;
        }
        let id = set.next_function;
        set.next_function += 1;
        set.unwritten = set.unwritten.min(id);
        let row = FunctionRow {
            id,
            sighting: sighting.clone(),
            first_arrival,
            seen: 0,
            duplicates: 0,
            late: 0,
            lost: 0,
            self_kib: 0,
            imported: false,
        };
        Ok(set.functions.keep(key.clone(), row))
    }

    /// Adds to a function's counts.
    pub fn tally(&mut self, of: Sighted, arrived: Arrived) -> Result<(), StoreError> {
        let row = self.rows.functions.at(of.place)?;
        row.seen = row.seen.saturating_add(arrived.seen);
        row.duplicates = row.duplicates.saturating_add(arrived.duplicates);
        row.late = row.late.saturating_add(arrived.late);
        row.lost = row.lost.saturating_add(arrived.lost);
        row.self_kib = row.self_kib.max(arrived.self_kib);
        row.imported |= arrived.imported;
        Ok(())
    }

    /// Raises a function's counts to those of another engine.
    pub(super) fn raise_counts(&mut self, of: Sighted, counts: &Counts) -> Result<(), StoreError> {
        let row = self.rows.functions.at(of.place)?;
        row.seen = row.seen.max(counts.seen);
        row.duplicates = row.duplicates.max(counts.duplicates);
        row.late = row.late.max(counts.late);
        row.lost = row.lost.max(counts.lost);
        row.self_kib = row.self_kib.max(counts.self_kib);
        row.imported |= counts.imported;
        Ok(())
    }

    /// Subtracts this number of arrived reports from a function.
    pub(super) fn untally(&mut self, key: &FunctionKey, seen: u64) -> Result<(), StoreError> {
        let missing = || StoreError::Damaged(format!("{key} has no row"));
        let place = self.known(key)?.ok_or_else(missing)?;
        let row = self.rows.functions.at(place)?;
        row.seen = row.seen.saturating_sub(seen);
        Ok(())
    }

    pub(super) fn flush(&mut self) -> Result<(), StoreError> {
        let mut write = self.tx.prepare_cached(
            "INSERT INTO functions (id, function, version, arch, runtime, first_ms, heard_ms, last_ms,
                    newest_mb, started_mb, started_ms, seen, duplicates, late, lost, self_kib,
                    ran_out_mb, ran_out_ms, imported, started_version, mixed_ms)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (id) DO UPDATE SET version = excluded.version, arch = excluded.arch,
                    runtime = excluded.runtime, first_ms = excluded.first_ms,
                    heard_ms = excluded.heard_ms, last_ms = excluded.last_ms,
                    newest_mb = excluded.newest_mb, started_mb = excluded.started_mb,
                    started_ms = excluded.started_ms, seen = excluded.seen,
                    duplicates = excluded.duplicates, late = excluded.late, lost = excluded.lost,
                    self_kib = excluded.self_kib, ran_out_mb = excluded.ran_out_mb,
                    ran_out_ms = excluded.ran_out_ms, imported = excluded.imported,
                    started_version = excluded.started_version, mixed_ms = excluded.mixed_ms",
        )?;
        self.rows.functions.write_back(|key, row| {
            let s = &row.sighting;
            write.execute(params![
                row.id,
                key.text(),
                s.newest.version,
                s.arch.map(Arch::name),
                s.runtime,
                s.oldest.as_ms(),
                row.first_arrival.as_ms(),
                s.newest.at.as_ms(),
                s.newest.memory_mb.0,
                s.started.as_ref().map(|at| at.memory_mb.0),
                s.started.as_ref().map(|at| at.at.as_ms()),
                int(row.seen),
                int(row.duplicates),
                int(row.late),
                row.lost,
                int(row.self_kib),
                s.ran_out.map(|(_, mb)| mb.0),
                s.ran_out.map(|(at, _)| at.as_ms()),
                row.imported,
                s.started.as_ref().map(|at| &at.version),
                s.mixed.map(Timestamp::as_ms),
            ])?;
            Ok(())
        })
    }
}

pub(super) fn select(tx: &Connection, name: &str) -> Result<Option<FunctionRow>, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT id, version, arch, runtime, first_ms, heard_ms, last_ms, newest_mb, started_mb,
                started_ms, seen, duplicates, late, lost, self_kib, ran_out_mb, ran_out_ms, imported,
                started_version, mixed_ms
         FROM functions WHERE function = ?",
    )?;
    let row = statement
        .query_row([name], |row| Ok(read(row)))
        .optional()?;
    row.transpose()
}

fn read(row: &Row<'_>) -> Result<FunctionRow, StoreError> {
    let number = |n| row.get::<_, i64>(n);
    let arch: Option<String> = row.get(2)?;
    let version: String = row.get(1)?;
    let event = |at: usize, mb: usize| -> Result<_, StoreError> {
        let mb: Option<i64> = row.get(mb)?;
        let at = row.get::<_, Option<i64>>(at)?.map(timestamp).transpose()?;
        Ok(at.zip(mb.map(megabytes)))
    };
    let started = event(9, 8)?.zip(row.get(18)?);
    let started = started.map(|((at, memory_mb), version)| Newest {
        at,
        memory_mb,
        version,
    });
    Ok(FunctionRow {
        id: number(0)?,
        sighting: Sighting {
            oldest: timestamp(number(4)?)?,
            newest: Newest {
                at: timestamp(number(6)?)?,
                memory_mb: megabytes(number(7)?),
                version: version.clone(),
            },
            arch: arch.map(|name| Arch::from_name(&name)),
            runtime: row.get(3)?,
            started,
            ran_out: event(16, 15)?,
            mixed: row.get::<_, Option<i64>>(19)?.map(timestamp).transpose()?,
        },
        first_arrival: timestamp(number(5)?)?,
        seen: count(number(10)?),
        duplicates: count(number(11)?),
        late: count(number(12)?),
        lost: number(13)?,
        self_kib: count(number(14)?),
        imported: row.get(17)?,
    })
}
