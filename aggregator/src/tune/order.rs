//! What a run is to do.

use std::time::Duration;

use rightsizer_records::{Arch, Megabytes};
use rightsizer_rules::power::Strategy;
use rightsizer_rules::power::tuning::{LONGEST_INIT_MS, Measure, Plan};
use rightsizer_rules::price::Rates;

/// What a run is to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The sizes, how often, and the shares of the payloads.
    pub plan: Plan,
    /// The payloads as JSON.
    pub payloads: Vec<String>,
    /// What the best size is.
    pub strategy: Strategy,
    /// Share of the durations that is left out at either end.
    pub discard: f64,
    /// Invocations at the same time.
    pub parallel: u32,
    /// Pause after each invocation, or after those that run at the same time.
    pub pause: Duration,
    /// Whether every invocation starts cold.
    pub cold_only: bool,
    /// Error types of the function that count as results.
    pub allowed_exceptions: Vec<String>,
    /// Failed invocations that do not end the run.
    pub allowed_errors: u64,
    /// The most that the invocations may cost, in dollars.
    pub max_usd: Option<f64>,
    /// The function's timeout.
    pub timeout_ms: f64,
    /// Prices of the region.
    pub rates: Rates,
    /// The architecture.
    pub arch: Arch,
}

impl Order {
    /// Returns the most that one invocation at `size` can cost, in dollars.
    pub(crate) fn most_usd_each(&self, size: Megabytes) -> f64 {
        let longest = self.timeout_ms + LONGEST_INIT_MS;
        self.rates.compute_usd(longest, size, Some(self.arch)) + self.rates.request_usd()
    }

    /// Returns how samples become figures.
    pub const fn measure(&self) -> Measure {
        Measure {
            discard: self.discard,
            with_starts: self.cold_only,
            rates: self.rates,
            arch: Some(self.arch),
        }
    }
}
