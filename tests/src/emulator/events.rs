//! Platform events in their documented shapes (schema 2022-12-13).

use rightsizer_records::Timestamp;
use serde_json::{Value, json};

use super::scenario::{FunctionSpec, Invocation};

fn event(at: Timestamp, name: &str, record: &Value) -> Value {
    json!({"time": at.to_string(), "type": format!("platform.{name}"), "record": record})
}

/// The three events of an init that ends at `until`.
pub(super) fn init(spec: &FunctionSpec, until: Timestamp, ms: f64) -> Vec<Value> {
    let from = earlier(until, ms);
    let kind = &spec.init_type;
    let start = json!({
        "initializationType": kind, "phase": "init",
        "runtimeVersion": spec.runtime,
        "runtimeVersionArn": format!("arn:aws:lambda:{}::runtime:0", spec.region),
        "functionName": spec.name, "functionVersion": spec.version,
    });
    let done = json!({"initializationType": kind, "phase": "init", "status": "success"});
    let report = json!({
        "initializationType": kind, "phase": "init", "status": "success",
        "metrics": {"durationMs": ms},
    });
    vec![
        event(from, "initStart", &start),
        event(until, "initRuntimeDone", &done),
        event(until, "initReport", &report),
    ]
}

/// The three events of a restore that ends at `until`.
pub(super) fn restore(spec: &FunctionSpec, until: Timestamp, ms: f64) -> Vec<Value> {
    let start = json!({
        "runtimeVersion": spec.runtime,
        "functionName": spec.name, "functionVersion": spec.version,
    });
    let report = json!({"status": "success", "metrics": {"durationMs": ms}});
    vec![
        event(earlier(until, ms), "restoreStart", &start),
        event(until, "restoreRuntimeDone", &json!({"status": "success"})),
        event(until, "restoreReport", &report),
    ]
}

/// `platform.start`.
pub(super) fn start(spec: &FunctionSpec, id: &str, invocation: &Invocation) -> Value {
    let record = json!({"requestId": id, "version": spec.version, "tracing": tracing()});
    event(invocation.at, "start", &record)
}

/// `platform.runtimeDone`.
pub(super) fn runtime_done(id: &str, invocation: &Invocation) -> Value {
    let (status, error) = invocation.end.words();
    let mut record = json!({
        "requestId": id, "status": status,
        "spans": [{
            "name": "responseLatency",
            "start": invocation.at.to_string(),
            "durationMs": invocation.duration_ms,
        }],
        "metrics": {"durationMs": invocation.duration_ms, "producedBytes": 42},
        "tracing": tracing(),
    });
    add(&mut record, "errorType", error);
    event(end_of(invocation), "runtimeDone", &record)
}

/// `platform.report`, a moment after the end. As in Lambda, it lacks the error type of a process
/// that was killed.
pub(super) fn report(spec: &FunctionSpec, id: &str, invocation: &Invocation) -> Value {
    let (status, error) = invocation.end.words();
    let billed = invocation
        .billed_ms
        .unwrap_or_else(|| ceil(invocation.duration_ms));
    let mut metrics = json!({
        "durationMs": invocation.duration_ms, "billedDurationMs": billed,
        "memorySizeMB": spec.memory_mb, "maxMemoryUsedMB": invocation.used_mb,
    });
    add(&mut metrics, "initDurationMs", invocation.init_ms);
    add(&mut metrics, "restoreDurationMs", invocation.restore_ms);
    let mut record = json!({
        "requestId": id, "status": status, "metrics": metrics, "tracing": tracing(),
    });
    add(
        &mut record,
        "errorType",
        error.filter(|_| status == "error"),
    );
    event(end_of(invocation).plus_ms(1), "report", &record)
}

/// When the handler was over.
pub(super) fn end_of(invocation: &Invocation) -> Timestamp {
    let ms = i64::try_from(ceil(invocation.duration_ms)).unwrap_or(i64::MAX);
    invocation.at.plus_ms(ms)
}

fn earlier(at: Timestamp, ms: f64) -> Timestamp {
    at.plus_ms(-i64::try_from(ceil(ms)).unwrap_or(i64::MAX))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a scenario's durations are small and positive"
)]
fn ceil(ms: f64) -> u64 {
    ms.ceil() as u64
}

fn tracing() -> Value {
    json!({
        "spanId": "54565fb41ac79632",
        "type": "X-Amzn-Trace-Id",
        "value": "Root=1-62e900b2-710d76f009d6e7785905449a;Parent=0efbd19962d95b05;Sampled=0",
    })
}

fn add(record: &mut Value, field: &str, value: Option<impl Into<Value>>) {
    if let (Some(object), Some(value)) = (record.as_object_mut(), value) {
        object.insert(field.to_owned(), value.into());
    }
}
