//! `rightsizer simulate --power`: the yardstick of the power curve. It takes runs of functions at several sizes and
//! measures how well N of the sizes predict the others. `docs/POWER.md` has the rules and the results.

mod alike;
mod choices;
mod figures;
mod input;
mod runs;
mod tuning;
mod yardstick;

use rightsizer_rules::power::{Lesson, Prior};
use serde::Serialize;

pub use figures::Errors;
pub use input::Table;
pub(crate) use input::read_table;
pub use runs::{Measured, Run, Runs};
pub use tuning::{Method, TuningReport, tune};
pub use yardstick::PriorSource;

use figures::{Direction, Regret};

/// The results of predicting from `known` sizes. Shares are fractions: 0.05 is 5 %.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Number of known sizes of each function.
    pub known: usize,
    /// Number of predicted sizes: every other size, for each choice of known ones.
    pub pairs: u64,
    /// Share of them that was refused.
    pub refused: f64,
    /// Share of them that was refused although the function had enough memory when it ran there.
    pub refused_in_vain: f64,
    /// Mean of |predicted − measured| ÷ measured.
    pub mean_error: Option<f64>,
    /// Median of the same.
    pub median_error: Option<f64>,
    /// Errors below the known sizes.
    pub down: Errors,
    /// Errors between the known sizes.
    pub between: Errors,
    /// Errors above the known sizes.
    pub up: Errors,
    /// Mean extra cost of the size that seems cheapest over the cheapest, among sizes from the smallest known one up.
    pub cost_regret_mean: Option<f64>,
    /// Its 90th percentile.
    pub cost_regret_p90: Option<f64>,
    /// The same for half cost and half duration.
    pub balanced_regret_mean: Option<f64>,
    /// Share of measured durations within their 90 % intervals.
    pub coverage_90: Option<f64>,
    /// Mean interval score as a share of the measured duration: width + 20 × the distance by which it misses.
    pub interval_score: Option<f64>,
    /// Best score of intervals with one relative width.
    pub constant_interval_score: Option<f64>,
    /// Number of functions with more sizes than are known.
    pub functions: usize,
    /// Number of choices of known sizes that were used.
    pub choices: u64,
    /// Number of all choices.
    pub all_choices: u64,
    /// Number of runs that were set aside.
    pub set_aside: u64,
    /// Number of sizes that were left out, of functions with more than 64.
    pub sizes_left_out: usize,
    /// Functions that take at least half as long again at a larger size. They count like all others.
    pub noisy: Vec<String>,
    /// Functions with the same measurements as an earlier one. They count, but never predict each other.
    pub duplicates: Vec<String>,
}

/// Returns the prior that is learnt from all of `functions`, of duplicates once.
pub fn learn(functions: &[Measured], base: &Prior) -> Prior {
    let groups = alike::groups(functions);
    let first = functions
        .iter()
        .enumerate()
        .filter(|(at, _)| groups[*at] == *at);
    let lessons: Vec<Lesson> = first
        .map(|(_, function)| Lesson::of(&function.points))
        .collect();
    base.learn(yardstick::BASE_CURVES, &lessons.iter().collect::<Vec<_>>())
}

/// Measures the curve on `functions`; `None` if none of them has more than `known` sizes.
pub fn measure(functions: &[Measured], known: usize, source: PriorSource<'_>) -> Option<Report> {
    let groups = alike::groups(functions);
    let outcome = yardstick::predict(functions, &groups, known, source);
    let asked = outcome.predicted.len() as u64 + outcome.refused;
    if asked == 0 {
        return None;
    }
    let all = &outcome.predicted;
    let regrets = |of: fn(&Regret) -> f64| outcome.regrets.iter().map(of);
    let named = |wanted: &dyn Fn(usize) -> bool| {
        let named = functions.iter().enumerate().filter(|(at, _)| wanted(*at));
        named.map(|(_, function)| function.name.clone()).collect()
    };
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let share = |count: u64| count as f64 / asked as f64;
    let every = figures::errors(all, None);
    Some(Report {
        known,
        pairs: asked,
        refused: share(outcome.refused),
        refused_in_vain: share(outcome.refused_in_vain),
        mean_error: every.mean,
        median_error: every.median,
        down: figures::errors(all, Some(Direction::Down)),
        between: figures::errors(all, Some(Direction::Between)),
        up: figures::errors(all, Some(Direction::Up)),
        cost_regret_mean: figures::mean(regrets(|regret| regret.cost)),
        cost_regret_p90: figures::quantile(regrets(|regret| regret.cost).collect(), 0.9),
        balanced_regret_mean: figures::mean(regrets(|regret| regret.balanced)),
        coverage_90: figures::coverage(all),
        interval_score: figures::mean_interval_score(all),
        constant_interval_score: figures::constant_interval_score(all),
        functions: outcome.functions,
        choices: outcome.choices,
        all_choices: outcome.all_choices,
        set_aside: functions.iter().map(|function| function.set_aside).sum(),
        sizes_left_out: functions
            .iter()
            .map(|function| function.sizes_left_out)
            .sum(),
        noisy: named(&|at| alike::is_noisy(&functions[at])),
        duplicates: named(&|at| groups[at] != at),
    })
}
