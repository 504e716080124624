//! `autopilot`: several simple limits run side by side, and the one that would have cost least so
//! far is taken, after the published description of Google's Autopilot (the `EuroSys` 2020 paper).
//!
//! An approximation, on daily peaks instead of five-minute histograms: nine arms, the highest peak
//! of 3, 7 or 14 days with 5, 15 or 30 % on top. Each arm is replayed over the last 28 days; a day
//! costs the share of its limit that was idle, or [`OVERRUN`] if the peak was above it, and weighs
//! half as much as one 7 days later. The published system also prices changing the limit; the dead
//! band does that here.

use rightsizer_records::{Megabytes, Reason};

use super::estimate::Estimator;
use super::evidence::{DayPeak, FunctionEvidence};
use super::reasons::{Reasons, times};

const WINDOWS: [i32; 3] = [3, 7, 14];
const FACTORS: [f64; 3] = [1.05, 1.15, 1.30];
const REPLAYED_DAYS: i32 = 28;
const HALF_LIFE_DAYS: f64 = 7.0;
/// A day above the limit costs as much as this many days with a wholly idle limit.
const OVERRUN: f64 = 10.0;

/// The arm that would have cost least.
#[derive(Debug, Clone, Copy)]
pub struct Autopilot;

impl Estimator for Autopilot {
    fn estimate(&self, seen: &FunctionEvidence, reasons: &mut Reasons) -> Option<Megabytes> {
        seen.daily_peaks.first()?;
        let today = seen.window.to.number() + 1;
        let arms = WINDOWS
            .iter()
            .flat_map(|days| FACTORS.iter().map(move |factor| (*days, *factor)));
        let (days, factor, _) = arms
            .map(|(days, factor)| (days, factor, cost(&seen.history, today, days, factor)))
            .min_by(|a, b| a.2.total_cmp(&b.2))?;
        // A function that idled for days still has its last peaks.
        let peak = highest(&seen.history, today, days).or(seen.daily_peaks.last().copied())?;
        let mb = times(peak, factor);
        reasons.add(|| Reason::Autopilot {
            arm_days: days,
            factor,
            mb,
            peak_mb: peak,
        });
        Some(mb)
    }
}

/// What the arm would have cost on the remembered days before `today`.
fn cost(history: &[DayPeak], today: i32, days: i32, factor: f64) -> f64 {
    let from = history.partition_point(|p| p.day.number() < today - REPLAYED_DAYS);
    let replayed = history[from..].iter().filter(|p| p.day.number() < today);
    replayed
        .filter_map(|p| {
            let day = p.day.number();
            let limit = times(highest(history, day, days)?, factor);
            let loss = if p.peak > limit {
                OVERRUN
            } else {
                1.0 - f64::from(p.peak.0) / f64::from(limit.0.max(1))
            };
            Some(loss * (-f64::from(today - day) / HALF_LIFE_DAYS).exp2())
        })
        .sum()
}

/// The highest peak of the `days` before `today`.
fn highest(history: &[DayPeak], today: i32, days: i32) -> Option<Megabytes> {
    let end = history.partition_point(|p| p.day.number() < today);
    let recent = history[..end].iter().rev();
    recent
        .take_while(|p| p.day.number() >= today - days)
        .map(|p| p.peak)
        .max()
}

#[cfg(test)]
mod tests {
    use super::super::evidence::tests::seen;
    use super::*;

    fn autopilot(peaks: &[u32]) -> u32 {
        let mut reasons = Reasons::dropped();
        Autopilot.estimate(&seen(peaks), &mut reasons).unwrap().0
    }

    /// Steady at 200: no arm ever overruns, the one with the least idle is 5 % on top: 210.
    #[test]
    fn p7_a_steady_function_gets_the_tightest_arm() {
        assert_eq!(autopilot(&[200; 40]), 210);
    }

    /// 900 every fifth day: three days' memory overruns each time (10 a time), seven days' does not:
    /// 1.05 × 900 = 945.
    #[test]
    fn p7_a_recurring_peak_gets_an_arm_that_remembers_it() {
        let peaks: Vec<u32> = (0..40)
            .map(|day| if day % 5 == 0 { 900 } else { 200 })
            .collect();
        assert_eq!(autopilot(&peaks), 945);
    }
}
