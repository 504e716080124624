//! Rows of a Logs Insights result: from `get-query-results`, from the console's JSON, or from CSV.
//!
//! A row is read from its `@message` where that is a report, since only the message says how the
//! invocation ended, else from the fields that Insights discovers. Those give memory in decimal
//! bytes: 1024 MB reads 1024000000.

use std::borrow::Cow;
use std::fmt;

use rightsizer_records::{Status, Timestamp};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::figures::{self, Invocation};
use super::hints::Origin;
use super::json::{self, Places};
use super::loose::{self, ListError, Loose};
use super::message::{self, Spot};
use super::output::{Format, Output, Stopped};
use super::quick::Text;
use super::report_line;

/// Insights' megabyte.
const BYTES_PER_MB: f64 = 1e6;

/// The fields of one row that are of use here.
#[derive(Default)]
pub(super) struct Row {
    timestamp: Option<String>,
    message: Option<String>,
    log: Option<String>,
    log_stream: Option<String>,
    max_used: Option<String>,
    size: Option<String>,
    duration: Option<String>,
    billed: Option<String>,
    init: Option<String>,
    /// Has any field that Insights discovers.
    known: bool,
}

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
            json::entries(rows, "Logs Insights result", places, out, |row, out| {
                field_list(row, places, out)
            })
        }
        Err(e) => {
            let why = format!("bad Logs Insights result: {e}");
            out.refuse(places.line_of(text), why, text)
        }
    }
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

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(EachField)
    }
}

struct EachField;

impl<'de> Visitor<'de> for EachField {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let mut row = Row::default();
        while let Some((Text(name), value)) = map.next_entry::<Text<'_>, Loose<'_>>()? {
            row.set(&name, &plain(value));
        }
        Ok(row)
    }
}

impl Row {
    /// Takes one field; those of no use here, and empty ones, are left out.
    pub(super) fn set(&mut self, field: &str, value: &str) {
        self.known |= field.starts_with('@');
        let slot = match field {
            "@timestamp" => &mut self.timestamp,
            "@message" => &mut self.message,
            "@log" => &mut self.log,
            "@logStream" => &mut self.log_stream,
            "@maxMemoryUsed" => &mut self.max_used,
            "@memorySize" => &mut self.size,
            "@duration" => &mut self.duration,
            "@billedDuration" => &mut self.billed,
            "@initDuration" => &mut self.init,
            _ => return,
        };
        *slot = Some(value.to_owned()).filter(|v| !v.trim().is_empty());
    }

    /// Reads the row; `text` is what is shown of it when it is refused.
    pub(super) fn read(&self, line: u64, text: &str, out: &mut Output) -> Result<(), Stopped> {
        if !self.known {
            let why = "not a Logs Insights row of single invocations: no field begins with @";
            return out.refuse(line, why, text);
        }
        let at = match self.timestamp.as_deref().map(row_time) {
            None => None,
            Some(Some(at)) => Some(at),
            Some(None) => return out.refuse(line, "@timestamp is no time", text),
        };
        let origin = self.origin(out);
        let spot = Spot {
            line,
            origin: &origin,
            at,
            event: None,
        };
        let message = self.message.as_deref().map_or("", message::trim);
        let figures = self.max_used.is_some() || self.size.is_some();
        let readable = report_line::is_report(message)
            && report_line::split_glued(message).all(|m| report_line::parse(m).is_ok());
        if readable || !figures {
            out.tally.empty_rows += u64::from(self.message.is_none());
            return message::read(message, spot, out);
        }
        match self.invocation() {
            Ok(invocation) => out.invocation(spot, invocation),
            Err(why) => out.refuse(line, why, text),
        }
    }

    /// `@log` is `ACCOUNT:/aws/lambda/NAME`.
    fn origin(&self, out: &Output) -> Origin {
        let split = self
            .log
            .as_deref()
            .map(|log| log.split_once(':').unwrap_or(("", log)));
        let account = split.map(|(account, _)| account).filter(|a| !a.is_empty());
        let group = split.map(|(_, group)| group);
        out.hints.logged(group, self.log_stream.as_deref(), account)
    }

    fn invocation(&self) -> Result<Invocation, String> {
        let missing = |name| format!("row has no {name}: add it to the query's fields");
        let size = self.size.as_deref().ok_or_else(|| missing("@memorySize"))?;
        let used = self
            .max_used
            .as_deref()
            .ok_or_else(|| missing("@maxMemoryUsed"))?;
        let size = megabytes("@memorySize", size)?;
        let used = megabytes("@maxMemoryUsed", used)?;
        let (memory_mb, max_used_mb) = figures::memory(size, used).map_err(|e| e.to_string())?;
        Ok(Invocation {
            memory_mb,
            max_used_mb,
            duration_ms: millis("@duration", self.duration.as_deref())?,
            billed_ms: millis("@billedDuration", self.billed.as_deref())?,
            init_ms: millis("@initDuration", self.init.as_deref())?,
            // The discovered fields do not say how it ended.
            status: Status::classify(None, None, Some((max_used_mb, memory_mb))),
            error: None,
        })
    }
}

fn row_time(text: &str) -> Option<Timestamp> {
    let ms = text.trim().parse::<i64>().ok();
    ms.map_or_else(|| Timestamp::parse(text).ok(), Timestamp::from_ms)
}

fn number(name: &str, text: &str) -> Result<f64, String> {
    let number = text.trim().parse::<f64>().ok().filter(|n| n.is_finite());
    number.ok_or_else(|| {
        format!(
            "{name} is no number: {:?}",
            text.chars().take(40).collect::<String>()
        )
    })
}

/// Megabytes of decimal bytes, rounded up.
pub fn megabytes(name: &str, text: &str) -> Result<u64, String> {
    let bytes = number(name, text)?;
    if !(BYTES_PER_MB..=1e15).contains(&bytes) {
        return Err(format!(
            "wrong unit: {name} is {bytes}, wanted decimal bytes as Logs Insights gives them (1024 MB is 1024000000)"
        ));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded by the check above"
    )]
    let megabytes = (bytes / BYTES_PER_MB).ceil() as u64;
    Ok(megabytes)
}

fn millis(
    name: &'static str,
    text: Option<&str>,
) -> Result<Option<rightsizer_records::Millis>, String> {
    let Some(text) = text else {
        return Ok(None);
    };
    let ms = number(name, text)?;
    figures::duration(name, ms)
        .map(Some)
        .map_err(|e| e.to_string())
}
