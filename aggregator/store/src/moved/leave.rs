//! Reads functions as states.

use std::collections::{BTreeMap, BTreeSet};

use rightsizer_records::{Arch, Day, EnvId, Millis, OutcomeStatus, Timestamp};
use rightsizer_rules::evidence::FunctionKey;
use rightsizer_rules::inventory::Tags;
use rightsizer_rules::state::{Counts, FunctionState, LastDecision, Listed, Seen, Sent};
use rightsizer_rules::window::{DayKey, DaySource, EnvironmentKey};
use rusqlite::{Connection, OptionalExtension, Row, Rows, params};

use crate::columns::{megabytes, timestamp};
use crate::error::StoreError;
use crate::log_groups::hash_of;
use crate::open::Reader;
use crate::state::State;
use crate::transitions::status;
use crate::unit::FunctionId;
use crate::{days, environments, functions};

/// The columns of a function beside those of its reports.
struct Decided {
    applied: Option<(Timestamp, rightsizer_records::Megabytes)>,
    cleared: Option<Day>,
    baseline_p95: Option<Millis>,
    last: Option<LastDecision>,
}

impl Reader {
    /// Calls `take` with the state of each function, those included that the inventory has and that never reported;
    /// returns how many there are. All of it is of one moment.
    pub fn each_state<E: From<StoreError>>(
        &self,
        mut take: impl FnMut(FunctionState) -> Result<(), E>,
    ) -> Result<usize, E> {
        let tx = self.connection.unchecked_transaction();
        let tx = tx.map_err(StoreError::from)?;
        let closed = State { tx: &tx }.get("last_closed_day")?;
        let closed = closed
            .and_then(|day| day.parse().ok())
            .map(Day::from_number);
        let mut names = names(&tx)?;
        names.sort_by_key(|(_, name)| hash_of(name));
        let events = "SELECT function, day, id FROM log_events WHERE id >= 0 ORDER BY function";
        let mut events = tx.prepare(events).map_err(StoreError::from)?;
        let mut events = events.query([]).map_err(StoreError::from)?;
        let mut next = next_event(&mut events)?;
        for (id, name) in &names {
            let mut state = state(&tx, *id, name, closed)?;
            let function = hash_of(name);
            while let Some((of, event)) = next.filter(|(of, _)| *of <= function) {
                if of == function {
                    state.events.insert(event);
                }
                next = next_event(&mut events)?;
            }
            take(state)?;
        }
        Ok(names.len())
    }
}

/// The hash of a function, and the day and the id of one of its log events.
type OfFunction = (i64, (Day, u64));

/// Returns the next log event.
fn next_event(rows: &mut Rows<'_>) -> Result<Option<OfFunction>, StoreError> {
    let row = rows.next()?;
    let event = row.map(|row| -> rusqlite::Result<_> {
        let (day, id) = (row.get(1)?, row.get::<_, i64>(2)?);
        Ok((row.get(0)?, (Day::from_number(day), id.cast_unsigned())))
    });
    Ok(event.transpose()?)
}

/// The functions with their rows; a listed one that never reported has none.
fn names(tx: &Connection) -> Result<Vec<(Option<FunctionId>, String)>, StoreError> {
    let mut statement = tx.prepare(
        "SELECT f.id, f.function FROM functions f
         UNION ALL
         SELECT NULL, i.function FROM inventory i
         WHERE i.gone_ms IS NULL AND NOT EXISTS (SELECT 1 FROM functions f WHERE f.function = i.function)",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn state(
    tx: &Connection,
    id: Option<FunctionId>,
    name: &str,
    closed: Option<Day>,
) -> Result<FunctionState, StoreError> {
    let key = FunctionKey::stored(name).map_err(|e| StoreError::Damaged(e.to_string()))?;
    let mut state = FunctionState::new(key);
    state.listed = listed(tx, name)?;
    state.closed = closed;
    let Some(id) = id else { return Ok(state) };
    let row = functions::select(tx, name)?;
    state.seen = row.map(|row| Seen {
        sighting: row.sighting,
        first_arrival: row.first_arrival,
        counts: Counts {
            seen: row.seen,
            duplicates: row.duplicates,
            late: row.late,
            lost: row.lost,
            self_kib: row.self_kib,
            imported: row.imported,
        },
    });
    let decided = decided(tx, id)?;
    state.applied = decided.applied;
    state.cleared = decided.cleared;
    state.baseline_p95 = decided.baseline_p95;
    state.last = decided.last;
    state.sent = sent(tx, id)?;
    read_days(tx, id, &mut state)?;
    read_environments(tx, id, &mut state)?;
    Ok(state)
}

fn read_days(tx: &Connection, id: FunctionId, state: &mut FunctionState) -> Result<(), StoreError> {
    let mut peaks = tx.prepare_cached("SELECT day FROM peaks WHERE function_id = ?")?;
    let found = peaks.query_map([id], |row| row.get(0))?;
    let found: BTreeSet<i32> = found.collect::<Result<_, _>>()?;
    let mut of_day = tx.prepare_cached(concat!(
        "SELECT ",
        days::day_columns!(),
        ", source, memory_mb, version FROM days WHERE day = ? AND function_id = ?"
    ))?;
    for day in found.into_iter().map(Day::from_number) {
        if let Some(peak) = days::select_peak(tx, id, day)? {
            state.peaks.insert(day, peak);
        }
        let mut rows = of_day.query(params![day.number(), id])?;
        while let Some(row) = rows.next()? {
            let source = DaySource::from_rank(row.get(days::DAY_COLUMNS)?);
            let key = DayKey {
                day,
                source: source.ok_or_else(|| StoreError::Damaged("a day's source".into()))?,
                memory_mb: megabytes(row.get(days::DAY_COLUMNS + 1)?),
                version: row.get(days::DAY_COLUMNS + 2)?,
            };
            state.days.insert(key, days::read_day(row)?);
        }
    }
    Ok(())
}

fn read_environments(
    tx: &Connection,
    id: FunctionId,
    state: &mut FunctionState,
) -> Result<(), StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT first_ms, last_ms, marks, total, seen, events_dropped, days, arch, self_kib, high_water,
                used, start_ms, env, memory_mb, version
         FROM environments WHERE function_id = ?",
    )?;
    let mut rows = statement.query([id])?;
    while let Some(row) = rows.next()? {
        let env: String = row.get(12)?;
        let env = u64::from_str_radix(&env, 16);
        let key = EnvironmentKey {
            env: EnvId(env.map_err(|e| StoreError::Damaged(format!("an environment: {e}")))?),
            memory_mb: megabytes(row.get(13)?),
            version: row.get(14)?,
        };
        state.environments.insert(key, environments::read(row)?);
    }
    Ok(())
}

fn decided(tx: &Connection, id: FunctionId) -> Result<Decided, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT applied_ms, applied_mb, cleared_day, baseline_p95_ms, decided_day, coalesce(peak_mb, 0),
                policy_mb IS NOT NULL,
                (SELECT r.to_mb FROM recommendations r WHERE r.function_id = f.id
                    AND (r.status = 'open' OR r.status = 'approved') AND r.to_mb < r.from_mb
                 ORDER BY r.issued_ms DESC LIMIT 1)
         FROM functions f WHERE id = ?",
    )?;
    let read = |row: &Row<'_>| -> Result<Decided, StoreError> {
        let time = |n| -> Result<Option<Timestamp>, StoreError> {
            row.get::<_, Option<i64>>(n)?.map(timestamp).transpose()
        };
        let day = |n| -> rusqlite::Result<Option<Day>> {
            Ok(row.get::<_, Option<i32>>(n)?.map(Day::from_number))
        };
        let last = day(4)?;
        let (peak_mb, stands) = (megabytes(row.get(5)?), row.get(6)?);
        let decrease_to = row.get::<_, Option<i64>>(7)?.map(megabytes);
        Ok(Decided {
            applied: time(0)?.zip(row.get::<_, Option<i64>>(1)?.map(megabytes)),
            cleared: day(2)?,
            baseline_p95: row.get::<_, Option<f64>>(3)?.and_then(Millis::from_ms_f64),
            last: last.map(|day| LastDecision {
                day,
                peak_mb,
                decrease_to,
                // Of that day alone; without it, a function is decided once more than it need be.
                withdrawn_to: None,
                stands,
            }),
        })
    };
    statement.query_row([id], |row| Ok(read(row)))?
}

/// What was sent and has not been decided again since.
fn sent(tx: &Connection, id: FunctionId) -> Result<Vec<Sent>, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT id, from_mb, to_mb, status, auto AND reviewed_by IS NULL, issued_ms, expires_ms, sent_ms,
                applied_ms, rollback_of
         FROM recommendations
         WHERE function_id = ? AND sent_ms IS NOT NULL AND status <> 'open' AND status <> 'approved'
         ORDER BY issued_ms, id",
    )?;
    let mut rows = statement.query([id])?;
    let mut sent = Vec::new();
    while let Some(row) = rows.next()? {
        let time = |n| -> Result<Timestamp, StoreError> { timestamp(row.get(n)?) };
        let recommendation: String = row.get(0)?;
        sent.push(Sent {
            from_mb: megabytes(row.get(1)?),
            to_mb: megabytes(row.get(2)?),
            status: status(row.get_ref(3)?)?,
            automatic: row.get(4)?,
            issued_at: time(5)?,
            expires_at: time(6)?,
            noted_at: time(7)?,
            applied_at: row.get::<_, Option<i64>>(8)?.map(timestamp).transpose()?,
            rollback_of: row.get(9)?,
            outcomes: outcomes(tx, &recommendation)?,
            id: recommendation,
        });
    }
    Ok(sent)
}

fn outcomes(tx: &Connection, id: &str) -> Result<Vec<(Timestamp, OutcomeStatus)>, StoreError> {
    let mut statement =
        tx.prepare_cached("SELECT at_ms, status FROM outcomes WHERE id = ? ORDER BY at_ms")?;
    let mut rows = statement.query([id])?;
    let mut outcomes = Vec::new();
    while let Some(row) = rows.next()? {
        let status: String = row.get(1)?;
        let status = serde_json::from_value(status.into());
        let status = status.map_err(|e| StoreError::Damaged(format!("an outcome: {e}")))?;
        outcomes.push((timestamp(row.get(0)?)?, status));
    }
    Ok(outcomes)
}

pub(crate) fn listed(tx: &Connection, name: &str) -> Result<Option<Listed>, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT memory_mb, timeout_s, arch, code_sha256, tags, failures_only, snap_start, modified_ms, alarm,
                seen_ms, gone_ms
         FROM inventory WHERE function = ?",
    )?;
    let read = |row: &Row<'_>| -> Result<Listed, StoreError> {
        let arch: String = row.get(2)?;
        let tags: Option<String> = row.get(4)?;
        let tags = tags.map(|tags| serde_json::from_str::<Tags>(&tags));
        let tags = tags.transpose();
        let time = |n| -> Result<Option<Timestamp>, StoreError> {
            row.get::<_, Option<i64>>(n)?.map(timestamp).transpose()
        };
        Ok(Listed {
            memory_mb: megabytes(row.get(0)?),
            timeout_s: row.get(1)?,
            arch: Arch::from_name(&arch),
            code_sha256: row.get(3)?,
            tags: tags
                .map_err(|e| StoreError::Damaged(format!("a function's tags: {e}")))?
                .map(BTreeMap::from_iter),
            failures_only: row.get(5)?,
            snap_start: row.get(6)?,
            modified: time(7)?,
            alarm: row.get(8)?,
            seen_at: timestamp(row.get(9)?)?,
            gone_at: time(10)?,
        })
    };
    let found = statement.query_row([name], |row| Ok(read(row)));
    found.optional()?.transpose()
}
