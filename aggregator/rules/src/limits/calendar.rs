//! Change windows: days of the week and hours in local time. If the clock goes forward, a skipped
//! hour opens nothing; if it goes back, a repeated hour is open twice.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use rightsizer_records::Timestamp;

use super::LimitsError;

const MINUTE_MS: i64 = 60_000;
const DAY_MINUTES: u16 = 24 * 60;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// When decreases may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeWindows {
    /// None means at any time.
    windows: Vec<Window>,
    zone: TimeZone,
}

/// Some hours of some days. If it ends before it begins, it ends on the day after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    /// From Monday.
    days: [bool; 7],
    /// Minutes since midnight.
    from: u16,
    /// The first minute after it.
    to: u16,
}

impl Default for ChangeWindows {
    fn default() -> Self {
        Self {
            windows: Vec::new(),
            zone: TimeZone::UTC,
        }
    }
}

impl ChangeWindows {
    /// Reads windows as `mon-thu 09:00-16:00`, in a time zone as `Europe/Berlin`.
    pub(crate) fn parse(windows: &[String], zone: &str) -> Result<Self, LimitsError> {
        let known = TimeZone::get(zone);
        Ok(Self {
            zone: known.map_err(|_| LimitsError::Zone(zone.to_owned()))?,
            windows: windows
                .iter()
                .map(|text| Window::parse(text).ok_or_else(|| LimitsError::Window(text.clone())))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Whether decreases may be sent at `now`.
    pub(crate) fn is_open(&self, now: Timestamp) -> bool {
        if self.windows.is_empty() {
            return true;
        }
        // Every time of ours is within jiff's.
        let Ok(instant) = jiff::Timestamp::from_millisecond(now.as_ms()) else {
            return false;
        };
        let there = self.zone.to_datetime(instant);
        let minute =
            u16::from(there.hour().unsigned_abs()) * 60 + u16::from(there.minute().unsigned_abs());
        let today = day(there.weekday());
        self.windows.iter().any(|w| w.has(today, minute))
    }

    /// The first minute from `now` on at which they may.
    pub(crate) fn opens(&self, now: Timestamp) -> Option<Timestamp> {
        let minute = now.plus_ms(-now.as_ms().rem_euclid(MINUTE_MS));
        // Eight days, for a window of the week whose hour the clock left out.
        (0..=8 * i64::from(DAY_MINUTES))
            .map(|n| minute.plus_ms(n * MINUTE_MS))
            .find(|at| self.is_open(*at))
    }
}

impl Window {
    fn parse(text: &str) -> Option<Self> {
        let (days, hours) = text.trim().split_once(char::is_whitespace)?;
        let (from, to) = hours.trim().split_once('-')?;
        let (from, to) = (minutes(from)?, minutes(to)?);
        if from == to || from == DAY_MINUTES {
            return None;
        }
        let mut open = [false; 7];
        for part in days.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (named(first)?, named(last)?);
            // `fri-mon` goes over the end of the week.
            let length = (last + 7 - first) % 7;
            (first..=first + length).for_each(|d| open[d % 7] = true);
        }
        Some(Self {
            days: open,
            from,
            to,
        })
    }

    fn has(&self, today: usize, minute: u16) -> bool {
        let yesterday = (today + 6) % 7;
        if self.from < self.to {
            return self.days[today] && (self.from..self.to).contains(&minute);
        }
        (self.days[today] && minute >= self.from) || (self.days[yesterday] && minute < self.to)
    }
}

fn day(weekday: Weekday) -> usize {
    usize::from(weekday.to_monday_zero_offset().unsigned_abs()) % 7
}

fn named(day: &str) -> Option<usize> {
    let day = day.trim().to_ascii_lowercase();
    DAYS.iter().position(|name| *name == day)
}

/// `09:30` as minutes since midnight; `24:00` is the day's end.
fn minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let two_digits = |text: &str| -> Option<u16> {
        (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit()))
            .then(|| text.parse().ok())
            .flatten()
    };
    let (hour, minute) = (two_digits(hour)?, two_digits(minute)?);
    (minute < 60 && hour * 60 + minute <= DAY_MINUTES).then_some(hour * 60 + minute)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn windows(texts: &[&str], zone: &str) -> ChangeWindows {
        let texts: Vec<String> = texts.iter().map(|t| (*t).to_owned()).collect();
        ChangeWindows::parse(&texts, zone).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn open(of: &ChangeWindows, times: &[&str]) -> Vec<bool> {
        times.iter().map(|time| of.is_open(at(time))).collect()
    }

    /// 2026-03-02 is a Monday. Berlin is an hour ahead then.
    #[test]
    fn hours_are_those_of_the_place() {
        let work = windows(&["mon-thu 09:00-16:00"], "Europe/Berlin");
        let times = [
            "2026-03-02T07:59:59Z",
            "2026-03-02T08:00:00Z",
            "2026-03-02T14:59:59Z",
            "2026-03-02T15:00:00Z",
            "2026-03-06T10:00:00Z",
        ];
        assert_eq!(open(&work, &times), [false, true, true, false, false]);
        assert_eq!(
            work.opens(at("2026-03-05T15:00:01Z")),
            Some(at("2026-03-09T08:00:00Z"))
        );
        assert!(ChangeWindows::default().is_open(at("2026-03-01T00:00:00Z")));
    }

    /// Friday's window ends on Saturday morning; Saturday has none of its own.
    #[test]
    fn a_window_over_midnight_is_of_the_day_it_begins_on() {
        let night = windows(&["fri 22:00-04:00", "sun 12:00-00:00"], "UTC");
        let times = [
            "2026-03-06T03:00:00Z",
            "2026-03-06T22:00:00Z",
            "2026-03-07T03:59:00Z",
            "2026-03-07T04:00:00Z",
            "2026-03-07T22:00:00Z",
            "2026-03-08T23:59:59Z",
            "2026-03-09T00:00:00Z",
        ];
        assert_eq!(
            open(&night, &times),
            [false, true, true, false, false, true, false]
        );
    }

    /// In Berlin 02:00 to 03:00 is left out on 2026-03-29 and comes twice on 2026-10-25.
    #[test]
    fn an_hour_that_the_clock_leaves_out_opens_nothing_and_one_that_comes_twice_is_open_twice() {
        let early = windows(&["sun 02:00-03:00"], "Europe/Berlin");
        let spring = ["2026-03-29T00:59:00Z", "2026-03-29T01:00:00Z"];
        assert_eq!(open(&early, &spring), [false, false]);
        assert_eq!(
            early.opens(at("2026-03-29T00:00:00Z")),
            Some(at("2026-04-05T00:00:00Z")),
            "a week later, and in summer an hour earlier"
        );
        let autumn = [
            "2026-10-24T23:59:00Z",
            "2026-10-25T00:00:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-25T02:00:00Z",
        ];
        assert_eq!(open(&early, &autumn), [false, true, true, false]);
        // A window around the change has the same local hours as always.
        let night = windows(&["sat 22:00-06:00"], "Europe/Berlin");
        let spring = ["2026-03-29T03:59:00Z", "2026-03-29T04:00:00Z"];
        assert_eq!(open(&night, &spring), [true, false]);
    }

    #[test]
    fn an_invalid_window_is_refused_with_an_example() {
        for text in [
            "",
            "mon",
            "09:00-16:00",
            "mon 09:00",
            "mon 9:00-16:00",
            "mon 09:00-09:00",
            "mon 24:00-01:00",
            "mon 23:00-24:01",
            "monday 09:00-16:00",
            "mon-xyz 09:00-16:00",
            "mon 09:00-16:00 cet",
        ] {
            let refused = ChangeWindows::parse(&[text.to_owned()], "UTC")
                .unwrap_err()
                .to_string();
            assert!(refused.contains("mon-thu 09:00-16:00"), "{text}: {refused}");
        }
        let refused = ChangeWindows::parse(&[], "Mars/Olympus")
            .unwrap_err()
            .to_string();
        assert!(refused.contains("Europe/Berlin"), "{refused}");
    }

    proptest! {
        /// The returned time is open, and the time before it is not.
        #[test]
        fn a_closed_window_opens_at_the_returned_time(
            from in 0_u16..1440, length in 1_u16..1440, first in 0_usize..7, last in 0_usize..7,
            minute in 0_i64..600_000, zone in prop::sample::select(
                vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
        ) {
            let time = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
            let to = (from + length) % 1440;
            let text = format!("{}-{} {}-{}", DAYS[first], DAYS[last], time(from), time(to));
            let of = windows(&[&text], zone);
            let now = at("2026-01-01T00:00:00Z").plus_ms(minute * MINUTE_MS);
            let opens = of.opens(now);
            prop_assert!(of.is_open(now) == (opens == Some(now)));
            if let Some(opens) = opens {
                prop_assert!(of.is_open(opens));
                prop_assert!(opens == now || !of.is_open(opens.plus_ms(-MINUTE_MS)));
            }
        }
    }
}
