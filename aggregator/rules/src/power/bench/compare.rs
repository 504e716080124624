//! The ratio of the durations of two groups, with an interval that assumes no distribution.

use serde::Serialize;

use super::super::gaussian::normal;

/// How many times as long one group takes as another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ratio {
    /// The estimate.
    pub ratio: f64,
    /// Lower end of its interval; 0 if there are too few starts for one.
    pub low: f64,
    /// Upper end; infinite, which is `null` in JSON, if there are too few starts.
    pub high: f64,
    /// Starts of the group that is compared.
    pub starts: usize,
    /// Starts of the group that it is compared with.
    pub others: usize,
}

/// Two groups that differ in what is compared and in nothing else.
#[derive(Debug, Default)]
pub(super) struct Stratum {
    pub(super) group: Vec<f64>,
    pub(super) other: Vec<f64>,
}

/// Values of a group that are paired; of more, evenly spaced ones.
const PAIRED: usize = 150;

/// Returns the ratio over several strata: the median of the ratios of all pairs within a stratum, as Hodges and Lehmann
/// estimate a shift of logarithms. Its interval ends at the pairs of rank `P ÷ 2 ± z √(Σ n m (n + m + 1) ÷ 12)` of all
/// `P = Σ n m`, from the variance of the statistic of Mann and Whitney in each stratum (Hollander and Wolfe,
/// "Nonparametric Statistical Methods"). `z` leaves a chance of `miss` outside. `None` without a pair.
pub(super) fn ratio(strata: &[Stratum], miss: f64) -> Option<Ratio> {
    let (mut pairs, mut variance) = (Vec::new(), 0.0);
    for stratum in strata {
        let (group, other) = (thinned(&stratum.group), thinned(&stratum.other));
        for one in &group {
            pairs.extend(other.iter().map(|base| one - base));
        }
        let (n, m) = (count(group.len()), count(other.len()));
        variance += n * m * (n + m + 1.0) / 12.0;
    }
    pairs.sort_by(f64::total_cmp);
    let last = pairs.len().checked_sub(1)?;
    let reach = quantile(1.0 - miss / 2.0) * f64::sqrt(variance);
    let below = (count(pairs.len()) / 2.0 - reach).floor();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of pairs"
    )]
    let (low, high) = if below < 0.0 {
        (f64::NEG_INFINITY, f64::INFINITY)
    } else {
        (pairs[below as usize], pairs[last - below as usize])
    };
    let all = |of: fn(&Stratum) -> usize| strata.iter().map(of).sum();
    Some(Ratio {
        ratio: f64::midpoint(pairs[last / 2], pairs[pairs.len() / 2]).exp(),
        low: low.exp(),
        high: high.exp(),
        starts: all(|stratum| stratum.group.len()),
        others: all(|stratum| stratum.other.len()),
    })
}

/// The logarithms of the values, ascending, of more than [`PAIRED`] evenly spaced ones.
fn thinned(values: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.iter().map(|value| value.max(0.01).ln()).collect();
    sorted.sort_by(f64::total_cmp);
    if sorted.len() <= PAIRED {
        return sorted;
    }
    let spaced = |n: usize| sorted[(2 * n + 1) * sorted.len() / (2 * PAIRED)];
    (0..PAIRED).map(spaced).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a count of samples")]
const fn count(values: usize) -> f64 {
    values as f64
}

/// The quantile of the standard normal distribution above 0.5, by bisection.
fn quantile(share: f64) -> f64 {
    let (mut low, mut high) = (0.0, 8.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if normal(middle).0 < share {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stratum(group: &[f64], other: &[f64]) -> Stratum {
        Stratum {
            group: group.to_vec(),
            other: other.to_vec(),
        }
    }

    /// Ratios of all pairs: 2, 2.5, 4, 5 of 200, 250 and 100, 50. The median is √(2.5 × 4). Two starts each are too few
    /// for an interval: of four pairs rank 2 − 1.645 √(4 × 5 ÷ 12) = −0.12.
    #[test]
    fn a_ratio_by_hand() {
        let found = ratio(&[stratum(&[200.0, 250.0], &[100.0, 50.0])], 0.1).unwrap();
        assert!((found.ratio - 10.0_f64.sqrt()).abs() < 1e-9, "{found:?}");
        assert!(found.low.abs() < 1e-12 && found.high.is_infinite());
        assert_eq!((found.starts, found.others), (2, 2));
    }

    /// Sizes that take 10 times as long in both groups change nothing, because only equal sizes are paired.
    #[test]
    fn strata_are_not_mixed() {
        let around = |ms: f64| [0.96, 0.98, 1.0, 1.02, 1.04].map(|by| by * ms);
        let strata = [
            stratum(&around(200.0), &around(100.0)),
            stratum(&around(2000.0), &around(1000.0)),
        ];
        let found = ratio(&strata, 0.1).unwrap();
        assert!((found.ratio - 2.0).abs() < 0.01, "{found:?}");
        assert!(found.low > 1.9 && found.high < 2.1, "{found:?}");
    }

    /// Of 5 and 5 the pair of rank 12.5 − 1.645 √(25 × 11 ÷ 12) = 4.6 is the fifth from either end.
    #[test]
    fn an_interval_by_hand() {
        let powers = [0, 1, 2, 3, 4].map(|n| f64::exp(f64::from(n)));
        let found = ratio(&[stratum(&powers, &powers)], 0.1).unwrap();
        // The differences −4 to 4 occur 1, 2, 3, 4, 5, 4, 3, 2, 1 times; the fifth is −2.
        assert!((found.low.ln() + 2.0).abs() < 1e-9, "{found:?}");
        assert!((found.high.ln() - 2.0).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn quantiles_by_the_table() {
        for (share, wanted) in [(0.95, 1.6449), (0.975, 1.96), (0.995, 2.5758)] {
            assert!((quantile(share) - wanted).abs() < 1e-3, "{share}");
        }
        assert!(ratio(&[], 0.1).is_none());
    }

    /// Of 1 to 301 every second one or so is kept; the median stays.
    #[test]
    fn many_values_are_thinned() {
        let many: Vec<f64> = (1..=301).map(f64::from).collect();
        let kept = thinned(&many);
        assert_eq!(kept.len(), PAIRED);
        assert!((kept[PAIRED / 2].exp() - 151.0).abs() < 3.0);
    }
}
