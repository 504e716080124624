//! Aggregated invocations: their number, their highest memory use, a few percentiles. Logs Insights
//! returns them for a million log lines.

use rightsizer_records::{ErrorKind, Megabytes, Status, Timestamp, is_at_limit};

use super::day::{DaySource, DayStats};
use super::delta::{DayKeyRef, Delta, Lookup};
use super::sighting::{Newest, Sighting};
use crate::evidence::FunctionKey;

/// Values at the ranks 50, 90, 95 and 99 % and at the end; whole ms or MB, rounded up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Levels {
    /// At 50, 90, 95, 99 % of all.
    pub at: [u64; 4],
    /// The highest.
    pub highest: u64,
}

/// The ranks of [`Levels::at`], in percent.
const RANKS: [u64; 4] = [50, 90, 95, 99];

impl Levels {
    /// What `count` values are at most: each is put at the level that ends its share, so that no
    /// quantile of days added up is too low.
    fn spread(self, count: u64) -> impl Iterator<Item = (u64, u64)> {
        let ranks = RANKS.map(|percent| (count * percent).div_ceil(100));
        let mut done = 0;
        let highest = self.highest;
        let levels = self.at.into_iter().zip(ranks);
        levels.chain([(highest, count)]).map(move |(value, rank)| {
            let here = rank - done;
            done = rank;
            (value.min(highest), here)
        })
    }
}

/// Aggregated invocations of one function, version, size, day and ending. Either all of them used
/// at least 97 % of the size or none.
#[derive(Debug, Clone, PartialEq)]
pub struct Crowd {
    /// `$LATEST` or a published version's number.
    pub version: String,
    /// Configured size.
    pub memory_mb: Megabytes,
    /// How many.
    pub invocations: u64,
    /// How they ended.
    pub status: Status,
    /// The meaning of their error type, if they have one.
    pub error: Option<ErrorKind>,
    /// When the oldest of them was reported.
    pub oldest: Timestamp,
    /// When the newest of them was reported, on the same UTC date.
    pub newest: Timestamp,
    /// Environments among them.
    pub environments: u64,
    /// Highest memory used.
    pub peak_mb: Megabytes,
    /// Memory used in MB, if known.
    pub used: Option<Levels>,
    /// Durations in ms, if known.
    pub durations: Option<Levels>,
    /// Billed milliseconds, summed.
    pub billed_ms: u64,
    /// The longest init among them in ms. Restores are not among the fields that Logs Insights discovers.
    pub start_ms: Option<u64>,
}

/// Aggregated starts that failed, of one function, version, size and day.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedCrowd {
    /// `$LATEST` or a published version's number.
    pub version: String,
    /// Configured size.
    pub memory_mb: Megabytes,
    /// When the newest of them failed.
    pub newest: Timestamp,
    /// How many.
    pub starts: u64,
    /// Whether they were restores from a snapshot.
    pub restored: bool,
    /// How long they took, in ms.
    pub took: Levels,
}

impl FailedCrowd {
    fn add_to(&self, stats: &mut DayStats) {
        let durations = if self.restored {
            &mut stats.failed_restores
        } else {
            &mut stats.failed_inits
        };
        for (value, count) in self.took.spread(self.starts) {
            durations.record_many(value, count);
        }
    }

    /// Whether it is the longest init of these invocations: a report may repeat a start that failed as its own.
    fn is_longest_of(&self, crowd: &Crowd) -> bool {
        !self.restored
            && self.version == crowd.version
            && self.memory_mb == crowd.memory_mb
            && self.newest.day() == crowd.newest.day()
            && crowd.start_ms == Some(self.took.highest)
    }
}

impl Crowd {
    /// What these invocations add to their day, without `failed`, which count apart.
    fn stats(&self, failed: &[FailedCrowd]) -> DayStats {
        let mut stats = DayStats {
            invocations: self.invocations,
            billed_ms: self.billed_ms,
            ..DayStats::default()
        };
        match self.status {
            Status::Ok => {}
            Status::Error => {
                stats.errors = self.invocations;
                match self.error {
                    Some(ErrorKind::Crash) => stats.crashes = self.invocations,
                    Some(ErrorKind::HeapLimit) => stats.heap_limits = self.invocations,
                    Some(ErrorKind::Function) | None => {}
                }
            }
            Status::Timeout => stats.timeouts = self.invocations,
            Status::OutOfMemory => stats.ooms = self.invocations,
        }
        stats.censored = self.status == Status::OutOfMemory;
        stats.use_memory(self.peak_mb, self.memory_mb, self.status.is_failure());
        if is_at_limit(self.peak_mb, self.memory_mb) {
            stats.at_limit = self.invocations;
        }
        for (value, count) in self.used.iter().flat_map(|l| l.spread(self.invocations)) {
            stats.used.record_many(value, count);
        }
        if let Some(start) = self.start_ms
            && !failed.iter().any(|failed| failed.is_longest_of(self))
        {
            stats.inits.record(start);
        }
        let durations = self.durations.iter();
        for (value, count) in durations.flat_map(|l| l.spread(self.invocations)) {
            stats.durations.record_many(value, count);
        }
        stats
    }
}

/// What crowds of one function add, with its starts that failed; `None` without an invocation. An environment whose
/// invocations ended in several ways is in several crowds: of those of one size and version the most environments
/// count.
pub fn fold_crowds(
    function: &FunctionKey,
    crowds: &[Crowd],
    failed: &[FailedCrowd],
) -> Option<Delta> {
    let first = crowds.first()?;
    let newest = |crowd: &Crowd| Newest {
        at: crowd.newest,
        memory_mb: crowd.memory_mb,
        version: crowd.version.clone(),
    };
    let sighting = |crowd: &Crowd| Sighting {
        oldest: crowd.oldest,
        newest: newest(crowd),
        arch: None,
        runtime: None,
        started: None,
        ran_out: (crowd.status == Status::OutOfMemory).then_some((crowd.newest, crowd.memory_mb)),
        mixed: None,
    };
    let mut delta = Delta {
        function: function.clone(),
        source: DaySource::Import,
        sighting: sighting(first),
        mark: None,
        environments: Vec::new(),
        days: Vec::new(),
        reports: 0,
        lookup: Lookup::default(),
    };
    for crowd in crowds {
        delta.sighting.join(&sighting(crowd));
        delta.reports += crowd.invocations;
        let key = DayKeyRef {
            day: crowd.newest.day(),
            memory_mb: crowd.memory_mb,
            version: &crowd.version,
        };
        let stats = &mut delta.day(key).stats;
        stats.merge(&crowd.stats(failed));
        stats.environments = stats.environments.max(crowd.environments);
    }
    for failed in failed {
        let key = DayKeyRef {
            day: failed.newest.day(),
            memory_mb: failed.memory_mb,
            version: &failed.version,
        };
        failed.add_to(&mut delta.day(key).stats);
    }
    Some(delta)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(invocations: u64, peak: u32, status: Status) -> Crowd {
        let levels = |highest| Levels {
            at: [10, 20, 30, 40],
            highest,
        };
        Crowd {
            version: "$LATEST".into(),
            memory_mb: Megabytes(128),
            invocations,
            status,
            oldest: Timestamp::parse("2026-01-31T11:00:00Z").unwrap(),
            newest: Timestamp::parse("2026-01-31T12:00:00Z").unwrap(),
            environments: 2,
            peak_mb: Megabytes(peak),
            used: Some(levels(u64::from(peak))),
            durations: Some(levels(50)),
            billed_ms: 100,
            error: None,
            start_ms: None,
        }
    }

    #[test]
    fn a_crowd_has_its_errors_and_its_longest_start() {
        let crashed = Crowd {
            error: Some(ErrorKind::Crash),
            start_ms: Some(900),
            ..crowd(4, 90, Status::Error)
        };
        let stats = crashed.stats(&[]);
        assert_eq!((stats.errors, stats.crashes, stats.heap_limits), (4, 4, 0));
        assert_eq!(
            (stats.inits.count(), stats.inits.quantile(0.99)),
            (1, Some(903))
        );
    }

    /// Of 200: 100 at 10 ms, to the 180th at 20, to the 190th at 30, to the 198th at 40, two at 50.
    #[test]
    fn levels_are_spread_by_their_ranks() {
        let levels = crowd(200, 90, Status::Ok).durations.unwrap();
        let spread: Vec<_> = levels.spread(200).collect();
        assert_eq!(spread, [(10, 100), (20, 80), (30, 10), (40, 8), (50, 2)]);
        let one: u64 = levels.spread(1).map(|(_, count)| count).sum();
        assert_eq!(one, 1);
    }

    #[test]
    fn crowds_add_up_to_a_day() {
        let function = FunctionKey::parse("f").unwrap();
        let crowds = [
            crowd(200, 90, Status::Ok),
            crowd(3, 127, Status::OutOfMemory),
            crowd(1, 50, Status::Timeout),
        ];
        let delta = fold_crowds(&function, &crowds, &[]).unwrap();
        assert_eq!((delta.days.len(), delta.reports), (1, 204));
        let day = &delta.days[0].stats;
        assert_eq!((day.invocations, day.ooms, day.timeouts), (204, 3, 1));
        // 127 of 128 is above 97 %: all three of that crowd are.
        assert_eq!((day.peak_mb.0, day.at_limit, day.environments), (127, 3, 2));
        assert!(day.censored);
        assert_eq!(
            (day.billed_ms, day.durations.quantile(1.0)),
            (300, Some(50))
        );
        assert_eq!(fold_crowds(&function, &[], &[]), None);
    }

    /// 40 attempts of init took at most 10 s, which the longest init of the reports repeats, and one restore took 700 ms.
    #[test]
    fn starts_that_failed_are_apart_and_count_once() {
        let failed = |starts, restored, highest| FailedCrowd {
            version: "$LATEST".into(),
            memory_mb: Megabytes(128),
            newest: Timestamp::parse("2026-01-31T10:00:00Z").unwrap(),
            starts,
            restored,
            took: Levels {
                at: [highest; 4],
                highest,
            },
        };
        let function = FunctionKey::parse("f").unwrap();
        let crowd = Crowd {
            start_ms: Some(10_000),
            ..crowd(200, 90, Status::Ok)
        };
        let inits = |failed: &[FailedCrowd]| {
            let delta = fold_crowds(&function, std::slice::from_ref(&crowd), failed).unwrap();
            let [day] = delta.days.try_into().unwrap();
            let stats = day.stats;
            let apart = (stats.failed_inits.count(), stats.failed_restores.count());
            (stats.inits.count(), apart, stats.invocations)
        };
        let both = [failed(40, false, 10_000), failed(1, true, 700)];
        assert_eq!(inits(&both), (0, (40, 1), 200));
        assert_eq!(inits(&[failed(40, false, 9_999)]), (1, (40, 0), 200));
    }
}
