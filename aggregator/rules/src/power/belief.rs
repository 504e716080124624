//! What is believed about several sizes at once: expected logarithms of durations, and their covariance.
//!
//! A curve is a mixture of normal distributions. Here it is reduced to the one normal distribution with the same
//! mean and covariance, so that one measurement's effect on all sizes has a closed form.

use rightsizer_records::Megabytes;

use super::evidence::SizePoint;
use super::gaussian::Factor;
use super::likelihood::{ln_likelihoods, parts, residuals};
use super::noise::{NOISES, Noise};
use super::prior::Prior;
use super::shape::shapes;

/// A measured size, and whether candidates are measured under the same conditions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measured {
    pub(super) point: SizePoint,
    /// Whether the size's own error is the same as in the belief: measurements of one run share it, and
    /// production traffic on another day does not.
    pub(super) same_run: bool,
}

/// A normal distribution over the logarithms of durations at some sizes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Belief {
    pub(super) means: Vec<f64>,
    pub(super) covariance: Vec<Vec<f64>>,
}

/// Components whose weight relative to the largest is below this are left out.
const NEGLIGIBLE: f64 = 1e-4;

/// One component's belief.
struct Part<'a> {
    weight: f64,
    means: Vec<f64>,
    covariance: &'a [Vec<f64>],
}

/// The posterior of one noise level, whatever the shape.
struct Given {
    factor: Factor,
    /// By candidate: its covariance with the measured sizes, whitened.
    towards: Vec<Vec<f64>>,
    covariance: Vec<Vec<f64>>,
}

impl Belief {
    /// Returns the belief about `sizes` after `measured`, with `prior`.
    pub(super) fn of(sizes: &[Megabytes], measured: &[Measured], prior: &Prior) -> Self {
        let points: Vec<SizePoint> = measured.iter().map(|m| m.point).collect();
        let lns = ln_likelihoods(&points);
        let best = lns.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights = lns.iter().zip(prior.weights());
        let weights: Vec<f64> = weights.map(|(ln, w)| (ln - best).exp() * w).collect();
        let least = weights.iter().copied().fold(0.0, f64::max) * NEGLIGIBLE;
        let given = NOISES.map(|noise| Given::of(noise, sizes, measured, &points));
        let likely = weights.iter().enumerate().filter(|(_, w)| **w >= least);
        let likely = likely.map(|(component, weight)| {
            let (shape, noise) = parts(component);
            let (shape, given) = (shapes()[shape], &given[noise]);
            let mut white = residuals(&points, shape);
            given.factor.whiten(&mut white);
            let mean = |(size, towards): (&Megabytes, &Vec<f64>)| {
                shape.ln_duration(*size) + dot(towards, &white)
            };
            let means: Vec<f64> = sizes.iter().zip(&given.towards).map(mean).collect();
            Part {
                weight: *weight,
                means,
                covariance: &given.covariance,
            }
        });
        mixed(&likely.collect::<Vec<_>>(), sizes.len())
    }
}

impl Given {
    fn of(noise: Noise, sizes: &[Megabytes], measured: &[Measured], points: &[SizePoint]) -> Self {
        let factor = noise.factor(points);
        let own = |same: bool| if same { noise.each * noise.each } else { 0.0 };
        let towards = |size: &Megabytes| {
            let with = |m: &Measured| {
                let same = m.same_run && m.point.memory_mb == *size;
                noise.shared(m.point.memory_mb, *size) + own(same)
            };
            let mut row: Vec<f64> = measured.iter().map(with).collect();
            factor.whiten(&mut row);
            row
        };
        let towards: Vec<Vec<f64>> = sizes.iter().map(towards).collect();
        let pair = |i: usize, j: usize| {
            noise.shared(sizes[i], sizes[j]) + own(i == j) - dot(&towards[i], &towards[j])
        };
        let row = |i| (0..sizes.len()).map(|j| pair(i, j)).collect();
        let covariance = (0..sizes.len()).map(row).collect();
        Self {
            factor,
            towards,
            covariance,
        }
    }
}

/// Returns the normal distribution with the mean and the covariance of a mixture of `n` dimensions.
fn mixed(parts: &[Part<'_>], n: usize) -> Belief {
    let total: f64 = parts.iter().map(|part| part.weight).sum();
    let mean = |i: usize| {
        let means = parts.iter().map(|part| part.weight * part.means[i]);
        means.sum::<f64>() / total
    };
    let means: Vec<f64> = (0..n).map(mean).collect();
    let mut covariance = vec![vec![0.0; n]; n];
    for part in parts {
        for (i, row) in covariance.iter_mut().enumerate() {
            for (j, entry) in row.iter_mut().enumerate() {
                let between = (part.means[i] - means[i]) * (part.means[j] - means[j]);
                *entry += part.weight / total * (part.covariance[i][j] + between);
            }
        }
    }
    Belief { means, covariance }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(mb: u32, ms: f64, same_run: bool) -> Measured {
        let point = SizePoint {
            invocations: 50,
            spread: Some(0.01),
            ..SizePoint::new(Megabytes(mb), ms)
        };
        Measured { point, same_run }
    }

    /// Two parts with means (0, 0) and (2, 4), weights 3 and 1, and the variance 1: the mean is (0.5, 1), and the
    /// covariance gains (0.75 × 0.25 + 0.25 × 2.25) = 0.75 in the first dimension, 1.5 between them, 3 in the other.
    #[test]
    fn a_mixture_is_reduced_by_hand() {
        let one = vec![vec![1.0, 0.0], vec![0.0, 1.0]];
        let part = |weight, means| Part {
            weight,
            means,
            covariance: &one,
        };
        let parts = [part(3.0, vec![0.0, 0.0]), part(1.0, vec![2.0, 4.0])];
        let belief = mixed(&parts, 2);
        assert_eq!(belief.means, [0.5, 1.0]);
        assert_eq!(belief.covariance, [[1.75, 1.5], [1.5, 4.0]]);
    }

    /// After 50 invocations in the same run a size is known to 0.01 ÷ √50 (times √(π ÷ 2)) = 0.2 %. Production
    /// traffic leaves the error between two times: by a flat prior, at least its lowest level of 1 %.
    #[test]
    fn a_size_measured_in_the_run_is_known() {
        let deviation = |same_run| {
            let known = [measured(1024, 100.0, same_run), measured(256, 400.0, true)];
            let belief = Belief::of(&[Megabytes(1024)], &known, &Prior::flat());
            assert!((belief.means[0] - 100.0_f64.ln()).abs() < 0.05);
            belief.covariance[0][0].sqrt()
        };
        assert!(deviation(true) < 0.003, "{}", deviation(true));
        assert!(deviation(false) > 0.01, "{}", deviation(false));
    }
}
