//! Telemetry API events, of every schema so far. Each event is read by itself and leniently: one
//! odd event must not cost its batch.

use std::borrow::Cow;
use std::rc::Rc;

use rightsizer_records::{ErrorKind, Millis, Status, TimeError, Timestamp};
use rightsizer_rules::evidence::{FunctionKeyError, LATEST};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::failed_start::{self, FailedStart};
use super::figures::{self, FigureError, Invocation};
use super::hints::{Hints, Origin, Place};
use super::json::{self, Places};
use super::loose::{Loose, brief};
use super::message::Spot;
use super::output::{Format, Output, Stopped};

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, default)]
    time: Loose<'a>,
    #[serde(borrow, default, rename = "type")]
    kind: Loose<'a>,
    #[serde(borrow, default)]
    record: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    #[serde(borrow, default)]
    request_id: Loose<'a>,
    #[serde(borrow, default)]
    status: Loose<'a>,
    #[serde(borrow, default)]
    error_type: Loose<'a>,
    #[serde(borrow)]
    metrics: Figures<'a>,
}

/// The record of a `platform.runtimeDone`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Done<'a> {
    #[serde(borrow, default)]
    request_id: Loose<'a>,
    #[serde(borrow, default)]
    error_type: Loose<'a>,
}

/// The record of a `platform.initReport` or a `platform.restoreReport`.
#[derive(Deserialize)]
struct Started<'a> {
    #[serde(borrow, default)]
    status: Loose<'a>,
    #[serde(borrow)]
    metrics: Figures<'a>,
}

/// The figures of a report, of whatever type they are.
#[derive(Deserialize)]
struct Figures<'a> {
    #[serde(borrow, default, rename = "memorySizeMB")]
    memory_size: Loose<'a>,
    #[serde(borrow, default, rename = "maxMemoryUsedMB")]
    max_memory_used: Loose<'a>,
    #[serde(borrow, default, rename = "durationMs")]
    duration: Loose<'a>,
    #[serde(borrow, default, rename = "billedDurationMs")]
    billed_duration: Loose<'a>,
    #[serde(borrow, default, rename = "initDurationMs")]
    init_duration: Loose<'a>,
    #[serde(borrow, default, rename = "restoreDurationMs")]
    restore_duration: Loose<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wrapped<'a> {
    function_name: Option<String>,
    function_arn: Option<String>,
    #[serde(alias = "version")]
    function_version: Option<String>,
    #[serde(borrow)]
    records: &'a RawValue,
}

/// Reads `{"functionName":…, "records":[events]}`.
pub(super) fn wrapped(text: &str, places: &Places, out: &mut Output) -> Result<(), Stopped> {
    out.format(Format::Telemetry);
    let line = places.line_of(text);
    let batch: Wrapped = match serde_json::from_str(text) {
        Ok(batch) => batch,
        Err(e) => return out.refuse(line, format!("bad telemetry batch: {e}"), text),
    };
    let name = batch.function_arn.or(batch.function_name);
    let version = batch.function_version.as_deref();
    let origin = match origin(name.as_deref(), version, out.hints) {
        Ok(origin) => origin,
        Err(why) => return out.refuse(line, why.to_string(), text),
    };
    let records = batch.records.get();
    json::entries(records, "telemetry batch", places, out, |event, out| {
        let spot = Spot::new(places.line_of(event), &origin, None);
        self::event(event, spot, out)
    })
}

/// Whose a batch is.
pub(super) fn origin(
    name: Option<&str>,
    version: Option<&str>,
    hints: &Hints,
) -> Result<Origin, FunctionKeyError> {
    let mut origin = match name {
        None => hints.unnamed(),
        Some(name) => hints.named(name, Place::default())?,
    };
    let number =
        |v: &&str| *v == LATEST || (!v.is_empty() && v.bytes().all(|b| b.is_ascii_digit()));
    if let Some(version) = version.filter(number) {
        origin.version = Rc::from(version);
    }
    Ok(origin)
}

/// Reads one event. Only `platform.report` is evidence.
pub(super) fn event(text: &str, spot: Spot, out: &mut Output) -> Result<(), Stopped> {
    let event: Event = match serde_json::from_str(text) {
        Ok(event) => event,
        Err(e) => return out.refuse(spot.line, format!("bad telemetry event: {e}"), text),
    };
    match event.kind.text().as_deref() {
        Some("platform.report") => {}
        Some("platform.runtimeDone") => {
            note_ending(&event, out);
            return out.ignore();
        }
        Some(other) => {
            if let Some(kind) = failed_start::Kind::of_event(other) {
                note_start(kind, &event, spot, out);
            }
            return out.ignore();
        }
        None => return out.ignore(),
    }
    match report(&event) {
        Ok(Some(found)) => {
            let at = found.at.or(spot.at);
            out.ended(
                found.request.as_deref(),
                Spot { at, ..spot },
                found.invocation,
            )
        }
        Ok(None) => {
            out.tally.no_memory += 1;
            out.ignore()
        }
        Err(why) => out.refuse(spot.line, why.to_string(), text),
    }
}

/// The type of a request's error, which its report may leave out.
fn note_ending(event: &Event, out: &mut Output) {
    let done = event
        .record
        .map(|record| serde_json::from_str(record.get()));
    let Some(Ok(Done {
        request_id,
        error_type,
    })) = done
    else {
        return;
    };
    if let (Some(id), Some(error_type)) = (request_id.text(), error_type.text()) {
        out.endings.fail(&id, &error_type);
    }
}

/// A start, if it failed. Whatever has no status or no duration shows nothing.
fn note_start(kind: failed_start::Kind, event: &Event, spot: Spot<'_>, out: &mut Output) {
    let started: Option<Result<Started<'_>, _>> = event
        .record
        .map(|record| serde_json::from_str(record.get()));
    let Some(Ok(started)) = started else { return };
    let took = millis("durationMs", started.metrics.duration);
    let (true, Ok(Some(took))) = (
        failed_start::has_failed(started.status.text().as_deref()),
        took,
    ) else {
        return;
    };
    let time = event.time.text().map(|time| Timestamp::parse(&time));
    let at = time.and_then(Result::ok).or(spot.at);
    let start = FailedStart { kind, took };
    out.endings.starts.keep(Spot { at, ..spot }, start);
}

/// What of a `platform.report` is not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReportError {
    #[error("platform.report has no {0}")]
    Without(&'static str),
    #[error("bad record of a platform.report: {0}")]
    Record(serde_json::Error),
    #[error(transparent)]
    Time(#[from] TimeError),
    #[error("time of a platform.report is {0}, expected RFC 3339 text")]
    NotATime(String),
    #[error("{name} is {found}, expected a whole number of MB")]
    Megabytes { name: &'static str, found: String },
    #[error("{name} is {found}, expected milliseconds")]
    Millis { name: &'static str, found: String },
    #[error(transparent)]
    Figure(#[from] FigureError),
}

/// The content of a `platform.report`.
struct FoundReport {
    at: Option<Timestamp>,
    request: Option<String>,
    invocation: Invocation,
}

/// `None` if the report has no memory figures, as on managed instances.
fn report(event: &Event) -> Result<Option<FoundReport>, ReportError> {
    let record = event.record.ok_or(ReportError::Without("record"))?;
    let report: Report<'_> = serde_json::from_str(record.get()).map_err(ReportError::Record)?;
    let at = match (event.time.json(), event.time.text()) {
        (None, _) => None,
        (_, Some(time)) => Some(Timestamp::parse(&time)?),
        (Some(other), None) => {
            return Err(ReportError::NotATime(brief(other).into_owned()));
        }
    };
    let (status, error_type) = (report.status.text(), report.error_type.text());
    let figures = report.metrics;
    let reported = Reported {
        status: status.as_deref(),
        error_type: error_type.as_deref(),
        metrics: Metrics {
            memory_size_mb: megabytes("memorySizeMB", figures.memory_size)?,
            max_memory_used_mb: megabytes("maxMemoryUsedMB", figures.max_memory_used)?,
            duration_ms: millis("durationMs", figures.duration)?,
            billed_duration_ms: millis("billedDurationMs", figures.billed_duration)?,
            init_duration_ms: millis("initDurationMs", figures.init_duration)?,
            restore_duration_ms: millis("restoreDurationMs", figures.restore_duration)?,
        },
    };
    let found = |invocation| FoundReport {
        at,
        request: report.request_id.text().map(Cow::into_owned),
        invocation,
    };
    Ok(reported.invocation()?.map(found))
}

/// The content of a `platform.report`, as it is written.
pub(super) struct Reported<'a> {
    pub(super) status: Option<&'a str>,
    pub(super) error_type: Option<&'a str>,
    pub(super) metrics: Metrics,
}

/// The figures of a `platform.report`; unknown ones are left out.
#[derive(Clone, Copy, Deserialize)]
pub(super) struct Metrics {
    #[serde(rename = "memorySizeMB")]
    memory_size_mb: Option<u64>,
    #[serde(rename = "maxMemoryUsedMB")]
    max_memory_used_mb: Option<u64>,
    #[serde(rename = "durationMs")]
    duration_ms: Option<Millis>,
    #[serde(rename = "billedDurationMs")]
    billed_duration_ms: Option<Millis>,
    #[serde(rename = "initDurationMs")]
    init_duration_ms: Option<Millis>,
    #[serde(rename = "restoreDurationMs")]
    restore_duration_ms: Option<Millis>,
}

impl Reported<'_> {
    /// The invocation it is about; `None` if it has no memory figures, as on managed instances.
    pub(super) fn invocation(self) -> Result<Option<Invocation>, ReportError> {
        let metrics = self.metrics;
        let (size, used) = match (metrics.memory_size_mb, metrics.max_memory_used_mb) {
            (Some(size), Some(used)) => (size, used),
            (None, None) => return Ok(None),
            (Some(_), None) => return Err(ReportError::Without("maxMemoryUsedMB")),
            (None, Some(_)) => return Err(ReportError::Without("memorySizeMB")),
        };
        let (memory_mb, max_used_mb) = figures::memory(size, used)?;
        let used = Some((max_used_mb, memory_mb));
        let status = Status::classify(self.status, self.error_type, used);
        Ok(Some(Invocation {
            duration_ms: metrics.duration_ms,
            billed_ms: metrics.billed_duration_ms,
            init_ms: metrics.init_duration_ms,
            restore_ms: metrics.restore_duration_ms,
            error: self.error_type.map(ErrorKind::of),
            ..Invocation::of(memory_mb, max_used_mb, status)
        }))
    }
}

fn megabytes(name: &'static str, value: Loose<'_>) -> Result<Option<u64>, ReportError> {
    let Some(json) = value.json() else {
        return Ok(None);
    };
    // Some writers know floating point only: 512.0 is whole.
    let whole = |mb: f64| format!("{mb}").parse().ok();
    let mb = value.number::<u64>().or_else(|| whole(value.number()?));
    mb.map(Some).ok_or_else(|| ReportError::Megabytes {
        name,
        found: brief(json).into_owned(),
    })
}

fn millis(name: &'static str, value: Loose<'_>) -> Result<Option<Millis>, ReportError> {
    let Some(json) = value.json() else {
        return Ok(None);
    };
    let ms = value.number::<f64>().ok_or_else(|| ReportError::Millis {
        name,
        found: brief(json).into_owned(),
    })?;
    Ok(Some(figures::duration(name, ms)?))
}
