//! `environments`: deduplication marks and counts of every environment that can still send.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::ops::RangeInclusive;

use rightsizer_records::{Arch, Day};
use rightsizer_rules::policy::{self, Leak};
use rightsizer_rules::window::{EnvironmentKey, EnvironmentState, HighWater, SeqMarks, UsedCounts};
use rusqlite::{OptionalExtension, Row, params};

use super::columns::{count, int, megabytes, timestamp};
use super::error::StoreError;
use super::unit::{FunctionId, Unit};

/// Key of a row, in the table's own order.
pub(super) type EnvironmentRow = (FunctionId, EnvironmentKey);

/// What merging into an environment changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergedEnvironment {
    /// Days it had not reported on before.
    pub new_days: Vec<Day>,
    /// By how much its number of lost reports changed.
    pub lost: i64,
}

impl Unit<'_> {
    /// Adds `view`, from record `seq` of the environment if it came in one; `None` if that record
    /// was added before (W7).
    pub fn merge_environment(
        &mut self,
        function: FunctionId,
        key: &EnvironmentKey,
        view: &EnvironmentState,
        seq: Option<u64>,
    ) -> Result<Option<MergedEnvironment>, StoreError> {
        let tx = &self.tx;
        let known = function < self.memory.set.unwritten;
        let load = |row: &EnvironmentRow| {
            let stored = if known { select(tx, row)? } else { None };
            Ok(stored.unwrap_or_else(|| EnvironmentState::starting(view.first)))
        };
        let environments = &mut self.memory.set.environments;
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

    /// Which functions of `ids` leak (P3), by their environments that reported on or after `day`.
    pub(super) fn leaks(
        &self,
        ids: &RangeInclusive<FunctionId>,
        day: Day,
    ) -> Result<HashMap<FunctionId, Leak>, StoreError> {
        // Only environments that served more than 32 invocations can be judged; those from logs
        // only if they used at least four different amounts.
        let mut statement = self.tx.prepare_cached(
            "SELECT function_id, memory_mb, high_water, used FROM environments
             WHERE function_id BETWEEN ? AND ? AND last_ms >= ?
                AND ((seen > 32 AND high_water LIKE '%,%,%,%,%,%,%') OR used LIKE '%:%:%:%:%')",
        )?;
        let since = day.start().as_ms();
        let mut rows = statement.query(params![ids.start(), ids.end(), since])?;
        let mut climbs: HashMap<FunctionId, Vec<policy::Climb>> = HashMap::new();
        while let Some(row) = rows.next()? {
            let text = |n| row.get_ref(n)?.as_str().map_err(rusqlite::Error::from);
            let damaged = || StoreError::Damaged("an environment's memory used".into());
            let used = UsedCounts::from_text(text(3)?).ok_or_else(damaged)?.marks();
            // An environment is known either from its layer or from its logs.
            let marks = match HighWater::from_text(text(2)?).ok_or_else(damaged)?.marks() {
                high if high.is_empty() => used,
                high => high,
            };
            let climb = policy::climb(&marks, megabytes(row.get(1)?));
            climbs.entry(row.get(0)?).or_default().push(climb);
        }
        let leaks = climbs.into_iter();
        Ok(leaks
            .filter_map(|(id, climbs)| Some((id, policy::leak(climbs)?)))
            .collect())
    }

    /// Whether a log event is new; it is not from now on.
    pub fn is_new_event(&self, day: Day, id: u64) -> Result<bool, StoreError> {
        let new = self
            .tx
            .prepare_cached("INSERT OR IGNORE INTO log_events (day, id) VALUES (?, ?)")?
            .execute(params![day.number(), id.cast_signed()])?;
        Ok(new > 0)
    }

    pub(super) fn flush_environments(&mut self) -> Result<(), StoreError> {
        let mut write = self.tx.prepare_cached(
            "INSERT OR REPLACE INTO environments (function_id, env, memory_mb, version, first_ms,
                last_ms, marks, total, seen, events_dropped, days, arch, self_kib, high_water, used)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?;
        let mut texts = Texts::default();
        self.memory
            .set
            .environments
            .write_back(|(function, key), state| {
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
                ])?;
                Ok(())
            })
    }
}

/// The text columns of an environment's row. The buffers are reused, because a million environments
/// would allocate four million strings.
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
    tx: &rusqlite::Connection,
    (function, key): &EnvironmentRow,
) -> Result<Option<EnvironmentState>, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT first_ms, last_ms, marks, total, seen, events_dropped, days, arch, self_kib, high_water,
                used
         FROM environments WHERE function_id = ? AND env = ? AND memory_mb = ? AND version = ?",
    )?;
    let key = params![function, key.env.to_string(), key.memory_mb.0, key.version];
    statement
        .query_row(key, |row| Ok(read(row)))
        .optional()?
        .transpose()
}

fn read(row: &Row<'_>) -> Result<EnvironmentState, StoreError> {
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
    })
}
