//! `days` and `peaks`: the figures of each day, and the peaks alone for longer.

use rightsizer_records::{Day, EnvId, Megabytes};
use rightsizer_rules::window::{
    DayDelta, DayKey, DaySource, DayStats, Distribution, Hours, PeakOfDay, Witnesses,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{count, int, megabytes};
use super::error::StoreError;
use super::unit::{FunctionId, WorkingSet};

/// Key of a row of `days`, in the table's order: the day is first, so that a live commit touches one day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct DayRow {
    day: Day,
    pub(super) function: FunctionId,
    source: DaySource,
    memory_mb: Megabytes,
    version: String,
}

impl DayRow {
    pub(super) fn new(function: FunctionId, key: DayKey) -> Self {
        Self {
            day: key.day,
            function,
            source: key.source,
            memory_mb: key.memory_mb,
            version: key.version,
        }
    }
}

/// Key of a row of `peaks`, in the table's own order.
pub(super) type PeakKey = (FunctionId, Day);

/// The effects of merging into a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MergedDay {
    /// Whether the day's peak has risen.
    pub raised: bool,
    /// The day's peak now.
    pub peak_mb: Megabytes,
    /// Whether the merged data hid the demand.
    pub censored: bool,
}

/// The days of functions.
#[derive(Debug)]
pub struct Days<'u> {
    pub(super) tx: &'u Connection,
    pub(super) rows: &'u mut WorkingSet,
}

impl Days<'_> {
    /// Whether the store had evidence of a function's day from a file before this unit of work touched it.
    pub fn was_in_a_file(&self, function: FunctionId, day: Day) -> Result<bool, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT 1 FROM days WHERE day = ? AND function_id = ? AND source >= 1099511627776 LIMIT 1",
        )?;
        let found = statement.query_row(params![day.number(), function], |_| Ok(()));
        Ok(found.optional()?.is_some())
    }

    /// Adds `delta` to its day. If `env` names an environment, the delta is of that environment only.
    pub fn merge(
        &mut self,
        function: FunctionId,
        delta: DayDelta,
        env: Option<EnvId>,
    ) -> Result<MergedDay, StoreError> {
        let DayDelta { mut key, stats } = delta;
        let peak = PeakOfDay::of(&stats, key.memory_mb, env);
        self.admit(function, &mut key)?;
        let merged = self.merge_peak(function, key.day, peak)?;
        let row = DayRow::new(function, key);
        let tx = self.tx;
        let known = function < self.rows.unwritten;
        let load = |row: &DayRow| {
            let stored = if known { select_day(tx, row)? } else { None };
            Ok(stored.unwrap_or_default())
        };
        self.rows.days.change(row, load)?.merge(&stats);
        Ok(merged)
    }

    fn merge_peak(
        &mut self,
        function: FunctionId,
        day: Day,
        peak: PeakOfDay,
    ) -> Result<MergedDay, StoreError> {
        let nothing = PeakOfDay::default();
        let (tx, key) = (self.tx, (function, day));
        let known = function < self.rows.unwritten;
        let peaks = &mut self.rows.peaks;
        let load = || {
            let stored = if known {
                select_peak(tx, function, day)?
            } else {
                None
            };
            Ok(stored.unwrap_or(nothing))
        };
        let before = *peaks.read(key, load)?;
        let after = before.join(peak);
        if after != before {
            *peaks.change(key, |_| Ok(nothing))? = after;
        }
        Ok(MergedDay {
            raised: after.peak_mb > before.peak_mb,
            peak_mb: after.peak_mb,
            censored: peak.censored_mb > Megabytes(0),
        })
    }

    fn flush_peaks(&mut self) -> Result<(), StoreError> {
        let mut peak = self.tx.prepare_cached(
            "INSERT OR REPLACE INTO peaks (function_id, day, peak_mb, censored_mb)
             VALUES (?, ?, ?, ?)",
        )?;
        let mut seen_by = self
            .tx
            .prepare_cached("INSERT OR REPLACE INTO witnesses VALUES (?, ?, ?, ?, ?, ?, ?)")?;
        self.rows.peaks.write_back(|(function, day), row| {
            let figures = (row.peak_mb.0, row.censored_mb.0);
            peak.execute(params![function, day.number(), figures.0, figures.1])?;
            let [one, two] = row.seen_by.top;
            seen_by.execute(params![
                function,
                day.number(),
                row.seen_by.shown.0,
                one.0.0,
                one.1.0.cast_signed(),
                two.0.0,
                two.1.0.cast_signed()
            ])?;
            Ok(())
        })
    }

    pub(super) fn flush(&mut self) -> Result<(), StoreError> {
        self.flush_peaks()?;
        let mut write = self.tx.prepare_cached(
            "INSERT OR REPLACE INTO days (day, function_id, source, memory_mb, version, peak_mb,
                invocations, errors, timeouts, ooms, at_limit, censored, environments, billed_ms,
                cpu_ms, cpu_wall_ms, durations, used, crashes, heap_limits, inits, firsts, firsts_ms,
                restores, failed_inits, failed_restores, hours)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?;
        self.rows.days.write_back(|key, day| {
            day.settle();
            write.execute(params![
                key.day.number(),
                key.function,
                key.source.rank(),
                key.memory_mb.0,
                key.version,
                day.peak_mb.0,
                int(day.invocations),
                int(day.errors),
                int(day.timeouts),
                int(day.ooms),
                int(day.at_limit),
                day.censored,
                int(day.environments),
                int(day.billed_ms),
                int(day.cpu_ms),
                int(day.cpu_wall_ms),
                day.durations.to_bytes(),
                day.used.to_bytes(),
                int(day.crashes),
                int(day.heap_limits),
                day.inits.to_bytes(),
                int(day.firsts),
                int(day.firsts_ms),
                day.restores.to_bytes(),
                day.failed_inits.to_bytes(),
                day.failed_restores.to_bytes(),
                day.hours.to_bytes(),
            ])?;
            Ok(())
        })
    }
}

impl WorkingSet {
    /// Drops the cached rows of one source's day.
    pub(super) fn forget_days(&mut self, source: DaySource, day: Day) {
        self.days
            .forget(|row| row.source == source && row.day == day);
    }
}

/// The columns that [`read_day`] reads, in its order.
macro_rules! day_columns {
    () => {
        "peak_mb, invocations, errors, timeouts, ooms, at_limit, censored, environments, billed_ms, cpu_ms,
         cpu_wall_ms, durations, used, crashes, heap_limits, inits, firsts, firsts_ms, restores,
         failed_inits, failed_restores, hours"
    };
}
pub(super) use day_columns;
/// The number of [`day_columns`]; others may follow them.
pub(super) const DAY_COLUMNS: usize = 22;

fn select_day(tx: &Connection, key: &DayRow) -> Result<Option<DayStats>, StoreError> {
    let mut statement = tx.prepare_cached(concat!(
        "SELECT ",
        day_columns!(),
        " FROM days WHERE day = ? AND function_id = ? AND source = ? AND memory_mb = ? AND version = ?"
    ))?;
    let key = params![
        key.day.number(),
        key.function,
        key.source.rank(),
        key.memory_mb.0,
        key.version
    ];
    statement
        .query_row(key, |row| Ok(read_day(row)))
        .optional()?
        .transpose()
}

pub(super) fn read_day(row: &Row<'_>) -> Result<DayStats, StoreError> {
    let number = |n: usize| row.get::<_, i64>(n);
    let distribution = |n: usize| -> Result<Distribution, StoreError> {
        let bytes = row.get_ref(n)?.as_blob().map_err(rusqlite::Error::from)?;
        Ok(Distribution::from_bytes(bytes)?)
    };
    Ok(DayStats {
        peak_mb: megabytes(number(0)?),
        invocations: count(number(1)?),
        errors: count(number(2)?),
        timeouts: count(number(3)?),
        ooms: count(number(4)?),
        at_limit: count(number(5)?),
        censored: row.get(6)?,
        environments: count(number(7)?),
        billed_ms: count(number(8)?),
        cpu_ms: count(number(9)?),
        cpu_wall_ms: count(number(10)?),
        durations: distribution(11)?,
        used: distribution(12)?,
        crashes: count(number(13)?),
        heap_limits: count(number(14)?),
        inits: distribution(15)?,
        restores: distribution(18)?,
        failed_inits: distribution(19)?,
        failed_restores: distribution(20)?,
        hours: hours(row, 21)?,
        firsts: count(number(16)?),
        firsts_ms: count(number(17)?),
    })
}

/// Returns the durations by the time of the day in a column.
pub(super) fn hours(row: &Row<'_>, column: usize) -> Result<Hours, StoreError> {
    let bytes = row.get_ref(column)?.as_blob();
    Ok(Hours::from_bytes(bytes.map_err(rusqlite::Error::from)?)?)
}

/// Returns the sources that saw a peak, from the columns beginning with `first`.
pub(super) fn witnesses(row: &Row<'_>, first: usize) -> rusqlite::Result<Witnesses> {
    let env = |n| Ok::<_, rusqlite::Error>(EnvId(row.get::<_, i64>(n)?.cast_unsigned()));
    let mb = |n| Ok::<_, rusqlite::Error>(megabytes(row.get(n)?));
    Ok(Witnesses {
        shown: mb(first)?,
        top: [
            (mb(first + 1)?, env(first + 2)?),
            (mb(first + 3)?, env(first + 4)?),
        ],
    })
}

pub(super) fn select_peak(
    tx: &Connection,
    function: FunctionId,
    day: Day,
) -> Result<Option<PeakOfDay>, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT p.peak_mb, p.censored_mb, coalesce(w.shown_mb, p.peak_mb), coalesce(w.one_mb, 0),
                coalesce(w.one_env, 0), coalesce(w.two_mb, 0), coalesce(w.two_env, 0)
         FROM peaks p LEFT JOIN witnesses w ON w.function_id = p.function_id AND w.day = p.day
         WHERE p.function_id = ? AND p.day = ?",
    )?;
    let row = statement
        .query_row(params![function, day.number()], |row| {
            Ok(PeakOfDay {
                peak_mb: megabytes(row.get(0)?),
                censored_mb: megabytes(row.get(1)?),
                seen_by: witnesses(row, 2)?,
            })
        })
        .optional()?;
    Ok(row)
}
