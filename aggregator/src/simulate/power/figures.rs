//! Summarizes predictions: errors, regrets and the quality of the intervals.

use serde::Serialize;

/// The position of a predicted size among the known ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Below all of them.
    Down,
    /// Between two of them.
    Between,
    /// Above all of them.
    Up,
}

/// The prediction for one size, as shares of the measured duration: 1.1 is 10 % too long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Predicted {
    pub(super) direction: Direction,
    pub(super) p50: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// The errors of the predictions in one direction; `None` if there are none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Errors {
    /// Mean of |predicted − measured| ÷ measured.
    pub mean: Option<f64>,
    /// Their median.
    pub median: Option<f64>,
}

/// Losses from choosing a size by the curve, as shares of the best size's score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Regret {
    pub(super) cost: f64,
    pub(super) balanced: f64,
}

/// Nominal coverage of the intervals.
const HELD: f64 = 0.9;

impl Predicted {
    fn error(&self) -> f64 {
        (self.p50 - 1.0).abs()
    }

    fn covers(&self) -> bool {
        (self.low..=self.high).contains(&1.0)
    }

    /// Returns Gneiting and Raftery's interval score, as a share of the measured duration: the width, plus the
    /// distance by which the interval misses × 2 ÷ 0.1. Lower is better.
    fn interval_score(&self) -> f64 {
        interval_score(self.low, self.high)
    }
}

fn interval_score(low: f64, high: f64) -> f64 {
    (high - low) + 2.0 / (1.0 - HELD) * ((low - 1.0).max(0.0) + (1.0 - high).max(0.0))
}

/// Returns the best score of intervals with one width for all, `p50 ÷ width … p50 × width`. The width is chosen
/// afterwards, on the same predictions.
pub(super) fn constant_interval_score(all: &[Predicted]) -> Option<f64> {
    const WIDTHS: u32 = 400;
    const WIDEST_LN: f64 = 4.0;
    let score = |width: f64| {
        let scores = all
            .iter()
            .map(|one| interval_score(one.p50 / width, one.p50 * width));
        mean(scores).unwrap_or(f64::INFINITY)
    };
    let widths = (1..=WIDTHS).map(|n| (f64::from(n) / f64::from(WIDTHS) * WIDEST_LN).exp());
    (!all.is_empty()).then(|| widths.map(score).fold(f64::INFINITY, f64::min))
}

/// Returns the errors in `direction`, or of all predictions for `None`.
pub(super) fn errors(all: &[Predicted], direction: Option<Direction>) -> Errors {
    let there = |one: &&Predicted| direction.is_none_or(|wanted| one.direction == wanted);
    let errors: Vec<f64> = all.iter().filter(there).map(Predicted::error).collect();
    Errors {
        mean: mean(errors.iter().copied()),
        median: quantile(errors, 0.5),
    }
}

pub(super) fn coverage(all: &[Predicted]) -> Option<f64> {
    mean(all.iter().map(|one| f64::from(u8::from(one.covers()))))
}

pub(super) fn mean_interval_score(all: &[Predicted]) -> Option<f64> {
    mean(all.iter().map(Predicted::interval_score))
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub(super) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u64), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

/// Returns the quantile by nearest rank: the smallest value with the share `q` at or below it.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place in the list"
)]
pub(super) fn quantile(mut values: Vec<f64>, q: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() as f64 * q).ceil() as usize;
    values.get(rank.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn predicted(direction: Direction, p50: f64, low: f64, high: f64) -> Predicted {
        Predicted {
            direction,
            p50,
            low,
            high,
        }
    }

    fn near(found: Option<f64>, wanted: f64) {
        assert!(
            (found.unwrap() - wanted).abs() < 1e-9,
            "{found:?}, wanted {wanted}"
        );
    }

    /// 20 % too long with an interval of 0.9 to 1.5, and 10 % too short with one that ends 5 % below the measured
    /// duration: errors 0.2 and 0.1, scores 0.6 and 0.15 + 20 × 0.05.
    #[test]
    fn figures_by_hand() {
        let all = [
            predicted(Direction::Up, 1.2, 0.9, 1.5),
            predicted(Direction::Down, 0.9, 0.8, 0.95),
        ];
        near(errors(&all, None).mean, 0.15);
        near(errors(&all, None).median, 0.1);
        near(errors(&all, Some(Direction::Up)).mean, 0.2);
        assert_eq!(errors(&all, Some(Direction::Between)).mean, None);
        near(coverage(&all), 0.5);
        near(mean_interval_score(&all), (0.6 + 0.15 + 20.0 * 0.05) / 2.0);
    }

    /// Predictions of 2 and ½ of the measured duration: a width of 2 just covers both, 1 … 4 and ¼ … 1, which
    /// scores (3 + 0.75) ÷ 2.
    #[test]
    fn the_best_constant_width_covers_what_it_pays_to_cover() {
        let all = [2.0, 0.5].map(|p50| predicted(Direction::Up, p50, 1.0, 1.0));
        let found = constant_interval_score(&all).unwrap();
        assert!((1.875..1.9).contains(&found), "{found}");
        assert_eq!(constant_interval_score(&[]), None);
    }
}
