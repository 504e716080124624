//! The trimmed mean with its interval, and percentiles.

/// A mean without the lowest and highest values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Trimmed {
    /// The mean.
    pub(super) mean: f64,
    /// Half of the width of its 90 % interval; `None` if a single value is left.
    pub(super) half: Option<f64>,
}

impl Trimmed {
    /// Returns the mean of ascending `values` without a share `discard` at either end, rounded down to whole values.
    ///
    /// The interval is that of Tukey and `McLaughlin` (1963): the standard error is `s ÷ ((n − 2g) ÷ n × √n)`, with the
    /// standard deviation `s` of the values in which the `g` trimmed ones at either end are replaced by their
    /// neighbours, and Student's t distribution has `n − 2g − 1` degrees of freedom.
    pub(super) fn of(ascending: &[f64], discard: f64) -> Option<Self> {
        let all = ascending.len();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a count of samples"
        )]
        let trimmed = (all as f64 * discard) as usize;
        let kept = ascending.get(trimmed..all.checked_sub(trimmed)?)?;
        let (first, last) = (*kept.first()?, *kept.last()?);
        let mean = average(kept);
        let half = (kept.len() > 1).then(|| {
            let near: Vec<f64> = ascending.iter().map(|v| v.clamp(first, last)).collect();
            let middle = average(&near);
            let squares: f64 = near.iter().map(|v| (v - middle).powi(2)).sum();
            let deviation = (squares / count(all - 1)).sqrt();
            student_95(kept.len() - 1) * deviation * count(all).sqrt() / count(kept.len())
        });
        Some(Self { mean, half })
    }
}

/// Returns the value that a share of the ascending values reaches at most, by nearest rank; 0 without values.
pub(in super::super) fn percentile(ascending: &[f64], share: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of samples"
    )]
    let rank = (count(ascending.len()) * share).ceil() as usize;
    let at = rank.clamp(1, ascending.len().max(1)) - 1;
    ascending.get(at).copied().unwrap_or_default()
}

pub(super) fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / count(values.len())
}

#[expect(clippy::cast_precision_loss, reason = "a count of samples")]
pub(super) const fn count(values: usize) -> f64 {
    values as f64
}

/// The 95 % quantile of Student's t distribution by its degrees of freedom, from 1 on.
const STUDENT: [f64; 30] = [
    6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812, 1.796, 1.782, 1.771,
    1.761, 1.753, 1.746, 1.740, 1.734, 1.729, 1.725, 1.721, 1.717, 1.714, 1.711, 1.708, 1.706,
    1.703, 1.701, 1.699, 1.697,
];

/// Beyond the table it is the first term of its expansion around the normal quantile `z`, `z + (z³ + z) ÷ 4df`.
pub(super) fn student_95(freedom: usize) -> f64 {
    let z = super::super::gaussian::NORMAL_95;
    let far = || z + (z.powi(3) + z) / (4.0 * count(freedom));
    let at = freedom.checked_sub(1);
    at.and_then(|at| STUDENT.get(at).copied())
        .unwrap_or_else(far)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of ten values two are left out at either end: (3 + … + 8) ÷ 6 = 5.5, whatever the largest is. The others are
    /// 3, 3, 3, 4, 5, 6, 7, 8, 8, 8 for the interval: squares 3 × 6.25 + 2.25 + 0.25, twice, which is 42.5; s is
    /// √(42.5 ÷ 9) = 2.1731. With 5 degrees of freedom 2.015 × 2.1731 × √10 ÷ 6 = 2.3078.
    #[test]
    fn a_trimmed_mean_by_hand() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 1000.0];
        let found = Trimmed::of(&values, 0.2).unwrap();
        assert!((found.mean - 5.5).abs() < 1e-12);
        assert!((found.half.unwrap() - 2.3078).abs() < 1e-3, "{found:?}");
    }

    /// Without trimming it is the mean with its usual interval: 1 and 3 have s = √2, and 6.314 × √2 ÷ √2 = 6.314.
    /// A fifth of four values is less than one.
    #[test]
    fn few_values_are_not_trimmed() {
        let found = Trimmed::of(&[1.0, 3.0], 0.2).unwrap();
        assert!((found.mean - 2.0).abs() < 1e-12);
        assert!((found.half.unwrap() - 6.314).abs() < 1e-9);
        assert_eq!(Trimmed::of(&[1.0], 0.4).unwrap().half, None);
        assert_eq!(Trimmed::of(&[], 0.2), None);
    }

    #[test]
    fn percentiles_by_nearest_rank() {
        let values: Vec<f64> = (1..=20).map(f64::from).collect();
        let found = [0.5, 0.95, 0.99].map(|share| percentile(&values, share));
        assert!(
            found
                .iter()
                .zip([10.0, 19.0, 20.0])
                .all(|(a, b)| (a - b).abs() < 1e-12)
        );
        assert!(percentile(&[], 0.5).abs() < 1e-12);
    }

    /// The table ends with 1.697, and for 31 the textbooks have 1.696, for 120 1.658.
    #[test]
    fn the_quantiles_continue_beyond_the_table() {
        for (freedom, wanted) in [(30, 1.697), (31, 1.696), (120, 1.658)] {
            assert!((student_95(freedom) - wanted).abs() < 2e-3, "{freedom}");
        }
    }
}
