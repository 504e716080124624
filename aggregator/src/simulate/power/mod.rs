//! `rightsizer simulate --power`: the yardstick of the power curve. Runs of functions at several sizes in,
//! how well N of the sizes predict the others out. Pure. `docs/POWER.md` has its rules and what it
//! measured.

mod alike;
mod choices;
mod figures;
mod input;
mod runs;
mod yardstick;

use rightsizer_rules::power::Prior;
use serde::Serialize;

pub use figures::Errors;
pub use input::{Table, read_table};
pub use runs::{Measured, Run, Runs};

use figures::{Direction, Regret};

/// What the predictions from `known` sizes come to. Shares are fractions: 0.05 is 5 %.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Sizes of each function that were taken as known.
    pub known: usize,
    /// Sizes that were asked for: each other size, for each choice of the known ones.
    pub pairs: u64,
    /// Share of them that were refused.
    pub refused: f64,
    /// Mean of |predicted − measured| ÷ measured.
    pub mean_error: Option<f64>,
    /// Its median.
    pub median_error: Option<f64>,
    /// Below the known sizes.
    pub down: Errors,
    /// Between them.
    pub between: Errors,
    /// Above them.
    pub up: Errors,
    /// What the size that seems cheapest costs more than the cheapest, of those from the smallest known one up.
    pub cost_regret_mean: Option<f64>,
    /// Its 90th percentile.
    pub cost_regret_p90: Option<f64>,
    /// The same by half of cost and half of duration.
    pub balanced_regret_mean: Option<f64>,
    /// Share of what was measured that lies in the intervals of 90 %.
    pub coverage_90: Option<f64>,
    /// Their score as a share of what was measured: width + 20 × what is missed by.
    pub interval_score: Option<f64>,
    /// The best score that intervals of one relative width could have.
    pub constant_interval_score: Option<f64>,
    /// Functions with more sizes than are known.
    pub functions: usize,
    /// Choices of known sizes that were tried.
    pub choices: u64,
    /// Choices that there are.
    pub all_choices: u64,
    /// Runs that were set aside.
    pub set_aside: u64,
    /// Functions that take half as long again at a larger size, or longer. They count like all others.
    pub noisy: Vec<String>,
    /// Functions whose measurements are those of an earlier one. They count, but never predict each other.
    pub duplicates: Vec<String>,
}

/// Measures the curve by `functions`, learning for each from the others; `None` if none of them has more
/// than `known` sizes.
pub fn measure(functions: &[Measured], known: usize, base: &Prior) -> Option<Report> {
    let groups = alike::groups(functions);
    let outcome = yardstick::predict(functions, &groups, known, base);
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
    let refused = outcome.refused as f64 / asked as f64;
    let every = figures::errors(all, None);
    Some(Report {
        known,
        pairs: asked,
        refused,
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
        noisy: named(&|at| alike::is_noisy(&functions[at])),
        duplicates: named(&|at| groups[at] != at),
    })
}
