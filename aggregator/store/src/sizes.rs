//! What each version of a function did at each memory size, for power curves and cold starts. Read beside the
//! writer; no decision waits for it.

use std::collections::BTreeMap;

use rightsizer_records::{Arch, Day, Megabytes};
use rightsizer_rules::assess::size_hours;
use rightsizer_rules::power::{
    Deployment, Durations, FIRST_HOURS, FirstHours, Firsts, SizeHours, SizeUse, match_hours,
};
use rightsizer_rules::window::{DETAIL_DAYS, DaySource, Distribution, Hours, OTHER_SIZES};
use rusqlite::{OptionalExtension, Row, params};

use super::columns::{count, megabytes};
use super::days;
use super::error::StoreError;
use super::open::Reader;
use super::unit::FunctionId;

/// A day of a function, with the columns that [`Sum::add`] reads.
pub(super) const DAY: &str =
    "SELECT source, memory_mb, version, invocations, errors, timeouts, ooms, billed_ms, cpu_ms,
        cpu_wall_ms, peak_mb, durations, inits, used, firsts, firsts_ms, restores,
        failed_inits, failed_restores, hours
     FROM days WHERE day = ? AND function_id = ? ORDER BY source";
/// CPU time of fewer milliseconds of durations than this is not a measurement: it has ticks of 10 ms.
const LEAST_CPU_WALL_MS: u64 = 1000;

/// The sum over the days of one version at one size.
struct Sum {
    first_day: Day,
    last_day: Day,
    invocations: u64,
    errors: u64,
    timeouts: u64,
    ooms: u64,
    billed_ms: u64,
    cpu_ms: u64,
    cpu_wall_ms: u64,
    firsts: u64,
    firsts_ms: u64,
    peak_mb: Megabytes,
    durations: Distribution,
    inits: Distribution,
    restores: Distribution,
    failed_inits: Distribution,
    failed_restores: Distribution,
    /// Starts of the day on which the version appeared, if that was seen, and those of later days.
    first_starts: Distribution,
    later_starts: Distribution,
    used: Distribution,
    /// Durations by the time of the day.
    hours: Vec<(Day, Hours)>,
}

impl Reader {
    /// Returns what each version of a function did at each size, in the days that are remembered in detail. Days
    /// before its code changed are left out, and so are those before a person cleared its sizes: its need has changed,
    /// so it did other work then, and durations of different work cannot be compared. Of a day, only the kind of
    /// source that counts is included (W7). The layer sees no start that failed: on its days, these come from the first
    /// of the other kinds that has any.
    pub fn sizes(&self, function: &str) -> Result<Vec<SizeUse>, StoreError> {
        let head = "SELECT id, last_ms / 86400000, coalesce(cleared_day, -1), first_ms / 86400000
             FROM functions WHERE function = ?";
        let columns = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        let found = self.connection.query_row(head, [function], columns);
        let Some((id, last, cleared, first)): Option<(FunctionId, i32, i32, i32)> =
            found.optional()?
        else {
            return Ok(Vec::new());
        };
        let mut statement = self.connection.prepare_cached(DAY)?;
        let from = (last - DETAIL_DAYS).max(cleared + 1);
        let mut sums = Sums {
            watched_since: Day::from_number(from.max(first)),
            by: BTreeMap::new(),
            appeared: BTreeMap::new(),
        };
        for day in from..=last {
            let mut rows = statement.query(params![day, id])?;
            let (mut counting, mut failed_by) = (None, None);
            let layer = DaySource::kind(DaySource::Layer.rank());
            while let Some(row) = rows.next()? {
                let (kind, day) = (DaySource::kind(row.get(0)?), Day::from_number(day));
                let counted = *counting.get_or_insert(kind);
                if counted == kind {
                    sums.add(day, row)?;
                } else if counted == layer
                    && has_failed_starts(row)?
                    && *failed_by.get_or_insert(kind) == kind
                {
                    sums.add_failed(day, row)?;
                }
            }
        }
        let architectures = self.architectures(id)?;
        let mut first_hours = self.first_hours(id, sums.watched_since)?;
        let mut factors = sums.match_hours();
        first_hours.extend(self.first_hours_of_latest(id)?);
        let used = sums.by.into_iter().map(|(key, sum)| {
            let arch = architectures.get(&key).copied();
            let first_hours = first_hours.remove(&key);
            SizeUse {
                arch,
                hours_factor: factors.remove(&key),
                first_hours: first_hours.and_then(|(first, later)| hours(&first, &later)),
                ..sum.used(key)
            }
        });
        Ok(used.collect())
    }

    /// The architecture of each version at each size of which the layer reported only one. A deployed version has one;
    /// that of `$LATEST` may change.
    fn architectures(&self, id: FunctionId) -> Result<BTreeMap<Key, Arch>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT version, memory_mb, min(arch) FROM environments WHERE function_id = ? AND arch IS NOT NULL
             GROUP BY version, memory_mb HAVING min(arch) = max(arch)",
        )?;
        let rows = statement.query_map([id], |row| {
            let arch: String = row.get(2)?;
            Ok((
                (row.get(0)?, megabytes(row.get(1)?)),
                Arch::from_name(&arch),
            ))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Reader {
    /// The starts in the first hours after each version appeared, and later ones. Environments have a start of their
    /// own, and the first of a version's shows when it appeared. A version that was there on the first day that is looked
    /// at may have been deployed long before.
    fn first_hours(
        &self,
        id: FunctionId,
        watched_since: Day,
    ) -> Result<BTreeMap<Key, (Distribution, Distribution)>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT version, memory_mb, first_ms, start_ms FROM environments
             WHERE function_id = ? AND version NOT IN ('$LATEST', 'other') ORDER BY version, first_ms",
        )?;
        let mut rows = statement.query([id])?;
        let mut starts: BTreeMap<Key, (Distribution, Distribution)> = BTreeMap::new();
        let mut appeared: Option<(String, i64)> = None;
        while let Some(row) = rows.next()? {
            let (version, at): (String, i64) = (row.get(0)?, row.get(2)?);
            let since = match &appeared {
                Some((known, since)) if *known == version => *since,
                _ => appeared.insert((version.clone(), at)).1,
            };
            let start: Option<i64> = row.get(3)?;
            let (Some(start), true) = (start, since >= watched_since.plus(1).start().as_ms())
            else {
                continue;
            };
            let (first, later) = starts.entry((version, megabytes(row.get(1)?))).or_default();
            let of = if at - since < FIRST_HOURS * HOUR_MS {
                first
            } else {
                later
            };
            of.record(count(start));
        }
        Ok(starts)
    }

    /// The same of `$LATEST`, whose code changes in place: the inventory shows when it did so last. What started before
    /// that is of other code.
    fn first_hours_of_latest(
        &self,
        id: FunctionId,
    ) -> Result<BTreeMap<Key, (Distribution, Distribution)>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT e.memory_mb, e.first_ms - i.code_ms, e.start_ms FROM environments e
             JOIN functions f ON f.id = e.function_id JOIN inventory i ON i.function = f.function
             WHERE e.function_id = ? AND e.version = '$LATEST' AND e.first_ms >= i.code_ms AND e.start_ms IS NOT NULL",
        )?;
        let mut rows = statement.query([id])?;
        let mut starts: BTreeMap<Key, (Distribution, Distribution)> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let key = (LATEST.to_owned(), megabytes(row.get(0)?));
            let (first, later) = starts.entry(key).or_default();
            let after: i64 = row.get(1)?;
            let of = if after < FIRST_HOURS * HOUR_MS {
                first
            } else {
                later
            };
            of.record(count(row.get(2)?));
        }
        Ok(starts)
    }
}

const HOUR_MS: i64 = 3_600_000;

fn hours(first: &Distribution, later: &Distribution) -> Option<FirstHours> {
    Some(FirstHours {
        hours: FIRST_HOURS,
        first: figures(first)?,
        later: figures(later)?,
    })
}

/// The version whose code changes in place.
const LATEST: &str = "$LATEST";

/// Version and size.
type Key = (String, Megabytes);

/// The sums of a function.
struct Sums {
    by: BTreeMap<Key, Sum>,
    /// The first day that is looked at and on which the function was watched: a version that is there on this day
    /// may have been deployed long before.
    watched_since: Day,
    /// The first day of each version.
    appeared: BTreeMap<String, Day>,
}

impl Sums {
    fn add(&mut self, day: Day, row: &Row<'_>) -> Result<(), StoreError> {
        let (memory_mb, version) = (megabytes(row.get(1)?), row.get::<_, String>(2)?);
        if memory_mb == OTHER_SIZES {
            return Ok(());
        }
        let appeared = *self.appeared.entry(version.clone()).or_insert(day);
        // Of `$LATEST`, the day on which its code changed belongs to both codes.
        let deployed = appeared == day && day > self.watched_since && version != LATEST;
        let sum = self.by.entry((version, memory_mb));
        sum.or_insert_with(|| Sum::from(day))
            .add(day, row, deployed)
    }

    /// Returns by which factor the durations of each size change at the hours of all sizes of its version.
    fn match_hours(&mut self) -> BTreeMap<Key, f64> {
        let mut versions: BTreeMap<String, (Vec<Megabytes>, Vec<SizeHours>)> = BTreeMap::new();
        for ((version, size), sum) in &mut self.by {
            let (sizes, hours) = versions.entry(version.clone()).or_default();
            sizes.push(*size);
            let days = std::mem::take(&mut sum.hours);
            let days = days.iter().map(|(day, hours)| (*day, hours));
            hours.push(size_hours(days, &sum.durations));
        }
        let matched = versions.into_iter().flat_map(|(version, (sizes, hours))| {
            let factors = sizes.into_iter().zip(match_hours(&hours));
            factors.filter_map(move |(size, factor)| Some(((version.clone(), size), factor?)))
        });
        matched.collect()
    }

    /// Adds the starts of a row that failed, and nothing else.
    fn add_failed(&mut self, day: Day, row: &Row<'_>) -> Result<(), StoreError> {
        let (memory_mb, version) = (megabytes(row.get(1)?), row.get::<_, String>(2)?);
        if memory_mb == OTHER_SIZES {
            return Ok(());
        }
        let sum = self.by.entry((version, memory_mb));
        let sum = sum.or_insert_with(|| Sum::from(day));
        sum.failed_inits.merge(&distribution(row, 17)?);
        sum.failed_restores.merge(&distribution(row, 18)?);
        Ok(())
    }
}

/// Whether a row of [`DAY`] has a start that failed.
fn has_failed_starts(row: &Row<'_>) -> Result<bool, StoreError> {
    Ok(distribution(row, 17)?.count() + distribution(row, 18)?.count() > 0)
}

/// The histogram in a column of [`DAY`].
fn distribution(row: &Row<'_>, column: usize) -> Result<Distribution, StoreError> {
    let bytes = row.get_ref(column)?.as_blob();
    Ok(Distribution::from_bytes(
        bytes.map_err(rusqlite::Error::from)?,
    )?)
}

impl Sum {
    fn from(day: Day) -> Self {
        Self {
            first_day: day,
            last_day: day,
            invocations: 0,
            errors: 0,
            timeouts: 0,
            ooms: 0,
            billed_ms: 0,
            cpu_ms: 0,
            cpu_wall_ms: 0,
            firsts: 0,
            firsts_ms: 0,
            peak_mb: Megabytes(0),
            durations: Distribution::default(),
            inits: Distribution::default(),
            restores: Distribution::default(),
            failed_inits: Distribution::default(),
            failed_restores: Distribution::default(),
            first_starts: Distribution::default(),
            later_starts: Distribution::default(),
            used: Distribution::default(),
            hours: Vec::new(),
        }
    }

    /// Adds a row; `deployed` if its version appeared on this day.
    fn add(&mut self, day: Day, row: &Row<'_>, deployed: bool) -> Result<(), StoreError> {
        let number = |n: usize| -> rusqlite::Result<u64> { Ok(count(row.get(n)?)) };
        let distribution = |column| distribution(row, column);
        self.last_day = day;
        for (sum, column) in [
            (&mut self.invocations, 3),
            (&mut self.errors, 4),
            (&mut self.timeouts, 5),
            (&mut self.ooms, 6),
            (&mut self.billed_ms, 7),
            (&mut self.cpu_ms, 8),
            (&mut self.cpu_wall_ms, 9),
            (&mut self.firsts, 14),
            (&mut self.firsts_ms, 15),
        ] {
            *sum = sum.saturating_add(number(column)?);
        }
        self.peak_mb = self.peak_mb.max(megabytes(row.get(10)?));
        self.durations.merge(&distribution(11)?);
        let (inits, restores) = (distribution(12)?, distribution(16)?);
        let since = if deployed {
            &mut self.first_starts
        } else {
            &mut self.later_starts
        };
        since.merge(&inits);
        since.merge(&restores);
        self.inits.merge(&inits);
        self.restores.merge(&restores);
        self.failed_inits.merge(&distribution(17)?);
        self.failed_restores.merge(&distribution(18)?);
        self.used.merge(&distribution(13)?);
        self.hours.push((day, days::hours(row, 19)?));
        Ok(())
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of two months, far below 2^52"
    )]
    fn used(self, (version, memory_mb): Key) -> SizeUse {
        let mut starts = self.inits.clone();
        starts.merge(&self.restores);
        let measured = self.cpu_wall_ms >= LEAST_CPU_WALL_MS;
        let failures = self
            .errors
            .saturating_add(self.timeouts)
            .saturating_add(self.ooms);
        SizeUse {
            version,
            memory_mb,
            first_day: self.first_day,
            last_day: self.last_day,
            invocations: self.invocations,
            failures: failures.min(self.invocations),
            timeouts: self.timeouts,
            ooms: self.ooms,
            billed_ms: self.billed_ms,
            durations: figures(&self.durations),
            cores_used: measured.then(|| self.cpu_ms as f64 / self.cpu_wall_ms as f64),
            used_mb: self.used.interpolated(0.5),
            peak_mb: self.peak_mb,
            starts: figures(&starts),
            inits: figures(&self.inits),
            restores: figures(&self.restores),
            failed_inits: figures(&self.failed_inits),
            failed_restores: figures(&self.failed_restores),
            deployment: deployment(&self.first_starts, &self.later_starts),
            firsts: (self.firsts > 0).then(|| Firsts {
                count: self.firsts,
                mean_ms: self.firsts_ms as f64 / self.firsts as f64,
            }),
            first_hours: None,
            hours_factor: None,
            arch: None,
        }
    }
}

fn deployment(first_day: &Distribution, later: &Distribution) -> Option<Deployment> {
    Some(Deployment {
        first_day: figures(first_day)?,
        later: figures(later)?,
    })
}

fn figures(of: &Distribution) -> Option<Durations> {
    Some(Durations {
        count: of.count(),
        mean_ms: of.mean()?,
        p50_ms: of.interpolated(0.5)?,
        p95_ms: of.interpolated(0.95)?,
        p99_ms: of.interpolated(0.99)?,
        spread: of.ln_spread()?,
    })
}

#[cfg(test)]
mod tests;
