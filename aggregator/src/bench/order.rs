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

impl BenchOrder {
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
