//! The fields of a JSON object, and what they show before a report in it is read.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::MOST_DEPTH;
use crate::facts::{self, Facts};
use crate::quick::Text;
use crate::{loose, report_line};

/// An object with more is not a wrapper of a log line.
const MOST_FIELDS: usize = 10_000;
/// The number of column names that are read.
const MOST_COLUMNS: usize = 500;

/// Whether a text may hold a report in any form.
pub(crate) fn may_hold_report(text: &str) -> bool {
    report_line::find(text).is_some()
        || text.contains("platform.report")
        || text.contains("used_memory_max")
}

/// Whether an object holds the text of a log line, report or not.
pub(crate) fn holds_a_message(object: &str) -> bool {
    fields(object).is_some_and(|fields| has_message(&fields, 0))
}

/// The names of an object's own fields.
pub(crate) fn names_of(object: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let fields = fields(object).unwrap_or_default().into_iter();
    fields.map(|(name, _)| name)
}

/// Whether only the field of this `name` in an object has facts about a report.
pub(crate) fn has_only(object: &str, name: &str) -> bool {
    let silent = |(field, value): &(Cow<'_, str>, &RawValue)| {
        field == name || !(Facts::knows(field) || value.get().starts_with('{'))
    };
    fields(object).is_some_and(|fields| fields.iter().all(silent))
}

fn has_message(fields: &[(Cow<'_, str>, &RawValue)], depth: u8) -> bool {
    fields.iter().any(|(name, value)| {
        let value = value.get();
        let inner = || value.starts_with('{') && depth < MOST_DEPTH;
        (value.starts_with('"') && facts::is_message(name))
            || (inner() && self::fields(value).is_some_and(|inner| has_message(&inner, depth + 1)))
    })
}

/// Whether an object is an event of the platform itself.
pub(super) fn is_event(object: &str) -> bool {
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(borrow, rename = "type")]
        kind: Text<'a>,
        #[serde(rename = "record")]
        _record: serde::de::IgnoredAny,
    }
    object.contains("platform.")
        && serde_json::from_str::<Event<'_>>(object)
            .is_ok_and(|event| event.kind.0.starts_with("platform."))
}

/// The names in a list of texts, or of objects that have a name.
pub(super) fn names(list: &str) -> Vec<String> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(alias = "Name", alias = "label", alias = "id")]
        name: String,
    }
    let mut names = Vec::new();
    let _ = loose::each(list, |entry| {
        let text = entry.starts_with('"').then(|| loose::text(entry)).flatten();
        let name = text.map(Cow::into_owned);
        let name = name.or_else(|| serde_json::from_str::<Named>(entry).ok().map(|n| n.name));
        if names.len() < MOST_COLUMNS {
            names.push(name.unwrap_or_default());
        }
        Ok(())
    });
    names
}

/// The fields of an object in their order; `None` if it is none.
pub(super) fn fields(object: &str) -> Option<Vec<(Cow<'_, str>, &RawValue)>> {
    struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);
    struct Each;

    impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
        fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
            json.deserialize_map(Each)
        }
    }

    impl<'de> Visitor<'de> for Each {
        type Value = Fields<'de>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
            let mut fields = Vec::new();
            while let Some((Text(name), value)) = map.next_entry::<Text<'_>, &RawValue>()? {
                if fields.len() == MOST_FIELDS {
                    return Err(A::Error::custom("too many fields"));
                }
                fields.push((name, value));
            }
            Ok(Fields(fields))
        }
    }

    serde_json::from_str::<Fields<'_>>(object)
        .ok()
        .map(|fields| fields.0)
}
