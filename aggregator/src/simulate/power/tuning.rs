//! The yardstick of adaptive sampling: how many invocations a tuning run needs on known curves, what they cost, and
//! how good the size is that it finds, beside runs that invoke every size equally often.

use rightsizer_records::Megabytes;
use rightsizer_rules::power::{Effort, Prior, Sampler, SizePoint, Strategy};
use serde::Serialize;

use super::alike;
use super::figures::{mean, quantile};
use super::runs::Measured;
use super::yardstick::{in_parallel, spaced, teach};

/// What the runs of one method came to. Shares are fractions: 0.05 is 5 %.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Method {
    /// `adaptive`, or `num-N` for N invocations of every size.
    pub name: String,
    /// Mean number of invocations of a run.
    pub invocations_mean: f64,
    /// Mean cost of a run, in invocations at the best size.
    pub exploration_mean: f64,
    /// Mean extra cost of the size found over the cheapest.
    pub regret_mean: f64,
    /// Its 95th percentile.
    pub regret_p95: f64,
}

/// The results of simulated tuning runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TuningReport {
    /// Number of functions that were tuned.
    pub functions: usize,
    /// Mean number of invocations of a run.
    pub invocations_mean: f64,
    /// Mean cost of a run, in invocations at the best size.
    pub exploration_mean: f64,
    /// Mean extra cost of the size found over the cheapest.
    pub regret_mean: f64,
    /// Its 95th percentile.
    pub regret_p95: f64,
    /// The same functions and noise with a fixed number of invocations for each size.
    pub against: Vec<Method>,
    /// Runs of each function.
    pub runs: u32,
    /// Standard deviation of single durations, as a share of their mean.
    pub noise_cv: f64,
    /// Functions that take at least half as long again at a larger size: noise themselves, so no method tunes them.
    pub noisy: Vec<String>,
}

/// Standard deviation of single durations, as a share of their mean.
const NOISE_CV: f64 = 0.15;
/// Invocations of each size in the methods beside: those that AWS Lambda Power Tuning's documentation recommends,
/// and a fifth of them.
const FIXED: [u32; 2] = [50, 10];
/// Share of the fastest and of the slowest invocations that Power Tuning leaves out (`discardTopBottom`).
const TRIMMED: f64 = 0.2;
/// Most functions that are tuned; of more, an evenly spaced sample is used.
const MOST_FUNCTIONS: usize = 200;

/// One run's result.
#[derive(Debug, Clone, Copy)]
struct Run {
    invocations: u32,
    /// In MB × ms.
    spent: f64,
    chosen: Megabytes,
}

/// The result of a run beside the function's best size.
#[derive(Debug, Clone, Copy)]
struct Outcome {
    invocations: f64,
    exploration: f64,
    regret: f64,
}

/// Tunes each of `functions` for cost in `runs` runs, each with its own noise, and with a prior that is learnt from the others. `None` if none
/// of them has two sizes or more and is more than noise.
pub fn tune(functions: &[Measured], base: &Prior, runs: u32) -> Option<TuningReport> {
    let noisy = |at: &usize| alike::is_noisy(&functions[*at]);
    let tunable = |at: &usize| functions[*at].points.len() > 1 && !noisy(at);
    let all: Vec<usize> = (0..functions.len()).collect();
    let tunable: Vec<usize> = all.iter().copied().filter(tunable).collect();
    let taken: Vec<usize> = spaced(tunable.len(), MOST_FUNCTIONS);
    let taken: Vec<usize> = taken.iter().map(|n| tunable[*n]).collect();
    let taught = teach(functions, &alike::groups(functions), base);
    let by_function = in_parallel(&taken, |at| {
        let function = &functions[at].points;
        let outcomes = |method: Option<u32>| {
            let seeds = (0..runs).map(|n| at as u64 * u64::from(runs) + u64::from(n));
            let one = |seed| one(function, method, taught.prior(at), seed);
            seeds.filter_map(one).collect::<Vec<_>>()
        };
        let methods = std::iter::once(None).chain(FIXED.map(Some));
        methods.map(outcomes).collect::<Vec<_>>()
    });
    let method = |n: usize, name: String| {
        let outcomes = by_function.iter().filter_map(|methods| methods.get(n));
        let outcomes: Vec<Outcome> = outcomes.flatten().copied().collect();
        let of = |value: fn(&Outcome) -> f64| outcomes.iter().map(value);
        Some(Method {
            name,
            invocations_mean: mean(of(|run| run.invocations))?,
            exploration_mean: mean(of(|run| run.exploration))?,
            regret_mean: mean(of(|run| run.regret))?,
            regret_p95: quantile(of(|run| run.regret).collect(), 0.95)?,
        })
    };
    let adaptive = method(0, "adaptive".to_owned())?;
    let against = FIXED.iter().enumerate();
    let against = against.filter_map(|(n, times)| method(n + 1, format!("num-{times}")));
    Some(TuningReport {
        functions: taken.len(),
        invocations_mean: adaptive.invocations_mean,
        exploration_mean: adaptive.exploration_mean,
        regret_mean: adaptive.regret_mean,
        regret_p95: adaptive.regret_p95,
        against: against.collect(),
        runs,
        noise_cv: NOISE_CV,
        noisy: all
            .iter()
            .filter(|at| noisy(at))
            .map(|at| functions[*at].name.clone())
            .collect(),
    })
}

/// One run by one method: adaptive, or with a fixed number of invocations of each size.
fn one(points: &[SizePoint], fixed: Option<u32>, prior: &Prior, seed: u64) -> Option<Outcome> {
    let cost = |point: &SizePoint| f64::from(point.memory_mb.0) * point.p50_ms;
    let best = points.iter().map(cost).fold(f64::INFINITY, f64::min);
    let mut noise = Noise(fastrand::Rng::with_seed(seed));
    let run = match fixed {
        Some(times) => equally(points, times, &mut noise),
        None => adaptively(points, prior, &mut noise),
    }?;
    let chosen = points.iter().find(|point| point.memory_mb == run.chosen)?;
    Some(Outcome {
        invocations: f64::from(run.invocations),
        exploration: run.spent / best,
        regret: cost(chosen) / best - 1.0,
    })
}

fn adaptively(points: &[SizePoint], prior: &Prior, noise: &mut Noise) -> Option<Run> {
    let sizes: Vec<Megabytes> = points.iter().map(|point| point.memory_mb).collect();
    let mut sampler = Sampler::new(&sizes, &[], prior, Strategy::Cost, Effort::default());
    let (mut invocations, mut spent) = (0, 0.0);
    while let Some(size) = sampler.next() {
        let point = points.iter().find(|point| point.memory_mb == size)?;
        let duration = noise.around(point.p50_ms);
        sampler.add(size, duration);
        invocations += 1;
        spent += f64::from(size.0) * duration;
    }
    Some(Run {
        invocations,
        spent,
        chosen: sampler.best()?,
    })
}

/// Lambda Power Tuning's method: the same number of invocations for each size, and the trimmed mean decides.
fn equally(points: &[SizePoint], times: u32, noise: &mut Noise) -> Option<Run> {
    let mut spent = 0.0;
    let mut costs = Vec::with_capacity(points.len());
    for point in points {
        let mut durations: Vec<f64> = (0..times).map(|_| noise.around(point.p50_ms)).collect();
        let size = f64::from(point.memory_mb.0);
        spent += size * durations.iter().sum::<f64>();
        durations.sort_by(f64::total_cmp);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a count"
        )]
        let cut = (f64::from(times) * TRIMMED) as usize;
        let middle = durations.get(cut..durations.len() - cut)?;
        costs.push((size * mean(middle.iter().copied())?, point.memory_mb));
    }
    let (_, chosen) = costs.iter().min_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(Run {
        invocations: times * u32::try_from(points.len()).ok()?,
        spent,
        chosen: *chosen,
    })
}

/// Durations that scatter log-normally around a mean.
struct Noise(fastrand::Rng);

impl Noise {
    fn around(&mut self, mean: f64) -> f64 {
        let variance = (NOISE_CV * NOISE_CV).ln_1p();
        // Box and Muller's transform of two uniform numbers; 1 − u is never 0.
        let radius = (-2.0 * (1.0 - self.0.f64()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * self.0.f64()).cos();
        mean * (variance.sqrt() * normal - variance / 2.0).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, points: &[(u32, f64)]) -> Measured {
        let point = |(mb, ms): &(u32, f64)| SizePoint::new(Megabytes(*mb), *ms);
        Measured {
            name: name.to_owned(),
            points: points.iter().map(point).collect(),
            set_aside: 0,
            sizes_left_out: 0,
        }
    }

    /// 100,000 durations around 100 ms: the mean is 100 and the deviation 15, both within 1 %.
    #[test]
    fn noise_has_its_mean_and_its_deviation() {
        let mut noise = Noise(fastrand::Rng::with_seed(1));
        let all: Vec<f64> = (0..100_000).map(|_| noise.around(100.0)).collect();
        let found = mean(all.iter().copied()).unwrap();
        let off = mean(all.iter().map(|x| (x - found).powi(2)))
            .unwrap()
            .sqrt();
        assert!((found - 100.0).abs() < 0.5, "{found}");
        assert!((off - 15.0).abs() < 0.5, "{off}");
    }

    /// Three sizes, ten invocations each; the cheapest is 256 MB by 20 %, which ten invocations cannot miss.
    #[test]
    fn every_size_equally_often_by_hand() {
        let points = function("f", &[(128, 1000.0), (256, 400.0), (512, 300.0)]).points;
        let run = equally(&points, 10, &mut Noise(fastrand::Rng::with_seed(1))).unwrap();
        assert_eq!((run.invocations, run.chosen), (30, Megabytes(256)));
        // 10 × (128,000 + 102,400 + 153,600) = 3,840,000 MB × ms, give or take the noise.
        assert!((run.spent / 3_840_000.0 - 1.0).abs() < 0.1, "{}", run.spent);
    }

    #[test]
    fn noise_is_tuned_by_no_method_and_named() {
        let clear = |name: &str, ms: f64| {
            let times = [(128, 6.0), (256, 2.0), (512, 1.5), (1024, 1.4)];
            function(name, &times.map(|(mb, by)| (mb, ms * by)))
        };
        let odd = function("odd", &[(128, 100.0), (256, 10.0), (512, 300.0)]);
        let functions = [clear("a", 100.0), clear("b", 90.0), clear("c", 11.0), odd];
        let report = tune(&functions, &Prior::flat(), 4).unwrap();
        assert_eq!((report.functions, report.runs), (3, 4));
        assert_eq!(report.noisy, ["odd"]);
        let by_hand = report.against.iter().find(|method| method.name == "num-10");
        assert!((by_hand.unwrap().invocations_mean - 40.0).abs() < 1e-9);
        assert!(report.invocations_mean < 30.0, "{report:?}");
        assert_eq!(tune(&functions[3..], &Prior::flat(), 4), None);
    }
}
