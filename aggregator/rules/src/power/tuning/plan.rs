//! What a run invokes: the sizes, how often, and with which payloads.

use rightsizer_records::Megabytes;
use rightsizer_records::limits::{LAMBDA_LEAST, LAMBDA_MOST, ONE_VCPU};

use super::super::sampling::Effort;
use super::shares::{Shares, SharesError};

/// A run that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// It has no size.
    #[error("the plan has no memory size")]
    NoSize,
    /// A size that Lambda does not offer.
    #[error("{0} is not a memory size of Lambda, which offers {LAMBDA_LEAST} to {LAMBDA_MOST}")]
    Size(Megabytes),
    /// Fewer invocations than figures need.
    #[error(
        "{0} invocations at each size show too little; at least {LEAST_INVOCATIONS} are needed"
    )]
    TooFew(u32),
    /// The payloads' weights give no shares.
    #[error(transparent)]
    Shares(#[from] SharesError),
}

/// How often the function is invoked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Invocations {
    /// A number at each size.
    Each(u32),
    /// As [`super::super::Sampler`] decides.
    Adaptive(Effort),
}

/// The smallest number of invocations at each size, as in AWS Lambda Power Tuning.
const LEAST_INVOCATIONS: u32 = 5;

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    sizes: Vec<Megabytes>,
    invocations: Invocations,
    shares: Shares,
}

impl Plan {
    /// Makes a plan; the sizes are put in ascending order, without duplicates.
    ///
    /// # Errors
    /// If there is no size, or Lambda does not offer one of them, or there are fewer than five invocations at each, or
    /// a payload would never be used.
    pub fn new(
        sizes: &[Megabytes],
        invocations: Invocations,
        shares: Shares,
    ) -> Result<Self, PlanError> {
        let mut sizes = sizes.to_vec();
        sizes.sort_unstable();
        sizes.dedup();
        let offered = LAMBDA_LEAST..=LAMBDA_MOST;
        if let Some(wrong) = sizes.iter().find(|size| !offered.contains(size)) {
            return Err(PlanError::Size(*wrong));
        }
        if sizes.is_empty() {
            return Err(PlanError::NoSize);
        }
        if let Invocations::Each(number) = invocations {
            if number < LEAST_INVOCATIONS {
                return Err(PlanError::TooFew(number));
            }
            shares.counts(number)?;
        }
        Ok(Self {
            sizes,
            invocations,
            shares,
        })
    }

    /// Returns the sizes, in ascending order.
    pub fn sizes(&self) -> &[Megabytes] {
        &self.sizes
    }

    /// Returns how often the function is invoked.
    pub const fn invocations(&self) -> Invocations {
        self.invocations
    }

    /// Returns the most invocations at all sizes together.
    pub fn most_invocations(&self) -> u64 {
        match self.invocations {
            Invocations::Each(number) => u64::from(number) * self.sizes.len() as u64,
            Invocations::Adaptive(effort) => effort.invocations,
        }
    }

    /// Returns the place of the payload for the invocation with this number at its size, counted from 0, in the list
    /// of payloads.
    ///
    /// A fixed number of invocations uses one payload after the other, in the order and with the counts of AWS Lambda
    /// Power Tuning. An adaptive run mixes them, because it may end at any time.
    pub fn payload(&self, invocation: u32) -> usize {
        let Invocations::Each(number) = self.invocations else {
            return self.shares.nth(invocation);
        };
        let mut before = 0;
        let counts = self.shares.counts(number).unwrap_or_default();
        let reached = |count: &u32| {
            before += count;
            invocation % number < before
        };
        counts.iter().position(reached).unwrap_or_default()
    }
}

/// Sizes that an adaptive run considers: about a third more memory with each, and the sizes at which a function has
/// one and two vCPUs.
const ADAPTIVE: [u32; 16] = [
    128,
    192,
    256,
    384,
    512,
    768,
    1024,
    1280,
    1536,
    ONE_VCPU.0,
    2048,
    3008,
    2 * ONE_VCPU.0,
    5120,
    7076,
    LAMBDA_MOST.0,
];

/// Returns the sizes that an adaptive run considers, from `least` to `most`, which are two of them.
pub fn adaptive_sizes(least: Megabytes, most: Megabytes) -> Vec<Megabytes> {
    let between = |size: &Megabytes| least < *size && *size < most;
    let usual = ADAPTIVE.map(Megabytes).into_iter().filter(between);
    let mut sizes: Vec<Megabytes> = usual.chain([least, most]).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(sizes: &[u32], number: u32, weights: &[f64]) -> Result<Plan, PlanError> {
        let sizes: Vec<Megabytes> = sizes.iter().copied().map(Megabytes).collect();
        let shares = Shares::new(weights)?;
        Plan::new(&sizes, Invocations::Each(number), shares)
    }

    /// 10 invocations with weights 1 and 4: 2 and 8.
    #[test]
    fn payloads_follow_each_other() {
        let plan = plan(&[512, 128, 512], 10, &[1.0, 4.0]).unwrap();
        assert_eq!(plan.sizes(), [Megabytes(128), Megabytes(512)]);
        assert_eq!(plan.most_invocations(), 20);
        let order: Vec<usize> = (0..10).map(|n| plan.payload(n)).collect();
        assert_eq!(order, [0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn an_adaptive_run_mixes_payloads() {
        let shares = Shares::new(&[1.0, 1.0]).unwrap();
        let invocations = Invocations::Adaptive(Effort::default());
        let plan = Plan::new(&[Megabytes(128)], invocations, shares).unwrap();
        let order: Vec<usize> = (0..4).map(|n| plan.payload(n)).collect();
        assert_eq!((order, plan.most_invocations()), (vec![0, 1, 0, 1], 60));
    }

    #[test]
    fn plans_that_cannot_be_are_refused() {
        assert_eq!(plan(&[], 5, &[1.0]), Err(PlanError::NoSize));
        for size in [127, 10_241] {
            let wrong = Err(PlanError::Size(Megabytes(size)));
            assert_eq!(plan(&[128, size], 5, &[1.0]), wrong);
        }
        assert_eq!(plan(&[128], 4, &[1.0]), Err(PlanError::TooFew(4)));
        let shares = plan(&[128], 5, &[1.0, 100.0]);
        assert!(matches!(shares, Err(PlanError::Shares(_))));
        let words = plan(&[128], 5, &[0.0]).unwrap_err().to_string();
        assert_eq!(
            words,
            "the weights of the payloads sum to 0, so none of them would be used"
        );
    }

    #[test]
    fn adaptive_sizes_lie_between_the_limits() {
        let sizes = adaptive_sizes(Megabytes(300), Megabytes(1000));
        assert_eq!(sizes, [300, 384, 512, 768, 1000].map(Megabytes));
        let all = adaptive_sizes(LAMBDA_LEAST, LAMBDA_MOST);
        assert_eq!(all.len(), 16);
    }
}
