//! Small dense normal distributions, by the Cholesky factor of their covariance.

/// The lower triangular factor `L` with `L Lᵀ` = the covariance, stored by row.
pub(super) struct Factor {
    rows: Vec<Vec<f64>>,
}

impl Factor {
    /// Factors the symmetric, positive definite matrix of `n` rows with these entries.
    pub(super) fn of(n: usize, entry: impl Fn(usize, usize) -> f64) -> Self {
        let mut rows: Vec<Vec<f64>> = Vec::with_capacity(n);
        for i in 0..n {
            let mut row: Vec<f64> = Vec::with_capacity(i + 1);
            for (j, above) in rows.iter().enumerate() {
                let known: f64 = row.iter().zip(above).map(|(a, b)| a * b).sum();
                row.push((entry(i, j) - known) / above[j]);
            }
            let known: f64 = row.iter().map(|a| a * a).sum();
            // Every variance contains noise, so only rounding can bring this to zero.
            row.push((entry(i, i) - known).max(f64::MIN_POSITIVE).sqrt());
            rows.push(row);
        }
        Self { rows }
    }

    /// Replaces `values` by `L⁻¹ values`, which are independent with variance one.
    pub(super) fn whiten(&self, values: &mut [f64]) {
        for (i, row) in self.rows.iter().enumerate() {
            let known: f64 = (0..i).map(|k| row[k] * values[k]).sum();
            values[i] = (values[i] - known) / row[i];
        }
    }

    /// Returns half of the logarithm of the determinant.
    pub(super) fn half_ln_determinant(&self) -> f64 {
        let diagonal = self.rows.iter().enumerate().map(|(i, row)| row[i].ln());
        diagonal.sum()
    }
}

/// The 95 % quantile of the standard normal distribution.
pub(super) const NORMAL_95: f64 = 1.644_853_6;

/// Beyond this many deviations, the probability is below 10⁻¹⁵.
const NEVER: f64 = 8.0;

/// Returns the probability that a standard normal value is at most `z`, by Abramowitz and Stegun 26.2.17 to 7.5e-8, and
/// the density at `z`.
pub(super) fn normal(z: f64) -> (f64, f64) {
    const B: [f64; 5] = [
        0.319_381_530,
        -0.356_563_782,
        1.781_477_937,
        -1.821_255_978,
        1.330_274_429,
    ];
    const HEIGHT: f64 = 0.398_942_280_401_432_7;
    if z.abs() > NEVER {
        return (if z > 0.0 { 1.0 } else { 0.0 }, 0.0);
    }
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let tail: f64 = B.iter().rev().fold(0.0, |sum, b| (sum + b) * t);
    let density = HEIGHT * (-0.5 * z * z).exp();
    let tail = density * tail;
    (if z > 0.0 { 1.0 - tail } else { tail }, density)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [[4, 2], [2, 5]] = [[2, 0], [1, 2]] times its transpose; ln √(4·5 − 2·2) = ln 4. (2, 5) whitens to
    /// 2 ÷ 2 = 1 and (5 − 1·1) ÷ 2 = 2.
    #[test]
    fn factors_by_hand() {
        let matrix = [[4.0, 2.0], [2.0, 5.0]];
        let factor = Factor::of(2, |i, j| matrix[i][j]);
        assert_eq!(factor.rows, vec![vec![2.0], vec![1.0, 2.0]]);
        assert!((factor.half_ln_determinant() - 4.0_f64.ln()).abs() < 1e-12);
        let mut values = [2.0, 5.0];
        factor.whiten(&mut values);
        assert!(
            values
                .iter()
                .zip([1.0, 2.0])
                .all(|(a, b)| (a - b).abs() < 1e-12)
        );
    }

    /// From tables: 90 % within 1.645, 97.5 % below 1.96.
    #[test]
    fn normal_chances_by_the_table() {
        for (z, wanted) in [(0.0, 0.5), (1.6449, 0.95), (-1.96, 0.025), (9.0, 1.0)] {
            assert!((normal(z).0 - wanted).abs() < 1e-4, "{z}");
        }
    }
}
