//! Measures the speed and the size of the aggregator, through the same code that users run, beside a
//! bare parse of the same bytes in the same run, because machines differ and are shared. No crate of the product may
//! depend on it.

pub mod bare;
pub mod curve;
pub mod files;
pub mod fleet;
pub mod import;
pub mod page;

use std::time::{Duration, Instant};

/// Runs `body` the given number of times; returns the median of its durations.
pub fn median(
    runs: usize,
    mut body: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Duration> {
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs.max(1) {
        let start = Instant::now();
        body()?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

/// The rate per second.
#[expect(clippy::cast_precision_loss, reason = "a rate to be read by people")]
pub fn rate(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}
