//! Tells JSON values apart by their fields and hands each to the reader of its format.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::facts::Facts;
use super::lines::MAX_LINE_BYTES;
use super::loose::{self, ListError};
use super::message::{self, Spot};
use super::output::{Format, Output, Stopped};
use super::shape::{Known, Shape};
use super::wrapped::{self, Around};
use super::{cloudwatch, insights, insights_extension, optimizer, power_tuning, telemetry, text};

/// Finds the line that a part of a document begins on. Parts are asked for roughly in order, so the
/// count continues from the last answer.
pub(super) struct Places<'a> {
    document: &'a str,
    first_line: u64,
    last: Cell<(usize, u64)>,
}

impl<'a> Places<'a> {
    /// For a document that begins on `first_line`.
    pub(super) const fn new(document: &'a str, first_line: u64) -> Self {
        Self {
            document,
            first_line,
            last: Cell::new((0, first_line)),
        }
    }

    /// For what was packed into one line.
    pub(super) const fn at(line: u64) -> Self {
        Self::new("", line)
    }

    pub(super) fn line_of(&self, part: &str) -> u64 {
        let start = self.document.as_ptr() as usize;
        let at = (part.as_ptr() as usize)
            .checked_sub(start)
            .filter(|at| *at < self.document.len());
        let Some(at) = at else {
            return self.first_line;
        };
        let (from, line) = Some(self.last.get())
            .filter(|(from, _)| *from <= at)
            .unwrap_or((0, self.first_line));
        let breaks = self.document.as_bytes()[from..at]
            .iter()
            .filter(|b| **b == b'\n');
        let line = line + breaks.count() as u64;
        self.last.set((at, line));
        line
    }
}

/// Reads all values of a text, which may follow each other with or without a separator: delivery
/// streams write them so.
pub(super) fn values(
    document: &str,
    places: &Places,
    depth: u8,
    out: &mut Output,
) -> Result<(), Stopped> {
    let mut rest = document.trim_end().trim_end_matches(',');
    while !rest.trim_start().is_empty() {
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>();
        let end = match stream.next() {
            Some(Ok(raw)) => {
                value(raw.get(), places, depth, out)?;
                stream.byte_offset()
            }
            Some(Err(e)) => {
                let why = if e.is_eof() {
                    "cut off: the JSON does not end".to_owned()
                } else {
                    format!("not JSON: {}", without_place(&e))
                };
                return out.refuse(places.line_of(rest), why, rest);
            }
            None => break,
        };
        rest = &rest[end..];
    }
    Ok(())
}

/// The parser's words without its line and column, which count from the entry's own begin.
fn without_place(error: &serde_json::Error) -> String {
    let words = error.to_string();
    words
        .rsplit_once(" at line ")
        .map_or(words.clone(), |(words, _)| words.to_owned())
}

/// Whether an object within a wrapper has a format that names the function of its reports.
pub(super) fn is_known(object: &str) -> bool {
    let shape = serde_json::from_str::<Shape<'_>>(object);
    let known = shape.ok().and_then(|shape| shape.known(object, false));
    !matches!(
        known,
        None | Some(Known::LogEvent | Known::Line(_) | Known::TelemetryEvent)
    )
}

/// Reads one value.
pub(super) fn value(
    text: &str,
    places: &Places,
    depth: u8,
    out: &mut Output,
) -> Result<(), Stopped> {
    let line = places.line_of(text);
    if text.starts_with('[') {
        return array(text, places, depth, out);
    }
    if text.starts_with('"') {
        return inner_line(text, line, out);
    }
    if !text.starts_with('{') {
        return out.refuse(
            line,
            "neither a JSON object nor a text, nor a list of them",
            text,
        );
    }
    if let Some(facts) = out.before.take() {
        return behind_line(text, places, depth, &facts, out);
    }
    let shape: Shape = match serde_json::from_str(text) {
        Ok(shape) => shape,
        Err(e) => return out.refuse(line, format!("not JSON: {}", without_place(&e)), text),
    };
    match shape.known(text, out.live()) {
        Some(Known::Record) => record(text, line, out),
        Some(Known::Subscription) => cloudwatch::subscription(text, places, out),
        Some(Known::Telemetry) => telemetry::wrapped(text, places, out),
        Some(Known::LogEvents) => cloudwatch::log_events(text, places, out),
        Some(Known::Results | Known::Row) if out.live() => {
            let why = "a Logs Insights result: it is only read from files (rightsizer import)";
            out.refuse(line, why, text)
        }
        Some(Known::Results) => insights::results(text, places, out),
        Some(Known::Line(inner)) => inner_line(inner.get(), line, out),
        Some(Known::LambdaEvent(inner)) => {
            cloudwatch::lambda_event(inner.get(), places, depth, out)
        }
        Some(Known::StreamEvent(inner)) => {
            cloudwatch::stream_event(inner.get(), places, depth, out)
        }
        Some(Known::TelemetryEvent) => telemetry_event(text, line, out),
        Some(Known::Row) => insights::object(text, places, out),
        Some(Known::LogEvent) => cloudwatch::log_event(text, places, out),
        Some(Known::PowerTuning) => power_tuning::result(text, line, out),
        Some(Known::Recommendations(list)) => optimizer::answer(list.get(), places, out),
        Some(Known::Recommendation) => optimizer::entry(text, line, out),
        None => stranger(text, places, out),
    }
}

/// Reads an object of no known format: it is looked through for reports.
fn stranger(text: &str, places: &Places, out: &mut Output) -> Result<(), Stopped> {
    let line = places.line_of(text);
    if out.live() {
        return out.refuse(line, unknown(text), text);
    }
    if insights_extension::is_event(text) {
        let origin = out.hints.unnamed();
        return insights_extension::event(text, Spot::new(line, &origin, None), out);
    }
    if wrapped::may_hold_report(text) {
        return wrapped::object(text, Around::new(places, &Facts::default()), out);
    }
    if wrapped::holds_a_message(text) {
        return out.ignore();
    }
    out.refuse(line, unknown(text), text)
}

/// Reads the object that is the message of a line before it, as `aws logs tail --format json` writes them.
fn behind_line(
    text: &str,
    places: &Places,
    depth: u8,
    facts: &Facts,
    out: &mut Output,
) -> Result<(), Stopped> {
    let line = places.line_of(text);
    if is_known(text) {
        return value(text, places, depth, out);
    }
    if wrapped::may_hold_report(text) && !message::is_report_event(text) {
        return within_line(text, line, facts, out);
    }
    let origin = facts.origin(out.hints);
    let at = facts.time().ok().flatten();
    message::read(text, Spot::new(line, &origin, at), out)
}

/// Reads JSON that stands on a line behind `facts`.
pub(super) fn within_line(
    text: &str,
    line: u64,
    facts: &Facts,
    out: &mut Output,
) -> Result<(), Stopped> {
    if !wrapped::may_hold_report(text) {
        return out.ignore();
    }
    wrapped::text(text, line, facts, out)
}

/// Reads the entries of a list: telemetry events, log events, or Logs Insights rows.
fn array(text: &str, places: &Places, depth: u8, out: &mut Output) -> Result<(), Stopped> {
    if !out.live() && insights::is_flattened(text) {
        return insights::flattened(text, places, out);
    }
    entries(text, "list", places, out, |entry, out| {
        if !entry.starts_with('[') {
            value(entry, places, depth, out)
        } else if out.live() || insights::are_fields(entry) || !wrapped::may_hold_report(entry) {
            insights::field_list(entry, places, out)
        } else {
            wrapped::row(entry, &[], Around::new(places, &Facts::default()), out)
        }
    })
}

/// Passes the entries of a list on one by one; anything but a list is refused under the name `of`.
pub(super) fn entries(
    list: &str,
    of: &str,
    places: &Places,
    out: &mut Output,
    mut take: impl FnMut(&str, &mut Output) -> Result<(), Stopped>,
) -> Result<(), Stopped> {
    match loose::each(list, |entry| take(entry, out)) {
        Ok(()) => Ok(()),
        Err(ListError::Stopped(stopped)) => Err(stopped),
        Err(ListError::NoList(why)) => {
            out.refuse(places.line_of(list), format!("bad {of}: {why}"), list)
        }
    }
}

fn record(text: &str, line: u64, out: &mut Output) -> Result<(), Stopped> {
    out.format(Format::Records);
    match rightsizer_records::decode(text.as_bytes()) {
        Ok(record) => out.record(line, record),
        Err(why) => out.refuse(line, why.to_string(), text),
    }
}

fn telemetry_event(text: &str, line: u64, out: &mut Output) -> Result<(), Stopped> {
    out.format(Format::Telemetry);
    let origin = out.hints.unnamed();
    telemetry::event(text, Spot::new(line, &origin, None), out)
}

/// Reads the text of `{"line": TEXT}`, or one that was left quoted.
pub(super) fn inner_line(raw: &str, number: u64, out: &mut Output) -> Result<(), Stopped> {
    if raw.len() > MAX_LINE_BYTES {
        let why = format!(
            "line of {} bytes: at most {MAX_LINE_BYTES} are read",
            raw.len()
        );
        return out.refuse(number, why, raw);
    }
    match serde_json::from_str::<String>(raw) {
        Ok(inner) => text::line(&inner, number, &mut text::State::default(), out),
        Err(_) => out.refuse(number, "expected a text as a line", raw),
    }
}

fn unknown(text: &str) -> String {
    let Names(names) = serde_json::from_str(text).unwrap_or_default();
    let names: Vec<String> = names.into_iter().collect();
    format!(
        "a JSON object of no known kind (its fields: {})",
        names.join(", ")
    )
}

/// The first six names of an object's fields by the alphabet, shortened.
#[derive(Default)]
struct Names(BTreeSet<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(Self::default())
    }
}

impl<'de> Visitor<'de> for Names {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some((Name(name), _)) = map.next_entry::<Name, IgnoredAny>()? {
            self.0.insert(name);
            if self.0.len() > 6 {
                self.0.pop_last();
            }
        }
        Ok(self)
    }
}

/// The begin of a field's name.
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Begin;
        impl Visitor<'_> for Begin {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(Name(name.chars().take(30).collect()))
            }
        }
        json.deserialize_str(Begin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_on_its_line_in_any_order() {
        let document = "a\nb\n\nc";
        let places = Places::new(document, 10);
        assert_eq!(places.line_of(&document[5..]), 13);
        assert_eq!(places.line_of(&document[2..]), 11);
        assert_eq!(places.line_of(document), 10);
        assert_eq!(places.line_of("elsewhere"), 10);
        assert_eq!(Places::at(7).line_of(document), 7);
    }
}
