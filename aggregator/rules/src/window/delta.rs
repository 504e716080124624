//! What evidence adds to the windows of one function. It is made without any state, so it can be
//! made on any thread, merged in any order, and folded together if it has no key of its own.

use std::collections::HashMap;

use rightsizer_records::{Day, EnvId, Megabytes};

use super::day::{DayKey, DaySource, DayStats, Sample};
use super::environment::EnvironmentState;
use super::sighting::{Newest, Sighting};
use crate::evidence::{FunctionKey, LATEST};

/// What is added to one day.
#[derive(Debug, Clone, PartialEq)]
pub struct DayDelta {
    /// Which day's row.
    pub key: DayKey,
    /// What is added to it.
    pub stats: DayStats,
}

/// By what a piece of evidence is known when it comes again (W7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The number of a record of its one environment.
    Record(u64),
    /// The id of a log event.
    Event(u64),
}

impl Mark {
    /// Set in the mark of an exported event: files may overlap for as long as days are kept, and deliveries are
    /// repeated within hours.
    const EXPORTED: u64 = 1 << 63;

    /// Returns the mark of a log event that a subscription delivered, by its id.
    pub const fn delivered(id: u64) -> u64 {
        id & !Self::EXPORTED
    }

    /// Returns the mark of a log event in an export, by its id.
    pub const fn exported(id: u64) -> u64 {
        id | Self::EXPORTED
    }
}

/// An environment has one size and one version; a stranger who claims several gets several rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvironmentKey {
    /// Its id.
    pub env: EnvId,
    /// Its size.
    pub memory_mb: Megabytes,
    /// The version it runs.
    pub version: String,
}

/// What is added to one function.
#[derive(Debug, Clone, PartialEq)]
pub struct Delta {
    /// Whose.
    pub function: FunctionKey,
    /// Its source.
    pub source: DaySource,
    /// The facts about the function itself.
    pub sighting: Sighting,
    /// Its key, if it has one.
    pub mark: Option<Mark>,
    /// The facts about environments. A record has one.
    pub environments: Vec<(EnvironmentKey, EnvironmentState)>,
    /// What it adds to days.
    pub days: Vec<DayDelta>,
    /// Reports in it.
    pub reports: u64,
    /// An index of the days and environments of a large delta.
    pub(super) lookup: Lookup,
}

/// Entries at the end of a list that are compared one by one before a [`Lookup`] is asked.
const RECENT: usize = 16;

/// An index of the days and environments of a delta, only for lists longer than [`RECENT`]: a
/// writer can claim any number of sizes, versions and environments, and a linear search for each
/// report would be quadratic. It has no content of its own, so any two are equal.
#[derive(Debug, Clone, Default)]
pub(super) struct Lookup {
    days: HashMap<DayKey, usize>,
    environments: HashMap<EnvironmentKey, usize>,
}

impl PartialEq for Lookup {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl DayDelta {
    pub(super) fn count(&mut self, sample: Sample) {
        let size = self.key.memory_mb;
        self.stats.count(sample, size);
    }
}

impl Delta {
    /// A delta of its parts.
    pub(crate) fn of_parts(
        (function, source, mark): (FunctionKey, DaySource, Option<Mark>),
        sighting: Sighting,
        environments: Vec<(EnvironmentKey, EnvironmentState)>,
        days: Vec<DayDelta>,
        reports: u64,
    ) -> Self {
        Self {
            function,
            source,
            sighting,
            mark,
            environments,
            days,
            reports,
            lookup: Lookup::default(),
        }
    }

    /// Returns what a trace with one figure a day adds: on `day`, `function` used at most `peak_mb` at `size`, and each
    /// size in `ran_out` was too small before that. It has no invocations.
    pub fn of_daily_peak(
        function: FunctionKey,
        (day, peak_mb): (Day, Megabytes),
        size: Megabytes,
        ran_out: &[Megabytes],
    ) -> Self {
        let row = |memory_mb: Megabytes, stats: DayStats| DayDelta {
            key: DayKey {
                day,
                source: DaySource::Import,
                memory_mb,
                version: LATEST.to_owned(),
            },
            stats,
        };
        let enough = DayStats {
            peak_mb,
            ..DayStats::default()
        };
        let too_small = |size: &Megabytes| {
            let stats = DayStats {
                peak_mb: *size,
                censored: true,
                ..DayStats::default()
            };
            row(*size, stats)
        };
        let mut days: Vec<DayDelta> = ran_out.iter().map(too_small).collect();
        days.push(row(size, enough));
        let sighting = Sighting {
            oldest: day.start(),
            newest: Newest {
                at: day.start(),
                memory_mb: size,
                version: LATEST.to_owned(),
            },
            arch: None,
            runtime: None,
            started: None,
            ran_out: None,
            mixed: None,
        };
        let source = (function, DaySource::Import, None);
        Self::of_parts(source, sighting, Vec::new(), days, 1)
    }

    /// What is added to a day, to be added to.
    pub(super) fn day(&mut self, key: DayKeyRef<'_>) -> &mut DayDelta {
        let source = self.source;
        // The day before is mostly the same day, and the days of a piece are few.
        let recent = self.days.len().saturating_sub(RECENT);
        let at = self.days[recent..].iter().rposition(|d| key.is(&d.key));
        let at = match at {
            Some(at) => Some(recent + at),
            None if recent == 0 => None,
            None => self.older_day(&key.owned(source)),
        };
        let at = at.unwrap_or_else(|| {
            self.days.push(DayDelta {
                key: key.owned(source),
                stats: DayStats::default(),
            });
            self.days.len() - 1
        });
        &mut self.days[at]
    }

    /// Returns the position of a day in a long list.
    fn older_day(&mut self, key: &DayKey) -> Option<usize> {
        let (known, count) = (&mut self.lookup.days, self.days.len());
        for at in known.len()..count {
            known.insert(self.days[at].key.clone(), at);
        }
        known.get(key).copied().filter(|at| *at < count)
    }

    /// Adds the view of an environment that an observation gives, and what it used.
    pub(super) fn see_environment(
        &mut self,
        key: EnvironmentKey,
        view: &EnvironmentState,
        used: Option<Megabytes>,
    ) {
        let recent = self.environments.len().saturating_sub(RECENT);
        let list = &self.environments[recent..];
        let at = match list.iter().rposition(|(k, _)| *k == key) {
            Some(at) => Some(recent + at),
            None if recent == 0 => None,
            None => self.older_environment(&key),
        };
        let at = at.unwrap_or_else(|| {
            self.environments
                .push((key, EnvironmentState::starting(view.first)));
            self.environments.len() - 1
        });
        let state = &mut self.environments[at].1;
        drop(state.absorb(view, None));
        if let Some(used) = used {
            state.used.note(used);
        }
    }

    fn older_environment(&mut self, key: &EnvironmentKey) -> Option<usize> {
        let (known, count) = (&mut self.lookup.environments, self.environments.len());
        for at in known.len()..count {
            known.insert(self.environments[at].0.clone(), at);
        }
        known.get(key).copied().filter(|at| *at < count)
    }

    /// Returns about how many bytes of memory it takes.
    pub const fn weight(&self) -> usize {
        // A key, its version's text and what its lists hold at least, once more in the lookup.
        const BESIDE: usize = 160;
        size_of::<Self>()
            + self.days.len() * (size_of::<DayDelta>() + BESIDE)
            + self.environments.len() * (size_of::<(EnvironmentKey, EnvironmentState)>() + BESIDE)
    }

    /// Whether it has evidence of what the function used. Without any it does not affect the size.
    pub fn is_evidence(&self) -> bool {
        self.days.iter().any(|day| day.stats.has_figures())
    }

    /// Its environment, if it is a record of the layer.
    pub fn only_environment(&self) -> Option<EnvId> {
        match (self.source, self.environments.as_slice()) {
            (DaySource::Layer, [(key, _)]) => Some(key.env),
            _ => None,
        }
    }

    /// The same evidence as from another source.
    #[must_use]
    pub fn counted_as(mut self, source: DaySource) -> Self {
        self.source = source;
        self.lookup = Lookup::default();
        self.days.iter_mut().for_each(|day| day.key.source = source);
        self
    }

    /// Keeps of environments how many there were on each day, and forgets which.
    pub fn count_environments(&mut self) {
        for (key, state) in std::mem::take(&mut self.environments) {
            let days = state.days;
            self.count_environment(&key, &days);
        }
    }

    /// Counts the environment `key` on `days`, on which it had not reported before.
    pub fn count_environment(&mut self, key: &EnvironmentKey, days: &[Day]) {
        for day in days {
            let key = DayKeyRef {
                day: *day,
                memory_mb: key.memory_mb,
                version: &key.version,
            };
            let stats = &mut self.day(key).stats;
            stats.environments = stats.environments.saturating_add(1);
        }
    }
}

/// A [`DayKey`] that borrows its version; its source is the delta's.
#[derive(Clone, Copy)]
pub(super) struct DayKeyRef<'a> {
    pub(super) day: Day,
    pub(super) memory_mb: Megabytes,
    pub(super) version: &'a str,
}

impl DayKeyRef<'_> {
    fn is(&self, key: &DayKey) -> bool {
        key.day == self.day && key.memory_mb == self.memory_mb && key.version == self.version
    }

    fn owned(&self, source: DaySource) -> DayKey {
        DayKey {
            day: self.day,
            source,
            memory_mb: self.memory_mb,
            version: self.version.to_owned(),
        }
    }
}
