//! One row of a Logs Insights result.

use std::fmt;

use rightsizer_records::{Status, Timestamp};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::super::facts::Facts;
use super::super::figures::{self, FigureError, Invocation};
use super::super::loose::{self, Loose};
use super::super::message::{self, Spot};
use super::super::output::{Output, Stopped};
use super::super::quick::Text;
use super::super::report_line;
use super::plain;

/// Insights' megabyte.
const BYTES_PER_MB: f64 = 1e6;

/// What to do about figures that a spreadsheet changed.
const AS_EXPORTED: &str = "export the results again and import that file as it is";
/// Why figures that a query computed are refused, and what to do.
const COMPUTED: &str = "figures about memory that the query computed: single invocations are needed; run \
    `fields @timestamp, @log, @logStream, @message | filter @message like /^REPORT/` and import its result";
/// The fields of one row that are of use here.
#[derive(Default)]
pub(crate) struct Row {
    timestamp: Option<String>,
    message: Option<String>,
    /// Whose it is.
    facts: Facts,
    max_used: Option<String>,
    size: Option<String>,
    duration: Option<String>,
    billed: Option<String>,
    init: Option<String>,
    /// Has any field that Insights discovers.
    known: bool,
    /// Has a field about memory that a query made.
    computed: bool,
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
    /// A row of a table about which `facts` are known.
    pub(crate) fn of(facts: &Facts) -> Self {
        Self {
            facts: facts.clone(),
            ..Self::default()
        }
    }

    /// Takes one field; those of no use here, and empty ones, are left out.
    pub(crate) fn set(&mut self, field: &str, value: &str) {
        self.known |= field.starts_with('@');
        let value = Some(value).filter(|v| !v.trim().is_empty());
        let slot = match field {
            "@timestamp" => &mut self.timestamp,
            "@message" => &mut self.message,
            "@maxMemoryUsed" => &mut self.max_used,
            "@memorySize" => &mut self.size,
            "@duration" => &mut self.duration,
            "@billedDuration" => &mut self.billed,
            "@initDuration" => &mut self.init,
            _ => return self.set_fact(field, value.unwrap_or_default()),
        };
        *slot = value.map(str::to_owned);
    }

    /// Takes a field about whose the row is.
    fn set_fact(&mut self, field: &str, value: &str) {
        match field {
            _ if value.is_empty() => {}
            // `@log` is `ACCOUNT:/aws/lambda/NAME`.
            "@log" => {
                let (account, group) = value.split_once(':').unwrap_or(("", value));
                self.facts.take("account", account);
                self.facts.group = Some(group.to_owned());
            }
            "@logStream" => self.facts.stream = Some(value.to_owned()),
            "@entity.KeyAttributes.Name" => self.facts.label = Some(value.to_owned()),
            _ if field.to_ascii_lowercase().contains("memory") => self.computed = true,
            // `@log_group` and `@owner`, as CloudWatch Logs sends them to OpenSearch, among them.
            _ if field.starts_with('@') => self.facts.take(field, value),
            _ => {}
        }
    }

    /// Reads the row; `text` is what is shown of it when it is refused.
    pub(crate) fn read(&self, line: u64, text: &str, out: &mut Output) -> Result<(), Stopped> {
        let figures = self.max_used.is_some() || self.size.is_some();
        if self.computed && !figures && self.message.is_none() {
            return out.refuse(line, COMPUTED, text);
        }
        if !self.known {
            let why = "not a Logs Insights row of single invocations: no field begins with @";
            return out.refuse(line, why, text);
        }
        let at = match self.timestamp.as_deref().map(|time| (time, row_time(time))) {
            None => None,
            Some((_, Some(at))) => Some(at),
            Some((time, None)) => {
                let why = format!(
                    "@timestamp is not an unambiguous time: {:?}; a spreadsheet rewrites times, so \
                     {AS_EXPORTED}",
                    loose::brief(time)
                );
                return out.refuse(line, why, text);
            }
        };
        let origin = self.facts.origin(out.hints);
        let spot = Spot::new(line, &origin, at);
        let message = self.message.as_deref().map_or("", message::trim);
        let readable = report_line::is_report(message)
            && report_line::split_glued(message).all(|m| report_line::parse(m).is_ok());
        if readable || !figures {
            out.tally.empty_rows += u64::from(self.message.is_none());
            return message::read(message, spot, out);
        }
        match self.invocation() {
            Ok(invocation) => {
                out.tally.rounded += u64::from(self.is_rounded());
                out.invocation(spot, invocation)
            }
            Err(why) => out.refuse(line, why.to_string(), text),
        }
    }

    /// Whether a spreadsheet rounded a memory figure to three digits: Logs Insights writes `1.024E9`, a
    /// spreadsheet `1.02E+09` of it.
    fn is_rounded(&self) -> bool {
        let mut figures = self.size.iter().chain(&self.max_used);
        figures.any(|figure| figure.contains("E+"))
    }

    fn invocation(&self) -> Result<Invocation, RowError> {
        let size = self
            .size
            .as_deref()
            .ok_or(RowError::Without("@memorySize"))?;
        let used = self
            .max_used
            .as_deref()
            .ok_or(RowError::Without("@maxMemoryUsed"))?;
        let size = megabytes("@memorySize", size)?;
        let used = megabytes("@maxMemoryUsed", used)?;
        let (memory_mb, max_used_mb) = figures::memory(size, used)?;
        // The discovered fields do not have the ending.
        let status = Status::classify(None, None, Some((max_used_mb, memory_mb)));
        Ok(Invocation {
            duration_ms: millis("@duration", self.duration.as_deref())?,
            billed_ms: millis("@billedDuration", self.billed.as_deref())?,
            init_ms: millis("@initDuration", self.init.as_deref())?,
            ..Invocation::of(memory_mb, max_used_mb, status)
        })
    }
}

/// A figure of a row that is not read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RowError {
    /// The query does not ask for it.
    #[error("row has no {0}: add it to the query's fields")]
    Without(&'static str),
    /// A spreadsheet changed how it is written.
    #[error("{name} is {found:?}, a figure that a spreadsheet rewrote: {AS_EXPORTED}")]
    Rewritten {
        /// The column.
        name: String,
        /// Its text.
        found: String,
    },
    /// Some other text.
    #[error("{name} is not a number: {found:?}")]
    NotANumber {
        /// The column.
        name: String,
        /// Its text.
        found: String,
    },
    /// Not in bytes.
    #[error(
        "wrong unit: {name} is {bytes}, expected decimal bytes as Logs Insights gives them (1024 MB is 1024000000)"
    )]
    Unit {
        /// The column.
        name: String,
        /// Its number.
        bytes: f64,
    },
    /// A figure that no invocation has.
    #[error(transparent)]
    Figure(#[from] FigureError),
}

fn row_time(text: &str) -> Option<Timestamp> {
    let ms = text.trim().parse::<i64>().ok();
    ms.map_or_else(|| Timestamp::parse(text).ok(), Timestamp::from_ms)
}

fn number(name: &str, text: &str) -> Result<f64, RowError> {
    if text.contains(',') {
        return Err(RowError::Rewritten {
            name: name.to_owned(),
            found: loose::brief(text.trim()).into_owned(),
        });
    }
    let number = text.trim().parse::<f64>().ok().filter(|n| n.is_finite());
    number.ok_or_else(|| RowError::NotANumber {
        name: name.to_owned(),
        found: text.chars().take(40).collect(),
    })
}

/// Megabytes of decimal bytes, rounded up.
pub fn megabytes(name: &str, text: &str) -> Result<u64, RowError> {
    let bytes = number(name, text)?;
    if !(BYTES_PER_MB..=1e15).contains(&bytes) {
        return Err(RowError::Unit {
            name: name.to_owned(),
            bytes,
        });
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
) -> Result<Option<rightsizer_records::Millis>, RowError> {
    let Some(text) = text else {
        return Ok(None);
    };
    let ms = number(name, text)?;
    Ok(Some(figures::duration(name, ms)?))
}
