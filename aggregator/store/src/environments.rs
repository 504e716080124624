//! `environments`: deduplication marks and counts of every environment that can still send.

use std::fmt::{self, Write as _};

use rightsizer_records::{Arch, Day};
use rightsizer_rules::window::{EnvironmentKey, EnvironmentState, HighWater, SeqMarks, UsedCounts};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{count, int, timestamp};
use super::error::StoreError;
use super::unit::{FunctionId, WorkingSet};

/// Key of a row, in the table's order.
pub(super) type EnvironmentRow = (FunctionId, EnvironmentKey);

/// The effects of merging into an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergedEnvironment {
    /// Number of days that it had not reported before.
    pub new_days: Vec<Day>,
    /// Change of its number of lost reports.
    pub lost: i64,
}

/// Environments that can still send.
#[derive(Debug)]
pub struct Environments<'u> {
    pub(super) tx: &'u Connection,
    pub(super) rows: &'u mut WorkingSet,
}

impl Environments<'_> {
    /// Adds `view`, from record `seq` of the environment if it came in one. Returns `None` if that record was
    /// already added (W7).
    pub fn merge(
        &mut self,
        function: FunctionId,
        key: &EnvironmentKey,
        view: &EnvironmentState,
        seq: Option<u64>,
    ) -> Result<Option<MergedEnvironment>, StoreError> {
        let tx = self.tx;
        let known = function < self.rows.unwritten;
        let load = |row: &EnvironmentRow| {
            let stored = if known { select(tx, row)? } else { None };
            Ok(stored.unwrap_or_else(|| EnvironmentState::starting(view.first)))
        };
        let environments = &mut self.rows.environments;
        let state = environments.change((function, key.clone()), load)?;
        let before = state.lost();
        let Some(new_days) = state.absorb(view, seq) else {
            return Ok(None);
        };
        Ok(Some(MergedEnvironment {
            new_days,
            lost: int(state.lost()).saturating_sub(int(before)),
        }))
    }

    pub(super) fn flush(&mut self) -> Result<(), StoreError> {
        let mut write = self.tx.prepare_cached(
            "INSERT OR REPLACE INTO environments (function_id, env, memory_mb, version, first_ms,
                last_ms, marks, total, seen, events_dropped, days, arch, self_kib, high_water, used, start_ms)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?;
        let mut texts = Texts::default();
        self.rows.environments.write_back(|(function, key), state| {
            let unwritten = |_| StoreError::Damaged("an environment has no text".into());
            texts.fill(key, state).map_err(unwritten)?;
            write.execute(params![
                function,
                texts.env,
                key.memory_mb.0,
                key.version,
                state.first.as_ms(),
                state.last.as_ms(),
                texts.marks,
                int(state.total),
                int(state.seen),
                int(state.events_dropped),
                texts.days,
                state.arch.map(Arch::name),
                int(state.self_kib),
                texts.high_water,
                texts.used,
                state.start_ms.map(int),
            ])?;
            Ok(())
        })
    }
}

/// The text columns of an environment's row. The buffers are reused, because a million environments would
/// otherwise allocate four million strings.
#[derive(Default)]
struct Texts {
    env: String,
    marks: String,
    days: String,
    high_water: String,
    used: String,
}

impl Texts {
    fn fill(&mut self, key: &EnvironmentKey, state: &EnvironmentState) -> fmt::Result {
        let texts = [
            &mut self.env,
            &mut self.marks,
            &mut self.days,
            &mut self.high_water,
            &mut self.used,
        ];
        texts.into_iter().for_each(String::clear);
        write!(self.env, "{}", key.env)?;
        write!(self.marks, "{}", state.marks)?;
        for (n, day) in state.days.iter().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            write!(self.days, "{comma}{}", day.number())?;
        }
        write!(self.high_water, "{}", state.high_water)?;
        write!(self.used, "{}", state.used)
    }
}

fn select(
    tx: &Connection,
    (function, key): &EnvironmentRow,
) -> Result<Option<EnvironmentState>, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT first_ms, last_ms, marks, total, seen, events_dropped, days, arch, self_kib, high_water,
                used, start_ms
         FROM environments WHERE function_id = ? AND env = ? AND memory_mb = ? AND version = ?",
    )?;
    let key = params![function, key.env.to_string(), key.memory_mb.0, key.version];
    statement
        .query_row(key, |row| Ok(read(row)))
        .optional()?
        .transpose()
}

pub(super) fn read(row: &Row<'_>) -> Result<EnvironmentState, StoreError> {
    let number = |n| row.get::<_, i64>(n);
    let text = |n| row.get::<_, String>(n);
    let damaged = |what: &str| StoreError::Damaged(format!("an environment's {what}"));
    let days: String = text(6)?;
    let days: Option<Vec<Day>> = days
        .split(',')
        .filter(|day| !day.is_empty())
        .map(|day| day.parse().ok().map(Day::from_number))
        .collect();
    let arch: Option<String> = row.get(7)?;
    Ok(EnvironmentState {
        first: timestamp(number(0)?)?,
        last: timestamp(number(1)?)?,
        marks: SeqMarks::from_text(&text(2)?).ok_or_else(|| damaged("marks"))?,
        total: count(number(3)?),
        seen: count(number(4)?),
        events_dropped: count(number(5)?),
        days: days.ok_or_else(|| damaged("days"))?,
        arch: arch.map(|name| Arch::from_name(&name)),
        self_kib: count(number(8)?),
        high_water: HighWater::from_text(&text(9)?).ok_or_else(|| damaged("high-water marks"))?,
        used: UsedCounts::from_text(&text(10)?).ok_or_else(|| damaged("counts of memory used"))?,
        start_ms: row.get::<_, Option<i64>>(11)?.map(count),
    })
}
