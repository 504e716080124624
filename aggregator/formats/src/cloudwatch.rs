//! CloudWatch Logs as JSON: the answers of `aws logs filter-log-events` and `get-log-events`,
//! subscription payloads, and the events in which Lambda and Kinesis deliver those.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use rightsizer_records::Timestamp;
use rightsizer_rules::evidence::first_64_bits;
use rightsizer_rules::window::Mark;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::document;
use super::facts::Facts;
use super::gzip;
use super::hints::Place;
use super::json::{self, Places};
use super::loose::{Loose, brief};
use super::message::{self, Spot};
use super::output::{Format, Output, Stopped};
use super::text;
use super::wrapped::{self, Around};

/// The most that a payload in base64 may unpack to, in a file. A record of a stream may take less.
const MAX_UNPACKED_BYTES: u64 = 64 * 1024 * 1024;
/// Names of log groups and streams have at most 512 characters.
const MAX_NAME_BYTES: usize = 512 * char::MAX.len_utf8();
/// A payload in an event in a line: no format is deeper.
const MAX_NESTING: u8 = 3;
/// Gzip's magic bytes and its only method, in base64.
const GZIP_IN_BASE64: &str = "H4sI";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogEvents<'a> {
    #[serde(alias = "logGroup")]
    log_group_name: Option<String>,
    #[serde(borrow)]
    events: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscription<'a> {
    message_type: Option<String>,
    owner: Option<String>,
    log_group: Option<String>,
    log_stream: Option<String>,
    #[serde(borrow, default)]
    log_events: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogEvent<'a> {
    #[serde(borrow, default)]
    timestamp: Loose<'a>,
    #[serde(borrow)]
    message: Cow<'a, str>,
    #[serde(alias = "logGroup")]
    log_group_name: Option<String>,
    #[serde(alias = "logStream")]
    log_stream_name: Option<String>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    event_id: Option<Cow<'a, str>>,
}

/// A log event with no other fields than CloudWatch's own.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PureLogEvent<'a> {
    #[serde(borrow, default)]
    timestamp: Loose<'a>,
    #[serde(borrow)]
    message: Cow<'a, str>,
    #[serde(alias = "logGroup")]
    log_group_name: Option<String>,
    #[serde(alias = "logStream")]
    log_stream_name: Option<String>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    event_id: Option<Cow<'a, str>>,
    #[serde(rename = "ingestionTime")]
    _ingestion_time: Option<IgnoredAny>,
    #[serde(rename = "extractedFields")]
    _extracted_fields: Option<IgnoredAny>,
}

impl<'a> From<PureLogEvent<'a>> for LogEvent<'a> {
    fn from(event: PureLogEvent<'a>) -> Self {
        Self {
            timestamp: event.timestamp,
            message: event.message,
            log_group_name: event.log_group_name,
            log_stream_name: event.log_stream_name,
            id: event.id,
            event_id: event.event_id,
        }
    }
}

/// The log group and stream of log events, from their surroundings.
#[derive(Default, Clone, Copy)]
struct Log<'a> {
    group: Option<&'a str>,
    stream: Option<&'a str>,
    owner: Option<&'a str>,
    /// Whether it came through a subscription, which may deliver an event again.
    subscribed: bool,
}

impl Log<'_> {
    fn facts(&self) -> Facts {
        Facts {
            group: self.group.map(str::to_owned),
            stream: self.stream.map(str::to_owned),
            account: self.owner.map(str::to_owned),
            ..Facts::default()
        }
    }
}

/// Reads `{"events":[{"timestamp","message","logStreamName"}]}`.
pub(super) fn log_events(text: &str, places: &Places, out: &mut Output) -> Result<(), Stopped> {
    out.format(Format::LogEvents);
    let document: LogEvents = match serde_json::from_str(text) {
        Ok(document) => document,
        Err(e) => return out.refuse(places.line_of(text), format!("bad log events: {e}"), text),
    };
    let log = Log {
        group: name(document.log_group_name.as_deref()),
        ..Log::default()
    };
    let events = document.events.get();
    json::entries(events, "log events", places, out, |event, out| {
        one_event(event, log, places, out)
    })
}

/// Reads a log event that stands by itself.
pub(super) fn log_event(text: &str, places: &Places, out: &mut Output) -> Result<(), Stopped> {
    out.format(Format::LogEvents);
    one_event(text, Log::default(), places, out)
}

/// Reads `{messageType, owner, logGroup, logStream, logEvents}`.
pub(super) fn subscription(text: &str, places: &Places, out: &mut Output) -> Result<(), Stopped> {
    out.format(Format::Subscription);
    let payload: Subscription = match serde_json::from_str(text) {
        Ok(payload) => payload,
        Err(e) => {
            let why = format!("bad subscription payload: {e}");
            return out.refuse(places.line_of(text), why, text);
        }
    };
    match payload.message_type.as_deref() {
        Some("DATA_MESSAGE") | None => {}
        Some("CONTROL_MESSAGE") => return out.ignore(),
        Some(other) => {
            let other = brief(other);
            let why = format!("subscription message type {other:?} is not known here");
            return out.refuse(places.line_of(text), why, text);
        }
    }
    let log = Log {
        group: name(payload.log_group.as_deref()),
        stream: name(payload.log_stream.as_deref()),
        owner: name(payload.owner.as_deref()),
        subscribed: true,
    };
    let Some(events) = payload.log_events else {
        return Ok(());
    };
    json::entries(events.get(), "log events", places, out, |event, out| {
        one_event(event, log, places, out)
    })
}

fn one_event(text: &str, log: Log, places: &Places, out: &mut Output) -> Result<(), Stopped> {
    let line = places.line_of(text);
    let pure = serde_json::from_str::<PureLogEvent<'_>>(text);
    let event = match pure {
        Ok(event) => event.into(),
        // It has fields of other tools, which may have more facts.
        Err(_) if !out.live() && wrapped::may_hold_report(text) => {
            return wrapped::object(text, Around::new(places, &log.facts()), out);
        }
        Err(_) if !out.live() && wrapped::holds_a_message(text) => return out.ignore(),
        Err(_) => match serde_json::from_str::<LogEvent<'_>>(text) {
            Ok(event) => event,
            Err(e) => return out.refuse(line, format!("bad log event: {e}"), text),
        },
    };
    let group = name(event.log_group_name.as_deref()).or(log.group);
    let stream = name(event.log_stream_name.as_deref()).or(log.stream);
    let at = event_time(event.timestamp);
    if let (None, Some(time)) = (at, event.timestamp.json()) {
        let time = brief(time);
        let why = format!("timestamp is {time}, expected milliseconds since 1970");
        return out.refuse(line, why, text);
    }
    let place = Place {
        account: log.owner,
        region: None,
    };
    let origin = out.hints.logged(group, stream, place);
    let delivered = event.id.filter(|_| log.subscribed);
    let delivered = delivered.map(|id| Mark::delivered(first_64_bits(&id)));
    let exported = event.event_id.filter(|_| !log.subscribed);
    let exported = exported.map(|id| Mark::exported(first_64_bits(&id)));
    let spot = Spot {
        event: delivered.or(exported),
        ..Spot::new(line, &origin, at)
    };
    message::read(&event.message, spot, out)
}

fn event_time(time: Loose<'_>) -> Option<Timestamp> {
    match time.text() {
        Some(text) => Timestamp::parse(&text).ok(),
        None => Timestamp::from_ms(time.number()?),
    }
}

/// The name of a log group or stream, or an owner; what is too long to be one is none. Names are looked
/// at for each event.
fn name(text: Option<&str>) -> Option<&str> {
    text.filter(|name| name.len() <= MAX_NAME_BYTES)
}

/// Whether a line of text is a packed payload, as a Lambda event holds it.
pub(super) fn is_packed(text: &str) -> bool {
    text.starts_with(GZIP_IN_BASE64) && text.bytes().all(is_base64)
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

#[derive(Deserialize)]
struct AwsLogs<'a> {
    #[serde(borrow)]
    data: Cow<'a, str>,
}

/// A record of a stream, in a function's event or as `aws kinesis get-records` shows it.
#[derive(Deserialize)]
#[serde(untagged)]
enum StreamRecord<'a> {
    Event {
        #[serde(borrow)]
        kinesis: AwsLogs<'a>,
    },
    Shown {
        #[serde(borrow, rename = "Data")]
        data: Cow<'a, str>,
    },
}

impl StreamRecord<'_> {
    fn data(&self) -> &str {
        match self {
            Self::Event { kinesis } => &kinesis.data,
            Self::Shown { data } => data,
        }
    }
}

/// Reads the event a subscribed Lambda function gets: `{"awslogs":{"data":BASE64}}`.
pub(super) fn lambda_event(
    awslogs: &str,
    places: &Places,
    depth: u8,
    out: &mut Output,
) -> Result<(), Stopped> {
    let line = places.line_of(awslogs);
    match serde_json::from_str::<AwsLogs>(awslogs) {
        Ok(logs) => packed(&logs.data, line, depth, out),
        Err(e) => out.refuse(line, format!("bad awslogs event: {e}"), awslogs),
    }
}

/// Reads the event a Lambda function gets from Kinesis: `{"Records":[{"kinesis":{"data":…}}]}`.
pub(super) fn stream_event(
    records: &str,
    places: &Places,
    depth: u8,
    out: &mut Output,
) -> Result<(), Stopped> {
    json::entries(records, "Kinesis event", places, out, |record, out| {
        let line = places.line_of(record);
        match serde_json::from_str::<StreamRecord>(record) {
            Ok(record) => packed(record.data(), line, depth, out),
            Err(e) => out.refuse(line, format!("bad Kinesis record: {e}"), record),
        }
    })
}

/// Unpacks base64, and gzip inside of it, and reads what is there.
pub(super) fn packed(data: &str, line: u64, depth: u8, out: &mut Output) -> Result<(), Stopped> {
    if depth >= MAX_NESTING {
        return out.refuse(line, "payloads are nested too deep", data);
    }
    let (bytes, damage) = match unpack(data, out)? {
        Ok(unpacked) => unpacked,
        Err(why) => return out.refuse(line, why.to_string(), data),
    };
    let content = out.text(&bytes)?;
    let content = message::trim(&content);
    let Some(damage) = damage else {
        return unpacked(content, line, depth, out);
    };
    // What it held up to there is good.
    if content.starts_with('{') {
        document::one_line(content, line, out)?;
    }
    let sample = if content.is_empty() { data } else { content };
    out.refuse(line, damage, sample)
}

/// Reads what a payload unpacked to.
fn unpacked(content: &str, line: u64, depth: u8, out: &mut Output) -> Result<(), Stopped> {
    if content.starts_with(['{', '[']) {
        return json::values(content, &Places::at(line), depth + 1, out);
    }
    let mut state = text::State::default();
    for part in content.lines() {
        text::line(part, line, &mut state, out)?;
    }
    Ok(())
}

/// Bytes, and why they end before their time.
type Content = (Vec<u8>, Option<String>);

/// Why a payload is not unpacked.
#[derive(Debug, thiserror::Error)]
enum PackedError {
    #[error("bad base64 payload: {0}")]
    Base64(base64::DecodeError),
    #[error("payload unpacks to more than 64 MiB")]
    TooLarge,
}

/// Decodes base64, and unpacks gzip inside of it; the inner `Err` has the reason if that fails.
fn unpack(data: &str, out: &mut Output) -> Result<Result<Content, PackedError>, Stopped> {
    let lenient =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(&base64::alphabet::STANDARD, lenient);
    let bytes = match engine.decode(data.trim()) {
        Ok(bytes) => bytes,
        Err(e) => return Ok(Err(PackedError::Base64(e))),
    };
    out.spend(|budget| budget.unpack(bytes.len() as u64))?;
    if !bytes.starts_with(&gzip::MAGIC) {
        return Ok(Ok((bytes, None)));
    }
    let left = out.budget.unpacked_left();
    let Some(unpacked) = gzip::unpack(&bytes, left.min(MAX_UNPACKED_BYTES)) else {
        if left < MAX_UNPACKED_BYTES {
            out.spend(|budget| budget.unpack(left.saturating_add(1)))?;
        }
        return Ok(Err(PackedError::TooLarge));
    };
    out.spend(|budget| budget.unpack(unpacked.bytes.len() as u64))?;
    let damage = unpacked.damage;
    let damage = damage.map(|e| format!("bad gzip in a base64 payload: {e}"));
    Ok(Ok((unpacked.bytes, damage)))
}
