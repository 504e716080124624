//! The totals of many series.

use serde::Serialize;

use super::replay::{Outcome, Regime};

/// The figures of one policy in one regime, as printed by `--json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measure {
    /// The policy's name.
    pub policy: &'static str,
    /// `daily` or `once-per-window`.
    pub regime: &'static str,
    /// Share of the days on which the demand was above the size, in percent.
    pub oom_days_pct: f64,
    /// Sum of all sizes ÷ sum of all demands, so large series have most weight. `None` if nothing was used.
    pub allocated_over_used: Option<f64>,
    /// Median of that ratio over the series, which shows whether a rule only helps large ones.
    pub median_allocated_over_used: Option<f64>,
    /// Changes of the size, including bumps, per series and 30 calendar days.
    pub changes_per_30d: f64,
    /// Days on which the demand was above the size.
    pub oom_days: u64,
    /// Sizes that ran out on those days; there can be several on one day.
    pub oom_events: u64,
    /// Days with a demand and a size.
    pub days: u64,
    /// Series with such days.
    pub series: u64,
}

/// Adds up outcomes.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    sum: Outcome,
    ratios: Vec<f64>,
    series: u64,
}

impl Tally {
    /// Adds the result of one series.
    pub fn add(&mut self, outcome: Outcome) {
        if outcome.days == 0 {
            return;
        }
        self.series += 1;
        if outcome.used_mb > 0.0 {
            self.ratios.push(outcome.allocated_mb / outcome.used_mb);
        }
        self.sum.days += outcome.days;
        self.sum.oom_days += outcome.oom_days;
        self.sum.oom_events += outcome.oom_events;
        self.sum.changes += outcome.changes;
        self.sum.calendar_days += outcome.calendar_days;
        self.sum.allocated_mb += outcome.allocated_mb;
        self.sum.used_mb += outcome.used_mb;
    }

    /// Returns the figures; `None` if no series had a day that counts.
    pub fn measure(mut self, policy: &'static str, regime: Regime) -> Option<Measure> {
        let sum = self.sum;
        (sum.days > 0).then(|| Measure {
            policy,
            regime: regime.name(),
            oom_days_pct: 100.0 * as_f64(sum.oom_days) / as_f64(sum.days),
            allocated_over_used: (sum.used_mb > 0.0).then(|| sum.allocated_mb / sum.used_mb),
            median_allocated_over_used: median(&mut self.ratios),
            changes_per_30d: 30.0 * as_f64(sum.changes) / as_f64(sum.calendar_days.max(1)),
            oom_days: sum.oom_days,
            oom_events: sum.oom_events,
            days: sum.days,
            series: self.series,
        })
    }
}

/// Returns the middle value, or the mean of the two middle values.
fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(values[values.len() / 2 - 1], upper))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of days stay far below 2^52"
)]
const fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_few() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [2.0, 1.0, 4.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    /// 2 OOM-days of 40 = 5 %; (1200 + 300) ÷ (1000 + 100) = 1.3636; ratios 1.2 and 3: median 2.1;
    /// 4 changes in 60 days = 2 in 30. The third series has no day that counts and is not one.
    #[test]
    fn sums_and_medians() {
        let outcome = |oom_days, allocated_mb, used_mb| Outcome {
            days: 20,
            oom_days,
            oom_events: 3,
            changes: 2,
            calendar_days: 30,
            allocated_mb,
            used_mb,
        };
        let mut tally = Tally::default();
        tally.add(outcome(2, 1200.0, 1000.0));
        tally.add(outcome(0, 300.0, 100.0));
        tally.add(Outcome::default());
        let measure = tally.measure("p", Regime::Daily).unwrap();
        assert_eq!(
            (measure.series, measure.days, measure.oom_events),
            (2, 40, 6)
        );
        assert!((measure.oom_days_pct - 5.0).abs() < 1e-9);
        assert!((measure.allocated_over_used.unwrap() - 15.0 / 11.0).abs() < 1e-9);
        assert!((measure.median_allocated_over_used.unwrap() - 2.1).abs() < 1e-9);
        assert!((measure.changes_per_30d - 2.0).abs() < 1e-9);
    }
}
