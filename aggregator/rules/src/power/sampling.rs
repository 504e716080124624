//! Adaptive sampling: the size to invoke next, so that few and cheap invocations find the best size.
//!
//! Each step takes the sample with the highest expected improvement for its price: the *knowledge gradient* for
//! correlated beliefs (Frazier, Powell and Dayanik, "The Knowledge-Gradient Policy for Correlated Normal Beliefs",
//! 2009). One sample updates all sizes, because the belief comes from the power curve. This module must not
//! invoke anything.

use rightsizer_records::Megabytes;

use super::belief::{Belief, Measured};
use super::evidence::SizePoint;
use super::gaussian::NORMAL_95;
use super::prior::Prior;

/// Durations up to this many times the shortest are as short.
pub(super) const AS_FAST: f64 = 1.01;

/// What the best size is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Strategy {
    /// The lowest cost.
    Cost,
    /// The shortest duration.
    Speed,
    /// The lowest `weight × cost ÷ highest cost + (1 − weight) × duration ÷ longest duration`, with a weight of 0
    /// to 1.
    Balanced {
        /// The weight of the cost.
        weight: f64,
    },
}

/// When a run ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effort {
    /// Most invocations.
    pub invocations: u64,
    /// Least relative improvement that an invocation at the best size must be expected to bring: with 0.00001, 100
    /// more invocations must be expected to improve the result by 0.1 %.
    pub improvement: f64,
}

impl Default for Effort {
    /// Chosen on the public curves: `docs/POWER.md` has the results for other values.
    fn default() -> Self {
        Self {
            invocations: 60,
            improvement: 1e-5,
        }
    }
}

/// What is known about one size after a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tuned {
    /// The size.
    pub memory_mb: Megabytes,
    /// Invocations at this size.
    pub invocations: u64,
    /// Expected typical duration, in milliseconds.
    pub duration_ms: f64,
    /// Its 5 % quantile.
    pub low_ms: f64,
    /// Its 95 % quantile.
    pub high_ms: f64,
}

/// The durations that were sampled at one size, as logarithms.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Samples {
    count: f64,
    mean: f64,
    /// Sum of squared deviations from the mean.
    squares: f64,
}

impl Samples {
    /// Welford's update of a mean and a sum of squares.
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let off = value - self.mean;
        self.mean += off / self.count;
        self.squares += off * (value - self.mean);
    }
}

/// Deviation of single durations that is assumed before any is known, and the number of samples that it weighs as much as.
const USUAL_SPREAD: f64 = 0.2;
const USUAL_SAMPLES: f64 = 4.0;
/// A sample may bring nothing by itself and much together with others, so the value of several is considered too.
const TOGETHER: [u8; 5] = [1, 2, 3, 5, 8];
/// Half of the variance of an unknown size's duration raises its expected price; more than this is not believed.
const MOST_VARIANCE: f64 = 2.0;

/// One run of samples over candidate sizes.
#[derive(Debug, Clone)]
pub struct Sampler<'a> {
    sizes: Vec<Megabytes>,
    samples: Vec<Samples>,
    production: &'a [SizePoint],
    prior: &'a Prior,
    strategy: Strategy,
    effort: Effort,
}

impl<'a> Sampler<'a> {
    /// Starts a run over `sizes`, with what production traffic has shown and what other functions have taught.
    pub fn new(
        sizes: &[Megabytes],
        production: &'a [SizePoint],
        prior: &'a Prior,
        strategy: Strategy,
        effort: Effort,
    ) -> Self {
        Self {
            sizes: sizes.to_vec(),
            samples: vec![Samples::default(); sizes.len()],
            production,
            prior,
            strategy,
            effort,
        }
    }

    /// Adds the duration of one invocation at `size`. A duration of 0 counts as the shortest that Lambda reports,
    /// 0.01 ms. A size that is not a candidate changes nothing.
    pub fn add(&mut self, size: Megabytes, duration_ms: f64) {
        if let Some(at) = self.sizes.iter().position(|candidate| *candidate == size) {
            self.samples[at].add(duration_ms.max(0.01).ln());
        }
    }

    /// Removes the sizes up to `size`, at which the function ran out of memory or of time.
    pub fn refuse_up_to(&mut self, size: Megabytes) {
        let is_larger = |at: &usize| self.sizes[*at] > size;
        let larger: Vec<usize> = (0..self.sizes.len()).filter(is_larger).collect();
        self.samples = larger.iter().map(|at| self.samples[*at]).collect();
        self.sizes = larger.iter().map(|at| self.sizes[*at]).collect();
    }

    /// Returns the size to invoke next; `None` if more samples are not worth their price, or none are left.
    pub fn next(&self) -> Option<Megabytes> {
        let left = f64::from(u32::try_from(self.effort.invocations).unwrap_or(u32::MAX))
            - self
                .samples
                .iter()
                .map(|samples| samples.count)
                .sum::<f64>();
        if self.sizes.len() < 2 || left < 1.0 {
            return None;
        }
        let belief = self.belief();
        let scores = self.ln_scores(&belief);
        let best = lowest(&scores)?;
        if self.samples.iter().all(|samples| samples.count == 0.0) {
            return Some(self.sizes[best]);
        }
        let values = (0..self.sizes.len()).map(|at| (at, self.value(at, best, &belief, &scores)));
        let (at, value) = values.max_by(|a, b| a.1.total_cmp(&b.1))?;
        (value >= self.effort.improvement).then(|| self.sizes[at])
    }

    /// Returns the best size as far as is known; `None` if no size is left.
    pub fn best(&self) -> Option<Megabytes> {
        let belief = self.belief();
        let scores = self.ln_scores(&belief);
        let best = lowest(&scores)?;
        let as_fast = |at: &usize| scores[*at] <= scores[best] + AS_FAST.ln();
        if self.strategy == Strategy::Speed {
            // Of sizes that are as fast, the smallest is the cheapest.
            let as_fast = (0..self.sizes.len()).filter(as_fast);
            return as_fast.map(|at| self.sizes[at]).min();
        }
        Some(self.sizes[best])
    }

    /// Returns what is known about every size that is left.
    pub fn tuned(&self) -> Vec<Tuned> {
        let belief = self.belief();
        let of = |at: usize| {
            let (mean, off) = (
                belief.means[at],
                NORMAL_95 * belief.covariance[at][at].max(0.0).sqrt(),
            );
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a count of samples"
            )]
            let invocations = self.samples[at].count as u64;
            Tuned {
                memory_mb: self.sizes[at],
                invocations,
                duration_ms: mean.exp(),
                low_ms: (mean - off).exp(),
                high_ms: (mean + off).exp(),
            }
        };
        (0..self.sizes.len()).map(of).collect()
    }

    /// Returns the expected relative improvement from a sample at `at`, for the price of one at the best size.
    fn value(&self, at: usize, best: usize, belief: &Belief, scores: &[f64]) -> f64 {
        let own = belief.covariance[at][at];
        let prices = |at: usize| belief.means[at] + f64::from(self.sizes[at].0).ln();
        let price = (prices(at) - prices(best) + own.min(MOST_VARIANCE) / 2.0).exp();
        let spread = self.spread();
        let values = TOGETHER.map(|times| {
            let deviation = (own + spread * spread / f64::from(times)).sqrt();
            let moves = belief.covariance.iter().map(|row| row[at] / deviation);
            let moves: Vec<f64> = moves.collect();
            (scores[best] - expected_lowest(scores, &moves)) / (f64::from(times) * price)
        });
        values.into_iter().fold(f64::NEG_INFINITY, f64::max)
    }

    fn belief(&self) -> Belief {
        let spread = self.spread();
        let sampled = self.sizes.iter().zip(&self.samples);
        let sampled = sampled.filter(|(_, samples)| samples.count > 0.0);
        let sampled = sampled.map(|(size, samples)| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a count of samples"
            )]
            let invocations = samples.count as u64;
            let point = SizePoint {
                invocations,
                // A point has the variance of a median; this is a mean.
                spread: Some(spread / std::f64::consts::FRAC_PI_2.sqrt()),
                ..SizePoint::new(*size, samples.mean.exp())
            };
            Measured {
                point,
                same_run: true,
            }
        });
        let production = self.production.iter().map(|point| Measured {
            point: *point,
            same_run: false,
        });
        let measured: Vec<Measured> = production.chain(sampled).collect();
        Belief::of(&self.sizes, &measured, self.prior)
    }

    /// Returns the standard deviation of the logarithm of a single duration, pooled over the sizes.
    fn spread(&self) -> f64 {
        let usual = (USUAL_SPREAD * USUAL_SPREAD * USUAL_SAMPLES, USUAL_SAMPLES);
        let add = |(squares, samples): (f64, f64), of: &Samples| {
            (squares + of.squares, samples + (of.count - 1.0).max(0.0))
        };
        let (squares, samples) = self.samples.iter().fold(usual, add);
        (squares / samples).sqrt()
    }

    /// Returns the logarithm of each size's score; the lowest is the best. In every strategy a score is a duration
    /// times a weight of the size, so a change of the duration's logarithm changes it by as much.
    fn ln_scores(&self, belief: &Belief) -> Vec<f64> {
        let durations: Vec<f64> = belief.means.iter().map(|mean| mean.exp()).collect();
        let costs = durations.iter().zip(&self.sizes);
        let highest = costs
            .map(|(ms, size)| ms * f64::from(size.0))
            .fold(f64::MIN_POSITIVE, f64::max);
        let longest = durations.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let weight = |size: &Megabytes| match self.strategy {
            Strategy::Cost => f64::from(size.0),
            Strategy::Speed => 1.0,
            Strategy::Balanced { weight } => {
                weight * f64::from(size.0) / highest + (1.0 - weight) / longest
            }
        };
        let scores = belief.means.iter().zip(&self.sizes);
        scores
            .map(|(mean, size)| mean + weight(size).ln())
            .collect()
    }
}

/// Returns the index of the lowest value, the first of equals.
fn lowest(values: &[f64]) -> Option<usize> {
    (0..values.len()).min_by(|a, b| values[*a].total_cmp(&values[*b]))
}

/// Returns the expectation of the lowest `values[i] + moves[i] × Z` over a standard normal Z, by the trapezoidal rule,
/// whose error is far below rounding for a smooth density.
fn expected_lowest(values: &[f64], moves: &[f64]) -> f64 {
    const STEPS: i32 = 60;
    const REACH: f64 = 4.5;
    let at = |n: i32| {
        let z = REACH * f64::from(2 * n - STEPS) / f64::from(STEPS);
        let lines = values.iter().zip(moves).map(|(value, by)| value + by * z);
        ((-z * z / 2.0).exp(), lines.fold(f64::INFINITY, f64::min))
    };
    let (sum, total) = (0..=STEPS)
        .map(at)
        .fold((0.0, 0.0), |(sum, total), (w, low)| {
            (sum + w * low, total + w)
        });
    sum / total
}

#[cfg(test)]
mod tests {
    use super::super::Workload;
    use super::*;

    const SIZES: [Megabytes; 6] = [
        Megabytes(128),
        Megabytes(256),
        Megabytes(512),
        Megabytes(1024),
        Megabytes(2048),
        Megabytes(3008),
    ];

    fn run(sampler: &mut Sampler<'_>, duration: impl Fn(Megabytes) -> f64) -> u64 {
        let mut invocations = 0;
        while let Some(size) = sampler.next() {
            sampler.add(size, duration(size));
            invocations += 1;
        }
        invocations
    }

    fn sampler(prior: &Prior, strategy: Strategy) -> Sampler<'_> {
        Sampler::new(&SIZES, &[], prior, strategy, Effort::default())
    }

    /// E[min(0, Z)] = −1 ÷ √(2π) = −0.3989, and a line that is always higher changes nothing.
    #[test]
    fn the_expected_lowest_by_hand() {
        let found = expected_lowest(&[0.0, 0.0], &[0.0, 1.0]);
        assert!((found + 0.3989).abs() < 1e-3, "{found}");
        assert!((expected_lowest(&[0.0, 9.0], &[0.0, 1.0])).abs() < 1e-9);
    }

    /// 10 ms of waiting and 400 ms of CPU time: 128 MB cost 710 GB-ms (5539 ms), 1024 MB 720 (701 ms), and the shortest is
    /// above 1769 MB. Waiting only costs least at the smallest size.
    #[test]
    fn the_best_size_of_each_strategy_is_found() {
        let prior = Prior::flat();
        let computes = Workload::serial(10.0, 400.0, 1.0);
        let waits = Workload::serial(100.0, 0.0, 1.0);
        for (work, strategy, best) in [
            (waits, Strategy::Cost, vec![128]),
            (computes, Strategy::Speed, vec![2048, 3008]),
            (
                computes,
                Strategy::Balanced { weight: 0.5 },
                vec![1024, 2048],
            ),
        ] {
            let mut sampler = sampler(&prior, strategy);
            let invocations = run(&mut sampler, |size| work.duration_ms(size));
            let found = sampler.best().unwrap().0;
            assert!(best.contains(&found), "{strategy:?}: {found}");
            assert!((3..=60).contains(&invocations), "{invocations}");
        }
    }

    /// 1769 MB have a whole core, and the larger sizes 0.5 % shorter durations for more money.
    #[test]
    fn of_sizes_that_are_as_fast_the_cheapest_is_best() {
        let prior = Prior::flat();
        let best = |faster: f64| {
            let sizes = [512, 1769, 3008].map(Megabytes);
            let mut sampler = Sampler::new(&sizes, &[], &prior, Strategy::Speed, Effort::default());
            for _ in 0..20 {
                sampler.add(sizes[0], 300.0);
                sampler.add(sizes[1], 100.0);
                sampler.add(sizes[2], 100.0 / faster);
            }
            sampler.best().unwrap().0
        };
        assert_eq!((best(1.005), best(1.05)), (1769, 3008));
    }

    /// With what production traffic showed at three sizes, fewer invocations are needed.
    #[test]
    fn production_traffic_saves_invocations() {
        let prior = Prior::flat();
        let work = Workload::serial(100.0, 40.0, 1.0);
        let point = |size: u32| SizePoint {
            invocations: 10_000,
            spread: Some(0.1),
            ..SizePoint::new(Megabytes(size), work.duration_ms(Megabytes(size)))
        };
        let known = [point(128), point(512), point(1024)];
        let mut blank = sampler(&prior, Strategy::Cost);
        let mut informed = Sampler {
            production: &known,
            ..blank.clone()
        };
        let by_itself = run(&mut blank, |size| work.duration_ms(size));
        let with_traffic = run(&mut informed, |size| work.duration_ms(size));
        assert!(with_traffic < by_itself, "{with_traffic} of {by_itself}");
        assert_eq!(blank.best(), informed.best());
    }

    /// Cheap sizes are preferred: with scatter, the run costs 34 invocations at the best size, and would cost 54 if the
    /// price of a sample did not count.
    #[test]
    fn expensive_sizes_are_invoked_less() {
        let prior = Prior::flat();
        let work = Workload::serial(50.0, 100.0, 1.0);
        let price = |size: Megabytes, ms: f64| ms * f64::from(size.0);
        let (calls, spent) = (std::cell::Cell::new(0.0_f64), std::cell::Cell::new(0.0));
        run(&mut sampler(&prior, Strategy::Cost), |size| {
            calls.set(calls.get() + 1.0);
            let ms = work.duration_ms(size) * (0.15 * (2.4 * calls.get()).sin()).exp();
            spent.set(spent.get() + price(size, ms));
            ms
        });
        let prices = SIZES.map(|size| price(size, work.duration_ms(size)));
        let least = prices.into_iter().fold(f64::INFINITY, f64::min);
        assert!(spent.get() / least < 45.0, "{}", spent.get() / least);
    }

    /// A size that ran out of memory is left, and the smaller ones with it.
    #[test]
    fn a_refused_size_is_never_tried_again() {
        let prior = Prior::flat();
        let mut sampler = sampler(&prior, Strategy::Cost);
        sampler.add(SIZES[3], 100.0);
        sampler.refuse_up_to(SIZES[1]);
        run(&mut sampler, |size| {
            assert!(size > SIZES[1], "{size}");
            100.0
        });
        assert_eq!(sampler.best(), Some(SIZES[2]));
        assert_eq!(sampler.tuned().len(), 4);
        sampler.refuse_up_to(Megabytes(10_240));
        assert_eq!((sampler.next(), sampler.best()), (None, None));
    }

    /// No run goes on past its limit, not even if durations are noise.
    #[test]
    fn a_run_ends() {
        let prior = Prior::flat();
        let effort = Effort {
            invocations: 12,
            improvement: 0.0,
        };
        let mut sampler = Sampler::new(&SIZES, &[], &prior, Strategy::Cost, effort);
        let mut n = 0_u32;
        while let Some(size) = sampler.next() {
            n += 1;
            sampler.add(size, f64::from(n * 7919 % 1000));
        }
        assert_eq!(n, 12);
        let known = sampler.tuned();
        assert_eq!(known.iter().map(|size| size.invocations).sum::<u64>(), 12);
        assert!(
            known
                .iter()
                .all(|s| s.low_ms <= s.duration_ms && s.duration_ms <= s.high_ms)
        );
    }
}
