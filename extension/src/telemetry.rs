//! Reads what the Telemetry API posts: a JSON array of platform events.
//!
//! Every event is read by itself, as its bytes come, so that a body of any size is never held. An
//! unknown type, a missing field or a number out of range costs that event or that number, never its
//! neighbours; in a body cut short, the events before the cut count. (A strict enum over the whole
//! array, as ready-made crates have it, loses a whole batch to one event of a type that is newer than
//! the crate.)

use rightsizer_records::{Megabytes, Millis, Timestamp};
use serde_json::Value;

/// Larger than any size Lambda has offered; more is not a size.
const MAX_MEMORY_MB: u64 = 65_536;
/// Texts from the platform are short; what is longer is cut.
const MAX_TEXT: usize = 256;

/// A platform event takes some hundred bytes; what is longer than this is none.
const MOST_EVENT_BYTES: usize = 65_536;
/// The room of a longer one is given back.
const USUAL_EVENT_BYTES: usize = 1024;

/// What a POST of the Telemetry API held, or a part of one.
#[derive(Debug, Default, PartialEq)]
pub struct Posted {
    /// The events that matter here, in their order.
    pub events: Vec<Event>,
    /// Events of types this extension needs that could not be read.
    pub unreadable: u64,
    /// Why reading stopped before the end of the body, if it did.
    pub broken: Option<String>,
}

impl Posted {
    /// Adds what came behind it.
    pub fn append(&mut self, mut behind: Self) {
        self.events.append(&mut behind.events);
        self.unreadable += behind.unreadable;
        self.broken = self.broken.take().or(behind.broken);
    }
}

/// One platform event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The platform's own time of it.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
}

/// The platform events that matter here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// `platform.initStart`, with the runtime's name and version if given.
    InitStart(Option<String>),
    /// `platform.restoreStart`: this process was cloned from a snapshot.
    RestoreStart,
    /// `platform.start`, with the request's id.
    Start(String),
    /// `platform.runtimeDone`.
    RuntimeDone(RuntimeDone),
    /// `platform.report`.
    Report(Report),
    /// `platform.logsDropped`: the number of records that were dropped before they arrived.
    Dropped(u64),
    /// Any other event: only its time is of use.
    Other,
}

/// What the runtime knew when the invocation ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuntimeDone {
    /// The request.
    pub request_id: String,
    /// `success`, `failure`, `error` or `timeout`.
    pub status: Option<String>,
    /// The platform's error type.
    pub error_type: Option<String>,
    /// Duration of the handler.
    pub duration_ms: Option<Millis>,
}

/// What the platform measured. Every number is optional: managed instances give the duration only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The request.
    pub request_id: String,
    /// `success`, `failure`, `error` or `timeout`.
    pub status: Option<String>,
    /// The platform's error type.
    pub error_type: Option<String>,
    /// Duration of the handler.
    pub duration_ms: Option<Millis>,
    /// Billed duration.
    pub billed_ms: Option<Millis>,
    /// Configured size.
    pub memory_mb: Option<Megabytes>,
    /// High-water mark of the environment.
    pub max_used_mb: Option<Megabytes>,
    /// Init duration, or restore duration under SnapStart.
    pub init_ms: Option<Millis>,
}

/// Reads the body of one POST, piece by piece. Never fails: what could not be read is counted. Holds
/// no more than one event.
#[derive(Debug, Default)]
pub struct Reader {
    place: Place,
    value: Vec<u8>,
    /// Brackets and braces open within `value`.
    depth: usize,
    in_string: bool,
    escaped: bool,
    too_long: bool,
}

/// The position of a [`Reader`] in the body.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the array.
    #[default]
    Before,
    /// Between two events.
    Between,
    /// In an event.
    Within,
    /// Behind the array, or at something that makes no sense: the rest is not looked at.
    Over,
}

impl Reader {
    /// Takes in the next bytes and returns the events that end in them.
    pub fn feed(&mut self, bytes: &[u8]) -> Posted {
        let mut posted = Posted::default();
        let mut rest = bytes;
        while let Some((byte, behind)) = rest.split_first() {
            match self.place {
                Place::Before => self.before(*byte, &mut posted),
                Place::Between => {
                    self.between(*byte);
                    if self.place == Place::Within {
                        continue;
                    }
                }
                Place::Within => {
                    rest = self.within(rest, &mut posted);
                    continue;
                }
                Place::Over => break,
            }
            rest = behind;
        }
        posted
    }

    /// The body is at its end.
    pub fn finish(self) -> Posted {
        let cut = matches!(self.place, Place::Before | Place::Between | Place::Within);
        Posted {
            broken: cut.then(|| "it ends before its array does".to_owned()),
            ..Posted::default()
        }
    }

    fn before(&mut self, byte: u8, posted: &mut Posted) {
        match byte {
            b'[' => self.place = Place::Between,
            _ if byte.is_ascii_whitespace() => {}
            _ => {
                posted.broken = Some("it is not an array of events".to_owned());
                self.place = Place::Over;
            }
        }
    }

    fn between(&mut self, byte: u8) {
        match byte {
            b']' => self.place = Place::Over,
            b',' => {}
            _ if byte.is_ascii_whitespace() => {}
            _ => self.place = Place::Within,
        }
    }

    /// Takes the bytes of an event, as far as they go. Returns those behind it.
    fn within<'a>(&mut self, bytes: &'a [u8], posted: &mut Posted) -> &'a [u8] {
        let end = self.end_of_event(bytes);
        let (of_event, behind) = bytes.split_at(end.unwrap_or(bytes.len()));
        if self.value.len() + of_event.len() > MOST_EVENT_BYTES {
            self.too_long = true;
        } else {
            if self.value.capacity() == 0 {
                self.value.reserve(USUAL_EVENT_BYTES);
            }
            self.value.extend_from_slice(of_event);
        }
        if end.is_some() {
            self.end_event(posted);
            self.place = Place::Between;
        }
        behind
    }

    /// The end of the event in these bytes: after its last bracket, or before the text that follows
    /// a scalar.
    fn end_of_event(&mut self, bytes: &[u8]) -> Option<usize> {
        for (n, byte) in bytes.iter().enumerate() {
            if self.in_string {
                self.in_string = self.escaped || *byte != b'"';
                self.escaped = !self.escaped && *byte == b'\\';
                continue;
            }
            match byte {
                b',' | b']' if self.depth == 0 => return Some(n),
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(n + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }

    fn end_event(&mut self, posted: &mut Posted) {
        let is_whole = !std::mem::take(&mut self.too_long);
        let value = is_whole.then(|| serde_json::from_slice(&self.value).ok());
        match value.flatten().as_ref().and_then(event) {
            Some(event) => posted.events.push(event),
            None => posted.unreadable += 1,
        }
        self.value.clear();
        self.value.shrink_to(USUAL_EVENT_BYTES);
        self.depth = 0;
    }
}

fn event(value: &Value) -> Option<Event> {
    let at = Timestamp::parse(value.get("time")?.as_str()?).ok()?;
    let record = value.get("record").unwrap_or(&Value::Null);
    let kind = match value.get("type")?.as_str()? {
        "platform.initStart" => EventKind::InitStart(text(record, "runtimeVersion")),
        "platform.restoreStart" => EventKind::RestoreStart,
        "platform.start" => EventKind::Start(text(record, "requestId")?),
        "platform.runtimeDone" => EventKind::RuntimeDone(runtime_done(record)?),
        "platform.report" => EventKind::Report(report(record)?),
        "platform.logsDropped" => {
            EventKind::Dropped(number(record, "droppedRecords").map_or(1, whole))
        }
        _ => EventKind::Other,
    };
    Some(Event { at, kind })
}

fn runtime_done(record: &Value) -> Option<RuntimeDone> {
    let metrics = record.get("metrics").unwrap_or(&Value::Null);
    Some(RuntimeDone {
        request_id: text(record, "requestId")?,
        status: text(record, "status"),
        error_type: text(record, "errorType"),
        duration_ms: millis(metrics, "durationMs"),
    })
}

fn report(record: &Value) -> Option<Report> {
    let metrics = record.get("metrics").unwrap_or(&Value::Null);
    Some(Report {
        request_id: text(record, "requestId")?,
        status: text(record, "status"),
        error_type: text(record, "errorType"),
        duration_ms: millis(metrics, "durationMs"),
        billed_ms: millis(metrics, "billedDurationMs"),
        memory_mb: megabytes(metrics, "memorySizeMB").filter(|mb| mb.0 > 0),
        max_used_mb: megabytes(metrics, "maxMemoryUsedMB"),
        init_ms: millis(metrics, "initDurationMs").or(millis(metrics, "restoreDurationMs")),
    })
}

fn text(record: &Value, field: &str) -> Option<String> {
    let text = record.get(field)?.as_str()?;
    let end = text.floor_char_boundary(MAX_TEXT);
    (!text.is_empty()).then(|| text[..end].to_owned())
}

fn number(record: &Value, field: &str) -> Option<f64> {
    record.get(field)?.as_f64()
}

fn millis(metrics: &Value, field: &str) -> Option<Millis> {
    number(metrics, field).and_then(Millis::from_ms_f64)
}

fn megabytes(metrics: &Value, field: &str) -> Option<Megabytes> {
    let mb = number(metrics, field).filter(|mb| *mb >= 0.0).map(whole)?;
    let mb = u32::try_from(mb).ok()?;
    (u64::from(mb) <= MAX_MEMORY_MB).then_some(Megabytes(mb))
}

/// Rounded up: half a megabyte used is a megabyte used.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float to integer casts saturate, which is what is wanted of an absurd number"
)]
fn whole(number: f64) -> u64 {
    number.ceil() as u64
}

#[cfg(test)]
mod tests;
