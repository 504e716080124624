//! The best size of those that were measured.

use rightsizer_records::Megabytes;
use serde::Serialize;

use super::super::evidence::starved;
use super::super::sampling::{AS_FAST, Strategy};
use super::super::used::FAILING;
use super::statistics::{SizeStatistics, Typical};

/// Why a size is never chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unfit {
    /// An invocation ran out of memory at this size.
    OutOfMemory,
    /// An invocation ran out of memory at a larger size.
    SmallerThanOutOfMemory,
    /// An invocation ran into the timeout.
    TimedOut,
    /// The memory in use fills 90 % or more.
    Starved,
    /// A tenth of the invocations or more failed.
    Failing,
    /// No invocation returned.
    NotMeasured,
}

/// The chosen size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// The size.
    pub memory_mb: Megabytes,
    /// Other sizes that the run cannot distinguish from it, in ascending order: the difference of the scores is within
    /// its 90 % interval, or there are too few invocations to know.
    pub as_good: Vec<Megabytes>,
}

/// Returns why the size at `at` is never chosen; `None` if it may be.
pub fn unfit(sizes: &[SizeStatistics], at: usize) -> Option<Unfit> {
    let size = sizes.get(at)?;
    let larger =
        |other: &SizeStatistics| other.memory_mb > size.memory_mb && other.out_of_memory > 0;
    let used = size.used_mb.map(|used| f64::from(used.0));
    #[expect(clippy::cast_precision_loss, reason = "a count of invocations")]
    let failed = size.failed as f64 / size.invocations.max(1) as f64;
    if size.out_of_memory > 0 {
        Some(Unfit::OutOfMemory)
    } else if sizes.iter().any(larger) {
        Some(Unfit::SmallerThanOutOfMemory)
    } else if size.timed_out > 0 {
        Some(Unfit::TimedOut)
    } else if size.typical.is_none() {
        Some(Unfit::NotMeasured)
    } else if failed >= FAILING {
        Some(Unfit::Failing)
    } else {
        let starved = used.is_some_and(|used| starved(used, size.memory_mb));
        starved.then_some(Unfit::Starved)
    }
}

/// Returns the size with the lowest score; `None` if none may be chosen.
///
/// The scores are those of AWS Lambda Power Tuning: the cost of an invocation, its duration, or for `Balanced`
/// `weight × cost ÷ highest cost + (1 − weight) × duration ÷ longest duration` over the sizes that may be chosen. Of
/// equal costs the fastest is chosen. `Speed` chooses the cheapest of the sizes that take as long as the fastest, to
/// 1 % and as far as their intervals can show: above the cores that a function can use, only the price grows.
pub fn best(sizes: &[SizeStatistics], strategy: Strategy) -> Option<Choice> {
    let fit = (0..sizes.len()).filter(|at| unfit(sizes, *at).is_none());
    let fit: Vec<(Megabytes, Typical)> = fit
        .filter_map(|at| Some((sizes[at].memory_mb, sizes[at].typical?)))
        .collect();
    let most = |of: fn(&Typical) -> f64| {
        let values = fit.iter().map(|(_, typical)| of(typical));
        values.fold(f64::MIN_POSITIVE, f64::max)
    };
    let (dearest, slowest) = (most(|t| t.usd), most(|t| t.mean_ms));
    let score = |t: &Typical| match strategy {
        Strategy::Cost => t.usd,
        Strategy::Speed => t.mean_ms,
        Strategy::Balanced { weight } => {
            weight * t.usd / dearest + (1.0 - weight) * t.mean_ms / slowest
        }
    };
    let equal = |t: &Typical| match strategy {
        Strategy::Cost => t.mean_ms,
        Strategy::Speed | Strategy::Balanced { .. } => t.usd,
    };
    let (mut memory_mb, mut chosen) = *fit.iter().min_by(|(_, a), (_, b)| {
        let by_score = score(a).total_cmp(&score(b));
        by_score.then(equal(a).total_cmp(&equal(b)))
    })?;
    // A score is proportional to the duration, but for the rounding of billed time.
    let half = |t: &Typical| score(t) * half_share(t);
    let as_good =
        |t: &Typical, best: &Typical| (score(t) - score(best)).abs() <= half(t).hypot(half(best));
    if strategy == Strategy::Speed {
        let as_fast = |t: &Typical| t.mean_ms <= chosen.mean_ms * AS_FAST && as_good(t, &chosen);
        let as_fast = fit.iter().filter(|(_, typical)| as_fast(typical));
        (memory_mb, chosen) = *as_fast.min_by(|(_, a), (_, b)| a.usd.total_cmp(&b.usd))?;
    }
    let alike = |t: &Typical| as_good(t, &chosen);
    let others = fit.iter().filter(|(size, _)| *size != memory_mb);
    Some(Choice {
        memory_mb,
        as_good: others
            .filter(|(_, typical)| alike(typical))
            .map(|(size, _)| *size)
            .collect(),
    })
}

/// Half of the width of a mean's interval, as a share of the mean.
fn half_share(typical: &Typical) -> f64 {
    typical.high_ms.map_or(f64::INFINITY, |high| {
        (high - typical.mean_ms) / typical.mean_ms.max(f64::MIN_POSITIVE)
    })
}

#[cfg(test)]
mod tests {
    use super::super::Sample;
    use super::super::statistics::statistics;
    use super::super::statistics::tests::{ended, measure, warm};
    use super::*;
    use rightsizer_records::Status;

    /// Five invocations that scatter by 2 % around a duration.
    fn around(memory_mb: u32, ms: f64) -> Vec<Sample> {
        let each = [0.98, 0.99, 1.0, 1.01, 1.02];
        each.map(|by| warm(memory_mb, ms * by)).to_vec()
    }

    fn chosen(samples: &[Sample], strategy: Strategy) -> Option<u32> {
        let choice = best(&statistics(samples, &measure()), strategy);
        choice.map(|choice| choice.memory_mb.0)
    }

    /// Costs in MB × ms: 128,000, 122,880, 133,120, 245,760. Balanced in shares of the highest cost and of 1000 ms:
    /// 0.521 + 1, 0.5 + 0.24, 0.542 + 0.13, 1 + 0.12, each by half.
    #[test]
    fn each_strategy_by_hand() {
        let samples = [(128, 1000.0), (512, 240.0), (1024, 130.0), (2048, 120.0)];
        let samples: Vec<Sample> = samples
            .iter()
            .flat_map(|(mb, ms)| around(*mb, *ms))
            .collect();
        assert_eq!(chosen(&samples, Strategy::Cost), Some(512));
        assert_eq!(chosen(&samples, Strategy::Speed), Some(2048));
        for (weight, wanted) in [(0.5, 1024), (1.0, 512), (0.0, 2048)] {
            assert_eq!(
                chosen(&samples, Strategy::Balanced { weight }),
                Some(wanted)
            );
        }
    }

    /// Durations halve as sizes double, as those of a function that computes: every size costs the same, so the fastest
    /// is chosen. Durations are whole milliseconds, so that billed ones are equal.
    #[test]
    fn of_equal_costs_the_fastest_is_chosen() {
        let each = |mb: u32| [warm(mb, f64::from(1_048_576 / mb)); 5];
        let samples: Vec<Sample> = [256, 512, 1024].into_iter().flat_map(each).collect();
        assert_eq!(chosen(&samples, Strategy::Cost), Some(1024));
    }

    /// A function that waits costs the least at the smallest size and takes as long at all: 256 MB are 0.8 % slower than
    /// 512 MB, which the scatter hides, and cost half.
    #[test]
    fn sizes_that_cannot_be_told_apart_are_named() {
        let samples: Vec<Sample> = [(128, 100.0), (256, 50.4), (512, 50.0)]
            .iter()
            .flat_map(|(mb, ms)| around(*mb, *ms))
            .collect();
        let sizes = statistics(&samples, &measure());
        let fastest = best(&sizes, Strategy::Speed).unwrap();
        assert_eq!(fastest.memory_mb, Megabytes(256));
        assert_eq!(fastest.as_good, [Megabytes(512)]);
        let cheapest = best(&sizes, Strategy::Cost).unwrap();
        assert_eq!(cheapest.memory_mb, Megabytes(128));
        assert_eq!(cheapest.as_good, [Megabytes(256)]);
    }

    /// 1.2 % are within the intervals too, but more than 1 %. Without scatter, 0.8 % are a difference.
    #[test]
    fn speed_gives_nothing_away_for_money() {
        let of = |slower: f64| [around(256, slower), around(512, 50.0)].concat();
        assert_eq!(chosen(&of(50.4), Strategy::Speed), Some(256));
        assert_eq!(chosen(&of(50.6), Strategy::Speed), Some(512));
        let exact = [[warm(256, 50.4); 5], [warm(512, 50.0); 5]].concat();
        assert_eq!(chosen(&exact, Strategy::Speed), Some(512));
    }

    /// One invocation each shows nothing about the difference.
    #[test]
    fn single_invocations_decide_nothing() {
        let sizes = statistics(&[warm(512, 50.0), warm(128, 900.0)], &measure());
        let choice = best(&sizes, Strategy::Speed).unwrap();
        assert_eq!(choice.as_good, [Megabytes(128)]);
    }

    #[test]
    fn sizes_that_harm_are_never_chosen() {
        for (status, why) in [
            (Status::OutOfMemory, Unfit::OutOfMemory),
            (Status::Timeout, Unfit::TimedOut),
            (Status::Error, Unfit::Failing),
        ] {
            let mut samples = around(128, 10.0);
            samples.push(ended(128, status));
            samples.extend(around(1024, 10.0));
            let sizes = statistics(&samples, &measure());
            assert_eq!(unfit(&sizes, 0), Some(why));
            assert_eq!(chosen(&samples, Strategy::Cost), Some(1024), "{status:?}");
        }
        assert_eq!(chosen(&[ended(128, Status::Timeout)], Strategy::Cost), None);
    }

    /// 116 of 128 MB are 90.6 %.
    #[test]
    fn sizes_without_enough_memory_are_never_chosen() {
        let mut samples = around(128, 10.0);
        samples[0].used_mb = Some(Megabytes(116));
        samples.extend(around(256, 10.0));
        let sizes = statistics(&samples, &measure());
        assert_eq!(unfit(&sizes, 0), Some(Unfit::Starved));
        samples.push(ended(256, Status::OutOfMemory));
        samples.extend(around(512, 10.0));
        samples[0].used_mb = Some(Megabytes(70));
        let sizes = statistics(&samples, &measure());
        assert_eq!(unfit(&sizes, 0), Some(Unfit::SmallerThanOutOfMemory));
        assert_eq!(chosen(&samples, Strategy::Cost), Some(512));
    }
}
