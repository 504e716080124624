//! Figures of a distribution of durations that were rounded up to whole milliseconds, finer than its buckets.

use super::distribution::{Distribution, highest_of};

impl Distribution {
    /// Returns the quantile `q` (0 to 1), interpolated within its bucket; `None` when empty. Unlike
    /// [`Distribution::quantile`] it may be too low, but a median of 1.5 ms is not reported as 2 ms.
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub fn interpolated(&self, q: f64) -> Option<f64> {
        let counts = self.counts();
        let rank = q * self.count() as f64;
        let mut below = 0.0;
        for (bucket, count) in counts.iter() {
            let count = *count as f64;
            if below + count >= rank {
                let (low, high) = range(*bucket);
                return Some(low + (high - low) * ((rank - below) / count).clamp(0.0, 1.0));
            }
            below += count;
        }
        counts.last().map(|(bucket, _)| range(*bucket).1)
    }

    /// Returns the mean; `None` when empty.
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub fn mean(&self) -> Option<f64> {
        let counts = self.counts();
        let sum = counts.iter().map(|(bucket, count)| {
            let (low, high) = range(*bucket);
            f64::midpoint(low, high) * *count as f64
        });
        let total = self.count() as f64;
        (total > 0.0).then(|| sum.sum::<f64>() / total)
    }

    /// Returns the standard deviation of the logarithms, from the 16 % and 84 % quantiles, so that a few slow
    /// invocations do not count; `None` when empty.
    pub fn ln_spread(&self) -> Option<f64> {
        let (low, high) = (self.interpolated(0.16)?, self.interpolated(0.84)?);
        Some((high.max(LEAST) / low.max(LEAST)).ln() / 2.0)
    }
}

/// Durations below this, in milliseconds, are treated alike.
const LEAST: f64 = 0.05;

/// Returns the open lower and the closed upper end of the values that a bucket holds.
#[expect(
    clippy::cast_precision_loss,
    reason = "at most thirty days in milliseconds"
)]
fn range(bucket: u16) -> (f64, f64) {
    let high = highest_of(bucket) as f64;
    match bucket.checked_sub(1) {
        Some(before) => (highest_of(before) as f64, high),
        None => (0.0, high),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: Option<f64>, wanted: f64) {
        let found = found.unwrap();
        assert!((found - wanted).abs() < 1e-9, "{found}, wanted {wanted}");
    }

    /// Of four values of 2 (between 1 and 2 ms) and four of 4 (between 3 and 4), half lie at or below 2, and 75 %
    /// at or below 3.5. Their mean is (1.5 + 3.5) ÷ 2.
    #[test]
    fn quantiles_lie_within_their_bucket() {
        let mut some = Distribution::default();
        some.record_many(2, 4);
        some.record_many(4, 4);
        near(some.interpolated(0.5), 2.0);
        near(some.interpolated(0.25), 1.5);
        near(some.interpolated(0.75), 3.5);
        near(some.mean(), 2.5);
        assert_eq!(Distribution::default().interpolated(0.5), None);
        assert_eq!(Distribution::default().mean(), None);
    }

    /// 1,000 values of 100 to 200 ms, evenly: 16 % are below 116, 84 % below 184, so the spread is ln(184 ÷ 116) ÷ 2.
    #[test]
    fn the_spread_leaves_out_the_ends() {
        let mut some = Distribution::default();
        for value in 101..=200 {
            some.record_many(value, 10);
        }
        some.record(90_000);
        let found = some.ln_spread().unwrap();
        assert!(
            (found - (184.0_f64 / 116.0).ln() / 2.0).abs() < 0.01,
            "{found}"
        );
    }
}
