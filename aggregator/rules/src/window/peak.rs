//! A day's peak, which is remembered for longer than the day's details (W3).

use rightsizer_records::{EnvId, Megabytes};

use super::day::DayStats;
use super::witnesses::Witnesses;

/// A day's peak and the largest size that hid the demand, from any source, because it was used.
/// (Which source counts is a question of counting invocations, see [`crate::assess::Usage`].)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PeakOfDay {
    /// Highest memory used.
    pub peak_mb: Megabytes,
    /// The largest size in which the demand was hidden (P3); 0 if there was none.
    pub censored_mb: Megabytes,
    /// The sources that saw it.
    pub seen_by: Witnesses,
}

impl PeakOfDay {
    /// Returns what `stats` show of a day at `size`; of one environment alone if `env` names it.
    pub fn of(stats: &DayStats, size: Megabytes, env: Option<EnvId>) -> Self {
        Self {
            peak_mb: stats.peak_mb,
            censored_mb: if stats.censored { size } else { Megabytes(0) },
            seen_by: env.map_or(Witnesses::shown(stats.peak_mb), |env| {
                Witnesses::of(env, stats.peak_mb)
            }),
        }
    }

    /// Joins two views of the same day. Commutative, associative and idempotent (W7).
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self {
            peak_mb: self.peak_mb.max(other.peak_mb),
            censored_mb: self.censored_mb.max(other.censored_mb),
            seen_by: self.seen_by.join(other.seen_by),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn peak() -> impl Strategy<Value = PeakOfDay> {
        (0_u32..5, 0_u32..3).prop_map(|(peak, censored)| PeakOfDay {
            peak_mb: Megabytes(peak),
            censored_mb: Megabytes(censored),
            seen_by: Witnesses::shown(Megabytes(peak)),
        })
    }

    proptest! {
        #[test]
        fn w7_joining_peaks_is_commutative_associative_and_idempotent(
            a in peak(), b in peak(), c in peak(),
        ) {
            prop_assert_eq!(a.join(b), b.join(a));
            prop_assert_eq!(a.join(b).join(c), a.join(b.join(c)));
            prop_assert_eq!(a.join(a), a);
        }
    }
}
