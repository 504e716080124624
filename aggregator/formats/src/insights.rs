//! Rows of a Logs Insights result: from `get-query-results`, from the console's JSON, or from CSV.
//!
//! A row is read from its `@message` if that is a report, because only the message shows how the
//! invocation ended, else from the fields that Insights discovers. Those give memory in decimal
//! bytes: 1024 MB reads 1024000000.

mod row;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

pub(crate) use self::row::Row;
pub use self::row::megabytes;
use super::json::{self, Places};
use super::loose::{self, ListError, Loose};
use super::output::{Format, Output, Stopped};
use super::wrapped;

/// A query has no more fields.
const MOST_FIELDS: usize = 1000;

#[derive(Deserialize)]
struct Results<'a> {
    #[serde(borrow)]
    results: &'a RawValue,
}

#[derive(Deserialize)]
struct Field<'a> {
    #[serde(borrow)]
    field: Cow<'a, str>,
    #[serde(borrow, default)]
    value: Loose<'a>,
}

/// Reads `{"results":[[{"field","value"},…],…]}`.
pub(super) fn results(text: &str, places: &Places, out: &mut Output) -> Result<(), Stopped> {
    out.format(Format::LogsInsights);
    match serde_json::from_str::<Results>(text) {
        Ok(document) => {
            let rows = document.results.get();
            if is_flattened(rows) {
                return flattened(rows, places, out);
            }
            json::entries(rows, "Logs Insights result", places, out, |row, out| {
                if row.starts_with('{') {
                    object(row, places, out)
                } else {
                    field_list(row, places, out)
                }
            })
        }
        Err(e) => {
            let why = format!("bad Logs Insights result: {e}");
            out.refuse(places.line_of(text), why, text)
        }
    }
}

/// Whether `results` holds rows of Logs Insights.
pub(super) fn are_rows(results: &str) -> bool {
    is_flattened(results) || are_fields(results) || {
        let first = first_entry(results);
        are_fields(first) || is_row(first)
    }
}

/// Whether `list` begins with a field of a row.
pub(super) fn are_fields(list: &str) -> bool {
    list.starts_with('[') && serde_json::from_str::<Field<'_>>(first_entry(list)).is_ok()
}

/// Whether `list` holds the fields of all rows one after the other, as PowerShell writes them.
pub(super) fn is_flattened(list: &str) -> bool {
    are_fields(list)
}

/// Whether an object is a row by its own fields, not by those of an object in it.
pub(super) fn is_row(object: &str) -> bool {
    const FIELDS: [&str; 4] = ["@message", "@maxMemoryUsed", "@memorySize", "@ptr"];
    let is_flat = || !object.get(1..).unwrap_or_default().contains('{');
    FIELDS.iter().any(|field| object.contains(field))
        && (is_flat() || wrapped::names_of(object).any(|name| FIELDS.contains(&&*name)))
}

/// Whether the entries of a list, as far as they were read, begin with a field of a row.
pub(super) fn begins_with_field(entries: &str) -> bool {
    serde_json::from_str::<Field<'_>>(entry_of(entries)).is_ok()
}

/// The first entry of a list; empty if there is none.
fn first_entry(list: &str) -> &str {
    entry_of(list.trim_start().strip_prefix('[').unwrap_or_default())
}

fn entry_of(inner: &str) -> &str {
    let mut entries = serde_json::Deserializer::from_str(inner).into_iter::<&RawValue>();
    entries
        .next()
        .and_then(Result::ok)
        .map_or("", RawValue::get)
}

/// Reads rows whose fields follow each other in one list. Each row has them in the order of the
/// query: a field that does not continue in it begins the next row.
pub(super) fn flattened(list: &str, places: &Places, out: &mut Output) -> Result<(), Stopped> {
    out.format(Format::LogsInsights);
    let mut order: Vec<String> = Vec::new();
    let mut row: Option<(Row, u64)> = None;
    let mut last = 0;
    json::entries(list, "Logs Insights result", places, out, |entry, out| {
        let line = places.line_of(entry);
        let field = match serde_json::from_str::<Field<'_>>(entry) {
            Ok(field) => field,
            Err(why) => return out.refuse(line, format!("bad Logs Insights row: {why}"), entry),
        };
        let known = order.iter().position(|name| *name == field.field);
        let place = known.unwrap_or(order.len());
        if known.is_none() && order.len() < MOST_FIELDS {
            order.push(field.field.clone().into_owned());
        }
        if place <= last
            && let Some((row, line)) = row.take()
        {
            row.read(line, "", out)?;
        }
        last = place;
        let (row, _) = row.get_or_insert_with(|| (Row::default(), line));
        row.set(&field.field, &plain(field.value));
        Ok(())
    })?;
    row.map_or(Ok(()), |(row, line)| row.read(line, "", out))
}

/// Reads a row `[{"field","value"},…]`.
pub(super) fn field_list(text: &str, places: &Places, out: &mut Output) -> Result<(), Stopped> {
    out.format(Format::LogsInsights);
    let line = places.line_of(text);
    let mut row = Row::default();
    let mut wrong = None;
    let fields = loose::each(text, |field| {
        match serde_json::from_str::<Field<'_>>(field) {
            Ok(field) => row.set(&field.field, &plain(field.value)),
            Err(why) => wrong = Some(why.to_string()),
        }
        wrong.as_ref().map_or(Ok(()), |_| Err(Stopped))
    });
    if let Err(ListError::NoList(why)) = fields {
        wrong = Some(why);
    }
    match wrong {
        None => row.read(line, text, out),
        Some(why) => out.refuse(line, format!("bad Logs Insights row: {why}"), text),
    }
}

/// Reads a row `{"@timestamp":…, "@message":…}`.
pub(super) fn object(text: &str, places: &Places, out: &mut Output) -> Result<(), Stopped> {
    out.format(Format::LogsInsights);
    let line = places.line_of(text);
    match serde_json::from_str::<Row>(text) {
        Ok(row) => row.read(line, text, out),
        Err(e) => out.refuse(line, format!("bad Logs Insights row: {e}"), text),
    }
}

/// The text of a value; a message that is JSON comes as such from the console.
fn plain(value: Loose<'_>) -> Cow<'_, str> {
    let other = || Cow::Borrowed(value.json().unwrap_or_default());
    value.text().unwrap_or_else(other)
}
