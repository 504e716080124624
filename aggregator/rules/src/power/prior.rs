//! What functions are like before one is known: a weight for each component, learnt from whole curves.
//!
//! Nonparametric empirical Bayes: the weights under which the learnt curves are likeliest, found by
//! expectation maximization, with a base that counts as some curves more.

use super::evidence::SizePoint;
use super::likelihood::{components, ln_likelihoods};

/// A weight for each component; they add up to one.
#[derive(Debug, Clone, PartialEq)]
pub struct Prior {
    weights: Vec<f64>,
}

/// What one whole curve says of the components: the likely ones, with their likelihoods.
#[derive(Debug, Clone)]
pub struct Lesson(Vec<(usize, f64)>);

/// Likelihoods this much below the best one are left out.
const NEGLIGIBLE_LN: f64 = -14.0;
/// Rounds of expectation maximization: more change nothing that matters.
const ROUNDS: usize = 40;

impl Lesson {
    /// Of all that is known of one function.
    pub fn of(points: &[SizePoint]) -> Self {
        let all = ln_likelihoods(points);
        let best = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let likely = all.iter().enumerate();
        let likely = likely.filter(|(_, ln)| **ln - best > NEGLIGIBLE_LN);
        Self(likely.map(|(at, ln)| (at, (ln - best).exp())).collect())
    }
}

impl Prior {
    /// Every component alike.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "some thousand components")]
    pub fn flat() -> Self {
        let count = components();
        Self {
            weights: vec![1.0 / count as f64; count],
        }
    }

    /// Learns from `lessons`; `self` counts as `pseudo` curves more, so that what none of them shows stays
    /// possible.
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

    /// 1000 ms at 1024 MB, and nothing else known. Among functions that compute, 512 MB take about twice as
    /// long; among ones that wait, as long.
    #[test]
    fn functions_like_it_tell_what_one_size_cannot() {
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
