//! Increases of a known function are never delayed. These limits watch their total cost, and how
//! many increases of unknown functions are in flight.

use std::fmt;

use rightsizer_records::{Day, Megabytes, Usd};

/// Recommendations of functions that are not known which may be on the stream unanswered. The updater makes
/// about ten calls a second: these keep a known function waiting for a minute or two at most.
pub const MOST_UNKNOWN_UNDER_WAY: u64 = 500;

/// What 1 GB costs that runs one hundredth of a month: 26,280 GB-seconds at $0.0000166667. What a function
/// costs is known from reports, and a writer may report little of a function that is called often.
const USD_PER_GB: f64 = 26_280.0 * 0.000_016_666_7;

/// Dollars a month that an increase counts with: what it adds by what was reported, and at least what it
/// adds to a function that runs one hundredth of the time.
pub fn counted_usd(from: Megabytes, to: Megabytes, (before, after): (Usd, Usd)) -> f64 {
    let added_gb = f64::from(to.0.saturating_sub(from.0)) / 1024.0;
    (after.as_f64() - before.as_f64()).max(added_gb * USD_PER_GB)
}

/// Dollars a month that the increases of one UTC day add, as the store keeps them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AddedOn {
    /// The day.
    pub day: Day,
    /// Dollars a month.
    pub usd: f64,
}

impl AddedOn {
    /// What is kept, as of `today`: a new day begins at 0.
    pub fn on(today: Day, kept: Option<&str>) -> Self {
        let read = |text: &str| {
            let (day, usd) = text.split_once(' ')?;
            Some((day.parse::<i32>().ok()?, usd.parse::<f64>().ok()?))
        };
        let kept = kept
            .and_then(read)
            .filter(|(day, _)| *day == today.number());
        Self {
            day: today,
            usd: kept.map_or(0.0, |(_, usd)| usd),
        }
    }
}

impl fmt::Display for AddedOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:.4}", self.day.number(), self.usd)
    }
}

/// The increases of a day add more than [`super::LimitSettings::increase_usd_per_day`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IncreaseAlarm {
    /// Dollars a month that were added on this UTC day.
    pub added_usd: f64,
    /// The setting.
    pub most: Usd,
    /// Increases of functions that are not known, which wait for a person.
    pub waiting: u64,
}

impl fmt::Display for IncreaseAlarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "increases of today (UTC) add ${:.2} a month and [limits] increase_usd_per_day is ${:.2}: {} \
             increases of functions that neither the inventory nor a week of reports confirms wait for approval",
            self.added_usd,
            self.most.as_f64(),
            self.waiting
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 9 GB more: by what was reported a cent, and at least 9 × 26,280 × 0.0000166667 = $3.94.
    #[test]
    fn an_increase_counts_with_what_it_may_cost() {
        let usd = |before, after| (Usd::from_f64(before), Usd::from_f64(after));
        let (from, to) = (Megabytes(1024), Megabytes(10_240));
        assert!((counted_usd(from, to, usd(0.01, 0.02)) - 3.942).abs() < 0.001);
        assert!((counted_usd(from, to, usd(10.0, 100.0)) - 90.0).abs() < 1e-9);
    }

    #[test]
    fn what_was_added_is_of_one_day() {
        let day = Day::from_number(20_000);
        let kept = AddedOn { day, usd: 1.5 }.to_string();
        assert!((AddedOn::on(day, Some(&kept)).usd - 1.5).abs() < 1e-9);
        assert!(AddedOn::on(day.plus(1), Some(&kept)).usd.abs() < 1e-9);
        assert!(AddedOn::on(day, Some("x")).usd.abs() < 1e-9);
    }
}
