//! Times as people's tools write them: RFC 3339 and its relatives, seconds to nanoseconds since 1970,
//! and dates with the names of months. A time that can be read in two ways is not read.

use rightsizer_records::{Day, Timestamp};

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// A time in words has no more of them: `Tue, Nov 10, 2026 @ 9:00:00 AM +02:00`.
const MOST_WORDS: usize = 8;
/// A longer word is not part of a time.
const MOST_BYTES: usize = 40;

/// Reads a text that is a time as a whole. A date without a year is of the year that ends with `today`.
pub(super) fn whole(text: &str, today: Day) -> Option<Timestamp> {
    let (at, rest) = leading(text.trim(), today)?;
    rest.trim().is_empty().then_some(at)
}

/// Reads the time that `text` begins with, and gives what follows it.
pub(super) fn leading(text: &str, today: Day) -> Option<(Timestamp, &str)> {
    let (word, rest) = word(text);
    if let Some(at) = epoch(word) {
        return Some((at, rest));
    }
    // A tool may put a bracket right behind the time.
    let iso = word.split_once('[').map_or(word, |(time, _)| time);
    if let Some(at) = one_word(iso) {
        return Some(with_zone(at, &text[iso.len()..]));
    }
    in_words(text, today)
}

/// Whether a word looks like a part of a time or date.
pub(super) fn looks_like(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let marks = word
        .bytes()
        .filter(|b| matches!(b, b'/' | b'.' | b'-' | b':'))
        .count();
    let others = word.len() - digits - marks;
    digits >= 4 && marks >= 2 && others <= 2 && word.starts_with(|c: char| c.is_ascii_digit())
}

fn word(text: &str) -> (&str, &str) {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    text.split_at(end)
}

/// Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their digits.
fn epoch(word: &str) -> Option<Timestamp> {
    let word = word.trim_end_matches([',', ':']);
    let (number, fraction) = word.split_once('.').unwrap_or((word, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !digits(number) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let n: i64 = number.parse().ok()?;
    let ms = match number.len() {
        10 => {
            let thousandths = format!("{fraction:0<3}");
            n * 1000 + thousandths.get(..3)?.parse::<i64>().ok()?
        }
        13 => n,
        16 => n / 1000,
        19 => n / 1_000_000,
        _ => return None,
    };
    Timestamp::from_ms(ms)
}

/// A date and a time of day in one word, with its zone or without.
fn one_word(word: &str) -> Option<Timestamp> {
    const DATE: usize = "2026-01-31".len();
    let word = word.trim_end_matches([',', ':']);
    let date = word.get(..DATE)?;
    if word.len() <= DATE || word.len() > MOST_BYTES || !is_date(date) {
        return None;
    }
    let rest = word[DATE..].strip_prefix(['T', 't', '_', '-', ' '])?;
    let (of_day, zone) = split_zone(rest);
    at(date, of_day, zone.unwrap_or(""))
}

fn is_date(text: &str) -> bool {
    let digit = |i: usize| text.as_bytes().get(i).is_some_and(u8::is_ascii_digit);
    let mark = |i: usize| matches!(text.as_bytes().get(i), Some(b'-' | b'/'));
    text.len() == 10 && [0, 1, 2, 3, 5, 6, 8, 9].into_iter().all(digit) && mark(4) && mark(7)
}

/// A time read without a zone may have one in the next word: `(+02:00)`, `UTC`, `+0000 UTC`.
fn with_zone(at: Timestamp, rest: &str) -> (Timestamp, &str) {
    let (next, behind) = word(rest.trim_start());
    match zone(next) {
        Some(minutes) if rest.starts_with(char::is_whitespace) => {
            (at.plus_ms(-60_000 * minutes), behind)
        }
        _ => (at, rest),
    }
}

/// Splits `09:00:00.123+02:00` before its zone.
fn split_zone(text: &str) -> (&str, Option<&str>) {
    match text.find(['Z', 'z', '+', '-']) {
        Some(at) => (&text[..at], Some(&text[at..])),
        None => (text, None),
    }
}

/// Minutes east of UTC.
fn zone(text: &str) -> Option<i64> {
    let text = text.trim_end_matches([',', ':']);
    let text = text
        .strip_prefix('(')
        .and_then(|t| t.strip_suffix(')'))
        .unwrap_or(text);
    if matches!(text, "Z" | "z" | "UTC" | "GMT") {
        return Some(0);
    }
    let (sign, digits) = match text.strip_prefix('+') {
        Some(digits) => (1, digits),
        None => (-1, text.strip_prefix('-')?),
    };
    let digits = digits.replace(':', "");
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = digits.split_at(2);
    let hours: i64 = hours.parse().ok()?;
    let minutes: i64 = if minutes.is_empty() {
        0
    } else {
        minutes.parse().ok()?
    };
    Some(sign * (60 * hours + minutes))
}

/// The instant of a date (`2026-01-31`) and a time of day in a zone.
fn at(date: &str, of_day: &str, zone_text: &str) -> Option<Timestamp> {
    let east = if zone_text.is_empty() {
        0
    } else {
        zone(zone_text)?
    };
    let date = date.replace('/', "-");
    let of_day = of_day.replace(',', ".");
    let (hour, rest) = of_day.split_once(':')?;
    let local = Timestamp::parse(&format!("{date}T{hour:0>2}:{rest}")).ok()?;
    Some(local.plus_ms(-60_000 * east))
}

/// The parts of a time found so far.
#[derive(Default)]
struct Words<'a> {
    year: Option<&'a str>,
    month: Option<usize>,
    day: Option<u32>,
    date: Option<&'a str>,
    of_day: Option<&'a str>,
    afternoon: Option<bool>,
    zone: Option<i64>,
}

fn in_words(text: &str, today: Day) -> Option<(Timestamp, &str)> {
    let mut words = Words::default();
    let mut rest = text;
    for n in 0..MOST_WORDS {
        let (next, behind) = word(rest.trim_start());
        if next.is_empty() || next.len() > MOST_BYTES || !words.take(next, n) {
            break;
        }
        rest = behind;
    }
    Some((words.at(today)?, rest))
}

impl<'a> Words<'a> {
    /// Takes a word; `false` if it is none of a time.
    fn take(&mut self, word: &'a str, place: usize) -> bool {
        let plain = word.trim_end_matches([',', ':']);
        let digits = !plain.is_empty() && plain.bytes().all(|b| b.is_ascii_digit());
        if self.of_day.is_some() {
            return self.take_behind(plain);
        }
        if let Some((date, of_day)) = plain.split_once(':').filter(|(d, _)| d.contains('/')) {
            return self.take_common_log(date, of_day); // 10/Nov/2026:09:00:00
        }
        if is_date(plain) && self.date.is_none() {
            self.date = Some(plain);
        } else if let Some(month) = named(&MONTHS, plain).filter(|_| self.month.is_none()) {
            self.month = Some(month + 1);
        } else if place == 0 && named(&WEEKDAYS, plain).is_some() || matches!(plain, "@" | "at") {
            // Adds nothing.
        } else if digits && plain.len() == 4 && self.year.is_none() {
            self.year = Some(plain);
        } else if digits && plain.len() <= 2 && self.day.is_none() {
            self.day = plain.parse().ok();
        } else if plain.starts_with(|c: char| c.is_ascii_digit()) && plain.contains(':') {
            let (of_day, behind) = split_zone(plain);
            self.of_day = Some(of_day);
            match behind.map(zone) {
                Some(None) => return false,
                zone => self.zone = zone.flatten(),
            }
        } else {
            return false;
        }
        true
    }

    /// Takes a word behind the time of day.
    fn take_behind(&mut self, word: &'a str) -> bool {
        if self.zone.is_some() {
            return word == "UTC"; // Go writes +0000 UTC
        }
        if let "AM" | "PM" | "am" | "pm" = word {
            self.afternoon = Some(word.eq_ignore_ascii_case("pm"));
            return true;
        }
        let year = word.len() == 4 && word.bytes().all(|b| b.is_ascii_digit());
        if year && self.year.is_none() && self.date.is_none() {
            self.year = Some(word);
            return true;
        }
        self.zone = zone(word);
        self.zone.is_some()
    }

    fn take_common_log(&mut self, date: &'a str, of_day: &'a str) -> bool {
        let mut parts = date.split('/');
        let (Some(day), Some(month), Some(year), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return false;
        };
        self.day = day.parse().ok();
        self.month = named(&MONTHS, month).map(|month| month + 1);
        self.year = Some(year);
        self.of_day = Some(of_day);
        self.month.is_some()
    }

    fn at(&self, today: Day) -> Option<Timestamp> {
        let of_day = self.in_24_hours()?;
        let east = self.zone.unwrap_or(0);
        let date = match self.date {
            Some(date) => date.to_owned(),
            None => self.date_of_words(today)?,
        };
        at(&date, &of_day, "").map(|local| local.plus_ms(-60_000 * east))
    }

    fn date_of_words(&self, today: Day) -> Option<String> {
        let (month, day) = (self.month?, self.day?);
        let of = |year: &str| format!("{year}-{month:02}-{day:02}");
        if let Some(year) = self.year {
            return Some(of(year));
        }
        // A log was written before its file was changed.
        let year: i32 = today.to_string().get(..4)?.parse().ok()?;
        let this = of(&year.to_string());
        let past = Day::parse(&this).is_ok_and(|day| day <= today);
        Some(if past {
            this
        } else {
            of(&(year - 1).to_string())
        })
    }

    fn in_24_hours(&self) -> Option<String> {
        let of_day = self.of_day?;
        let Some(afternoon) = self.afternoon else {
            return Some(of_day.to_owned());
        };
        let (hour, rest) = of_day.split_once(':')?;
        let hour: u32 = hour.parse().ok().filter(|hour| (1..=12).contains(hour))?;
        let hour = hour % 12 + if afternoon { 12 } else { 0 };
        Some(format!("{hour}:{rest}"))
    }
}

/// The place of a name, written out or as its first three letters.
fn named(names: &[&str], word: &str) -> Option<usize> {
    let begin = word.get(..3)?.to_ascii_lowercase();
    let letters = word.len() <= 9 && word.bytes().all(|b| b.is_ascii_alphabetic());
    names.iter().position(|name| letters && *name == begin)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn today() -> Day {
        Day::parse("2026-11-20").unwrap()
    }

    #[test]
    fn one_instant_in_all_forms() {
        let want = "2026-11-09T23:36:49.000Z";
        for text in [
            "2026-11-09T23:36:49Z",
            "2026-11-09T23:36:49",
            "2026-11-09 23:36:49.000",
            "2026-11-09 23:36:49,000",
            "2026/11/09 23:36:49",
            "2026-11-10 01:36:49.000 (+02:00)",
            "2026-11-10T01:36:49+0200",
            "2026-11-10T01:36:49 (+02:00)",
            "2026-11-10 01:36:49 +0200",
            "2026-11-09 23:36:49 +0000 UTC",
            "2026-11-09 23:36:49 UTC",
            "1794267409",
            "1794267409.000",
            "1794267409000",
            "1794267409000000",
            "1794267409000000000",
            "09/Nov/2026:23:36:49 +0000",
            "Nov 9, 2026 @ 23:36:49.000",
            "November 9, 2026 11:36:49 PM",
            "Mon Nov 9 23:36:49 2026",
            "Mon, 09 Nov 2026 23:36:49 GMT",
            "2026 Nov 9 23:36:49",
            "Nov  9 23:36:49",
        ] {
            let at = whole(text, today()).map(|at| at.to_string());
            assert_eq!(at.as_deref(), Some(want), "{text}");
        }
        // A month that is not over yet was last year's.
        let at = whole("Dec 31 10:00:00", today()).unwrap();
        assert_eq!(at.to_string(), "2025-12-31T10:00:00.000Z");
    }

    #[test]
    fn an_ambiguous_time_is_refused() {
        for text in [
            "11/10/2026 09:00:00",
            "10.11.2026 09:00",
            "09:00:00",
            "2026-11-10 09:00:00 CET",
            "2026-02-30T00:00:00Z",
            "12345678901",
            "",
        ] {
            assert_eq!(whole(text, today()), None, "{text}");
        }
        assert!(looks_like("11/10/2026") && looks_like("10.11.2026"));
        assert!(!looks_like("pay-7") && !looks_like("function_1"));
    }

    #[test]
    fn what_follows_a_time_is_left() {
        for (text, rest) in [
            ("2026-11-10T09:00:00.000+01:00[   pay] x", "[   pay] x"),
            ("2026-11-10 09:00:00 START", " START"),
            ("1794301200000 x", " x"),
        ] {
            assert_eq!(leading(text, today()).map(|(_, rest)| rest), Some(rest));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "\\PC{0,40}|[0-9:/.TZ+ -]{0,40}|[A-Za-z0-9:, @+-]{0,40}") {
            let _ = (whole(&text, today()), looks_like(&text));
        }
    }
}
