//! What an invocation's log and response show: how it ended, and the figures of its report. Pure; the readers of
//! `rightsizer-formats` read the report, as text or as JSON.

use std::convert::Infallible;
use std::sync::Arc;

use rightsizer_formats::{Hints, read};
use rightsizer_records::{FunctionArn, Megabytes, Millis, Status, Timestamp};
use rightsizer_rules::evidence::{Evidence, FunctionKey, Item, Observation};
use serde_json::Value;

use super::invoke::Invocation;

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It returned.
    Done,
    /// It ran out of memory.
    OutOfMemory,
    /// It ran into its timeout.
    TimedOut,
    /// It failed.
    Failed {
        /// The type of its error.
        error: String,
        /// The error's message, cut.
        message: String,
    },
}

/// An invocation, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// How it ended.
    pub ending: Ending,
    /// Duration of the handler.
    pub duration: Option<Millis>,
    /// Billed duration.
    pub billed: Option<Millis>,
    /// Duration of the start of its environment.
    pub init: Option<Millis>,
    /// Duration of the restore of its environment from a snapshot.
    pub restore: Option<Millis>,
    /// High-water mark of the environment's memory.
    pub max_used_mb: Option<Megabytes>,
    /// The size that the report names.
    pub memory_mb: Option<Megabytes>,
}

/// How a report begins, as text and as JSON.
const TEXT: &str = "REPORT RequestId:";
const JSON: &str = "platform.report";
/// The most characters of an error's message.
const MESSAGE_CHARS: usize = 200;

/// Reads an invocation of `function`, at `now`.
pub fn reported(invocation: &Invocation, function: &FunctionArn, now: Timestamp) -> Reported {
    let found = report(&invocation.log).and_then(|text| observation(text, function, now));
    let status = found.as_ref().map_or(Status::Ok, |found| found.status);
    Reported {
        ending: ending(invocation, status),
        duration: found.as_ref().and_then(|found| found.duration_ms),
        billed: found.as_ref().and_then(|found| found.billed_ms),
        init: found.as_ref().and_then(|found| found.init_ms),
        restore: found.as_ref().and_then(|found| found.restore_ms),
        max_used_mb: found.as_ref().and_then(|found| found.max_used_mb),
        memory_mb: found.as_ref().map(|found| found.memory_mb),
    }
}

/// Returns the part of a log that is the report: from its last beginning on as text, or one line as JSON.
fn report(log: &str) -> Option<&str> {
    let text = log.rfind(TEXT).map(|at| &log[at..]);
    text.or_else(|| {
        let mut lines = log.lines().rev();
        lines.find(|line| line.trim_start().starts_with('{') && line.contains(JSON))
    })
}

fn observation(text: &str, function: &FunctionArn, now: Timestamp) -> Option<Observation> {
    let hints = Hints {
        function: Some(FunctionKey::Arn(function.clone())),
        date: Some(now.day()),
        fallback_date: now.day(),
        file_name: function.name().to_owned(),
        home: None,
        owners: Arc::default(),
    };
    let mut found = None;
    let read = read::<Infallible>(text.as_bytes(), &hints, &mut |item| {
        if let Item::Evidence {
            evidence: Evidence::Observation(observation),
            ..
        } = item
        {
            found = Some(observation);
        }
        Ok(())
    });
    // Bytes in memory can be read to their end, and the sink cannot fail.
    read.ok().and(found)
}

/// A report has a status only lately, so the response counts too.
fn ending(invocation: &Invocation, status: Status) -> Ending {
    let error: Value = serde_json::from_slice(&invocation.payload).unwrap_or_default();
    let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    let (kind, message) = (text("errorType"), text("errorMessage"));
    let killed = message.contains("signal: killed") || kind == "Runtime.OutOfMemory";
    let late = kind == "Sandbox.Timedout" || message.contains("Task timed out after");
    match status {
        Status::OutOfMemory => Ending::OutOfMemory,
        Status::Timeout => Ending::TimedOut,
        _ if !invocation.failed => Ending::Done,
        _ if killed => Ending::OutOfMemory,
        _ if late => Ending::TimedOut,
        _ => Ending::Failed {
            error: if kind.is_empty() { "Error" } else { kind }.to_owned(),
            message: message.chars().take(MESSAGE_CHARS).collect(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(log: &str, failed: bool, payload: &str) -> Reported {
        let function = "arn:aws:lambda:eu-central-1:123456789012:function:checkout";
        let function = FunctionArn::parse(function).unwrap();
        let invocation = Invocation {
            payload: payload.as_bytes().to_vec(),
            failed,
            log: log.to_owned(),
        };
        reported(
            &invocation,
            &function,
            Timestamp::from_ms(1_800_000_000_000).unwrap(),
        )
    }

    #[test]
    fn a_report_is_read_as_text() {
        let log = "d line\nSTART RequestId: a Version: 3\nhello\nEND RequestId: a\nREPORT RequestId: a\tDuration: 12.34 ms\t\
                   Billed Duration: 113 ms\tMemory Size: 512 MB\tMax Memory Used: 80 MB\tInit Duration: 100.50 ms\t\n";
        let found = read(log, false, "null");
        assert_eq!(found.ending, Ending::Done);
        assert_eq!(found.duration, Millis::from_ms_f64(12.34));
        assert_eq!(found.billed, Some(Millis::from_ms(113)));
        assert_eq!(found.init, Millis::from_ms_f64(100.5));
        assert_eq!(
            (found.max_used_mb, found.memory_mb),
            (Some(Megabytes(80)), Some(Megabytes(512)))
        );
    }

    #[test]
    fn a_restore_is_no_init() {
        let log = "REPORT RequestId: a\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 512 MB\t\
                   Max Memory Used: 80 MB\tRestore Duration: 90.50 ms\tBilled Restore Duration: 41 ms\t\n";
        let found = read(log, false, "null");
        assert_eq!(
            (found.init, found.restore),
            (None, Millis::from_ms_f64(90.5))
        );
    }

    #[test]
    fn a_report_is_read_as_json() {
        let log = "{\"time\":\"2026-11-29T10:00:00.000Z\",\"type\":\"platform.start\",\"record\":{\"requestId\":\"a\"}}\n\
                   {\"time\":\"2026-11-29T10:00:00.013Z\",\"type\":\"platform.report\",\"record\":{\"requestId\":\"a\",\
                   \"metrics\":{\"durationMs\":12.34,\"billedDurationMs\":13,\"memorySizeMB\":512,\"maxMemoryUsedMB\":80},\
                   \"status\":\"success\"}}\n";
        let found = read(log, false, "{}");
        assert_eq!(found.duration, Millis::from_ms_f64(12.34));
        assert_eq!((found.init, found.max_used_mb), (None, Some(Megabytes(80))));
    }

    #[test]
    fn a_size_that_is_too_small_is_a_finding_and_no_failure() {
        let report = |more: &str| {
            format!(
                "REPORT RequestId: a\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\t\
                 Max Memory Used: 128 MB{more}\n"
            )
        };
        for (more, payload, wanted) in [
            (
                "",
                r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: a Error: Runtime exited with error: signal: killed"}"#,
                Ending::OutOfMemory,
            ),
            (
                "\tStatus: error\tError Type: Runtime.OutOfMemory",
                "{}",
                Ending::OutOfMemory,
            ),
            (
                "",
                r#"{"errorMessage":"2026-11-29T10:00:00.000Z a Task timed out after 3.00 seconds"}"#,
                Ending::TimedOut,
            ),
            ("\tStatus: timeout", "{}", Ending::TimedOut),
            (
                "",
                r#"{"errorType":"KeyError","errorMessage":"'id'"}"#,
                Ending::Failed {
                    error: "KeyError".to_owned(),
                    message: "'id'".to_owned(),
                },
            ),
        ] {
            assert_eq!(
                read(&report(more), true, payload).ending,
                wanted,
                "{payload} {more}"
            );
        }
    }

    #[test]
    fn a_log_without_a_report_has_no_figures() {
        let found = read("no report\n", false, "null");
        assert_eq!((found.duration, found.memory_mb), (None, None));
    }
}
