//! The measured durations of a function: one point for each memory size.

use rightsizer_records::Megabytes;

/// Durations of one version at one memory size: successful invocations without cold starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SizePoint {
    /// The size.
    pub memory_mb: Megabytes,
    /// Median duration, in milliseconds, above zero.
    pub p50_ms: f64,
    /// Number of invocations; 0 if it is unknown.
    pub invocations: u64,
    /// Standard deviation of the logarithms of single durations, if known.
    pub spread: Option<f64>,
    /// CPU time of an invocation, in milliseconds, if known.
    pub cpu_ms: Option<f64>,
    /// Memory that an invocation used, in MB, if known.
    pub used_mb: Option<f64>,
}

impl SizePoint {
    /// Returns a point with only a duration.
    pub const fn new(memory_mb: Megabytes, p50_ms: f64) -> Self {
        Self {
            memory_mb,
            p50_ms,
            invocations: 0,
            spread: None,
            cpu_ms: None,
            used_mb: None,
        }
    }

    /// Returns the sampling variance of the logarithm of `p50_ms`. The variance of a median is π/2 times that of
    /// the mean.
    pub(super) fn sampling_variance(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        let samples = self.invocations.max(1) as f64;
        self.spread.map_or(0.0, |spread| {
            std::f64::consts::FRAC_PI_2 * spread * spread / samples
        })
    }
}

/// From this share of a size in use, durations rise faster than the CPU share falls, because garbage collectors
/// and caches lack memory.
const STARVED: f64 = 0.9;

/// Returns whether a function that uses `used_mb` lacks memory at `size`, so that it has no estimate there.
pub fn starved(used_mb: f64, size: Megabytes) -> bool {
    used_mb >= STARVED * f64::from(size.0)
}
