//! The extension as it is published, in emulated environments: what arrives on the stream, and that
//! the function never notices.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use anyhow::{Result, ensure};
use rightsizer_records::{InitType, Millis, Record, Reports, Status, Timestamp};
use rightsizer_tests::emulator::{
    End, Environment, Exit, Faults, FunctionSpec, Invocation, Options, Reason, Sink, SinkMode,
    SubscribeAnswer,
};
use rightsizer_tests::servers::KinesisLocal;
use serde_json::json;

fn at(seconds: i64) -> Timestamp {
    Timestamp::parse("2026-01-31T10:00:00Z")
        .unwrap_or(Timestamp::MIN)
        .plus_ms(seconds * 1000)
}

fn ok(seconds: i64, used_mb: u32) -> Invocation {
    Invocation::ok(at(seconds), used_mb, 40.0)
}

async fn start(sink: &Sink, faults: Faults) -> Result<Environment> {
    let options = Options {
        faults,
        ..Options::to("reports", sink.endpoint())
    };
    Environment::start(FunctionSpec::new("checkout", 1024), options).await
}

/// The environment ended as Lambda wants it: by itself, with 0, inside its two seconds.
fn ended_well(exit: &Exit) -> Result<()> {
    ensure!(exit.code == Some(0) && !exit.killed, "{exit:?}");
    ensure!(exit.took < Duration::from_secs(2), "{exit:?}");
    Ok(())
}

fn peaks(records: &[Reports]) -> Vec<u32> {
    let rows = records.iter().flat_map(|r| &r.reports);
    rows.filter_map(|row| row.max_used_mb)
        .map(|mb| mb.0)
        .collect()
}

/// What an aggregator makes of repetitions: one record per `env` and `seq`.
fn distinct(records: Vec<Reports>) -> Vec<Reports> {
    let mut distinct: Vec<Reports> = Vec::new();
    for record in records {
        if !distinct
            .iter()
            .any(|d| (d.env, d.seq) == (record.env, record.seq))
        {
            distinct.push(record);
        }
    }
    distinct
}

#[tokio::test]
async fn the_last_report_is_delivered_at_shutdown() -> Result<()> {
    for late in [false, true] {
        let sink = Sink::start().await?;
        let faults = Faults {
            telemetry_after_shutdown: late,
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
    for late in [false, true] {
        let sink = Sink::start().await?;
        let faults = Faults {
            telemetry_after_shutdown: late,
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
async fn a_restored_environment_says_so() -> Result<()> {
    let sink = Sink::start().await?;
    let mut spec = FunctionSpec::new("checkout", 1024);
    "snap-start".clone_into(&mut spec.init_type);
    let options = Options::to("reports", sink.endpoint());
    let mut environment = Environment::start(spec, options).await?;
    let first = Invocation {
        restore_ms: Some(220.5),
        ..ok(0, 90)
    };
    environment.invoke(first).await?;
    ended_well(&environment.shutdown(Reason::Spindown).await?)?;
    let record = &sink.reports()[0];
    assert_eq!(record.init, Some(InitType::SnapStart));
    assert_eq!(record.reports[0].init_ms, Millis::from_ms_f64(220.5));
    Ok(())
}

#[tokio::test]
async fn a_redelivered_batch_adds_nothing() -> Result<()> {
    let sink = Sink::start().await?;
    let faults = Faults {
        deliver_twice: true,
        ..Faults::default()
    };
    let mut environment = start(&sink, faults).await?;
    for n in 0..5 {
        environment
            .invoke(ok(n * 5, 90 + u32::try_from(n)?))
            .await?;
    }
    environment.redeliver().await?;
    ended_well(&environment.shutdown(Reason::Spindown).await?)?;
    let records = distinct(sink.reports());
    assert_eq!(peaks(&records), [90, 91, 92, 93, 94]);
    assert_eq!(records.last().map(|r| r.total), Some(5));
    Ok(())
}

#[tokio::test]
async fn frozen_between_invocations_each_report_arrives_once() -> Result<()> {
    let sink = Sink::start().await?;
    let mut environment = start(&sink, Faults::default()).await?;
    // An invocation an hour for two days: each thaw finds the report before it an hour old, and the
    // freeze comes at once, mostly in the middle of the send.
    for n in 0..48 {
        environment
            .invoke(ok(n * 3600, 100 + u32::try_from(n)?))
            .await?;
    }
    ended_well(&environment.shutdown(Reason::Spindown).await?)?;
    let records = distinct(sink.reports());
    assert_eq!(peaks(&records), (100..148).collect::<Vec<_>>());
    assert!(
        records.iter().zip(0..).all(|(r, seq)| r.seq == seq),
        "a gap in seq"
    );
    assert_eq!(records.last().map(|r| r.total), Some(48));
    let last = records
        .last()
        .and_then(|r| Some(r.t0.plus_ms(r.reports.last()?.at_ms)));
    assert_eq!(last, Some(at(47 * 3600).plus_ms(41)));
    Ok(())
}

#[tokio::test]
async fn a_minute_of_event_time_is_a_flush() -> Result<()> {
    let sink = Sink::start().await?;
    let mut environment = start(&sink, Faults::default()).await?;
    environment.invoke(ok(0, 90)).await?;
    environment.invoke(ok(61, 91)).await?;
    let arrived = async {
        while sink.reports().is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let arrived = tokio::time::timeout(Duration::from_secs(10), environment.linger(arrived));
    arrived.await??;
    assert_eq!(peaks(&sink.reports()), [90]);
    ended_well(&environment.shutdown(Reason::Spindown).await?)?;
    assert_eq!(peaks(&distinct(sink.reports())), [90, 91]);
    Ok(())
}

#[tokio::test]
async fn an_out_of_memory_is_told_and_the_environment_starts_again() -> Result<()> {
    let sink = Sink::start().await?;
    let mut environment = start(&sink, Faults::default()).await?;
    environment.invoke(ok(0, 900)).await?;
    environment
        .invoke(ok(1, 1024).ending(End::OutOfMemory))
        .await?;
    ended_well(&environment.resets()[0])?;
    let told = sink.reports();
    let statuses: Vec<_> = told
        .iter()
        .flat_map(|r| &r.reports)
        .map(|row| row.status)
        .collect();
    assert_eq!(statuses, [Status::Ok, Status::OutOfMemory]);
    assert_eq!(told[0].errors, [(1, "Runtime.OutOfMemory".to_owned())]);
    environment.invoke(ok(5, 500)).await?;
    ended_well(&environment.shutdown(Reason::Spindown).await?)?;
    let records = sink.reports();
    assert_eq!(peaks(&records), [900, 500]);
    assert_ne!(records[0].env, records[1].env);
    assert_eq!((records[1].seq, records[1].total), (0, 1));
    Ok(())
}

#[tokio::test]
async fn at_a_failure_how_it_ended_is_awaited_and_no_more() -> Result<()> {
    let sink = Sink::start().await?;
    let faults = Faults {
        telemetry_after_shutdown: true,
        report_after_reset: true,
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
    let told = sink.reports();
    assert_eq!(told[0].reports[0].status, Status::OutOfMemory);
    assert_eq!(told[0].reports[0].max_used_mb, None);
    // Its report comes in the next life, which knows nothing of the row: the peak is not lost.
    environment.invoke(ok(5, 500)).await?;
    ended_well(&environment.shutdown(Reason::Spindown).await?)?;
    assert_eq!(peaks(&sink.reports()), [1024, 500]);
    Ok(())
}

#[tokio::test]
async fn a_crash_short_of_memory_and_a_timeout_are_told_apart() -> Result<()> {
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

#[tokio::test]
async fn unknown_events_and_garbage_do_not_cost_the_batch() -> Result<()> {
    let sink = Sink::start().await?;
    let mut environment = start(&sink, Faults::default()).await?;
    environment
        .emit(json!({"time": "2026-01-31T10:00:00Z", "type": "platform.brandNew", "record": [1]}));
    environment.emit(json!({"time": 7, "type": "platform.report", "record": "x"}));
    environment.emit(json!(null));
    environment.invoke(ok(0, 90)).await?;
    for garbage in [
        &b"\xff\x00"[..],
        b"",
        b"[{\"time\":",
        b"{}",
        &b"[".repeat(200_000),
    ] {
        assert_eq!(environment.post_raw(garbage).await?, 200);
    }
    assert_eq!(
        environment
            .post_raw(&vec![b'x'; 3_000_000])
            .await
            .unwrap_or(200),
        200
    );
    environment.emit(json!({
        "time": "2026-01-31T10:00:01Z", "type": "platform.logsDropped",
        "record": {"droppedBytes": 12345, "droppedRecords": 123, "reason": "slow consumer"},
    }));
    environment.invoke(ok(2, 91)).await?;
    let exit = environment.shutdown(Reason::Spindown).await?;
    ended_well(&exit)?;
    let records = sink.reports();
    assert_eq!(peaks(&records), [90, 91]);
    assert_eq!(records[0].events_dropped, 123);
    assert_eq!(
        exit.log.lines().count(),
        2,
        "one warning a kind: {}",
        exit.log
    );
    Ok(())
}

#[tokio::test]
async fn with_no_stream_it_warns_once_and_idles() -> Result<()> {
    let spec = FunctionSpec::new("checkout", 1024);
    let mut environment = Environment::start(spec, Options::default()).await?;
    environment.invoke(ok(0, 90)).await?;
    environment.invoke(ok(1, 90)).await?;
    assert_eq!(environment.schema(), None);
    let exit = environment.shutdown(Reason::Spindown).await?;
    ended_well(&exit)?;
    assert_eq!(exit.log.lines().count(), 1);
    assert!(
        exit.log.contains("RIGHTSIZER_STREAM is not set"),
        "{}",
        exit.log
    );
    Ok(())
}

#[tokio::test]
async fn where_there_is_no_telemetry_it_idles_quietly() -> Result<()> {
    for subscribe in [SubscribeAnswer::NotSupported, SubscribeAnswer::Closed] {
        let sink = Sink::start().await?;
        let faults = Faults {
            subscribe,
            ..Faults::default()
        };
        let mut environment = start(&sink, faults).await?;
        environment.invoke(ok(0, 90)).await?;
        let exit = environment.shutdown(Reason::Spindown).await?;
        ended_well(&exit)?;
        assert_eq!((exit.log.as_str(), sink.calls()), ("", 0));
    }
    Ok(())
}

#[tokio::test]
async fn the_schema_follows_the_platform() -> Result<()> {
    let sink = Sink::start().await?;
    for (init_type, subscribe, schema) in [
        ("on-demand", SubscribeAnswer::Accept, "2022-12-13"),
        (
            "lambda-managed-instances",
            SubscribeAnswer::Accept,
            "2025-01-29",
        ),
        (
            "on-demand",
            SubscribeAnswer::Only("2025-01-29"),
            "2025-01-29",
        ),
        (
            "on-demand",
            SubscribeAnswer::Only("2022-07-01"),
            "2022-07-01",
        ),
    ] {
        let mut spec = FunctionSpec::new("checkout", 1024);
        init_type.clone_into(&mut spec.init_type);
        let faults = Faults {
            subscribe,
            ..Faults::default()
        };
        let options = Options {
            faults,
            ..Options::to("reports", sink.endpoint())
        };
        let environment = Environment::start(spec, options).await?;
        assert_eq!(environment.schema().as_deref(), Some(schema));
        ended_well(&environment.shutdown(Reason::Spindown).await?)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_stream_that_fails_costs_one_warning_and_no_report() -> Result<()> {
    let sink = Sink::start().await?;
    let mut environment = start(&sink, Faults::default()).await?;
    for (n, mode) in [SinkMode::Fail, SinkMode::TakeAndFail, SinkMode::Fail]
        .into_iter()
        .enumerate()
    {
        sink.set_mode(mode);
        for m in 0..40 {
            let n = i64::try_from(n)? * 40 + m;
            environment
                .invoke(ok(n * 600, 100 + u32::try_from(n)?))
                .await?;
        }
    }
    sink.set_mode(SinkMode::Take);
    let exit = environment.shutdown(Reason::Spindown).await?;
    ended_well(&exit)?;
    let records = distinct(sink.reports());
    assert_eq!(peaks(&records), (100..220).collect::<Vec<_>>());
    assert_eq!(records.last().map(|r| r.total), Some(120));
    assert!(exit.log.lines().count() <= 2, "{}", exit.log);
    Ok(())
}

#[tokio::test]
async fn records_refused_one_by_one_come_again_with_their_seq() -> Result<()> {
    let sink = Sink::start().await?;
    let mut environment = start(&sink, Faults::default()).await?;
    sink.set_mode(SinkMode::TakeFirst);
    // Rows of one record lie at most ten days apart, so these make three.
    for (n, day) in [0, 12, 24].into_iter().enumerate() {
        environment
            .invoke(ok(day * 86_400, 90 + u32::try_from(n)?))
            .await?;
    }
    ended_well(&environment.shutdown(Reason::Spindown).await?)?;
    let mut records = distinct(sink.reports());
    records.sort_by_key(|r| r.seq);
    assert_eq!(peaks(&records), [90, 91, 92]);
    assert_eq!(records.iter().map(|r| r.seq).collect::<Vec<_>>(), [0, 1, 2]);
    Ok(())
}

#[tokio::test]
async fn a_stream_that_is_down_or_hangs_never_costs_the_exit() -> Result<()> {
    let sink = Sink::start().await?;
    sink.set_mode(SinkMode::Hang);
    // The last one does not speak TLS: the handshake fails, and nothing panics.
    let no_tls = sink.endpoint().replace("http://", "https://");
    for (endpoint, why) in [
        (sink.endpoint(), "20 are lost"),
        ("http://127.0.0.1:9", "unreachable"),
        (&no_tls, "unreachable"),
    ] {
        let options = Options::to("reports", endpoint);
        let mut environment =
            Environment::start(FunctionSpec::new("checkout", 1024), options).await?;
        for n in 0..20 {
            environment.invoke(ok(n * 100, 90)).await?;
        }
        let exit = environment.shutdown(Reason::Spindown).await?;
        ended_well(&exit)?;
        assert!(exit.log.contains(why), "{}", exit.log);
        assert!(exit.log.contains("20 are lost"), "{}", exit.log);
        assert!(!exit.log.contains("panicked"), "{}", exit.log);
    }
    Ok(())
}

#[tokio::test]
async fn a_token_in_the_endpoints_path_is_kept() -> Result<()> {
    let sink = Sink::start().await?;
    let options = Options::to("reports", &format!("{}/t0ken", sink.endpoint()));
    let mut environment = Environment::start(FunctionSpec::new("checkout", 512), options).await?;
    environment.invoke(ok(0, 90)).await?;
    ended_well(&environment.shutdown(Reason::Spindown).await?)?;
    let paths = sink.paths();
    assert_eq!(paths[0].trim_end_matches('/'), "/t0ken");
    Ok(())
}

#[tokio::test]
async fn outside_lambda_it_says_so() -> Result<()> {
    let binary = rightsizer_tests::emulator::extension_binary()?;
    let run = std::process::Command::new(binary).env_clear().output()?;
    assert_eq!(run.status.code(), Some(2));
    assert!(String::from_utf8(run.stderr)?.contains("AWS_LAMBDA_RUNTIME_API is not set"));
    Ok(())
}

#[tokio::test]
async fn reports_reach_a_kinesis_stream() -> Result<()> {
    let kinesis = KinesisLocal::start().await?;
    kinesis.create_stream("reports", 2).await?;
    for stream in ["reports".to_owned(), kinesis.stream_arn("reports")] {
        let options = Options::to(&stream, kinesis.endpoint());
        let mut environment =
            Environment::start(FunctionSpec::new("checkout", 1024), options).await?;
        environment.invoke(ok(0, 90)).await?;
        environment.invoke(ok(3600, 91)).await?;
        ended_well(&environment.shutdown(Reason::Spindown).await?)?;
    }
    let mut records = Vec::new();
    for record in kinesis.records("reports").await? {
        if let Record::Reports(reports) = record.decoded()? {
            records.push(reports);
        }
    }
    let mut peaks = peaks(&distinct(records));
    peaks.sort_unstable();
    assert_eq!(peaks, [90, 90, 91, 91]);
    let options = Options::to("no-such-stream", kinesis.endpoint());
    let mut environment = Environment::start(FunctionSpec::new("checkout", 1024), options).await?;
    environment.invoke(ok(0, 90)).await?;
    let exit = environment.shutdown(Reason::Spindown).await?;
    ended_well(&exit)?;
    assert!(
        exit.log.contains("no-such-stream is missing"),
        "{}",
        exit.log
    );
    Ok(())
}

/// The emulator's own promise, on which `ended_well` rests: what does not end is killed, and said so.
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
    let mut environment = Environment::start(FunctionSpec::new("checkout", 1024), options).await?;
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
