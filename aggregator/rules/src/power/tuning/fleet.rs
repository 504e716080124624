//! Many tuned functions, ranked by what tuning found beyond the passive curve.

use rightsizer_records::Megabytes;
use serde::{Deserialize, Serialize};

use super::super::sampling::Strategy;

/// Duration and cost of an invocation at one size, measured or expected.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AtSize {
    /// The size.
    pub memory_mb: Megabytes,
    /// Duration, in milliseconds.
    pub duration_ms: f64,
    /// Compute cost, in dollars.
    pub usd: f64,
}

/// The result for one function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TunedFunction {
    /// Its ARN or name.
    pub function: String,
    /// Its size.
    pub now_mb: Megabytes,
    /// The size that the curve from production traffic would have chosen; `None` without a curve.
    pub curve_mb: Option<Megabytes>,
    /// The size that tuning chose.
    pub tuned_mb: Megabytes,
    /// What is known about the sizes, these three among them.
    pub sizes: Vec<AtSize>,
    /// Invocations a month in production, if known.
    pub monthly_invocations: Option<f64>,
    /// Invocations of the run.
    pub invocations: u64,
    /// What the run cost, in dollars.
    pub spent_usd: f64,
}

/// A function in its place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranked<'a> {
    /// The function.
    #[serde(flatten)]
    pub tuned: &'a TunedFunction,
    /// Share by which the chosen size is better than the one without tuning: that of the curve, else the present one.
    pub better: f64,
    /// Dollars a month that this saves, below zero if it costs more; `None` if the invocations are not known.
    pub monthly_usd: Option<f64>,
}

/// Returns the functions by what tuning found beyond the curve: for `Cost` by the dollars of a month, and those whose
/// invocations are not known after them; otherwise, and among these, by the share. Equals are in the order of their
/// names.
pub fn rank(functions: &[TunedFunction], strategy: Strategy) -> Vec<Ranked<'_>> {
    let mut ranked: Vec<Ranked<'_>> = functions
        .iter()
        .map(|tuned| Ranked::of(tuned, strategy))
        .collect();
    let dollars = |ranked: &Ranked<'_>| match strategy {
        Strategy::Cost => ranked.monthly_usd.unwrap_or(f64::NEG_INFINITY),
        Strategy::Speed | Strategy::Balanced { .. } => 0.0,
    };
    ranked.sort_by(|a, b| {
        let by_dollars = dollars(b).total_cmp(&dollars(a));
        let by_share = b.better.total_cmp(&a.better);
        let by_name = a.tuned.function.cmp(&b.tuned.function);
        by_dollars.then(by_share).then(by_name)
    });
    ranked
}

impl<'a> Ranked<'a> {
    fn of(tuned: &'a TunedFunction, strategy: Strategy) -> Self {
        let without = tuned.curve_mb.unwrap_or(tuned.now_mb);
        let (Some(chosen), Some(without)) = (tuned.at(tuned.tuned_mb), tuned.at(without)) else {
            return Self {
                tuned,
                better: 0.0,
                monthly_usd: None,
            };
        };
        let (before, after) = (
            tuned.score(&without, strategy),
            tuned.score(&chosen, strategy),
        );
        Self {
            tuned,
            better: 1.0 - after / before.max(f64::MIN_POSITIVE),
            monthly_usd: tuned
                .monthly_invocations
                .map(|invocations| invocations * (without.usd - chosen.usd)),
        }
    }
}

impl TunedFunction {
    fn at(&self, size: Megabytes) -> Option<AtSize> {
        let mut known = self.sizes.iter();
        known.find(|known| known.memory_mb == size).copied()
    }

    /// The score of a size, as in [`super::best`].
    fn score(&self, at: &AtSize, strategy: Strategy) -> f64 {
        let most =
            |of: fn(&AtSize) -> f64| self.sizes.iter().map(of).fold(f64::MIN_POSITIVE, f64::max);
        match strategy {
            Strategy::Cost => at.usd,
            Strategy::Speed => at.duration_ms,
            Strategy::Balanced { weight } => {
                weight * at.usd / most(|size| size.usd)
                    + (1.0 - weight) * at.duration_ms / most(|size| size.duration_ms)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function at 1024 MB, for which tuning chose 512 MB.
    fn tuned(function: &str, curve: Option<u32>, monthly: Option<f64>) -> TunedFunction {
        let at = |mb, duration_ms, usd| AtSize {
            memory_mb: Megabytes(mb),
            duration_ms,
            usd,
        };
        TunedFunction {
            function: function.to_owned(),
            now_mb: Megabytes(1024),
            curve_mb: curve.map(Megabytes),
            tuned_mb: Megabytes(512),
            sizes: vec![
                at(256, 420.0, 2.5e-6),
                at(512, 200.0, 2e-6),
                at(1024, 160.0, 4e-6),
            ],
            monthly_invocations: monthly,
            invocations: 20,
            spent_usd: 0.001,
        }
    }

    /// A million invocations for $2 instead of $4 save $2 a month, and $0.50 instead of $2.50. `agreed` is what the curve
    /// chose as well.
    #[test]
    fn the_dollars_of_a_month_decide() {
        let functions = [
            tuned("agreed", Some(512), Some(1e6)),
            tuned("unknown", None, None),
            tuned("curve", Some(256), Some(1e6)),
            tuned("no-curve", None, Some(1e6)),
        ];
        let ranked = rank(&functions, Strategy::Cost);
        let found: Vec<(&str, Option<f64>)> = ranked
            .iter()
            .map(|r| (r.tuned.function.as_str(), r.monthly_usd.map(f64::round)))
            .collect();
        let wanted = [
            ("no-curve", Some(2.0)),
            ("curve", Some(1.0)),
            ("agreed", Some(0.0)),
            ("unknown", None),
        ];
        assert_eq!(found, wanted);
        assert!((ranked[1].monthly_usd.unwrap() - 0.5).abs() < 1e-9);
        assert!((ranked[3].better - 0.5).abs() < 1e-9);
    }

    /// By speed 200 ms are 52 % better than 420 ms of the curve's choice, and 25 % worse than 160 ms.
    #[test]
    fn shares_decide_about_speed() {
        let functions = [
            tuned("no-curve", None, Some(1e9)),
            tuned("curve", Some(256), None),
        ];
        let ranked = rank(&functions, Strategy::Speed);
        assert_eq!(ranked[0].tuned.function, "curve");
        assert!((ranked[0].better - 220.0 / 420.0).abs() < 1e-9);
        assert!((ranked[1].better + 0.25).abs() < 1e-9);
    }

    #[test]
    fn a_size_without_figures_ranks_last() {
        let functions = [
            tuned("curve", Some(3008), Some(1e6)),
            tuned("agreed", Some(512), Some(1.0)),
        ];
        let ranked = rank(&functions, Strategy::Cost);
        assert_eq!(ranked[1].tuned.function, "curve");
        assert_eq!(ranked[1].monthly_usd, None);
    }
}
