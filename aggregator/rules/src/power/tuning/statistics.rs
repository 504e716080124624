//! The figures of each size, from the samples.

use std::collections::BTreeMap;

use rightsizer_records::{Arch, Megabytes, Status};
use serde::Serialize;

use super::sample::Sample;
use super::trimmed::{Trimmed, average, percentile};
use crate::price::Rates;

/// How samples become figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measure {
    /// Share of the durations that is left out at either end, 0 to 0.4.
    pub discard: f64,
    /// Whether a start counts as part of the duration, as in a run of cold starts only.
    pub with_starts: bool,
    /// Prices of the region.
    pub rates: Rates,
    /// The architecture; if unknown, the dearer one.
    pub arch: Option<Arch>,
}

/// The figures of one size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SizeStatistics {
    /// The size.
    pub memory_mb: Megabytes,
    /// Invocations, failed ones included.
    pub invocations: u64,
    /// Those that ran out of memory.
    pub out_of_memory: u64,
    /// Those that ran into the timeout.
    pub timed_out: u64,
    /// Those that failed for another reason.
    pub failed: u64,
    /// Figures of the others; `None` if there are none.
    pub typical: Option<Typical>,
    /// Figures of the starts; `None` if there was none.
    pub starts: Option<Starts>,
    /// Highest memory use, if a report has it.
    pub used_mb: Option<Megabytes>,
    /// What all invocations cost, in dollars.
    pub spent_usd: f64,
}

/// Durations and costs of the invocations that returned.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Typical {
    /// Number of durations, before trimming.
    pub count: u64,
    /// Whether all of them come from warm environments.
    pub warm: bool,
    /// Trimmed mean, in milliseconds.
    pub mean_ms: f64,
    /// Lower end of the mean's 90 % interval; `None` for a single duration.
    pub low_ms: Option<f64>,
    /// Upper end of the interval.
    pub high_ms: Option<f64>,
    /// Median, as the other percentiles by nearest rank and without trimming.
    pub p50_ms: f64,
    /// 95th percentile.
    pub p95_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// Compute cost of an invocation in dollars, by the trimmed mean of the billed durations.
    pub usd: f64,
}

/// Durations of starts, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Starts {
    /// Number of starts.
    pub count: u64,
    /// Mean.
    pub mean_ms: f64,
    /// Median.
    pub p50_ms: f64,
    /// 95th percentile.
    pub p95_ms: f64,
}

/// With fewer durations of warm environments, those of cold ones count as well.
const LEAST_WARM: usize = 3;

/// Returns the figures of each size, in ascending order.
///
/// The first invocation of an environment is slow beyond its start, so it does not count if there are enough others;
/// in a run of cold starts only these count.
pub fn statistics(samples: &[Sample], measure: &Measure) -> Vec<SizeStatistics> {
    let mut sizes: BTreeMap<Megabytes, Vec<&Sample>> = BTreeMap::new();
    for sample in samples {
        sizes.entry(sample.memory_mb).or_default().push(sample);
    }
    let each = sizes.into_iter();
    each.map(|(size, samples)| measure.of(size, &samples))
        .collect()
}

impl Measure {
    fn of(&self, size: Megabytes, samples: &[&Sample]) -> SizeStatistics {
        let ended = |status| samples.iter().filter(|s| s.status == status).count() as u64;
        let price = |billed: f64| self.rates.compute_usd(billed, size, self.arch);
        let cost = |s: &&Sample| price(s.billed_ms) + self.rates.request_usd();
        SizeStatistics {
            memory_mb: size,
            invocations: samples.len() as u64,
            out_of_memory: ended(Status::OutOfMemory),
            timed_out: ended(Status::Timeout),
            failed: ended(Status::Error),
            typical: self.typical(size, samples),
            starts: starts(samples),
            used_mb: samples.iter().filter_map(|s| s.used_mb).max(),
            spent_usd: samples.iter().map(cost).sum(),
        }
    }

    fn typical(&self, size: Megabytes, samples: &[&Sample]) -> Option<Typical> {
        let done = samples.iter().filter(|s| s.status == Status::Ok).copied();
        let mut done: Vec<&Sample> = done.collect();
        let warm = |s: &&Sample| s.start_ms().is_none();
        if !self.with_starts && done.iter().copied().filter(|s| warm(s)).count() >= LEAST_WARM {
            done.retain(warm);
        }
        let duration = |s: &&Sample| {
            let start = s.start_ms().filter(|_| self.with_starts);
            s.duration_ms + start.unwrap_or_default()
        };
        let billed = |s: &&Sample| {
            if self.with_starts {
                s.billed_ms
            } else {
                s.billed_warm_ms()
            }
        };
        let durations = ascending(done.iter().map(duration));
        let billed = Trimmed::of(&ascending(done.iter().map(billed)), self.discard)?;
        let mean = Trimmed::of(&durations, self.discard)?;
        Some(Typical {
            count: done.len() as u64,
            warm: done.iter().all(warm),
            mean_ms: mean.mean,
            low_ms: mean.half.map(|half| (mean.mean - half).max(0.0)),
            high_ms: mean.half.map(|half| mean.mean + half),
            p50_ms: percentile(&durations, 0.50),
            p95_ms: percentile(&durations, 0.95),
            p99_ms: percentile(&durations, 0.99),
            usd: self.rates.compute_usd(billed.mean, size, self.arch),
        })
    }
}

fn starts(samples: &[&Sample]) -> Option<Starts> {
    let starts = ascending(samples.iter().filter_map(|s| s.start_ms()));
    (!starts.is_empty()).then(|| Starts {
        count: starts.len() as u64,
        mean_ms: average(&starts),
        p50_ms: percentile(&starts, 0.50),
        p95_ms: percentile(&starts, 0.95),
    })
}

fn ascending(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::price::PriceTable;

    pub(in super::super) fn warm(memory_mb: u32, duration_ms: f64) -> Sample {
        Sample {
            memory_mb: Megabytes(memory_mb),
            status: Status::Ok,
            duration_ms,
            billed_ms: duration_ms.ceil(),
            init_ms: None,
            restore_ms: None,
            used_mb: Some(Megabytes(70)),
        }
    }

    pub(in super::super) fn cold(memory_mb: u32, duration_ms: f64, init_ms: f64) -> Sample {
        Sample {
            init_ms: Some(init_ms),
            billed_ms: (duration_ms + init_ms).ceil(),
            ..warm(memory_mb, duration_ms)
        }
    }

    pub(in super::super) fn ended(memory_mb: u32, status: Status) -> Sample {
        Sample {
            status,
            ..warm(memory_mb, 3000.0)
        }
    }

    pub(in super::super) fn measure() -> Measure {
        Measure {
            discard: 0.2,
            with_starts: false,
            rates: PriceTable::default().rates(None),
            arch: None,
        }
    }

    fn near(found: f64, wanted: f64) {
        assert!(
            (found / wanted - 1.0).abs() < 1e-9,
            "{found}, wanted {wanted}"
        );
    }

    /// Warm: 100, 101, 102, 103 and 400 ms; a fifth of five is one, so the mean is 102. The cold one of 900 ms does
    /// not count: it waited 500 ms for its init. At 1024 MB 102 ms cost 0.102 × 0.0000166667.
    #[test]
    fn warm_durations_and_starts_are_apart() {
        let mut samples = vec![cold(1024, 900.0, 500.0)];
        samples.extend([400.0, 100.0, 103.0, 101.0, 102.0].map(|ms| warm(1024, ms)));
        let found = statistics(&samples, &measure());
        assert_eq!(found.len(), 1);
        let typical = found[0].typical.unwrap();
        assert_eq!((typical.count, typical.warm), (5, true));
        near(typical.mean_ms, 102.0);
        near(typical.usd, 0.102 * 0.000_016_666_7);
        near(typical.p50_ms, 102.0);
        near(typical.p99_ms, 400.0);
        let starts = found[0].starts.unwrap();
        assert_eq!(starts.count, 1);
        near(starts.p95_ms, 500.0);
    }

    /// Billed in all: 1400 + 806 ms, and six requests of $0.20 a million.
    #[test]
    fn every_invocation_is_paid_for() {
        let mut samples = vec![cold(1024, 900.0, 500.0)];
        samples.extend([400.0, 100.0, 103.0, 101.0, 102.0].map(|ms| warm(1024, ms)));
        let found = statistics(&samples, &measure());
        near(
            found[0].spent_usd,
            2.206 * 0.000_016_666_7 + 6.0 * 0.000_000_2,
        );
    }

    /// Two cold starts: 100 + 300 and 120 + 300 ms, billed as such. Without starts they take 100 and 120 ms, which
    /// are not those of warm environments.
    #[test]
    fn cold_starts_count_if_they_are_what_is_measured() {
        let samples = [cold(512, 100.0, 300.0), cold(512, 120.0, 300.0)];
        let cold = Measure {
            with_starts: true,
            ..measure()
        };
        let typical = statistics(&samples, &cold)[0].typical.unwrap();
        near(typical.mean_ms, 410.0);
        near(typical.usd, 0.410 * 0.5 * 0.000_016_666_7);
        let typical = statistics(&samples, &measure())[0].typical.unwrap();
        assert!(!typical.warm);
        near(typical.mean_ms, 110.0);
        near(typical.usd, 0.110 * 0.5 * 0.000_016_666_7);
    }

    #[test]
    fn failures_are_counted_and_have_no_duration() {
        let samples = [
            ended(128, Status::OutOfMemory),
            ended(128, Status::Timeout),
            ended(128, Status::Error),
            warm(256, 50.0),
        ];
        let found = statistics(&samples, &measure());
        let counts: Vec<[u64; 4]> = found
            .iter()
            .map(|s| [s.invocations, s.out_of_memory, s.timed_out, s.failed])
            .collect();
        assert_eq!(counts, [[3, 1, 1, 1], [1, 0, 0, 0]]);
        assert_eq!(found[0].typical, None);
        let alone = found[1].typical.unwrap();
        assert_eq!((alone.low_ms, alone.high_ms), (None, None));
    }
}
