//! Events of the Lambda Insights extension: one an invocation, with the CPU time that reports lack.

use std::rc::Rc;

use rightsizer_records::{Millis, Status};
use serde::Deserialize;

use super::figures::{self, FigureError, Invocation};
use super::hints::Place;
use super::loose::{Loose, brief};
use super::message::Spot;
use super::output::{Format, Output, Stopped};

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    function_name: Loose<'a>,
    #[serde(borrow, default)]
    version: Loose<'a>,
    #[serde(borrow)]
    used_memory_max: Loose<'a>,
    #[serde(borrow)]
    total_memory: Loose<'a>,
    #[serde(borrow, default)]
    duration: Loose<'a>,
    #[serde(borrow, default)]
    billed_duration: Loose<'a>,
    #[serde(borrow, default)]
    init_duration: Loose<'a>,
    #[serde(borrow, default)]
    cpu_total_time: Loose<'a>,
    #[serde(borrow, default)]
    shutdown_reason: Loose<'a>,
    #[serde(borrow, default, rename = "_aws")]
    metrics: Option<Metrics<'a>>,
}

#[derive(Deserialize)]
struct Metrics<'a> {
    #[serde(borrow, default, rename = "Timestamp")]
    timestamp: Loose<'a>,
}

/// Whether an object is one, by the figures in it.
pub(super) fn is_event(object: &str) -> bool {
    object.starts_with('{')
        && [
            "\"used_memory_max\"",
            "\"total_memory\"",
            "\"function_name\"",
        ]
        .iter()
        .all(|field| object.contains(field))
}

/// Reads one. It names its function itself; the log group is that of the extension.
pub(super) fn event(text: &str, spot: Spot, out: &mut Output) -> Result<(), Stopped> {
    out.format(Format::LambdaInsights);
    let event: Event = match serde_json::from_str(text) {
        Ok(event) => event,
        Err(e) => return out.refuse(spot.line, format!("bad Lambda Insights event: {e}"), text),
    };
    let Some(name) = event.function_name.text() else {
        return out.refuse(
            spot.line,
            "a Lambda Insights event without function_name",
            text,
        );
    };
    // The log group is in the function's own account and region.
    let known = spot.origin.function.place();
    let place = Place {
        account: known,
        region: known,
    };
    let mut origin = match out.hints.named(&name, place) {
        Ok(origin) => origin,
        Err(why) => return out.refuse(spot.line, why.to_string(), text),
    };
    let number = |v: &str| !v.is_empty() && v.bytes().all(|b| b.is_ascii_digit());
    if let Some(version) = event.version.text().filter(|v| number(v)) {
        origin.version = Rc::from(&*version);
    }
    origin.environment = spot.origin.environment;
    let stated = event
        .metrics
        .as_ref()
        .and_then(|metrics| metrics.timestamp.number());
    let at = spot
        .at
        .or_else(|| rightsizer_records::Timestamp::from_ms(stated?));
    let spot = Spot {
        origin: &origin,
        at,
        ..spot
    };
    match event.invocation() {
        Ok(invocation) => out.invocation(spot, invocation),
        Err(why) => out.refuse(spot.line, why.to_string(), text),
    }
}

/// A figure of an event that is not read.
#[derive(Debug, thiserror::Error)]
enum EventError {
    #[error("{name} of a Lambda Insights event is {found}, expected megabytes")]
    Megabytes { name: &'static str, found: String },
    #[error("{0} of a Lambda Insights event is not in milliseconds")]
    Millis(&'static str),
    #[error(transparent)]
    Figure(#[from] FigureError),
}

impl Event<'_> {
    fn invocation(&self) -> Result<Invocation, EventError> {
        let size = megabytes("total_memory", self.total_memory)?;
        let used = megabytes("used_memory_max", self.used_memory_max)?;
        let (memory_mb, max_used_mb) = figures::memory(size, used)?;
        let timeout = self
            .shutdown_reason
            .text()
            .is_some_and(|why| why.eq_ignore_ascii_case("timeout"));
        let status = if timeout { Some("timeout") } else { None };
        Ok(Invocation {
            duration_ms: millis("duration", self.duration)?,
            billed_ms: millis("billed_duration", self.billed_duration)?,
            init_ms: millis("init_duration", self.init_duration)?,
            cpu_ms: millis("cpu_total_time", self.cpu_total_time)?,
            ..Invocation::of(memory_mb, max_used_mb, Status::classify(status, None, None))
        })
    }
}

/// Whole megabytes; what is used may be a fraction, and counts as the next whole one.
fn megabytes(name: &'static str, value: Loose<'_>) -> Result<u64, EventError> {
    let mb = value.number::<f64>().filter(|mb| (0.0..1e9).contains(mb));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded by the filter above"
    )]
    mb.map(|mb| mb.ceil() as u64)
        .ok_or_else(|| EventError::Megabytes {
            name,
            found: brief(value.json().unwrap_or("missing")).into_owned(),
        })
}

fn millis(name: &'static str, value: Loose<'_>) -> Result<Option<Millis>, EventError> {
    if value.json().is_none() {
        return Ok(None);
    }
    let ms = value.number::<f64>().ok_or(EventError::Millis(name))?;
    Ok(Some(figures::duration(name, ms)?))
}
