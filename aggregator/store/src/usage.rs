//! Adds up the details of some days of some functions.

use std::collections::HashMap;

use rightsizer_records::{Day, Megabytes, Millis};
use rightsizer_rules::policy::{CpuUse, SizeFacts, SizeHealth, Wrapped};
use rightsizer_rules::window::{DaySource, Distribution, WINDOW_DAYS};
use rusqlite::{Row, params};

use super::columns::{count, megabytes};
use super::crowding::OTHER_SIZES;
use super::error::StoreError;
use super::evidence::Evidence;
use super::unit::FunctionId;

/// A set of days, none further than [`DaySet::REACH`] from the first that it may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct DaySet {
    from: Day,
    bits: u64,
}

impl DaySet {
    const REACH: i32 = 64;

    pub(super) const fn from(from: Day) -> Self {
        Self { from, bits: 0 }
    }

    pub(super) fn insert(&mut self, day: Day) {
        self.bits |= self.bit(day);
    }

    pub(super) fn contains(self, day: Day) -> bool {
        self.bits & self.bit(day) != 0
    }

    fn bit(self, day: Day) -> u64 {
        let at = day.number() - self.from.number();
        if (0..Self::REACH).contains(&at) {
            1 << at
        } else {
            0
        }
    }
}

/// The usage of a function on its days.
#[derive(Debug, Clone, Default)]
pub(super) struct Usage {
    pub(super) invocations: u64,
    pub(super) billed_ms: u64,
    sizes: HashMap<Megabytes, SizeUsage>,
    /// The day that the row before was of, and the kind of source that counts on it.
    counting: Option<(Day, u8)>,
    /// Whether the invocations of any day come from logs.
    pub(super) by_logs: bool,
    /// Rows of reports found in files of unknown tools that count, and of others.
    wrapped_rows: u64,
    other_rows: u64,
    /// Invocations that did not fail, and the days that have one, ascending.
    pub(super) succeeded: u64,
    pub(super) days_with_success: Vec<Day>,
}

#[derive(Debug, Clone)]
struct SizeUsage {
    memory_mb: Megabytes,
    billed_ms: u64,
    cpu: CpuUse,
    durations: Distribution,
    inits: Distribution,
    health: SizeHealth,
    /// Invocations by day, for those since a change.
    by_day: Vec<(Day, u64)>,
}

impl Usage {
    /// Returns the 99th percentile of the durations at `size`.
    pub(super) fn p99(&self, size: Megabytes) -> Option<Millis> {
        let size = self.sizes.get(&size)?;
        size.durations.quantile(0.99).map(Millis::from_ms)
    }

    /// Invocations in `size` on and after `day`.
    pub(super) fn since(&self, day: Day, size: Megabytes) -> u64 {
        let size = self.sizes.get(&size);
        let days = size.into_iter().flat_map(|s| &s.by_day);
        days.filter(|(d, _)| *d >= day).map(|(_, n)| n).sum()
    }

    /// The sizes with a duration, ascending.
    pub(super) fn size_facts(&self) -> Vec<SizeFacts> {
        let facts = |s: &SizeUsage| {
            let quantile = |q| s.durations.quantile(q).map(Millis::from_ms);
            Some(SizeFacts {
                memory_mb: s.memory_mb,
                invocations: s.durations.count(),
                billed_ms: s.billed_ms,
                p50: quantile(0.5)?,
                p95: quantile(0.95)?,
                p99: quantile(0.99)?,
                cpu: (s.cpu.wall_ms > 0).then_some(s.cpu),
            })
        };
        let mut facts: Vec<SizeFacts> = self.sizes.values().filter_map(facts).collect();
        facts.sort_unstable_by_key(|s| s.memory_mb);
        facts
    }

    /// Returns whether all, some or none of it comes from files of unknown tools.
    pub(super) const fn wrapped(&self) -> Wrapped {
        match (self.wrapped_rows, self.other_rows) {
            (0, _) => Wrapped::None,
            (_, 0) => Wrapped::All,
            _ => Wrapped::Some,
        }
    }

    /// Returns the outcomes of invocations by size, ascending.
    pub(super) fn health(&self) -> Vec<SizeHealth> {
        let of = |size: &SizeUsage| SizeHealth {
            start: size.inits.quantile(0.99).map(Millis::from_ms),
            ..size.health
        };
        let mut health: Vec<SizeHealth> = self.sizes.values().map(of).collect();
        health.sort_unstable_by_key(|size| size.memory_mb);
        health
    }

    /// Adds a row of `days`. Rows come in the table's order, so the kind of the first source of a day
    /// is the one that counts (W7).
    fn add(&mut self, day: Day, row: &Row<'_>, version: &str) -> Result<(), StoreError> {
        let number = |n: usize| -> rusqlite::Result<u64> { Ok(count(row.get(n)?)) };
        let rank: i64 = row.get(1)?;
        let kind = DaySource::kind(rank);
        if *self.counting.get_or_insert((day, kind)) != (day, kind) {
            if self.counting.is_some_and(|(counted, _)| counted == day) {
                return Ok(());
            }
            self.counting = Some((day, kind));
        }
        if kind == DaySource::WRAPPED_KIND {
            self.wrapped_rows += 1;
        } else {
            self.other_rows += 1;
        }
        self.by_logs |= rank != DaySource::Layer.rank();
        let (invocations, billed_ms) = (number(4)?, number(5)?);
        self.invocations = self.invocations.saturating_add(invocations);
        self.billed_ms = self.billed_ms.saturating_add(billed_ms);
        let failures = number(9)?
            .saturating_add(number(10)?)
            .saturating_add(number(11)?);
        let succeeded = invocations.saturating_sub(failures);
        if succeeded > 0 {
            self.succeeded = self.succeeded.saturating_add(succeeded);
            if self.days_with_success.last() != Some(&day) {
                self.days_with_success.push(day);
            }
        }
        let named = row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?;
        if named != version {
            return Ok(());
        }
        let size = megabytes(row.get(2)?);
        if size == OTHER_SIZES {
            return Ok(());
        }
        let size = self.size(size);
        size.billed_ms = size.billed_ms.saturating_add(billed_ms);
        size.cpu.cpu_ms = size.cpu.cpu_ms.saturating_add(number(6)?);
        size.cpu.wall_ms = size.cpu.wall_ms.saturating_add(number(7)?);
        let durations = row.get_ref(8)?.as_blob().map_err(rusqlite::Error::from)?;
        size.durations.merge(&Distribution::from_bytes(durations)?);
        let inits = row.get_ref(15)?.as_blob().map_err(rusqlite::Error::from)?;
        size.inits.merge(&Distribution::from_bytes(inits)?);
        let health = &mut size.health;
        health.invocations = health.invocations.saturating_add(invocations);
        health.failures = health.failures.saturating_add(failures);
        health.crashes = health.crashes.saturating_add(number(12)?);
        health.heap_limits = health.heap_limits.saturating_add(number(13)?);
        health.peak_mb = health.peak_mb.max(megabytes(row.get(14)?));
        size.by_day.push((day, invocations));
        Ok(())
    }

    fn size(&mut self, memory_mb: Megabytes) -> &mut SizeUsage {
        self.sizes.entry(memory_mb).or_insert_with(|| SizeUsage {
            memory_mb,
            billed_ms: 0,
            cpu: CpuUse {
                cpu_ms: 0,
                wall_ms: 0,
            },
            durations: Distribution::default(),
            inits: Distribution::default(),
            health: SizeHealth::none(memory_mb),
            by_day: Vec::with_capacity(usize::try_from(WINDOW_DAYS).unwrap_or_default()),
        })
    }
}

/// A request: the function, its days, and the version for its sizes.
pub(super) struct Wanted<'a> {
    pub(super) function: FunctionId,
    pub(super) days: DaySet,
    pub(super) version: &'a str,
}

impl Evidence<'_> {
    /// Adds up the days of the functions `wanted`, which ascend: one walk over each of `days`.
    pub(super) fn usage(
        &self,
        wanted: &[Wanted<'_>],
        days: impl Iterator<Item = Day>,
    ) -> Result<Vec<Usage>, StoreError> {
        let mut usage = vec![Usage::default(); wanted.len()];
        let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else {
            return Ok(usage);
        };
        let mut statement = self.tx.prepare_cached(
            "SELECT function_id, source, memory_mb, version, invocations, billed_ms, cpu_ms,
                    cpu_wall_ms, durations, errors, timeouts, ooms, crashes, heap_limits, peak_mb, inits
             FROM days WHERE day = ? AND function_id BETWEEN ? AND ?",
        )?;
        for day in days {
            let mut rows = statement.query(params![day.number(), first.function, last.function])?;
            let mut at = 0;
            while let Some(row) = rows.next()? {
                let id: FunctionId = row.get(0)?;
                while wanted.get(at).is_some_and(|w| w.function < id) {
                    at += 1;
                }
                let Some(one) = wanted.get(at) else { break };
                if one.function == id && one.days.contains(day) {
                    usage[at].add(day, row, one.version)?;
                }
            }
        }
        Ok(usage)
    }
}
