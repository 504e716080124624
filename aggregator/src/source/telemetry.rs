//! Telemetry API events, of every schema so far. Each event is read by itself and leniently: one
//! odd event must not cost its batch.

use rightsizer_records::{Status, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::evidence::LATEST;
use super::figures::{self, Invocation};
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
    request_id: Value,
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
    let origin = match name.map(|name| out.hints.named(&name, None)) {
        None => Ok(out.hints.unnamed()),
        Some(named) => named,
    };
    let mut origin = match origin {
        Ok(origin) => origin,
        Err(why) => return out.refuse(line, why, text),
    };
    let number =
        |v: &String| v == LATEST || (!v.is_empty() && v.bytes().all(|b| b.is_ascii_digit()));
    if let Some(version) = batch.function_version.filter(number) {
        origin.version = version;
    }
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
    let size = megabytes(&report.metrics, "memorySizeMB")?;
    let used = megabytes(&report.metrics, "maxMemoryUsedMB")?;
    let (size, used) = match (size, used) {
        (Some(size), Some(used)) => (size, used),
        (None, None) => return Ok(None),
        (Some(_), None) => return Err("platform.report has no maxMemoryUsedMB".to_owned()),
        (None, Some(_)) => return Err("platform.report has no memorySizeMB".to_owned()),
    };
    let (memory_mb, max_used_mb) = figures::memory(size, used).map_err(|e| e.to_string())?;
    let duration = |name| millis(&report.metrics, name);
    let init = duration("initDurationMs")?;
    let restore = duration("restoreDurationMs")?;
    Ok(Some((
        at,
        Invocation {
            request_id: report
                .request_id
                .as_str()
                .map(|id| id.chars().take(128).collect()),
            memory_mb,
            max_used_mb,
            duration_ms: duration("durationMs")?,
            billed_ms: duration("billedDurationMs")?,
            init_ms: init.or(restore),
            status: Status::classify(
                report.status.as_str(),
                report.error_type.as_str(),
                Some((max_used_mb, memory_mb)),
            ),
        },
    )))
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

fn millis(
    metrics: &Map<String, Value>,
    name: &'static str,
) -> Result<Option<rightsizer_records::Millis>, String> {
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
