//! How much may change at once: a policy that is wrong, or a fleet that is about to be busier than ever,
//! must not meet every function on the same day. Decreases only: nothing ever delays an increase. Pure:
//! what was sent in, what may be sent out.

mod calendar;
mod increases;

use std::fmt;

use rightsizer_records::{Day, Timestamp, Usd};
use serde::Deserialize;

pub use calendar::ChangeWindows;
pub use increases::{AddedOn, IncreaseAlarm, MOST_UNKNOWN_UNDER_WAY, counted_usd};

/// What the updater may have before it at once: at ten calls a second, three a change, it has just time
/// for these before a record on the stream is too old.
pub(crate) const MOST_UNDER_WAY: u64 = 10_000;
/// How long a rollback counts.
pub(crate) const ROLLBACKS_WITHIN_MS: i64 = 24 * 3_600_000;

/// `[limits]` in `rightsizer.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct LimitSettings {
    /// Decreases sent in one UTC day, at most.
    pub decreases_per_day: u32,
    /// Share of the fleet whose decrease is not verified yet, at most.
    pub unverified_percent: u32,
    /// The number that may be unverified in a fleet of any size.
    pub unverified_least: u32,
    /// The number of rollbacks within 24 hours that stops automatic decreases until a person
    /// resumes them; 0: never.
    pub rollbacks_to_pause: u32,
    /// When decreases may be sent.
    pub change_windows: ChangeWindows,
    /// Dollars a month that the increases sent on one UTC day may add; beyond it there is an alarm, and
    /// increases of functions that are not known wait for a person.
    pub increase_usd_per_day: Usd,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            decreases_per_day: 1000,
            unverified_percent: 10,
            unverified_least: 10,
            rollbacks_to_pause: 2,
            change_windows: ChangeWindows::default(),
            increase_usd_per_day: Usd::from_f64(500.0),
        }
    }
}

/// A setting of `[limits]` that cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LimitsError {
    /// A number outside its range.
    #[error(
        "limits.{name} must be 1 to {most}, not {value}; to send nothing at all: `rightsizer pause`"
    )]
    Count {
        /// The setting.
        name: &'static str,
        /// The largest value.
        most: u32,
        /// The value given.
        value: u32,
    },
    /// Dollars outside their range.
    #[error("limits.increase_usd_per_day must be 0 to 1000000000, not {0}")]
    Dollars(f64),
    /// Not a time zone.
    #[error("limits.timezone is {0:?}: expected a name such as UTC or Europe/Berlin")]
    Zone(String),
    /// Not days and hours.
    #[error(
        "limits.change_windows has {0:?}: expected days and hours, such as \"mon-thu 09:00-16:00\" or \
         \"sat,sun 22:00-04:00\""
    )]
    Window(String),
}

/// The settings as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    decreases_per_day: u32,
    unverified_percent: u32,
    unverified_least: u32,
    rollbacks_to_pause: u32,
    change_windows: Vec<String>,
    timezone: String,
    increase_usd_per_day: f64,
}

impl Default for Written {
    fn default() -> Self {
        let defaults = LimitSettings::default();
        Self {
            decreases_per_day: defaults.decreases_per_day,
            unverified_percent: defaults.unverified_percent,
            unverified_least: defaults.unverified_least,
            rollbacks_to_pause: defaults.rollbacks_to_pause,
            change_windows: Vec::new(),
            timezone: "UTC".to_owned(),
            increase_usd_per_day: defaults.increase_usd_per_day.as_f64(),
        }
    }
}

impl TryFrom<Written> for LimitSettings {
    type Error = LimitsError;

    fn try_from(written: Written) -> Result<Self, LimitsError> {
        for (name, value, most) in [
            ("decreases_per_day", written.decreases_per_day, 10_000_000),
            ("unverified_percent", written.unverified_percent, 100),
            ("unverified_least", written.unverified_least, 10_000_000),
        ] {
            if !(1..=most).contains(&value) {
                return Err(LimitsError::Count { name, most, value });
            }
        }
        let usd = written.increase_usd_per_day;
        if !(0.0..=1e9).contains(&usd) {
            return Err(LimitsError::Dollars(usd));
        }
        Ok(Self {
            increase_usd_per_day: Usd::from_f64(usd),
            decreases_per_day: written.decreases_per_day,
            unverified_percent: written.unverified_percent,
            unverified_least: written.unverified_least,
            rollbacks_to_pause: written.rollbacks_to_pause,
            change_windows: ChangeWindows::parse(&written.change_windows, &written.timezone)?,
        })
    }
}

/// What of the limits is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Taken {
    /// Decreases sent on this UTC day.
    pub sent_today: u64,
    /// Functions whose decrease was sent or applied and is not verified yet.
    pub unverified: u64,
    /// Functions with a decision.
    pub fleet: u64,
    /// Recommendations on the stream that are not answered.
    pub under_way: u64,
    /// Whether automatic decreases stopped themselves.
    pub auto_paused: bool,
}

/// What may be sent now. Urgent increases always may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Increases that are not urgent.
    pub increases: u64,
    /// Decreases.
    pub decreases: u64,
    /// Whether some of them may be automatic.
    pub automatic: bool,
    /// Why no more decreases may.
    pub limit: Limit,
}

/// What keeps decreases back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// It is outside the change windows, until then if that is known.
    Closed(Option<Timestamp>),
    /// As many as may were sent on this UTC day.
    Day(u32),
    /// As many functions as may are not verified yet.
    Unverified(u64),
    /// The updater has enough before it.
    UnderWay,
    /// Automatic decreases stopped themselves.
    AutoPaused,
}

impl LimitSettings {
    /// How many functions may be unverified in a fleet of this size.
    pub(crate) fn most_unverified(&self, fleet: u64) -> u64 {
        let share = fleet.saturating_mul(u64::from(self.unverified_percent)) / 100;
        share.max(u64::from(self.unverified_least))
    }

    /// What may be sent at `now`.
    pub fn allowance(&self, taken: &Taken, now: Timestamp) -> Allowance {
        let room = MOST_UNDER_WAY.saturating_sub(taken.under_way);
        let most = self.most_unverified(taken.fleet);
        let day = u64::from(self.decreases_per_day).saturating_sub(taken.sent_today);
        let unverified = most.saturating_sub(taken.unverified);
        let closed = !self.change_windows.is_open(now);
        let decreases = if closed {
            0
        } else {
            day.min(unverified).min(room)
        };
        let limit = match () {
            () if closed => Limit::Closed(self.change_windows.opens(now)),
            () if decreases == day => Limit::Day(self.decreases_per_day),
            () if decreases == unverified => Limit::Unverified(most),
            () => Limit::UnderWay,
        };
        Allowance {
            increases: room,
            decreases,
            automatic: !taken.auto_paused,
            limit,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(Some(opens)) => write!(f, "outside the change windows until {opens}"),
            Self::Closed(None) => f.write_str("outside the change windows"),
            Self::Day(most) => write!(f, "{most} were sent today (UTC), and that is the limit"),
            Self::Unverified(most) => write!(
                f,
                "{most} functions are not verified yet since they were made smaller, and that is the limit"
            ),
            Self::UnderWay => write!(f, "{MOST_UNDER_WAY} recommendations are in flight"),
            Self::AutoPaused => f.write_str("automatic decreases are paused"),
        }
    }
}

/// Rollbacks of the last 24 hours, as the store keeps them: when, and of which function.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rollbacks(Vec<(Timestamp, i64)>);

impl Rollbacks {
    /// Reads what [`fmt::Display`] wrote; what is none is left out.
    pub fn parse(text: &str) -> Self {
        let read = |one: &str| {
            let (ms, function) = one.split_once(':').unwrap_or((one, "0"));
            Some((
                Timestamp::from_ms(ms.parse().ok()?)?,
                function.parse().ok()?,
            ))
        };
        Self(text.split(' ').filter_map(read).collect())
    }

    /// Adds one of `function` at `at` and forgets those that do not count any more; of how many functions
    /// there were some. Two of one function rest on one function's evidence.
    pub fn add(&mut self, function: i64, at: Timestamp) -> usize {
        self.0.retain(|(time, of)| {
            *of != function && at.as_ms() - time.as_ms() < ROLLBACKS_WITHIN_MS
        });
        self.0.push((at, function));
        self.0.len()
    }
}

impl fmt::Display for Rollbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = |(at, function): &(Timestamp, i64)| format!("{}:{function}", at.as_ms());
        let all: Vec<String> = self.0.iter().map(one).collect();
        f.write_str(&all.join(" "))
    }
}

/// Decreases sent on one UTC day, as the store keeps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentOn {
    /// The day.
    pub day: Day,
    /// How many.
    pub count: u64,
}

impl SentOn {
    /// What is kept, as of `today`: a new day begins at 0.
    pub fn on(today: Day, kept: Option<&str>) -> Self {
        let read = |text: &str| {
            let (day, count) = text.split_once(' ')?;
            Some((day.parse::<i32>().ok()?, count.parse().ok()?))
        };
        let count = kept
            .and_then(read)
            .filter(|(day, _)| *day == today.number());
        Self {
            day: today,
            count: count.map_or(0, |(_, count)| count),
        }
    }
}

impl fmt::Display for SentOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.day.number(), self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::parse("2026-03-02T10:00:00Z").unwrap()
    }

    /// 10 % of 1,000 functions are 100, of which 60 are taken; of 1000 a day 970 are.
    #[test]
    fn the_smallest_limit_counts_and_is_named() {
        let settings = LimitSettings::default();
        let taken = Taken {
            sent_today: 970,
            unverified: 60,
            fleet: 1000,
            ..Taken::default()
        };
        let allowed = settings.allowance(&taken, now());
        assert_eq!((allowed.decreases, allowed.limit), (30, Limit::Day(1000)));
        let of = |taken: Taken| {
            let allowed = settings.allowance(&taken, now());
            (allowed.decreases, allowed.increases, allowed.limit)
        };
        let fresh = Taken {
            sent_today: 0,
            ..taken
        };
        assert_eq!(of(fresh), (40, 10_000, Limit::Unverified(100)));
        let busy = Taken {
            under_way: 9_990,
            ..fresh
        };
        assert_eq!(of(busy), (10, 10, Limit::UnderWay));
    }

    /// 10 % of 30 functions would be 3.
    #[test]
    fn a_small_fleet_is_not_held_up() {
        let settings = LimitSettings::default();
        assert_eq!(settings.most_unverified(30), 10);
        assert_eq!(settings.most_unverified(101), 10);
        assert_eq!(settings.most_unverified(110), 11);
    }

    #[test]
    fn outside_the_change_windows_no_decrease_goes_and_increases_do() {
        let written = Written {
            change_windows: vec!["tue 10:00-11:00".to_owned()],
            ..Written::default()
        };
        let settings = LimitSettings::try_from(written).unwrap();
        let allowed = settings.allowance(&Taken::default(), now());
        assert_eq!((allowed.decreases, allowed.increases), (0, MOST_UNDER_WAY));
        assert_eq!(
            allowed.limit.to_string(),
            "outside the change windows until 2026-03-03T10:00:00.000Z"
        );
    }

    /// The one exactly 24 hours ago does not count any more.
    #[test]
    fn rollbacks_count_for_24_hours() {
        let mut kept = Rollbacks::default();
        assert_eq!(kept.add(1, now()), 1);
        let mut kept = Rollbacks::parse(&kept.to_string());
        assert_eq!(kept.add(2, now().plus_ms(ROLLBACKS_WITHIN_MS - 1)), 2);
        let mut kept = Rollbacks::parse(&kept.to_string());
        assert_eq!(kept.add(3, now().plus_ms(ROLLBACKS_WITHIN_MS)), 2);
    }

    #[test]
    fn two_rollbacks_of_one_function_count_once() {
        let mut kept = Rollbacks::default();
        assert_eq!((kept.add(1, now()), kept.add(1, now().plus_ms(1))), (1, 1));
        assert_eq!(kept.add(2, now().plus_ms(2)), 2);
    }

    #[test]
    fn what_was_sent_is_counted_by_the_utc_day() {
        let today = now().day();
        let kept = SentOn {
            day: today,
            count: 7,
        };
        assert_eq!(SentOn::on(today, Some(&kept.to_string())), kept);
        let tomorrow = SentOn::on(today.plus(1), Some(&kept.to_string()));
        assert_eq!(tomorrow.count, 0);
        assert_eq!(SentOn::on(today, None).count, 0);
    }
}
