//! The invocations before and after a change, for its verdict.

use std::sync::LazyLock;

use rightsizer_records::{Day, Megabytes, Millis, Timestamp};
use rightsizer_rules::lifecycle::Status;
use rightsizer_rules::outcome::{After, Before, Failures, Reverted, Silences, Trial, slow_above};
use rightsizer_rules::window::{DaySource, Distribution, WINDOW_DAYS};
use rusqlite::{Connection, Row, params};

use super::columns::{count, megabytes, timestamp};
use super::error::StoreError;
use super::transitions::{any_of, status};
use super::unit::FunctionId;

/// Longest time between a change and the updater's outcome; environments that begin in between begin at the new
/// size.
const OUTCOME_WITHIN_MS: i64 = 900_000;

/// The last change of a function's size.
static LAST_CHANGE: LazyLock<String> = LazyLock::new(|| {
    let changed = Status::ALL.into_iter().filter(|s| s.has_changed_size());
    format!(
        "SELECT id, from_mb, to_mb, applied_ms, status FROM recommendations
         WHERE function_id = ? AND applied_ms IS NOT NULL AND {}
         ORDER BY applied_ms DESC, id DESC LIMIT 1",
        any_of(changed)
    )
});

/// A change that was applied and has no verdict yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenTrial {
    /// The recommendation that brought it.
    pub id: String,
    /// The size before.
    pub from_mb: Megabytes,
    /// The size that was applied.
    pub to_mb: Megabytes,
    /// When, by the window's clock.
    pub applied_at: Timestamp,
}

/// One row of `days`: the invocations at one size.
struct DayOfSize {
    day: Day,
    source: u8,
    size: Megabytes,
    invocations: u64,
    environments: u64,
    errors: u64,
    timeouts: u64,
    censored: bool,
    ooms: u64,
    billed_ms: u64,
    durations: Distribution,
}

impl DayOfSize {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let number = |n: usize| -> rusqlite::Result<u64> { Ok(count(row.get(n)?)) };
        let durations = row.get_ref(9)?.as_blob().map_err(rusqlite::Error::from)?;
        Ok(Self {
            day: Day::from_number(row.get(0)?),
            source: DaySource::kind(row.get(1)?),
            size: megabytes(row.get(2)?),
            invocations: number(3)?,
            environments: number(10)?,
            errors: number(4)?,
            timeouts: number(5)?,
            ooms: number(6)?,
            censored: row.get(7)?,
            billed_ms: number(8)?,
            durations: Distribution::from_bytes(durations)?,
        })
    }
}

/// Changes without a verdict.
#[derive(Debug)]
pub struct Trials<'u> {
    pub(super) tx: &'u Connection,
}

impl Trials<'_> {
    /// Returns the last change of a function, if it has no verdict yet.
    pub fn open(&self, id: FunctionId) -> Result<Option<OpenTrial>, StoreError> {
        let mut statement = self.tx.prepare_cached(&LAST_CHANGE)?;
        let mut rows = statement.query([id])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        if status(row.get_ref(4)?)? != Status::Applied {
            return Ok(None);
        }
        Ok(Some(OpenTrial {
            id: row.get(0)?,
            from_mb: megabytes(row.get(1)?),
            to_mb: megabytes(row.get(2)?),
            applied_at: timestamp(row.get(3)?)?,
        }))
    }

    /// Returns the evidence on a change at `now`, by the window's clock. Invocations on the day of the change are
    /// assigned by their size.
    pub fn evidence(
        &self,
        id: FunctionId,
        open: &OpenTrial,
        now: Timestamp,
        p95_tolerance: f64,
    ) -> Result<Trial, StoreError> {
        let changed = open.applied_at.day();
        let days = self.days_of(id, changed.plus(-WINDOW_DAYS), now.day())?;
        let (earlier, later): (Vec<_>, Vec<_>) = days
            .into_iter()
            .filter(|d| d.size == open.from_mb || (d.size == open.to_mb && d.day >= changed))
            .partition(|d| d.size == open.from_mb);
        let earlier: Vec<_> = earlier.into_iter().filter(|d| d.day <= changed).collect();
        let before = before(&earlier);
        let slow_above = before.p95.and_then(|p95| slow_above(p95, p95_tolerance));
        let last: i64 = self
            .tx
            .prepare_cached("SELECT last_ms FROM functions WHERE id = ?")?
            .query_row([id], |row| row.get(0))?;
        let silent_ms = now.as_ms() - last.max(open.applied_at.as_ms());
        let silent_hours = u32::try_from(silent_ms / 3_600_000).unwrap_or(0);
        Ok(Trial {
            from_mb: open.from_mb,
            to_mb: open.to_mb,
            applied_at: open.applied_at,
            now,
            before,
            after: After {
                environments: Some(self.environments_since(id, open, &later)?),
                ..after(&later, slow_above, silent_hours)
            },
            p95_tolerance,
            reverted_sightings: self.reverted(id, open)?.sightings(),
        })
    }

    /// The days' rows of the source that counts on each (W7), by day.
    fn days_of(&self, id: FunctionId, from: Day, to: Day) -> Result<Vec<DayOfSize>, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT day, source, memory_mb, invocations, errors, timeouts, ooms, censored, billed_ms,
                    durations, environments
             FROM days WHERE day = ? AND function_id = ? ORDER BY source",
        )?;
        let mut days: Vec<DayOfSize> = Vec::new();
        for day in from.number()..=to.number() {
            let mut rows = statement.query(params![day, id])?;
            while let Some(row) = rows.next()? {
                let read = DayOfSize::read(row)?;
                let counts = days.last().filter(|d| d.day == read.day);
                if counts.is_none_or(|d| d.source == read.source) {
                    days.push(read);
                }
            }
        }
        Ok(days)
    }

    /// Environments that began at the new size since the change; for sources that cannot
    /// distinguish them, as many as their days count.
    fn environments_since(
        &self,
        id: FunctionId,
        open: &OpenTrial,
        later: &[DayOfSize],
    ) -> Result<u32, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT count(DISTINCT env) FROM environments
             WHERE function_id = ? AND memory_mb = ? AND first_ms >= ? AND days <> ''",
        )?;
        let since = open.applied_at.as_ms() - OUTCOME_WITHIN_MS;
        let key = params![id, open.to_mb.0, since];
        let begun: u32 = statement.query_row(key, |row| row.get(0))?;
        let counted = later.iter().filter(|day| day.source > 1);
        let counted: u64 = counted.map(|day| day.environments).sum();
        Ok(begun.max(u32::try_from(counted).unwrap_or(u32::MAX)))
    }

    /// Environments that began at the old size after every one that began at the new. Those from
    /// logs have no numbered records, and count with the required number of invocations.
    fn reverted(&self, id: FunctionId, open: &OpenTrial) -> Result<Reverted, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT count(DISTINCT env), coalesce(sum(CASE WHEN marks = '' THEN 5 ELSE seen END), 0)
             FROM environments WHERE function_id = ?1 AND memory_mb = ?2 AND days <> ''
                AND first_ms > (SELECT max(first_ms) FROM environments
                    WHERE function_id = ?1 AND memory_mb = ?3 AND first_ms >= ?4)",
        )?;
        let key = params![id, open.from_mb.0, open.to_mb.0, open.applied_at.as_ms()];
        let (environments, invocations): (u32, i64) =
            statement.query_row(key, |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut account = self.tx.prepare_cached(
            "SELECT coalesce(told_ms + 86400000 >= last_ms AND account_mb <> ?2, 0)
             FROM functions_now WHERE id = ?1",
        )?;
        Ok(Reverted {
            environments,
            invocations: count(invocations),
            contradicted: account.query_row(params![id, open.from_mb.0], |row| row.get(0))?,
        })
    }
}

fn before(days: &[DayOfSize]) -> Before {
    let mut durations = Distribution::default();
    let mut sum = Before::default();
    let mut dates: Vec<Day> = Vec::new();
    for day in days {
        sum.invocations += day.invocations;
        sum.billed_ms += day.billed_ms;
        add(&mut sum.errors, day.errors, day.invocations);
        add(&mut sum.timeouts, day.timeouts, day.invocations);
        durations.merge(&day.durations);
        if dates.last() != Some(&day.day) {
            dates.push(day.day);
        }
    }
    sum.p95 = durations.quantile(0.95).map(Millis::from_ms);
    let gaps = dates
        .windows(2)
        .map(|pair| pair[1].number() - pair[0].number());
    let longest = gaps.max().and_then(|days| u32::try_from(days).ok());
    sum.silences = Silences {
        count: dates.len() as u64,
        longest_hours: longest.unwrap_or(1) * 24,
    };
    sum
}

fn add(failures: &mut Failures, count: u64, of: u64) {
    failures.count += count;
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let share = count as f64 / of.max(1) as f64;
    failures.worst_day_share = failures.worst_day_share.max(share);
}

fn after(days: &[DayOfSize], slow_above: Option<Millis>, silent_hours: u32) -> After {
    let mut sum = After {
        silent_hours,
        ..After::default()
    };
    for day in days {
        sum.invocations += day.invocations;
        sum.billed_ms += day.billed_ms;
        sum.errors += day.errors;
        sum.timeouts += day.timeouts;
        // A failure at the size may be one (P3): the day remembers that there was one.
        sum.out_of_memory += day.ooms.max(u64::from(day.censored));
        sum.timed += day.durations.count();
        if let Some(limit) = slow_above {
            sum.slow += day.durations.above(limit.ceil_ms());
        }
    }
    sum
}
