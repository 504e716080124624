//! Percentiles of the daily peaks in which a day counts half as much as one half-life later.

use rightsizer_records::Megabytes;

use super::estimate::Estimator;
use super::evidence::FunctionEvidence;
use super::reasons::Reasons;

/// The peak that all but a share of the recent days, by weight, stay at or below. A day's weight is
/// `0.5 ^ (age ÷ half-life)`; yesterday has the age 1.
///
/// With one day as half-life and 0.90 it is the Kubernetes VPA's estimator for memory, which takes
/// 24 h peaks into a histogram that decays. With a week and 0.92 a lone spike (9.4 % of all
/// weight on the first day, 8.5 % on the second, 7.7 % on the third) holds for two days, and one that
/// recurs for as long as it does.
#[derive(Debug, Clone, Copy)]
pub struct DecayingPercentile {
    /// 0.90 for the 90th percentile.
    pub share: f64,
    /// In days.
    pub half_life_days: f64,
    /// Days that are looked back on.
    pub memory_days: i32,
}

/// The level that recurs: 92 % of the recent days' weight, a week as half-life, a quarter's memory.
pub const RECURRING: DecayingPercentile = DecayingPercentile {
    share: 0.92,
    half_life_days: 7.0,
    memory_days: 90,
};

impl DecayingPercentile {
    /// The percentile alone, without a reason.
    pub(super) fn of(&self, seen: &FunctionEvidence) -> Option<Megabytes> {
        let today = seen.window.to.number() + 1;
        let oldest = today - self.memory_days;
        let recent = seen.history.partition_point(|p| p.day.number() < oldest);
        let mut days: Vec<(Megabytes, f64)> = seen.history[recent..]
            .iter()
            .map(|p| {
                // An open day is as new as can be.
                let age = f64::from((today - p.day.number()).max(1));
                (p.peak, (-age / self.half_life_days).exp2())
            })
            .collect();
        days.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(b.1.total_cmp(&a.1)));
        let all: f64 = days.iter().map(|(_, weight)| weight).sum();
        let above = (1.0 - self.share) * all * (1.0 + 1e-9);
        let mut weight = 0.0;
        let reached = days.iter().find(|(_, day)| {
            weight += day;
            weight > above
        });
        reached.or(days.last()).map(|(peak, _)| *peak)
    }
}

impl Estimator for DecayingPercentile {
    fn estimate(&self, seen: &FunctionEvidence, reasons: &mut Reasons) -> Option<Megabytes> {
        seen.daily_peaks.first()?;
        let mb = self.of(seen)?;
        reasons.add("percentile", || {
            [
                ("share", self.share.into()),
                ("half_life_days", self.half_life_days.into()),
                ("mb", mb.0.into()),
            ]
        });
        Some(mb)
    }
}

#[cfg(test)]
mod tests {
    use super::super::evidence::tests::seen;
    use super::*;

    fn recurring(peaks: &[u32]) -> u32 {
        RECURRING.of(&seen(peaks)).unwrap().0
    }

    /// Half-life 1 day, weights 1/2, 1/4, 1/8 … The highest 10 % of the weight 0.9375 of four days is
    /// 0.094. Yesterday's 500 weighs 0.5: it is the percentile. Four days ago it weighs 0.0625: it is
    /// not.
    #[test]
    fn p7_the_field_s_rule_forgets_a_peak_in_days() {
        let vpa = DecayingPercentile {
            share: 0.90,
            half_life_days: 1.0,
            memory_days: 14,
        };
        assert_eq!(vpa.of(&seen(&[200, 200, 200, 500])).unwrap().0, 500);
        assert_eq!(vpa.of(&seen(&[500, 200, 200, 200])).unwrap().0, 200);
    }

    /// 60 days: all weight is 9.58, 8 % of it 0.767. A spike weighs 0.906 on the next day, 0.820 on
    /// the second, 0.743 on the third: held twice, then let go.
    #[test]
    fn p7_a_lone_spike_holds_for_two_days() {
        let after = |days: usize| {
            let mut peaks = vec![200; 60];
            peaks[60 - days] = 900;
            recurring(&peaks)
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
            assert_eq!(recurring(&peaks), 900, "offset {offset}");
        }
    }

    #[test]
    fn a_steady_level_is_itself() {
        assert_eq!(recurring(&[200]), 200);
        assert_eq!(recurring(&[200; 14]), 200);
    }
}
