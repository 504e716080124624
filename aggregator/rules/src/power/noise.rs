//! The deviation of measured durations from a workload's, by chance and because no model is exact.

use rightsizer_records::Megabytes;

use super::evidence::SizePoint;
use super::gaussian::Factor;

/// Standard deviations of the logarithms of durations: 0.05 is 5 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Noise {
    /// The independent error of each size, as between two measurements at different times.
    pub(super) each: f64,
    /// The error of the model, which neighbouring sizes share.
    pub(super) model: f64,
}

/// The levels that a function may have. Its own sizes and the prior decide between them.
pub(super) const NOISES: [Noise; 8] = [
    noise(0.01, 0.01),
    noise(0.02, 0.04),
    noise(0.05, 0.05),
    noise(0.05, 0.15),
    noise(0.12, 0.12),
    noise(0.12, 0.30),
    noise(0.30, 0.30),
    noise(0.70, 0.30),
];

const fn noise(each: f64, model: f64) -> Noise {
    Noise { each, model }
}

/// Octaves of memory over which the correlation of the model's error falls by a factor of e.
const REACH: f64 = 2.0;
/// Prior deviation of a function's level, wide enough to be uninformative.
const LEVEL: f64 = 50.0;

impl Noise {
    /// Returns the covariance of the logarithms of durations at two sizes, without their independent errors.
    pub(super) fn shared(self, one: Megabytes, other: Megabytes) -> f64 {
        let octaves = (f64::from(one.0) / f64::from(other.0)).log2().abs();
        LEVEL * LEVEL + self.model * self.model * (-octaves / REACH).exp()
    }

    /// Factors the covariance of the measured `points`.
    pub(super) fn factor(self, points: &[SizePoint]) -> Factor {
        Factor::of(points.len(), |i, j| {
            let shared = self.shared(points[i].memory_mb, points[j].memory_mb);
            let own = self.each * self.each + points[i].sampling_variance();
            if i == j { shared + own } else { shared }
        })
    }
}
