//! Telemetry API events, of every schema so far. Each event is read by itself and leniently: one
//! odd event must not cost its batch.

use std::rc::Rc;

use rightsizer_records::{Millis, Status, Timestamp};
use rightsizer_rules::evidence::LATEST;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::figures::{self, Invocation};
use super::hints::{Hints, Origin};
use super::json::Places;
use super::message::Spot;
use super::output::{Format, Output, Stopped};

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(default)]
    time: Value,
    #[serde(default, rename = "type")]
    kind: Value,
    #[serde(borrow, default)]
    record: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    #[serde(default)]
    status: Value,
    #[serde(default)]
    error_type: Value,
    metrics: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wrapped<'a> {
    function_name: Option<String>,
    function_arn: Option<String>,
    #[serde(alias = "version")]
    function_version: Option<String>,
    #[serde(borrow)]
    records: Vec<&'a RawValue>,
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
        Err(why) => return out.refuse(line, why, text),
    };
    for event in batch.records {
        let spot = Spot {
            line: places.line_of(event.get()),
            origin: &origin,
            at: None,
            event: None,
        };
        self::event(event.get(), spot, out)?;
    }
    Ok(())
}

/// Whose a batch is.
pub(super) fn origin(
    name: Option<&str>,
    version: Option<&str>,
    hints: &Hints,
) -> Result<Origin, String> {
    let mut origin = match name {
        None => hints.unnamed(),
        Some(name) => hints.named(name, None)?,
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
    if event.kind != "platform.report" {
        return out.ignore();
    }
    match report(&event) {
        Ok(Some((at, invocation))) => {
            let at = at.or(spot.at);
            out.invocation(Spot { at, ..spot }, invocation)
        }
        Ok(None) => {
            out.tally.no_memory += 1;
            out.ignore()
        }
        Err(why) => out.refuse(spot.line, why, text),
    }
}

/// `None` where the report has no memory figures, as on managed instances.
fn report(event: &Event) -> Result<Option<(Option<Timestamp>, Invocation)>, String> {
    let record = event.record.ok_or("platform.report has no record")?;
    let report: Report = serde_json::from_str(record.get())
        .map_err(|e| format!("bad record of a platform.report: {e}"))?;
    let at = match &event.time {
        Value::Null => None,
        Value::String(time) => Some(Timestamp::parse(time).map_err(|e| e.to_string())?),
        other => {
            return Err(format!(
                "time of a platform.report is {other}, wanted RFC 3339 text"
            ));
        }
    };
    let duration = |name| millis(&report.metrics, name);
    let reported = Reported {
        status: report.status.as_str(),
        error_type: report.error_type.as_str(),
        metrics: Metrics {
            memory_size_mb: megabytes(&report.metrics, "memorySizeMB")?,
            max_memory_used_mb: megabytes(&report.metrics, "maxMemoryUsedMB")?,
            duration_ms: duration("durationMs")?,
            billed_duration_ms: duration("billedDurationMs")?,
            init_duration_ms: duration("initDurationMs")?,
            restore_duration_ms: duration("restoreDurationMs")?,
        },
    };
    Ok(reported.invocation()?.map(|invocation| (at, invocation)))
}

/// What a `platform.report` says, as it stands there.
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
    /// The invocation it is about; `None` where it has no memory figures, as on managed instances.
    pub(super) fn invocation(self) -> Result<Option<Invocation>, String> {
        let metrics = self.metrics;
        let (size, used) = match (metrics.memory_size_mb, metrics.max_memory_used_mb) {
            (Some(size), Some(used)) => (size, used),
            (None, None) => return Ok(None),
            (Some(_), None) => return Err("platform.report has no maxMemoryUsedMB".to_owned()),
            (None, Some(_)) => return Err("platform.report has no memorySizeMB".to_owned()),
        };
        let (memory_mb, max_used_mb) = figures::memory(size, used).map_err(|e| e.to_string())?;
        Ok(Some(Invocation {
            memory_mb,
            max_used_mb,
            duration_ms: metrics.duration_ms,
            billed_ms: metrics.billed_duration_ms,
            init_ms: metrics.init_duration_ms.or(metrics.restore_duration_ms),
            status: Status::classify(self.status, self.error_type, Some((max_used_mb, memory_mb))),
        }))
    }
}

fn megabytes(metrics: &Map<String, Value>, name: &str) -> Result<Option<u64>, String> {
    match metrics.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64() {
            Some(mb) => Ok(Some(mb)),
            None => Err(format!("{name} is {value}, wanted a whole number of MB")),
        },
    }
}

fn millis(metrics: &Map<String, Value>, name: &'static str) -> Result<Option<Millis>, String> {
    match metrics.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_f64() {
            Some(ms) => figures::duration(name, ms)
                .map(Some)
                .map_err(|e| e.to_string()),
            None => Err(format!("{name} is {value}, wanted milliseconds")),
        },
    }
}
