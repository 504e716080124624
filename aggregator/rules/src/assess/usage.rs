//! Adds up the details of some days of some functions.

use std::borrow::Cow;
use std::collections::HashMap;

use rightsizer_records::{Day, Megabytes, Millis};

use super::hours::size_hours;
use crate::policy::{CpuUse, SizeFacts, SizeHealth, Wrapped};
use crate::power::{SizeHours, match_hours, start_bound};
use crate::window::{DaySource, DayStats, Distribution, Hours, OTHER_SIZES, WINDOW_DAYS};

/// A set of days, none further than `DaySet::REACH` from the first that it may hold.
#[derive(Debug, Clone, Copy)]
pub struct DaySet {
    from: Day,
    bits: u64,
}

impl DaySet {
    const REACH: i32 = 64;

    pub(super) const fn starting(from: Day) -> Self {
        Self { from, bits: 0 }
    }

    /// Adds a day.
    pub(super) fn insert(&mut self, day: Day) {
        self.bits |= self.bit(day);
    }

    /// Returns whether it holds a day.
    pub fn contains(self, day: Day) -> bool {
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

/// The counts of a row of `days`.
#[derive(Debug, Clone, Copy)]
pub struct DayCounts {
    /// Invocations.
    pub invocations: u64,
    /// Their billed milliseconds.
    pub billed_ms: u64,
    /// Those that failed: errors, timeouts and out of memory.
    pub failures: u64,
}

/// A row of `days` with what a size is judged by.
#[derive(Debug, Clone)]
pub struct SizeDay<'a> {
    /// Its counts.
    pub counts: DayCounts,
    /// CPU time in ms, and the durations that it is of.
    pub cpu_ms: u64,
    /// Durations, summed, of the invocations with a CPU time.
    pub cpu_wall_ms: u64,
    /// Of the failures: those of the runtime or an extension.
    pub crashes: u64,
    /// Of the failures: those in which the runtime's own heap was full.
    pub heap_limits: u64,
    /// Highest memory used.
    pub peak_mb: Megabytes,
    /// Durations in ms.
    pub durations: &'a Distribution,
    /// Durations of init in ms.
    pub inits: &'a Distribution,
    /// Durations of restores from a snapshot in ms.
    pub restores: &'a Distribution,
    /// How long init took that failed, in ms.
    pub failed_inits: &'a Distribution,
    /// How long restores took that failed, in ms.
    pub failed_restores: &'a Distribution,
    /// Durations by the time of the day, as bytes: they are only read for a function that had several sizes.
    pub hours: Cow<'a, [u8]>,
}

impl DayCounts {
    /// Returns the counts of a day.
    pub(crate) const fn of(day: &DayStats) -> Self {
        Self {
            invocations: day.invocations,
            billed_ms: day.billed_ms,
            failures: day
                .errors
                .saturating_add(day.timeouts)
                .saturating_add(day.ooms),
        }
    }
}

impl<'a> SizeDay<'a> {
    /// Returns what a size is judged by, of a day.
    pub(crate) fn of(day: &'a DayStats) -> Self {
        Self {
            counts: DayCounts::of(day),
            cpu_ms: day.cpu_ms,
            cpu_wall_ms: day.cpu_wall_ms,
            crashes: day.crashes,
            heap_limits: day.heap_limits,
            peak_mb: day.peak_mb,
            durations: &day.durations,
            inits: &day.inits,
            restores: &day.restores,
            failed_inits: &day.failed_inits,
            failed_restores: &day.failed_restores,
            hours: Cow::Owned(day.hours.to_bytes()),
        }
    }
}

/// What a start takes at least, by those that succeeded and those that failed.
fn least_start(succeeded: &Distribution, failed: &Distribution) -> Option<Millis> {
    let of = |starts: &Distribution| Some((starts.count(), starts.quantile(0.99)?));
    start_bound(of(succeeded), of(failed)).map(Millis::from_ms)
}

/// The usage of a function on its days.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    /// Invocations.
    pub invocations: u64,
    /// Their billed milliseconds.
    pub billed_ms: u64,
    sizes: HashMap<Megabytes, SizeUsage>,
    /// The day that the row before was of, and the kind of source that counts on it.
    counting: Option<(Day, u8)>,
    /// The day of the layer that such a row was of, and the kind of source whose failed starts count on it.
    failing: Option<(Day, u8)>,
    /// Whether the invocations of any day come from logs.
    pub by_logs: bool,
    /// Rows of reports found in files of unknown tools that count, and of others.
    wrapped_rows: u64,
    other_rows: u64,
    /// Invocations that did not fail, and the days that have one, ascending.
    pub succeeded: u64,
    pub(super) days_with_success: Vec<Day>,
}

#[derive(Debug, Clone)]
struct SizeUsage {
    memory_mb: Megabytes,
    billed_ms: u64,
    cpu: CpuUse,
    durations: Distribution,
    inits: Distribution,
    restores: Distribution,
    failed_inits: Distribution,
    failed_restores: Distribution,
    health: SizeHealth,
    /// Invocations by day, for those since a change.
    by_day: Vec<(Day, u64)>,
    /// Durations by the time of the day, as bytes: the days, with the number of bytes of each.
    hours: (Vec<u8>, Vec<(Day, usize)>),
}

impl SizeUsage {
    /// Its hours; `None` if a day's cannot be read.
    fn hours(&self) -> Option<SizeHours> {
        let (mut bytes, days) = (
            self.hours.0.as_slice(),
            Vec::with_capacity(self.hours.1.len()),
        );
        let days = self
            .hours
            .1
            .iter()
            .try_fold(days, |mut days, (day, length)| {
                let (of_day, rest) = bytes.split_at_checked(*length)?;
                bytes = rest;
                days.push((*day, Hours::from_bytes(of_day).ok()?));
                Some(days)
            })?;
        let days = days.iter().map(|(day, hours)| (*day, hours));
        Some(size_hours(days, &self.durations))
    }
}

impl Usage {
    /// Returns the 99th percentile of the durations at `size`.
    pub(crate) fn p99(&self, size: Megabytes) -> Option<Millis> {
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
                hours_factor: None,
            })
        };
        let mut facts: Vec<SizeFacts> = self.sizes.values().filter_map(facts).collect();
        facts.sort_unstable_by_key(|s| s.memory_mb);
        self.match_hours(&mut facts);
        facts
    }

    fn match_hours(&self, facts: &mut [SizeFacts]) {
        if facts.len() < 2 {
            return;
        }
        let sizes = facts
            .iter()
            .filter_map(|facts| self.sizes.get(&facts.memory_mb));
        let Some(hours) = sizes.map(SizeUsage::hours).collect::<Option<Vec<_>>>() else {
            return;
        };
        for (facts, factor) in facts.iter_mut().zip(match_hours(&hours)) {
            facts.hours_factor = factor;
        }
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
            init: least_start(&size.inits, &size.failed_inits),
            restore: least_start(&size.restores, &size.failed_restores),
            ..size.health
        };
        let mut health: Vec<SizeHealth> = self.sizes.values().map(of).collect();
        health.sort_unstable_by_key(|size| size.memory_mb);
        health
    }

    /// Counts a row of `days`, which come in the table's order: by day, then by source. Returns whether its source
    /// counts on that day, which the first one does (W7).
    pub fn count(&mut self, day: Day, rank: i64, counts: DayCounts) -> bool {
        let kind = DaySource::kind(rank);
        if *self.counting.get_or_insert((day, kind)) != (day, kind) {
            if self.counting.is_some_and(|(counted, _)| counted == day) {
                return false;
            }
            self.counting = Some((day, kind));
        }
        if kind == DaySource::WRAPPED_KIND {
            self.wrapped_rows += 1;
        } else {
            self.other_rows += 1;
        }
        self.by_logs |= rank != DaySource::Layer.rank();
        self.invocations = self.invocations.saturating_add(counts.invocations);
        self.billed_ms = self.billed_ms.saturating_add(counts.billed_ms);
        let succeeded = counts.invocations.saturating_sub(counts.failures);
        if succeeded > 0 {
            self.succeeded = self.succeeded.saturating_add(succeeded);
            if self.days_with_success.last() != Some(&day) {
                self.days_with_success.push(day);
            }
        }
        true
    }

    /// Returns whether the starts that failed count of a row that has some but does not count itself. The layer sees none,
    /// so on its days they come from the first other kind of source that has any.
    pub fn counts_failed_starts(&mut self, day: Day, rank: i64) -> bool {
        let layer = DaySource::kind(DaySource::Layer.rank());
        if self.counting != Some((day, layer)) {
            return false;
        }
        let kind = DaySource::kind(rank);
        match self.failing {
            Some((failing, first)) if failing == day => first == kind,
            _ => {
                self.failing = Some((day, kind));
                true
            }
        }
    }

    /// Adds the starts that failed of a row of the version with the traffic to its size, and nothing else.
    pub fn add_failed_starts(
        &mut self,
        memory_mb: Megabytes,
        inits: &Distribution,
        restores: &Distribution,
    ) {
        if memory_mb == OTHER_SIZES {
            return;
        }
        let size = self.size(memory_mb);
        size.failed_inits.merge(inits);
        size.failed_restores.merge(restores);
    }

    /// Adds a counted row of the version with the traffic to its size.
    pub fn add(&mut self, day: Day, memory_mb: Megabytes, row: &SizeDay<'_>) {
        if memory_mb == OTHER_SIZES {
            return;
        }
        let size = self.size(memory_mb);
        size.billed_ms = size.billed_ms.saturating_add(row.counts.billed_ms);
        size.cpu.cpu_ms = size.cpu.cpu_ms.saturating_add(row.cpu_ms);
        size.cpu.wall_ms = size.cpu.wall_ms.saturating_add(row.cpu_wall_ms);
        size.durations.merge(row.durations);
        size.inits.merge(row.inits);
        size.restores.merge(row.restores);
        size.failed_inits.merge(row.failed_inits);
        size.failed_restores.merge(row.failed_restores);
        let health = &mut size.health;
        health.invocations = health.invocations.saturating_add(row.counts.invocations);
        health.failures = health.failures.saturating_add(row.counts.failures);
        health.crashes = health.crashes.saturating_add(row.crashes);
        health.heap_limits = health.heap_limits.saturating_add(row.heap_limits);
        health.peak_mb = health.peak_mb.max(row.peak_mb);
        size.by_day.push((day, row.counts.invocations));
        size.hours.0.extend_from_slice(&row.hours);
        size.hours.1.push((day, row.hours.len()));
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
            restores: Distribution::default(),
            failed_inits: Distribution::default(),
            failed_restores: Distribution::default(),
            health: SizeHealth::none(memory_mb),
            by_day: Vec::with_capacity(usize::try_from(WINDOW_DAYS).unwrap_or_default()),
            hours: (Vec::new(), Vec::new()),
        })
    }
}

#[cfg(test)]
mod tests;
