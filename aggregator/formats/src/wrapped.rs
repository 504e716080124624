//! Reports inside of JSON of any other tool: the report is found first, then its function and time
//! are read from the fields of the objects around it. No tool is known by name here.

mod fields;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::facts::{self, Facts};
use super::json::{self, Places};
use super::loose::{self, ListError};
use super::message::{self, Spot};
use super::output::{Format, Output, Stopped};
use super::quick::Text;
use super::surroundings::Surroundings;
use super::text::unread_time;
use super::{insights_extension, report_line};

use fields::{fields, is_event, names};
pub(super) use fields::{has_only, holds_a_message, may_hold_report, names_of};

/// No format is deeper, and the stack is bounded.
const MOST_DEPTH: u8 = 24;

/// An object, and the facts of the objects around it.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) places: &'a Places<'a>,
    pub(super) facts: &'a Facts,
    depth: u8,
}

impl<'a> Around<'a> {
    pub(super) const fn new(places: &'a Places<'a>, facts: &'a Facts) -> Self {
        Self {
            places,
            facts,
            depth: 0,
        }
    }
}

/// A field as an object of its own.
#[derive(Deserialize)]
struct Pair<'a> {
    #[serde(borrow, alias = "Key", alias = "name", alias = "field")]
    key: Text<'a>,
    #[serde(borrow, alias = "Value")]
    value: &'a RawValue,
}

/// What an object was found to hold.
#[derive(Default)]
struct Found<'a> {
    facts: Facts,
    /// Texts with a report in them.
    messages: Vec<Cow<'a, str>>,
    /// Platform events.
    events: Vec<&'a str>,
    /// JSON within a text.
    packed: Vec<Cow<'a, str>>,
    lists: Vec<&'a str>,
    columns: Vec<String>,
}

/// Reads an object that holds reports somewhere within.
pub(super) fn object(text: &str, around: Around<'_>, out: &mut Output) -> Result<(), Stopped> {
    let line = around.places.line_of(text);
    if around.depth >= MOST_DEPTH {
        return out.refuse(line, "the JSON around the report is nested too deep", text);
    }
    let mut found = Found::default();
    found.object("", text, around.depth);
    found.facts = found.facts.or(around.facts);
    let before = out.tally.entries();
    found.read(line, around, out)?;
    if out.tally.entries() == before {
        let why = "a field of this JSON contains a report, but cannot be read as a log line";
        return out.refuse(line, why, text);
    }
    Ok(())
}

/// The name of a field with that of the object around it: the `id` of an `account` is known by both.
fn path<'n>(outer: &str, name: Cow<'n, str>) -> Cow<'n, str> {
    if outer.is_empty() {
        return name;
    }
    let outer = outer.rsplit('.').next().unwrap_or(outer);
    format!("{outer}.{name}").into()
}

impl<'a> Found<'a> {
    fn object(&mut self, outer: &str, text: &'a str, depth: u8) {
        for (name, value) in fields(text).unwrap_or_default() {
            self.field(&path(outer, name), value.get(), depth);
        }
    }

    fn field(&mut self, name: &str, value: &'a str, depth: u8) {
        match value.as_bytes().first() {
            Some(b'"') => {
                if let Some(text) = loose::text(value) {
                    self.text(name, text);
                }
            }
            Some(b'{') if depth >= MOST_DEPTH => {}
            Some(b'{') if is_event(value) => self.events.push(value),
            Some(b'{') => self.object(name, value, depth + 1),
            Some(b'[') => self.list(name, value),
            Some(b'0'..=b'9') => self.facts.take(name, value),
            _ => {}
        }
    }

    fn text(&mut self, name: &str, text: Cow<'a, str>) {
        if !may_hold_report(&text) {
            self.facts.take(name, &text);
        } else if message::trim(&text).starts_with(['{', '[']) {
            self.packed.push(text);
        } else if !self.messages.contains(&text) {
            self.messages.push(text);
        }
    }

    fn list(&mut self, name: &str, list: &'a str) {
        // A field of several values that has one.
        if let Ok([only]) = serde_json::from_str::<[&RawValue; 1]>(list)
            && only.get().starts_with('"')
        {
            return self.field(name, only.get(), 0);
        }
        if may_hold_report(list) {
            self.lists.push(list);
        } else if self.pairs(list) || self.tags(list) {
            // Fields as a list of names and values.
        } else if matches!(
            facts::plain_name(name).as_str(),
            "columns" | "fields" | "cols" | "header" | "headers" | "schema" | "columninfo"
        ) {
            self.columns = names(list);
        }
    }

    /// Takes `[{"key":…, "value":…}, …]`; `false` if the list is something else.
    fn pairs(&mut self, list: &str) -> bool {
        let mut any = false;
        let _ = loose::each(list, |entry| {
            let Ok(pair) = serde_json::from_str::<Pair<'_>>(entry) else {
                return Err(Stopped);
            };
            // A value may be wrapped once more, by its type.
            let value = pair.value.get();
            let inner = fields(value).and_then(|typed| Some(typed.first()?.1.get()));
            let value = inner.unwrap_or(value);
            let text = loose::text(value).filter(|_| value.starts_with('"'));
            self.facts
                .take(&pair.key.0, text.as_deref().unwrap_or(value));
            any = true;
            Ok(())
        });
        any
    }

    /// Takes `["NAME:VALUE", …]`; `false` if the list is something else.
    fn tags(&mut self, list: &str) -> bool {
        let Ok(tags) = serde_json::from_str::<Vec<Text<'_>>>(list) else {
            return false;
        };
        let tags = tags.iter().filter_map(|tag| tag.0.split_once(':'));
        tags.fold(false, |_, (name, value)| {
            self.facts.take(name, value);
            true
        })
    }

    fn read(&self, line: u64, around: Around<'_>, out: &mut Output) -> Result<(), Stopped> {
        for message in &self.messages {
            message_text(message, line, &self.facts, out)?;
        }
        for event in &self.events {
            platform_event(event, line, &self.facts, out)?;
        }
        let inner = Around {
            facts: &self.facts,
            depth: around.depth + 1,
            ..around
        };
        for packed in &self.packed {
            let places = Places::at(line);
            let inner = Around {
                places: &places,
                ..inner
            };
            value(message::trim(packed), inner, out)?;
        }
        for list in &self.lists {
            self::list(list, &self.columns, inner, out)?;
        }
        Ok(())
    }
}

/// Reads a value within a wrapper.
fn value(text: &str, around: Around<'_>, out: &mut Output) -> Result<(), Stopped> {
    let line = around.places.line_of(text);
    if text.starts_with('[') {
        return list(text, &[], around, out);
    }
    if is_event(text) {
        return platform_event(text, line, around.facts, out);
    }
    if insights_extension::is_event(text) {
        return within(around.facts, (text, line), out, |spot, out| {
            insights_extension::event(text, spot, out)
        });
    }
    if json::is_known(text) {
        return json::value(text, around.places, around.depth, out);
    }
    object(text, around, out)
}

/// Reads the entries of a list: objects, texts, or rows of values.
pub(super) fn list(
    list: &str,
    columns: &[String],
    around: Around<'_>,
    out: &mut Output,
) -> Result<(), Stopped> {
    out.format(Format::Wrapped);
    json::entries(list, "list", around.places, out, |entry, out| {
        let line = around.places.line_of(entry);
        if !may_hold_report(entry) {
            return out.ignore();
        }
        match entry.as_bytes().first() {
            Some(b'{') => value(entry, around, out),
            Some(b'[') if around.depth < MOST_DEPTH => row(entry, columns, around, out),
            Some(b'"') => match loose::text(entry) {
                Some(text) => self::text(&text, line, around.facts, out),
                None => out.refuse(line, "expected a text as a line", entry),
            },
            _ => out.refuse(line, "the JSON around the report is nested too deep", entry),
        }
    })
}

/// Reads a row of values, whose columns may have names; or a list of rows.
pub(super) fn row(
    text: &str,
    columns: &[String],
    around: Around<'_>,
    out: &mut Output,
) -> Result<(), Stopped> {
    let mut found = Found::default();
    let (mut n, mut nested) = (0, false);
    let done = loose::each(text, |cell| {
        match (columns.get(n), cell.as_bytes().first()) {
            (_, Some(b'[' | b'{')) => nested = true,
            (Some(name), _) => found.field_owned(name, cell),
            (None, Some(b'"')) => match loose::text(cell) {
                Some(text) if may_hold_report(&text) => {
                    found.messages.push(Cow::Owned(text.into_owned()));
                }
                Some(text) => found.facts.take_unnamed(&text),
                None => {}
            },
            (None, _) => found.facts.take_unnamed(cell),
        }
        n += 1;
        Ok(())
    });
    let line = around.places.line_of(text);
    match done {
        Err(ListError::Stopped(stopped)) => return Err(stopped),
        Err(ListError::NoList(why)) => return out.refuse(line, why, text),
        Ok(()) => {}
    }
    if nested && found.messages.is_empty() {
        let inner = Around {
            depth: around.depth + 1,
            ..around
        };
        return list(text, columns, inner, out);
    }
    found.facts = found.facts.or(around.facts);
    let before = out.tally.entries();
    found.read(line, around, out)?;
    if out.tally.entries() == before {
        return out.refuse(line, "a row without a log line that can be read", text);
    }
    Ok(())
}

impl Found<'_> {
    /// Takes a cell whose text does not outlive this call.
    fn field_owned(&mut self, name: &str, cell: &str) {
        match loose::text(cell).filter(|_| cell.starts_with('"')) {
            Some(text) => self.text(name, Cow::Owned(text.into_owned())),
            None => self.facts.take(name, cell),
        }
    }
}

/// Reads the text of a field or a cell, which may be JSON itself.
pub(super) fn text(text: &str, line: u64, facts: &Facts, out: &mut Output) -> Result<(), Stopped> {
    let plain = message::trim(text);
    if plain.starts_with(['{', '[']) && serde_json::from_str::<&RawValue>(plain).is_ok() {
        let places = Places::at(line);
        return value(plain, Around::new(&places, facts), out);
    }
    message_text(text, line, facts, out)
}

/// Reads the text of a log line in a wrapper that has `facts` about it.
fn message_text(text: &str, line: u64, facts: &Facts, out: &mut Output) -> Result<(), Stopped> {
    out.format(Format::Wrapped);
    let text = message::trim(text);
    let Some(at) = report_line::find(text) else {
        return out.ignore();
    };
    let before = match Surroundings::before(&text[..at], out.hints.fallback_date) {
        Ok(before) => before,
        Err(why) => return out.refuse(line, why.to_string(), text),
    };
    let facts = facts.clone().or(&before.facts);
    within(&facts, (text, line), out, |spot, out| {
        message::reports(&text[at..], spot, out)
    })
}

/// Reads a report for the function and the time that `facts` give; refuses it if the time is not understood.
fn within(
    facts: &Facts,
    (text, line): (&str, u64),
    out: &mut Output,
    read: impl FnOnce(Spot, &mut Output) -> Result<(), Stopped>,
) -> Result<(), Stopped> {
    match facts.time() {
        Ok(at) => {
            let origin = facts.origin(out.hints);
            read(Spot::new(line, &origin, at).within_wrapper(), out)
        }
        Err(bad) => out.refuse(line, unread_time(bad), text),
    }
}

fn platform_event(event: &str, line: u64, facts: &Facts, out: &mut Output) -> Result<(), Stopped> {
    out.format(Format::Wrapped);
    // The event has a time of its own.
    let origin = facts.origin(out.hints);
    let spot = Spot::new(line, &origin, facts.time().ok().flatten()).within_wrapper();
    super::telemetry::event(event, spot, out)
}
