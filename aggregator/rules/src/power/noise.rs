//! How far measured durations lie from a workload's own: by chance, and because no model is exact.

use rightsizer_records::Megabytes;

use super::evidence::SizePoint;
use super::gaussian::Factor;

/// Deviations in logarithms of durations: 0.05 is 5 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Noise {
    /// Of each size by itself: a measurement, made again at another hour, differs by so much.
    pub(super) each: f64,
    /// Of the model, alike at sizes that are near each other.
    pub(super) model: f64,
}

/// The levels that a function may have: which one, its own sizes and other functions tell.
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

/// Octaves of memory over which the model's error changes by a factor e.
const REACH: f64 = 2.0;
/// Of a function's level before anything is known of it: wide enough to say nothing.
const LEVEL: f64 = 50.0;

impl Noise {
    /// Covariance of two sizes' logarithms of durations, apart from what is each one's own.
    pub(super) fn shared(self, one: Megabytes, other: Megabytes) -> f64 {
        let octaves = (f64::from(one.0) / f64::from(other.0)).log2().abs();
        LEVEL * LEVEL + self.model * self.model * (-octaves / REACH).exp()
    }

    /// Of the measured `points`.
    pub(super) fn factor(self, points: &[SizePoint]) -> Factor {
        Factor::of(points.len(), |i, j| {
            let shared = self.shared(points[i].memory_mb, points[j].memory_mb);
            let own = self.each * self.each + points[i].sampling_variance();
            if i == j { shared + own } else { shared }
        })
    }
}
