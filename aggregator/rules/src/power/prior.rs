//! The prior over components, learnt from complete curves of other functions.
//!
//! Nonparametric empirical Bayes: expectation maximization finds the weights that make the learnt curves
//! likeliest. A base counts as some additional curves.

use super::evidence::SizePoint;
use super::likelihood::{components, ln_likelihoods};

/// A weight for each component; they add up to one.
#[derive(Debug, Clone, PartialEq)]
pub struct Prior {
    weights: Vec<f64>,
}

/// The components that are likely for one complete curve, with their likelihoods.
#[derive(Debug, Clone)]
pub struct Lesson(Vec<(usize, f64)>);

/// Components whose log likelihood is this far below the best are left out.
const NEGLIGIBLE_LN: f64 = -14.0;
/// Rounds of expectation maximization; more rounds make no relevant difference.
const ROUNDS: usize = 40;

impl Lesson {
    /// Returns the lesson of all measured sizes of one function.
    pub fn of(points: &[SizePoint]) -> Self {
        let all = ln_likelihoods(points);
        let best = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let likely = all.iter().enumerate();
        let likely = likely.filter(|(_, ln)| **ln - best > NEGLIGIBLE_LN);
        Self(likely.map(|(at, ln)| (at, (ln - best).exp())).collect())
    }
}

impl Prior {
    /// Returns equal weights for all components.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "some thousand components")]
    pub fn flat() -> Self {
        let count = components();
        Self {
            weights: vec![1.0 / count as f64; count],
        }
    }

    /// Learns from `lessons`. `self` counts as `pseudo` additional curves, so that components without a lesson
    /// remain possible.
    #[must_use]
    pub fn learn(&self, pseudo: f64, lessons: &[&Lesson]) -> Self {
        let mut weights = self.weights.clone();
        for _ in 0..ROUNDS {
            let mut next: Vec<f64> = self.weights.iter().map(|w| w * pseudo).collect();
            for Lesson(likely) in lessons {
                let total: f64 = likely.iter().map(|(at, x)| weights[*at] * x).sum();
                if total > 0.0 {
                    for (at, x) in likely {
                        next[*at] += weights[*at] * x / total;
                    }
                }
            }
            let sum: f64 = next.iter().sum();
            next.iter_mut().for_each(|w| *w /= sum);
            weights = next;
        }
        Self { weights }
    }

    /// Returns the prior with these weights, which add up to one.
    pub(super) const fn of(weights: Vec<f64>) -> Self {
        Self { weights }
    }

    pub(super) fn weights(&self) -> &[f64] {
        &self.weights
    }
}

#[cfg(test)]
mod tests {
    use rightsizer_records::Megabytes;

    use super::super::{PowerCurve, Workload};
    use super::*;

    fn measured(work: Workload, sizes: &[u32]) -> Vec<SizePoint> {
        let at = |size: &u32| SizePoint::new(Megabytes(*size), work.duration_ms(Megabytes(*size)));
        sizes.iter().map(at).collect()
    }

    /// Only 1000 ms at 1024 MB is known. If the other functions compute, 512 MB take about twice as long; if they
    /// wait, 512 MB take as long.
    #[test]
    fn similar_functions_decide_what_one_size_cannot() {
        let sizes = [128, 256, 512, 1024, 1769, 3008];
        for (work, low, high) in [
            (Workload::serial(0.0, 300.0, 1.0), 1900.0, 2100.0),
            (Workload::serial(300.0, 0.0, 1.0), 970.0, 1030.0),
        ] {
            let lesson = Lesson::of(&measured(work, &sizes));
            let prior = Prior::flat().learn(1.0, &[&lesson; 30]);
            let known = [SizePoint::new(Megabytes(1024), 1000.0)];
            let curve = PowerCurve::fit(&known, &prior).unwrap();
            let found = curve.at(Megabytes(512)).unwrap().p50_ms;
            assert!((low..high).contains(&found), "{found}");
        }
    }

    #[test]
    fn weights_stay_a_distribution() {
        let lesson = Lesson::of(&measured(Workload::serial(50.0, 20.0, 2.0), &[128, 1024]));
        let sum = |prior: &Prior| prior.weights().iter().sum::<f64>();
        assert!((sum(&Prior::flat()) - 1.0).abs() < 1e-9);
        assert!((sum(&Prior::flat().learn(2.0, &[&lesson])) - 1.0).abs() < 1e-9);
    }
}
