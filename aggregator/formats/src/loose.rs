//! JSON values that are looked at one by one and never built: a list of a million entries takes no more
//! memory than its text, and a field of the wrong type costs nothing.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::output::Stopped;

/// As much of a stranger's text as stands in a reason.
const BRIEF_CHARS: usize = 60;

/// A value of any type, as it stands there.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Loose<'a>(#[serde(borrow)] Option<&'a RawValue>);

impl<'a> Loose<'a> {
    /// Its JSON; `None` if it is missing or `null`.
    pub(super) fn json(self) -> Option<&'a str> {
        self.0.map(RawValue::get).filter(|json| *json != "null")
    }

    /// Its text, if it is one.
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        let json = self.json()?;
        json.starts_with('"').then(|| text(json)).flatten()
    }

    /// Its number, if it is one.
    pub(super) fn number<T: Deserialize<'a>>(self) -> Option<T> {
        let json = self.json()?;
        let begins = |c: char| c == '-' || c.is_ascii_digit();
        let number = json.starts_with(begins);
        number.then(|| serde_json::from_str(json).ok()).flatten()
    }
}

/// How a stranger's text begins, to stand in a reason.
pub(super) fn brief(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(BRIEF_CHARS) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// The text of a JSON string, borrowed if it has no escapes.
pub(super) fn text(json: &str) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str::<Text<'_>>(json).ok().map(|t| t.0)
}

/// Why the entries of a list were not read to its end.
pub(super) enum ListError {
    /// It is not a list.
    NoList(String),
    /// The sink does not want more.
    Stopped(Stopped),
}

/// Passes the entries of a JSON list to `take`, one by one.
pub(super) fn each(
    list: &str,
    take: impl FnMut(&str) -> Result<(), Stopped>,
) -> Result<(), ListError> {
    if !list.trim_start().starts_with('[') {
        return Err(ListError::NoList(format!("{} is not a list", brief(list))));
    }
    let mut entries = Entries {
        take,
        stopped: false,
    };
    let mut json = serde_json::Deserializer::from_str(list);
    match (&mut entries).deserialize(&mut json) {
        Ok(()) => Ok(()),
        Err(_) if entries.stopped => Err(ListError::Stopped(Stopped)),
        Err(why) => Err(ListError::NoList(why.to_string())),
    }
}

struct Entries<F> {
    take: F,
    stopped: bool,
}

impl<'de, F: FnMut(&str) -> Result<(), Stopped>> DeserializeSeed<'de> for &mut Entries<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(&str) -> Result<(), Stopped>> Visitor<'de> for &mut Entries<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(entry) = list.next_element::<&RawValue>()? {
            if (self.take)(entry.get()).is_err() {
                self.stopped = true;
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_one_by_one_until_the_sink_has_enough() {
        let mut seen = Vec::new();
        let mut take = |entry: &str| {
            seen.push(entry.to_owned());
            if seen.len() < 2 { Ok(()) } else { Err(Stopped) }
        };
        let done = each("[1, {\"a\":[2]},3]", &mut take);
        assert!(matches!(done, Err(ListError::Stopped(_))));
        assert_eq!(seen, ["1", "{\"a\":[2]}"]);
        for text in ["null", "\"x\"", "{}"] {
            let done = each(text, |_| Ok(()));
            assert!(matches!(done, Err(ListError::NoList(_))), "{text}");
        }
    }

    #[test]
    fn a_loose_value_is_what_it_is() {
        let loose = |json| serde_json::from_str::<Loose<'_>>(json).unwrap();
        assert_eq!(loose("\"a\\u0062\"").text().as_deref(), Some("ab"));
        assert_eq!(loose("5").text(), None);
        assert_eq!(loose("5").number::<u64>(), Some(5));
        assert_eq!(loose("-5").number::<i64>(), Some(-5));
        assert_eq!(loose("\"5\"").number::<u64>(), None);
        assert_eq!(loose("null").json(), None);
    }
}
