//! Who saw a peak: the word of one environment is not that of two.

use rightsizer_records::{EnvId, Megabytes};

/// The two highest uses of memory by different environments, and the highest that does not rest on one
/// environment's word. Joining is commutative, associative and idempotent (W7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Witnesses {
    /// The highest use that a log or an import shows: those are not one environment's to write.
    pub shown: Megabytes,
    /// The highest uses by different environments of the layer, the higher first; 0 MB if there is
    /// none.
    pub top: [(Megabytes, EnvId); 2],
}

const NONE: (Megabytes, EnvId) = (Megabytes(0), EnvId(0));

impl Default for Witnesses {
    fn default() -> Self {
        Self::shown(Megabytes(0))
    }
}

impl Witnesses {
    /// The memory use of `env`.
    pub const fn of(env: EnvId, used: Megabytes) -> Self {
        let top = if used.0 == 0 { NONE } else { (used, env) };
        Self {
            shown: Megabytes(0),
            top: [top, NONE],
        }
    }

    /// A use that does not rest on one environment's word.
    pub const fn shown(used: Megabytes) -> Self {
        Self {
            shown: used,
            top: [NONE; 2],
        }
    }

    /// Takes in what others saw.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let mut all = [self.top[0], self.top[1], other.top[0], other.top[1]];
        all.sort_unstable_by(|a, b| b.cmp(a));
        let first = all[0];
        let second = all.into_iter().find(|(_, env)| *env != first.1);
        Self {
            shown: self.shown.max(other.shown),
            top: [first, second.unwrap_or(NONE)],
        }
    }

    /// The highest use that does not rest on one environment alone.
    pub fn agreed(&self) -> Megabytes {
        self.shown.max(self.top[1].0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn witnesses() -> impl Strategy<Value = Witnesses> {
        let one = (0_u32..4, 1_u64..4, any::<bool>()).prop_map(|(mb, env, shown)| {
            if shown {
                Witnesses::shown(Megabytes(mb))
            } else {
                Witnesses::of(EnvId(env), Megabytes(mb))
            }
        });
        prop::collection::vec(one, 0..4)
            .prop_map(|all| all.into_iter().fold(Witnesses::default(), Witnesses::join))
    }

    proptest! {
        #[test]
        fn w7_joining_witnesses_is_commutative_associative_and_idempotent(
            a in witnesses(), b in witnesses(), c in witnesses(),
        ) {
            prop_assert_eq!(a.join(b), b.join(a));
            prop_assert_eq!(a.join(b).join(c), a.join(b.join(c)));
            prop_assert_eq!(a.join(a), a);
        }
    }

    #[test]
    fn one_environment_does_not_agree_with_itself() {
        let lone = Witnesses::of(EnvId(7), Megabytes(900));
        let lone = lone.join(Witnesses::of(EnvId(7), Megabytes(800)));
        assert_eq!(lone.agreed(), Megabytes(0));
        let two = lone.join(Witnesses::of(EnvId(8), Megabytes(300)));
        assert_eq!(two.agreed(), Megabytes(300));
        assert_eq!(
            two.join(Witnesses::shown(Megabytes(500))).agreed(),
            Megabytes(500)
        );
    }
}
