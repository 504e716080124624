//! The share of each payload in the invocations, by its weight.

/// Weights that give no shares.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum SharesError {
    /// There is none.
    #[error("there is no payload")]
    None,
    /// A weight that is negative, infinite or not a number. The payload counts from 1.
    #[error("payload {payload} has the weight {weight}, which must be a positive number")]
    Weight {
        /// Its place in the list.
        payload: usize,
        /// Its weight.
        weight: f64,
    },
    /// They sum to 0.
    #[error("the weights of the payloads sum to 0, so none of them would be used")]
    Zero,
    /// A payload would not be used.
    #[error(
        "payload {payload} of {payloads} has too small a weight for {invocations} invocations at each size, so it \
         would never be used"
    )]
    Unused {
        /// Its place in the list.
        payload: usize,
        /// Payloads in the list.
        payloads: usize,
        /// Invocations at each size.
        invocations: u32,
    },
}

/// How often each of several payloads is used, by relative weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Shares {
    weights: Vec<f64>,
    total: f64,
}

impl Shares {
    /// Checks the weights of the payloads, in their order.
    ///
    /// # Errors
    /// If there is no payload, or the weights sum to 0, or one of them is not a positive number.
    pub fn new(weights: &[f64]) -> Result<Self, SharesError> {
        if weights.is_empty() {
            return Err(SharesError::None);
        }
        if weights.iter().all(|weight| *weight == 0.0) {
            return Err(SharesError::Zero);
        }
        let wrong = |weight: &f64| !(*weight > 0.0 && weight.is_finite());
        if let Some(at) = weights.iter().position(wrong) {
            return Err(SharesError::Weight {
                payload: at + 1,
                weight: weights[at],
            });
        }
        Ok(Self {
            weights: weights.to_vec(),
            total: weights.iter().sum(),
        })
    }

    /// Returns the shares of a single payload.
    pub fn single() -> Self {
        Self {
            weights: vec![1.0],
            total: 1.0,
        }
    }

    /// Returns the number of invocations with each payload, of `invocations` in all: `weight × invocations ÷ sum`,
    /// rounded down, and for the last payload what is left. These are the counts of AWS Lambda Power Tuning.
    ///
    /// # Errors
    /// If a payload would not be used.
    pub fn counts(&self, invocations: u32) -> Result<Vec<u32>, SharesError> {
        let unused = |at: usize| SharesError::Unused {
            payload: at + 1,
            payloads: self.weights.len(),
            invocations,
        };
        let mut counts = Vec::with_capacity(self.weights.len());
        let mut left = invocations;
        for (at, weight) in self.weights.iter().enumerate() {
            let share = weight * f64::from(invocations) / self.total;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "at most the number of invocations"
            )]
            let count = (share as u32).min(left);
            if count < 1 {
                return Err(unused(at));
            }
            let last = at + 1 == self.weights.len();
            counts.push(if last { left } else { count });
            left -= count;
        }
        Ok(counts)
    }

    /// Returns the payload of the invocation with this number, counted from 0, if it is not known how many follow: the
    /// one that is furthest behind its share, the first of equals.
    pub(crate) fn nth(&self, invocation: u32) -> usize {
        let mut used = vec![0.0; self.weights.len()];
        let mut chosen = 0;
        for _ in 0..=invocation % PERIOD {
            let behind = |at: &usize| (used[*at] + 1.0) / self.weights[*at];
            chosen = (0..used.len())
                .min_by(|a, b| behind(a).total_cmp(&behind(b)))
                .unwrap_or_default();
            used[chosen] += 1.0;
        }
        chosen
    }
}

/// The number of invocations after which the order repeats.
const PERIOD: u32 = 1000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 5, 15 and 30 of 50: of 100 invocations 10, 30 and 60. Of 7 they are 0.7, which is rounded down to none.
    /// Weights 1, 1, 1 of 50: 16, 16, and 18 that are left.
    #[test]
    fn counts_by_hand() {
        let shares = Shares::new(&[5.0, 15.0, 30.0]).unwrap();
        assert_eq!(shares.counts(100), Ok(vec![10, 30, 60]));
        assert_eq!(shares.counts(50), Ok(vec![5, 15, 30]));
        let unused = SharesError::Unused {
            payload: 1,
            payloads: 3,
            invocations: 7,
        };
        assert_eq!(shares.counts(7), Err(unused));
        let equal = Shares::new(&[1.0, 1.0, 1.0]).unwrap();
        assert_eq!(equal.counts(50), Ok(vec![16, 16, 18]));
        assert_eq!(Shares::single().counts(5), Ok(vec![5]));
    }

    /// Weights 2 and 1: the second follows when 1 ÷ 1 is less than 3 ÷ 2.
    #[test]
    fn an_open_run_mixes_the_payloads() {
        let shares = Shares::new(&[2.0, 1.0]).unwrap();
        let order: Vec<usize> = (0..6).map(|n| shares.nth(n)).collect();
        assert_eq!(order, [0, 0, 1, 0, 0, 1]);
    }

    #[test]
    fn weights_that_give_no_shares_are_refused() {
        assert_eq!(Shares::new(&[]), Err(SharesError::None));
        assert_eq!(Shares::new(&[0.0, 0.0]), Err(SharesError::Zero));
        for weight in [0.0, -1.0, f64::INFINITY] {
            let wrong = SharesError::Weight { payload: 2, weight };
            assert_eq!(Shares::new(&[1.0, weight]), Err(wrong));
        }
        assert!(Shares::new(&[f64::NAN]).is_err());
    }

    proptest! {
        /// Every payload gets its share, to one invocation; the last one gets the rest.
        #[test]
        fn counts_sum_to_the_invocations(weights in proptest::collection::vec(0.01_f64..100.0, 1..8), invocations in 1_u32..500) {
            let shares = Shares::new(&weights).unwrap();
            if let Ok(counts) = shares.counts(invocations) {
                prop_assert_eq!(counts.iter().sum::<u32>(), invocations);
                prop_assert!(counts.iter().all(|count| *count > 0));
                let total: f64 = weights.iter().sum();
                for (count, weight) in counts.iter().zip(&weights).take(weights.len() - 1) {
                    let share = weight * f64::from(invocations) / total;
                    prop_assert!((f64::from(*count) - share).abs() < 1.0);
                }
            }
        }
    }
}
