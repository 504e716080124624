//! The yardstick of the power curve. With N known sizes of a function, it measures how well the curve predicts
//! the others, and the loss from choosing a size by the curve. The prior that predicts a function never contains
//! its measurements.

use std::num::NonZeroUsize;
use std::thread;

use rightsizer_rules::power::{Lesson, PowerCurve, Prior, SizePoint, starved};

use super::choices::{choices, count};
use super::figures::{Direction, Predicted, Regret};
use super::runs::Measured;

/// Approximate maximum of predictions in one run.
const MOST_PAIRS: u64 = 60_000;
/// Most functions that are predicted and learnt from; of more, an evenly spaced sample is used.
const MOST_FUNCTIONS: usize = 1_000;
/// Most priors that are learnt, each without the functions that it predicts.
const MOST_FOLDS: usize = 48;
/// Number of curves that the base of a learnt prior counts as.
pub(super) const BASE_CURVES: f64 = 2.0;

/// The predictions and their results.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) predicted: Vec<Predicted>,
    pub(super) regrets: Vec<Regret>,
    pub(super) refused: u64,
    /// Of the refused ones: those at which the function had enough memory when it ran there.
    pub(super) refused_in_vain: u64,
    pub(super) functions: usize,
    pub(super) choices: u64,
    pub(super) all_choices: u64,
}

impl Outcome {
    fn join(mut self, other: Self) -> Self {
        self.predicted.extend(other.predicted);
        self.regrets.extend(other.regrets);
        self.refused += other.refused;
        self.refused_in_vain += other.refused_in_vain;
        self.functions += other.functions;
        self.choices += other.choices;
        self.all_choices = self.all_choices.saturating_add(other.all_choices);
        self
    }
}

/// Predicts every function with more than `known` sizes. `groups[i]` is the group of the `i`th function; with a
/// prior that is learnt, a function is never predicted from others of its group.
pub(super) fn predict(
    functions: &[Measured],
    groups: &[usize],
    known: usize,
    source: PriorSource<'_>,
) -> Outcome {
    let taken: Vec<usize> = spaced(functions.len(), MOST_FUNCTIONS);
    let taught = match source {
        PriorSource::Others(base) => teach(functions, groups, base),
        PriorSource::Given(prior) => Taught::by_one(prior, functions.len()),
    };
    let measurable = |at: &&usize| functions[**at].points.len() > known;
    let count = taken.iter().filter(measurable).count() as u64;
    let budget = MOST_PAIRS / count.max(1);
    let outcomes = in_parallel(&taken, |at| {
        one(&functions[at].points, known, budget, taught.prior(at))
    });
    outcomes.into_iter().fold(Outcome::default(), Outcome::join)
}

/// Where the prior comes from that predicts a function.
#[derive(Debug, Clone, Copy)]
pub enum PriorSource<'a> {
    /// It is learnt from the other functions, on this base.
    Others(&'a Prior),
    /// It was learnt elsewhere.
    Given(&'a Prior),
}

/// A prior for each function, learnt without it.
pub(super) struct Taught {
    priors: Vec<Prior>,
    /// By function.
    folds: Vec<usize>,
}

impl Taught {
    fn by_one(prior: &Prior, functions: usize) -> Self {
        Self {
            priors: vec![prior.clone()],
            folds: vec![0; functions],
        }
    }

    /// Returns the prior that predicts the `at`th function.
    pub(super) fn prior(&self, at: usize) -> &Prior {
        &self.priors[self.folds[at]]
    }
}

/// Learns from `functions`; no prior contains a function that it predicts, or another of its group.
pub(super) fn teach(functions: &[Measured], groups: &[usize], base: &Prior) -> Taught {
    let all: Vec<usize> = (0..functions.len()).collect();
    let folds = folds(&all, groups);
    let taken = spaced(functions.len(), MOST_FUNCTIONS);
    let lessons: Vec<Lesson> = in_parallel(&taken, |at| Lesson::of(&functions[at].points));
    let count = folds.iter().copied().max().unwrap_or(0) + 1;
    let priors = in_parallel(&(0..count).collect::<Vec<_>>(), |fold| {
        let others = taken
            .iter()
            .zip(&lessons)
            .filter(|(at, _)| folds[**at] != fold);
        let others: Vec<&Lesson> = others.map(|(_, lesson)| lesson).collect();
        base.learn(BASE_CURVES, &others)
    });
    Taught { priors, folds }
}

pub(super) fn spaced(all: usize, most: usize) -> Vec<usize> {
    let taken = all.min(most);
    (0..taken).map(|n| n * all / taken).collect()
}

/// Returns the fold of each function; a group is never divided.
fn folds(taken: &[usize], groups: &[usize]) -> Vec<usize> {
    let mut seen: Vec<usize> = Vec::new();
    taken
        .iter()
        .map(|at| {
            let group = groups[*at];
            let place = seen.iter().position(|g| *g == group).unwrap_or_else(|| {
                seen.push(group);
                seen.len() - 1
            });
            place % MOST_FOLDS
        })
        .collect()
}

fn one(points: &[SizePoint], known: usize, budget: u64, prior: &Prior) -> Outcome {
    if points.len() <= known {
        return Outcome::default();
    }
    let most = (budget / (points.len() - known) as u64).max(1);
    let chosen = choices(points.len(), known, most);
    let mut outcome = Outcome {
        functions: 1,
        choices: chosen.len() as u64,
        all_choices: count(points.len(), known),
        ..Outcome::default()
    };
    for choice in chosen {
        with_known(points, &choice, prior, &mut outcome);
    }
    outcome
}

fn with_known(points: &[SizePoint], choice: &[usize], prior: &Prior, outcome: &mut Outcome) {
    let known: Vec<SizePoint> = choice.iter().map(|at| points[*at]).collect();
    let Some(curve) = PowerCurve::fit(&known, prior) else {
        return;
    };
    let (first, last) = (choice[0], choice[choice.len() - 1]);
    let mut considered = Vec::new();
    for (at, point) in points.iter().enumerate() {
        if choice.contains(&at) {
            considered.push((point, Some(point.p50_ms)));
            continue;
        }
        let direction = match at {
            at if at < first => Direction::Down,
            at if at > last => Direction::Up,
            _ => Direction::Between,
        };
        let estimate = curve.at(point.memory_mb).ok();
        if let Some(estimate) = estimate {
            outcome.predicted.push(Predicted {
                direction,
                p50: estimate.p50_ms / point.p50_ms,
                low: estimate.low_ms / point.p50_ms,
                high: estimate.high_ms / point.p50_ms,
            });
        } else {
            outcome.refused += 1;
            let short = point
                .used_mb
                .is_some_and(|used| starved(used, point.memory_mb));
            outcome.refused_in_vain += u64::from(!short);
        }
        if direction != Direction::Down {
            considered.push((point, estimate.map(|estimate| estimate.p50_ms)));
        }
    }
    outcome.regrets.push(regret(&considered));
}

/// Scores sizes, each given as MB and duration; lower is better.
type Score = fn(&[(f64, f64)]) -> Vec<f64>;

/// Returns the loss from choosing a size by predicted durations. A size without a prediction is not chosen.
fn regret(considered: &[(&SizePoint, Option<f64>)]) -> Regret {
    let size = |point: &SizePoint| f64::from(point.memory_mb.0);
    let measured: Vec<(f64, f64)> = considered
        .iter()
        .map(|(p, _)| (size(p), p.p50_ms))
        .collect();
    let predicted: Vec<Option<(f64, f64)>> = considered
        .iter()
        .map(|(p, ms)| ms.map(|ms| (size(p), ms)))
        .collect();
    let by = |score: Score| {
        let known: Vec<(f64, f64)> = predicted.iter().flatten().copied().collect();
        let places: Vec<usize> = (0..predicted.len())
            .filter(|n| predicted[*n].is_some())
            .collect();
        let scores = score(&known);
        let best = (0..places.len()).min_by(|a, b| scores[*a].total_cmp(&scores[*b]));
        let real = score(&measured);
        let least = real.iter().copied().fold(f64::INFINITY, f64::min);
        best.map_or(0.0, |best| real[places[best]] / least - 1.0)
    };
    Regret {
        cost: by(costs),
        balanced: by(balanced),
    }
}

/// Returns the GB-seconds of each size, up to a factor.
fn costs(sizes: &[(f64, f64)]) -> Vec<f64> {
    sizes.iter().map(|(mb, ms)| mb * ms).collect()
}

/// Returns the score of `balanced` with a weight of one half.
fn balanced(sizes: &[(f64, f64)]) -> Vec<f64> {
    let costs = costs(sizes);
    let dearest = costs.iter().copied().fold(0.0, f64::max);
    let slowest = sizes.iter().map(|(_, ms)| *ms).fold(0.0, f64::max);
    let score = |(cost, (_, ms)): (&f64, &(f64, f64))| f64::midpoint(cost / dearest, ms / slowest);
    costs.iter().zip(sizes).map(score).collect()
}

/// Applies `of` to each item on all processors, and keeps the order.
pub(super) fn in_parallel<T: Send>(items: &[usize], of: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let of = &of;
    thread::scope(|scope| {
        let workers: Vec<_> = (0..processors)
            .map(|worker| {
                let mine = items.iter().skip(worker).step_by(processors);
                scope.spawn(move || mine.map(|item| of(*item)).collect::<Vec<T>>())
            })
            .collect();
        let mut done: Vec<_> = workers
            .into_iter()
            .map(|worker| match worker.join() {
                Ok(found) => found.into_iter(),
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect();
        (0..items.len())
            .filter_map(|n| done[n % processors].next())
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use rightsizer_records::Megabytes;

    use super::*;

    /// 128 MB at 800 ms and 256 MB at 410 ms are measured. 512 MB is predicted at 190 ms (97,280 MB·ms, the
    /// lowest) but takes 220 (112,640). The cheapest is 128 MB with 102,400, so the regret is 10 %.
    #[test]
    fn regret_is_what_the_choice_costs_more() {
        let at = |mb, ms| SizePoint::new(Megabytes(mb), ms);
        let (a, b, c) = (at(128, 800.0), at(256, 410.0), at(512, 220.0));
        let seen = [(&a, Some(800.0)), (&b, Some(410.0)), (&c, Some(190.0))];
        assert!((regret(&seen).cost - 0.1).abs() < 1e-9);
        // Balanced: ½ × 112,640 ÷ 112,640 + ½ × 220 ÷ 800 is the lowest of all, and is chosen.
        assert!(regret(&seen).balanced.abs() < 1e-9);
        // A refused size is not chosen.
        let refused = [(&a, Some(800.0)), (&b, Some(410.0)), (&c, None)];
        assert!(regret(&refused).cost.abs() < 1e-9);
    }

    #[test]
    fn a_group_is_never_divided() {
        let groups: Vec<usize> = (0..200).map(|n| n / 2).collect();
        let folds = folds(&(0..200).collect::<Vec<_>>(), &groups);
        assert!(folds.chunks(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(folds.iter().max(), Some(&(MOST_FOLDS - 1)));
    }

    #[test]
    fn work_in_parallel_keeps_its_order() {
        let items: Vec<usize> = (0..100).collect();
        assert_eq!(
            in_parallel(&items, |n| n * 2),
            (0..100).map(|n| n * 2).collect::<Vec<_>>()
        );
    }
}
