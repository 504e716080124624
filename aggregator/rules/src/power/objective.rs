//! Chooses a size for an objective, from sizes with their durations and costs. It must not propose a change; the
//! caller provides the safe size.

use rightsizer_records::Megabytes;
pub use rightsizer_records::Objective;

/// A size with its expected duration and cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The size.
    pub memory_mb: Megabytes,
    /// Median duration, in milliseconds.
    pub p50_ms: f64,
    /// Monthly cost, in dollars.
    pub monthly_usd: f64,
}

/// The limits of a choice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// The smallest safe size (P1 to P6); no smaller size is chosen.
    pub safe_mb: Megabytes,
    /// Weight of the cost in `Balanced`, 0 to 1; the rest is the weight of the duration.
    pub weight: f64,
    /// Highest monthly cost for `Speed`, in dollars.
    pub budget_usd: f64,
}

/// Returns the best size for `objective`, the smallest of equals; `None` if no candidate is safe or, for `Speed`,
/// within the budget.
pub fn choose(objective: Objective, sizes: &[Candidate], bounds: Bounds) -> Option<Megabytes> {
    let safe = sizes.iter().filter(|size| size.memory_mb >= bounds.safe_mb);
    let safe: Vec<Candidate> = safe.copied().collect();
    let highest = |of: fn(&Candidate) -> f64| safe.iter().map(of).fold(f64::MIN_POSITIVE, f64::max);
    let (dearest, slowest) = (highest(|s| s.monthly_usd), highest(|s| s.p50_ms));
    let score = |size: &Candidate| match objective {
        Objective::Memory => f64::from(size.memory_mb.0),
        Objective::Cost => size.monthly_usd,
        Objective::Balanced => {
            bounds.weight * size.monthly_usd / dearest
                + (1.0 - bounds.weight) * size.p50_ms / slowest
        }
        Objective::Speed => size.p50_ms,
    };
    let affordable =
        |size: &&Candidate| objective != Objective::Speed || size.monthly_usd <= bounds.budget_usd;
    let best = safe.iter().filter(affordable).min_by(|a, b| {
        let by_score = score(a).total_cmp(&score(b));
        by_score.then(a.memory_mb.cmp(&b.memory_mb))
    });
    best.map(|size| size.memory_mb)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn at(memory_mb: u32, p50_ms: f64, monthly_usd: f64) -> Candidate {
        Candidate {
            memory_mb: Megabytes(memory_mb),
            p50_ms,
            monthly_usd,
        }
    }

    const SIZES: [Candidate; 4] = [
        at(128, 1000.0, 2.0),
        at(512, 240.0, 1.9),
        at(1024, 130.0, 2.0),
        at(2048, 120.0, 4.0),
    ];
    const BOUNDS: Bounds = Bounds {
        safe_mb: Megabytes(128),
        weight: 0.5,
        budget_usd: 2.0,
    };

    /// `Balanced`, in shares of $4 and 1000 ms: 0.75, 0.3575, 0.315, 0.56. The fastest size for $2 is 1024 MB.
    #[test]
    fn each_objective_by_hand() {
        let chosen = |objective| choose(objective, &SIZES, BOUNDS).unwrap().0;
        assert_eq!(chosen(Objective::Memory), 128);
        assert_eq!(chosen(Objective::Cost), 512);
        assert_eq!(chosen(Objective::Balanced), 1024);
        assert_eq!(chosen(Objective::Speed), 1024);
        let rich = Bounds {
            budget_usd: 4.0,
            ..BOUNDS
        };
        assert_eq!(
            choose(Objective::Speed, &SIZES, rich),
            Some(Megabytes(2048))
        );
    }

    #[test]
    fn no_unsafe_or_unaffordable_size_is_chosen() {
        let large = Bounds {
            safe_mb: Megabytes(3000),
            ..BOUNDS
        };
        let poor = Bounds {
            budget_usd: 1.0,
            ..BOUNDS
        };
        assert_eq!(choose(Objective::Memory, &SIZES, large), None);
        assert_eq!(choose(Objective::Speed, &SIZES, poor), None);
    }

    proptest! {
        #[test]
        fn no_objective_goes_below_the_safe_size(
            sizes in proptest::collection::vec((128_u32..10_240, 0.1_f64..1e5, 0.0_f64..1e4), 1..20), safe in 128_u32..10_240, weight in 0.0_f64..=1.0,
        ) {
            let sizes: Vec<Candidate> = sizes.into_iter().map(|(mb, ms, usd)| at(mb, ms, usd)).collect();
            let bounds = Bounds { safe_mb: Megabytes(safe), weight, budget_usd: 1e3 };
            for objective in [Objective::Memory, Objective::Cost, Objective::Balanced, Objective::Speed] {
                let chosen = choose(objective, &sizes, bounds);
                prop_assert!(chosen.is_none_or(|size| size >= bounds.safe_mb));
            }
        }
    }
}
