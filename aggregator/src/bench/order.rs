//! What is started, and how often.

use std::time::Duration;

use rightsizer_records::{Arch, Megabytes};
use rightsizer_rules::power::bench::Tested;
use rightsizer_rules::power::tuning::LONGEST_INIT_MS;
use rightsizer_rules::price::Rates;

/// What a bench is to do.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchOrder {
    /// The sizes.
    pub sizes: Vec<Megabytes>,
    /// Starts of each copy at each size in a round.
    pub starts: u32,
    /// Starts at the same time.
    pub parallel: u32,
    /// Rounds.
    pub rounds: u32,
    /// The time from the beginning of a round to that of the next.
    pub every: Duration,
    /// The most that the starts may cost, in dollars.
    pub max_usd: Option<f64>,
}

/// A copy, and what its starts cost.
#[derive(Debug)]
pub struct Copy<S> {
    /// The function, and how it is packaged.
    pub tested: Tested,
    /// What starts it.
    pub starter: S,
    /// The payload as JSON.
    pub payload: String,
    /// The function's timeout.
    pub timeout_ms: f64,
    /// Prices of the region.
    pub rates: Rates,
    /// The architecture.
    pub arch: Arch,
}

/// Beyond the time of its timeout, a start takes at most this: the init, and the calls around it.
const BESIDE_MS: f64 = 20_000.0;
/// Time to make the copies, and for starts that are repeated.
const SPARE: Duration = Duration::from_hours(2);

impl BenchOrder {
    /// Returns the time after which its copies cannot be needed any more. `timeouts_ms` are those of the copies, which are
    /// started one after the other.
    pub(crate) fn longest(&self, timeouts_ms: impl Iterator<Item = f64>) -> Duration {
        let sizes = u32::try_from(self.sizes.len()).unwrap_or(u32::MAX);
        let groups = f64::from(self.starts.div_ceil(self.parallel.max(1))) * f64::from(sizes);
        let busy_ms = groups * timeouts_ms.map(|ms| ms + BESIDE_MS).sum::<f64>();
        let round = self.every.max(Duration::from_secs_f64(busy_ms / 1000.0));
        round * self.rounds + SPARE
    }

    /// Returns the number of starts of each copy.
    pub(crate) fn starts_of_each(&self) -> u64 {
        let sizes = u64::try_from(self.sizes.len()).unwrap_or(u64::MAX);
        u64::from(self.starts) * u64::from(self.rounds) * sizes
    }
}

impl<S> Copy<S> {
    /// Returns the most that one start at `size` can cost, in dollars.
    pub(crate) fn most_usd_each(&self, size: Megabytes) -> f64 {
        self.usd(self.timeout_ms + LONGEST_INIT_MS, size)
    }

    pub(super) fn usd(&self, billed_ms: f64, size: Megabytes) -> f64 {
        let compute = self.rates.compute_usd(billed_ms, size, Some(self.arch));
        compute + self.rates.request_usd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(starts: u32, parallel: u32, rounds: u32, minutes: u64) -> BenchOrder {
        BenchOrder {
            sizes: vec![Megabytes(512), Megabytes(1024)],
            starts,
            parallel,
            rounds,
            every: Duration::from_mins(minutes),
            max_usd: None,
        }
    }

    /// `tune --cleanup --expired` leaves a copy alone for this time. Ten starts, five at a time, at two sizes of copies with
    /// timeouts of 3 and 5 s take at most 2 × 2 × 48 s, far less than an hour. A thousand, one at a time, of a copy with
    /// a timeout of 15 minutes take 2 × 1000 × 920 s.
    #[test]
    fn a_copy_is_needed_for_as_long_as_its_rounds_may_take() {
        let longest = |order: &BenchOrder, timeouts: &[f64]| {
            order.longest(timeouts.iter().copied()).as_secs()
        };
        let quick = [3_000.0, 5_000.0];
        assert_eq!(longest(&order(10, 5, 3, 60), &quick), 5 * 3600);
        assert_eq!(longest(&order(10, 5, 1, 0), &quick), 192 + 2 * 3600);
        let slow = longest(&order(1000, 1, 1, 60), &[900_000.0]);
        assert_eq!(slow, 1_840_000 + 2 * 3600);
    }
}
