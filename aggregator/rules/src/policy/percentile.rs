//! Percentiles of the daily peaks in which a day counts half as much as one half-life later.

use rightsizer_records::{Megabytes, Reason};

use super::estimate::Estimator;
use super::evidence::FunctionEvidence;
use super::reasons::Reasons;
use crate::window::WINDOW_DAYS;

/// The peak that all but a share of the recent days, by weight, stay at or below. A day's weight is
/// `0.5 ^ (age ÷ half-life)`; yesterday has the age 1.
///
#[derive(Debug, Clone, Copy)]
pub struct DecayingPercentile {
    /// 0.90 for the 90th percentile.
    pub share: f64,
    /// In days.
    pub half_life_days: f64,
    /// Days that are looked back on.
    pub memory_days: i32,
}

/// The Kubernetes VPA's estimator for memory, which takes 24 h peaks into a histogram that decays.
pub(crate) const VPA: DecayingPercentile = DecayingPercentile {
    share: 0.90,
    half_life_days: 1.0,
    memory_days: WINDOW_DAYS,
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
        reasons.add(|| Reason::Percentile {
            half_life_days: self.half_life_days,
            mb,
            share: self.share,
        });
        Some(mb)
    }
}

#[cfg(test)]
mod tests {
    use super::super::evidence::tests::seen;
    use super::*;

    /// Half-life 1 day, weights 1/2, 1/4, 1/8 … The highest 10 % of the weight 0.9375 of four days is
    /// 0.094. Yesterday's 500 weighs 0.5: it is the percentile. Four days ago it weighs 0.0625: it is
    /// not.
    #[test]
    fn p7_the_field_s_rule_forgets_a_peak_in_days() {
        assert_eq!(VPA.of(&seen(&[200, 200, 200, 500])).unwrap().0, 500);
        assert_eq!(VPA.of(&seen(&[500, 200, 200, 200])).unwrap().0, 200);
    }

    #[test]
    fn a_steady_level_is_itself() {
        assert_eq!(VPA.of(&seen(&[200])), Some(Megabytes(200)));
        assert_eq!(VPA.of(&seen(&[200; 14])), Some(Megabytes(200)));
    }
}
