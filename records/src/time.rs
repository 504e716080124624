//! Instants and UTC days. No clock: a shell asks the clock and passes the answer in.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const MS_PER_DAY: i64 = 86_400_000;

/// An instant in milliseconds since 1970-01-01T00:00:00Z, between the years 2000 and 2200.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why a text or number is not a [`Timestamp`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a time: expected RFC 3339 such as 2026-01-31T23:59:59.123Z, years 2000 to \
         2200"
)]
pub struct TimeError(String);

impl Timestamp {
    /// 2000-01-01T00:00:00Z: Lambda is younger than this.
    pub const MIN: Self = Self(946_684_800_000);
    /// 2200-01-01T00:00:00Z.
    pub const MAX: Self = Self(7_258_118_400_000);

    /// From milliseconds since the Unix epoch; `None` outside the years 2000 to 2200.
    pub fn from_ms(ms: i64) -> Option<Self> {
        Some(Self(ms)).filter(|t| (Self::MIN..=Self::MAX).contains(t))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// The same instant moved by `ms`, held inside the valid range.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms)).clamp(Self::MIN, Self::MAX)
    }

    /// Reads RFC 3339 text. Also takes a missing offset as UTC and a space instead of the `T`, as
    /// Logs Insights writes times.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        written_by_machine(text)
            .or_else(|| written_by_anyone(text.trim()))
            .and_then(|t| Self::from_ms(t.as_millisecond()))
            .ok_or_else(|| TimeError(text.trim().chars().take(64).collect()))
    }

    /// The UTC date of this instant.
    pub const fn day(self) -> Day {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the range of Timestamp is 84,000 days"
        )]
        Day(self.0.div_euclid(MS_PER_DAY) as i32)
    }
}

fn written_by_anyone(text: &str) -> Option<jiff::Timestamp> {
    let instant = text.parse::<jiff::Timestamp>().or_else(|_| {
        let civil = text.parse::<jiff::civil::DateTime>()?;
        jiff::tz::TimeZone::UTC.to_timestamp(civil)
    });
    instant.ok()
}

/// Reads `2026-01-31T23:59:59.123Z`, the one form in which times come by the million: without the
/// general parser an import takes 5 % less.
fn written_by_machine(text: &str) -> Option<jiff::Timestamp> {
    #[rustfmt::skip]
    let [
        year @ .., b'-', o1, o2, b'-', d1, d2, b'T', h1, h2, b':', m1, m2, b':', s1, s2, b'.', u1, u2, u3, b'Z',
    ] = text.as_bytes() else {
        return None;
    };
    let two = |a: &u8, b: &u8| i8::try_from(number(&[*a, *b])?).ok();
    let year = number(year).filter(|_| year.len() == 4)?;
    let ms = i32::from(number(&[*u1, *u2, *u3])?);
    let civil = jiff::civil::DateTime::new(
        year,
        two(o1, o2)?,
        two(d1, d2)?,
        two(h1, h2)?,
        two(m1, m2)?,
        two(s1, s2)?,
        ms * 1_000_000,
    );
    jiff::tz::TimeZone::UTC.to_timestamp(civil.ok()?).ok()
}

/// At most four digits.
fn number(digits: &[u8]) -> Option<i16> {
    let add = |n: i16, digit: &u8| {
        digit
            .is_ascii_digit()
            .then(|| n * 10 + i16::from(digit - b'0'))
    };
    digits.iter().take(4).try_fold(0, add)
}

/// Reads a value from its text, copied only where JSON escapes stand in it.
struct FromText<T>(fn(&str) -> Result<T, TimeError>);

impl<T> de::Visitor<'_> for FromText<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time as text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        self.0(text).map_err(E::custom)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = jiff::Timestamp::from_millisecond(self.0).map_err(|_| fmt::Error)?;
        write!(f, "{instant:.3}")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_str(FromText(Self::parse))
    }
}

/// A UTC date, counted in days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

impl Day {
    /// From days since 1970-01-01, as the store keeps it.
    pub const fn from_number(days: i32) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// The day `n` days later, or earlier when negative.
    #[must_use]
    pub const fn plus(self, n: i32) -> Self {
        Self(self.0.saturating_add(n))
    }

    /// Its first instant, 00:00:00 UTC.
    pub fn start(self) -> Timestamp {
        Timestamp(i64::from(self.0) * MS_PER_DAY).clamp(Timestamp::MIN, Timestamp::MAX)
    }

    /// Reads `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let bad = || TimeError(text.chars().take(64).collect());
        let date = text
            .trim()
            .parse::<jiff::civil::Date>()
            .map_err(|_| bad())?;
        let midnight = jiff::tz::TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0));
        let start = midnight
            .ok()
            .and_then(|t| Timestamp::from_ms(t.as_millisecond()));
        start.map(Timestamp::day).ok_or_else(bad)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let epoch = jiff::civil::date(1970, 1, 1);
        let date = epoch
            .checked_add(jiff::Span::new().try_days(self.0).map_err(|_| fmt::Error)?)
            .map_err(|_| fmt::Error)?;
        f.pad(&date.to_string())
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_str(FromText(Self::parse))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_forms_the_platform_and_insights_write_are_read() {
        let want = Timestamp::from_ms(1_666_361_105_764).unwrap();
        for text in [
            "2022-10-21T14:05:05.764Z",
            "2022-10-21 14:05:05.764",
            "2022-10-21T16:05:05.764+02:00",
        ] {
            assert_eq!(Timestamp::parse(text), Ok(want), "{text}");
        }
        assert_eq!(want.to_string(), "2022-10-21T14:05:05.764Z");
        assert_eq!(want.day().to_string(), "2022-10-21");
    }

    proptest! {
        /// The quick way and the general one never differ on what the quick one takes.
        #[test]
        fn both_ways_of_reading_agree(
            ms in Timestamp::MIN.as_ms()..Timestamp::MAX.as_ms(),
            at in 0_usize..24,
            other in "[0-9TZ:.+ -]",
        ) {
            let mut text = Timestamp(ms).to_string();
            prop_assert_eq!(written_by_machine(&text), written_by_anyone(&text));
            prop_assert_eq!(Timestamp::parse(&text), Ok(Timestamp(ms)));
            text.replace_range(at..=at, &other);
            if let Some(read) = written_by_machine(&text) {
                prop_assert_eq!(Some(read), written_by_anyone(&text), "{}", text);
            }
        }
    }

    #[test]
    fn anything_but_a_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "1970-01-01T00:00:00Z",
            "9999-01-01T00:00:00Z",
            "2022-13-01",
        ] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_day_begins_at_midnight_utc() {
        let day = Day::parse("2026-01-31").unwrap();
        assert_eq!(day.start().to_string(), "2026-01-31T00:00:00.000Z");
        assert_eq!(day.start().plus_ms(-1).day(), day.plus(-1));
        assert_eq!(day.plus(1).to_string(), "2026-02-01");
    }
}
