//! `recurring-peak`: the level that recurs, with a headroom as large as the function is restless.
//! `docs/POLICIES.md` has how it was found and what it is worth.

use rightsizer_records::{Megabytes, Reason};

use super::estimate::Estimator;
use super::evidence::FunctionEvidence;
use super::percentile::DecayingPercentile;
use super::reasons::{Reasons, times};

/// 92 % of the recent days' weight, a week as half-life, a quarter's memory: a lone spike holds for two
/// days, one that recurs for as long as it does.
pub(crate) const RECURRING: DecayingPercentile = DecayingPercentile {
    share: 0.92,
    half_life_days: 7.0,
    memory_days: 90,
};

/// Headroom of a function whose peak is the same every day.
const LEAST_HEADROOM: f64 = 1.10;
/// Headroom per movement.
const PER_MOVEMENT: f64 = 2.0;
/// Movement is taken over as many days.
const MOVEMENT_DAYS: i32 = 28;

/// The level that recurs × (110 % + twice the usual movement from one day to the next), at most
/// `most`.
#[derive(Debug, Clone, Copy)]
pub struct RecurringPeak {
    /// The largest factor, 1.30 by default.
    pub most: f64,
}

/// What [`RecurringPeak`] makes of the evidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Recurring {
    /// The level that recurs.
    pub(super) level: Megabytes,
    /// Mean change of the peak from one active day to the next ÷ mean peak, in percent; `None` if
    /// there is no second day.
    pub(super) movement_percent: Option<u32>,
    /// 1.10 to `most`, to three decimals.
    pub(super) factor: f64,
    /// Level × factor.
    pub(super) mb: Megabytes,
}

impl RecurringPeak {
    pub(super) fn of(self, seen: &FunctionEvidence) -> Option<Recurring> {
        let level = RECURRING.of(seen)?;
        let movement = movement(seen);
        let wanted = movement.map_or(self.most, |m| LEAST_HEADROOM + PER_MOVEMENT * m);
        let factor = (wanted.min(self.most) * 1000.0).round() / 1000.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a quotient of peaks, at most 200 %"
        )]
        let percent = |m: f64| (m * 100.0).round() as u32;
        Some(Recurring {
            level,
            movement_percent: movement.map(percent),
            factor,
            mb: times(level, factor),
        })
    }
}

/// Mean change of the peak from one active day to the next, as a share of the mean peak, over the
/// last 28 days.
fn movement(seen: &FunctionEvidence) -> Option<f64> {
    let oldest = seen.window.to.number() + 1 - MOVEMENT_DAYS;
    let recent = seen.history.partition_point(|p| p.day.number() < oldest);
    let days = &seen.history[recent..];
    let changes = u32::try_from(days.len()).ok()?.checked_sub(1)?;
    let sum: u64 = days.iter().map(|p| u64::from(p.peak.0)).sum();
    let change: u64 = days
        .windows(2)
        .map(|pair| u64::from(pair[0].peak.0.abs_diff(pair[1].peak.0)))
        .sum();
    if changes == 0 || sum == 0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "28 peaks stay far below 2^52")]
    let (sum, change) = (sum as f64, change as f64);
    Some((change / f64::from(changes)) / (sum / f64::from(changes + 1)))
}

impl Estimator for RecurringPeak {
    fn estimate(&self, seen: &FunctionEvidence, reasons: &mut Reasons) -> Option<Megabytes> {
        RECURRING.estimate(seen, reasons)?;
        let found = self.of(seen)?;
        reasons.add(|| Reason::Movement {
            days: MOVEMENT_DAYS,
            factor: found.factor,
            from_mb: found.level,
            mb: found.mb,
            movement_percent: found.movement_percent,
        });
        Some(found.mb)
    }
}

#[cfg(test)]
mod tests {
    use super::super::evidence::tests::seen;
    use super::*;

    fn recurring(peaks: &[u32]) -> Recurring {
        RecurringPeak { most: 1.30 }.of(&seen(peaks)).unwrap()
    }

    fn level(peaks: &[u32]) -> u32 {
        recurring(peaks).level.0
    }

    /// 60 days: all weight is 9.58, 8 % of it 0.767. A spike weighs 0.906 on the next day, 0.820 on
    /// the second, 0.743 on the third: held twice, then let go.
    #[test]
    fn p7_a_lone_spike_holds_for_two_days() {
        let after = |days: usize| {
            let mut peaks = vec![200; 60];
            peaks[60 - days] = 900;
            level(&peaks)
        };
        assert_eq!((after(1), after(2), after(3)), (900, 900, 200));
    }

    /// Weekly: ages 7, 14, 21, 28 … weigh 1/2 + 1/4 + 1/8 + … ≈ 1 on the worst day for it, the eve;
    /// that is more than 0.767, so it never lets go.
    #[test]
    fn p7_a_weekly_spike_holds_throughout() {
        for offset in 0..7 {
            let peaks: Vec<u32> = (0..60)
                .map(|day| if day % 7 == offset { 900 } else { 200 })
                .collect();
            assert_eq!(level(&peaks), 900, "offset {offset}");
        }
    }

    /// The same every day: no movement, 1.10 × 200 = 220. 200 and 210 by turns: 10 ÷ 205 = 4.88 %
    /// movement, 1.10 + 2 × 0.0488 = 1.198, × 210 = 251.58. 200 and 300: 100 ÷ 250 = 40 %, at most 1.30
    /// × 300 = 390. One day alone has no movement to go by: 1.30 × 200.
    #[test]
    fn p7_headroom_follows_the_movement() {
        assert_eq!(recurring(&[200; 28]).mb, Megabytes(220));
        let by_turns = |high| -> Vec<u32> { [200, high].into_iter().cycle().take(28).collect() };
        let calm = recurring(&by_turns(210));
        assert_eq!((calm.movement_percent, calm.mb), (Some(5), Megabytes(252)));
        assert!((calm.factor - 1.198).abs() < 1e-9);
        assert_eq!(recurring(&by_turns(300)).mb, Megabytes(390));
        assert_eq!(recurring(&[200]).mb, Megabytes(260));
    }
}
