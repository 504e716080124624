//! How an environment ends: the last report, resets, and never a SIGKILL.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use anyhow::Result;
use rightsizer_records::{Millis, ReportRow, Status};
use rightsizer_tests::emulator::{
    End, Faults, Invocation, LastTelemetry, Options, Reason, ReportAtReset, Sink,
};
use serde_json::json;

use crate::stage::{at, ended_well, ok, peaks, start, start_with, sum_up};

/// The Telemetry API's buffer time, as subscribed.
const BUFFER: Duration = Duration::from_millis(25);
/// When the last report comes.
const LAST: [LastTelemetry; 5] = [
    LastTelemetry::Before,
    LastTelemetry::After(Duration::ZERO),
    LastTelemetry::After(BUFFER),
    LastTelemetry::ReportAfter(Duration::ZERO),
    LastTelemetry::ReportAfter(Duration::from_millis(300)),
];

#[tokio::test]
async fn the_last_report_is_delivered_at_shutdown() -> Result<()> {
    for last_telemetry in LAST {
        let sink = Sink::start().await?;
        let faults = Faults {
            last_telemetry,
            ..Faults::default()
        };
        let mut environment = start(&sink, faults).await?;
        let first = Invocation {
            init_ms: Some(549.04),
            ..ok(0, 93)
        };
        environment.invoke(first).await?;
        environment.invoke(ok(10, 94)).await?;
        let exit = environment.shutdown(Reason::Spindown).await?;
        ended_well(&exit)?;
        let records = sink.reports();
        assert_eq!(
            (peaks(&records), records[0].total),
            (vec![93, 94], 2),
            "{}",
            exit.log
        );
        let record = &records[0];
        let arn = "arn:aws:lambda:eu-central-1:123456789012:function:checkout";
        assert_eq!(record.function.as_str(), arn);
        assert_eq!(
            (record.memory_mb.0, record.version.as_str()),
            (1024, "$LATEST")
        );
        assert_eq!(record.runtime.as_deref(), Some("nodejs:20.v22"));
        assert_eq!(record.t0, at(0).plus_ms(41));
        assert_eq!(record.reports[0].init_ms, Millis::from_ms_f64(549.04));
        assert!(record.self_kib.is_some_and(|kib| kib > 0) && record.cores.is_some());
        assert_eq!((exit.log.as_str(), sink.faults()), ("", Vec::new()));
    }
    Ok(())
}

#[tokio::test]
async fn the_report_of_a_very_short_invocation_is_not_lost() -> Result<()> {
    for last_telemetry in LAST {
        let sink = Sink::start().await?;
        let faults = Faults {
            last_telemetry,
            ..Faults::default()
        };
        let mut environment = start(&sink, faults).await?;
        environment.invoke(Invocation::ok(at(0), 90, 1.5)).await?; // nothing is delivered in it
        ended_well(&environment.shutdown(Reason::Spindown).await?)?;
        assert_eq!(peaks(&sink.reports()), [90]);
    }
    Ok(())
}

#[tokio::test]
async fn an_out_of_memory_is_reported_and_the_environment_starts_again() -> Result<()> {
    let sink = Sink::start().await?;
    let mut environment = start(&sink, Faults::default()).await?;
    environment.invoke(ok(0, 900)).await?;
    environment
        .invoke(ok(1, 1024).ending(End::OutOfMemory))
        .await?;
    ended_well(&environment.resets()[0])?;
    let sent = sink.reports();
    let statuses: Vec<_> = sent
        .iter()
        .flat_map(|r| &r.reports)
        .map(|row| row.status)
        .collect();
    assert_eq!(statuses, [Status::Ok, Status::OutOfMemory]);
    assert_eq!(sent[0].errors, [(1, "Runtime.OutOfMemory".to_owned())]);
    environment.invoke(ok(5, 500)).await?;
    ended_well(&environment.shutdown(Reason::Spindown).await?)?;
    let records = sink.reports();
    assert_eq!(peaks(&records), [900, 500]);
    assert_ne!(records[0].env, records[1].env);
    assert_eq!((records[1].seq, records[1].total), (0, 1));
    Ok(())
}

#[tokio::test]
async fn after_a_failure_only_the_ending_is_awaited() -> Result<()> {
    let sink = Sink::start().await?;
    let faults = Faults {
        last_telemetry: LastTelemetry::After(BUFFER),
        report_at_reset: ReportAtReset::NextLife,
        ..Faults::default()
    };
    let mut environment = start(&sink, faults).await?;
    environment
        .invoke(ok(0, 1024).ending(End::OutOfMemory))
        .await?;
    let exit = &environment.resets()[0];
    ended_well(exit)?;
    assert!(
        exit.took < Duration::from_secs(1),
        "a caller waits for this: {exit:?}"
    );
    let sent = sink.reports();
    assert_eq!(sent[0].reports[0].status, Status::OutOfMemory);
    assert_eq!(sent[0].reports[0].max_used_mb, None);
    // Its report comes in the next life, which knows nothing of the row: the peak is not lost.
    environment.invoke(ok(5, 500)).await?;
    ended_well(&environment.shutdown(Reason::Spindown).await?)?;
    assert_eq!(peaks(&sink.reports()), [1024, 500]);
    Ok(())
}

#[tokio::test]
async fn a_crash_short_of_memory_and_a_timeout_are_distinguished() -> Result<()> {
    let sink = Sink::start().await?;
    let mut environment = start(&sink, Faults::default()).await?;
    environment.invoke(ok(0, 90).ending(End::Timeout)).await?;
    environment
        .invoke(ok(9, 91).ending(End::Crash("Runtime.ExitError".to_owned())))
        .await?;
    environment
        .invoke(ok(19, 92).ending(End::Error("TypeError".to_owned())))
        .await?;
    for exit in environment.resets() {
        ended_well(exit)?;
    }
    assert_eq!(environment.resets().len(), 2);
    ended_well(&environment.shutdown(Reason::Spindown).await?)?;
    let records = sink.reports();
    let statuses: Vec<_> = records
        .iter()
        .flat_map(|r| &r.reports)
        .map(|row| row.status)
        .collect();
    assert_eq!(statuses, [Status::Timeout, Status::Error, Status::Error]);
    Ok(())
}

/// The emulator's own promise, on which `ended_well` rests: a process that does not end is killed
/// and reported.
#[tokio::test]
async fn what_ignores_shutdown_is_killed_after_two_seconds() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let binary = folder.path().join("sleeper");
    std::fs::write(&binary, SLEEPER)?;
    std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755))?;
    let options = Options {
        binary: Some(binary),
        ..Options::default()
    };
    let mut environment = start_with(options).await?;
    environment.invoke(ok(0, 90)).await?;
    let exit = environment.shutdown(Reason::Spindown).await?;
    assert_eq!((exit.killed, exit.code), (true, None));
    assert!(exit.took >= Duration::from_secs(2), "{exit:?}");
    Ok(())
}

/// An extension that registers, and then does nothing more. Python is needed by the tests anyway.
const SLEEPER: &str = r#"#!/usr/bin/env python3
import json, os, time, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2020-01-01/extension/"
headers = {"Lambda-Extension-Name": "sleeper", "Content-Type": "application/json"}
body = json.dumps({"events": ["SHUTDOWN"]}).encode()
answer = urllib.request.urlopen(urllib.request.Request(api + "register", body, headers))
headers = {"Lambda-Extension-Identifier": answer.headers["Lambda-Extension-Identifier"]}
urllib.request.urlopen(urllib.request.Request(api + "event/next", None, headers)).read()
time.sleep(60)
"#;

/// How a reset invocation may end, and when its report may come.
#[tokio::test]
async fn after_every_reset_each_invocation_is_counted_once() -> Result<()> {
    let crash = || End::Crash("Runtime.ExitError".to_owned());
    for end in [End::OutOfMemory, End::Timeout, crash()] {
        for last_telemetry in LAST {
            for report_at_reset in [ReportAtReset::Never, ReportAtReset::InTime] {
                let sink = Sink::start().await?;
                let faults = Faults {
                    last_telemetry,
                    report_at_reset,
                    ..Faults::default()
                };
                let mut environment = start(&sink, faults).await?;
                environment.invoke(ok(0, 500)).await?;
                environment.invoke(ok(1, 1024).ending(end.clone())).await?;
                environment.invoke(ok(5, 600)).await?;
                let reset = environment.resets()[0].clone();
                let exit = environment.shutdown(Reason::Spindown).await?;
                let name =
                    format!("{end:?}, telemetry {last_telemetry:?}, report {report_at_reset:?}");
                let emitted = if reported_too_late(last_telemetry) {
                    2
                } else {
                    3
                };
                let sum = sum_up(&name, emitted, sink.reports(), &[&reset, &exit])?;
                assert_eq!(sum.lost, 0);
                // If the ending is not known, 100 ms are allowed for the event that has it.
                assert!(
                    reset.took < Duration::from_millis(420),
                    "a caller waits: {reset:?}"
                );
                let records = sink.reports();
                let failed = records.iter().flat_map(|r| &r.reports);
                let failed: Vec<_> = failed.filter(|row| row.status.is_failure()).collect();
                assert_eq!(failed.len(), emitted as usize - 2, "{records:?}");
            }
        }
    }
    Ok(())
}

/// All of an invocation's telemetry coming later than a caller can be made to wait for it: nothing is
/// known of it, not even that it was.
const fn reported_too_late(last: LastTelemetry) -> bool {
    matches!(last, LastTelemetry::After(wait) if wait.as_millis() >= 100)
}

/// The next life cannot know that the life before it has sent a row of this invocation: so it sends
/// the report as it is. The peak is not lost; the invocation counts twice, once without a peak. (Were
/// the report kept back, an extension that the kernel killed with the runtime would leave nothing.)
#[tokio::test]
async fn a_report_that_comes_in_the_next_life_counts_again_and_its_peak_is_not_lost() -> Result<()>
{
    for end in [End::OutOfMemory, End::Timeout] {
        let sink = Sink::start().await?;
        let faults = Faults {
            report_at_reset: ReportAtReset::NextLife,
            ..Faults::default()
        };
        let mut environment = start(&sink, faults).await?;
        environment.invoke(ok(0, 1020).ending(end.clone())).await?;
        environment.invoke(ok(5, 600)).await?;
        let reset = environment.resets()[0].clone();
        let exit = environment.shutdown(Reason::Spindown).await?;
        let name = format!("{end:?}, report in the next life: 2 invocations + 1 twice");
        sum_up(&name, 3, sink.reports(), &[&reset, &exit])?;
        assert_eq!(peaks(&sink.reports()), [1020, 600]);
    }
    Ok(())
}

/// A report's memory size, what was used of it, its status and error type; and the row's status.
type Sign = (u32, u32, &'static str, Option<&'static str>, Status);
const SIGNS: [Sign; 6] = [
    (
        1024,
        1024,
        "error",
        Some("Runtime.OutOfMemory"),
        Status::OutOfMemory,
    ),
    (
        1024,
        1023,
        "failure",
        Some("Runtime.ExitError"),
        Status::OutOfMemory,
    ),
    (
        1024,
        300,
        "failure",
        Some("Runtime.ExitError"),
        Status::Error,
    ),
    (256, 253, "timeout", None, Status::Timeout),
    (128, 129, "success", None, Status::Ok),
    (128, 128, "success", None, Status::Ok),
];

/// The signs of an out-of-memory, each with both numbers, so that the reader of the record can
/// judge what status alone does not show: a timeout or a success at the limit. Every report comes
/// twice.
#[tokio::test]
async fn every_sign_of_an_out_of_memory_is_in_the_record_once() -> Result<()> {
    let sink = Sink::start().await?;
    let faults = Faults {
        deliver_twice: true,
        ..Faults::default()
    };
    let mut environment = start(&sink, faults).await?;
    for (n, (size, used, status, error, _)) in SIGNS.iter().enumerate() {
        let mut record = json!({
            "requestId": format!("o{n}"), "status": status,
            "metrics": {"durationMs": 9, "memorySizeMB": size, "maxMemoryUsedMB": used},
        });
        if let Some(error) = error {
            record["errorType"] = json!(error);
        }
        environment.emit(json!({
            "time": at(n as i64).to_string(), "type": "platform.report", "record": record,
        }));
    }
    let exit = environment.shutdown(Reason::Spindown).await?;
    sum_up(
        "signs of an out-of-memory",
        SIGNS.len() as u64,
        sink.reports(),
        &[&exit],
    )?;
    let records = sink.reports();
    let rows = records.iter().flat_map(|record| {
        let sized = |row: &ReportRow| {
            (
                record.memory_mb.0,
                row.max_used_mb.map(|mb| mb.0),
                row.status,
            )
        };
        record.reports.iter().map(sized)
    });
    let wanted = SIGNS.map(|(size, used, _, _, status)| (size, Some(used), status));
    assert!(rows.eq(wanted), "{records:?}");
    Ok(())
}
