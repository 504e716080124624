//! A median with an interval that assumes no distribution.

/// A median.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Median {
    pub(super) value: f64,
    /// Its 90 % interval; `None` for fewer than five values.
    pub(super) interval: Option<(f64, f64)>,
}

/// Above this number the binomial distribution is taken as normal.
const EXACT: usize = 500;

/// Returns the median of ascending `values` by nearest rank. The ends of its interval are the values at the ranks `k`
/// and `n + 1 − k`, with the largest `k` for which a binomial count of `n` fair coins is below `k` with a chance of at
/// most 5 % (Conover, "Practical Nonparametric Statistics", confidence interval for a quantile).
pub(super) fn median(values: &[f64]) -> Option<Median> {
    let last = values.len().checked_sub(1)?;
    let rank = rank(values.len());
    Some(Median {
        value: values[last / 2],
        interval: rank
            .checked_sub(1)
            .map(|below| (values[below], values[last - below])),
    })
}

/// The largest `k` of the interval; 0 if there is none.
fn rank(n: usize) -> usize {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of samples"
    )]
    if n > EXACT {
        let all = n as f64;
        return ((all - super::super::gaussian::NORMAL_95 * all.sqrt()) / 2.0) as usize;
    }
    let (mut chance, mut below, mut rank) =
        (0.5_f64.powi(i32::try_from(n).unwrap_or(i32::MAX)), 0.0, 0);
    loop {
        below += chance;
        if below > 0.05 || rank == n {
            return rank;
        }
        rank += 1;
        #[expect(clippy::cast_precision_loss, reason = "at most some hundreds")]
        let more = (n + 1 - rank) as f64 / rank as f64;
        chance *= more;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All of five coins are heads with a chance of 3.1 %, of four with 6.3 %. Of 20 at most five are with 2.1 %, and
    /// at most six with 5.8 %. Of 10 at most one is with 1.1 %, at most two with 5.5 %.
    #[test]
    fn ranks_by_the_binomial_table() {
        for (n, wanted) in [(1, 0), (4, 0), (5, 1), (10, 2), (20, 6)] {
            assert_eq!(rank(n), wanted, "{n}");
        }
        assert!(rank(500).abs_diff(rank(501)) <= 1, "both ways agree");
    }

    #[test]
    fn a_median_by_hand() {
        let values: Vec<f64> = (1..=10).map(f64::from).collect();
        let found = median(&values).unwrap();
        assert_eq!(found.interval, Some((2.0, 9.0)));
        assert!((found.value - 5.0).abs() < 1e-12);
        assert_eq!(median(&[7.0]).unwrap().interval, None);
        assert_eq!(median(&[]), None);
    }
}
