//! The platform's events, in every form they may have.

use anyhow::Result;
use rightsizer_records::{InitType, Millis, Status};
use rightsizer_tests::emulator::{
    Environment, Faults, FunctionSpec, Options, Reason, Sink, SubscribeAnswer,
};
use serde_json::json;

use crate::stage::{at, distinct, ended_well, invocation_text, numbers, ok, peaks, start, sum_up};

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
async fn without_telemetry_it_idles_quietly() -> Result<()> {
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
async fn managed_instances_report_durations_and_nothing_more() -> Result<()> {
    let sink = Sink::start().await?;
    let mut spec = FunctionSpec::new("checkout", 2048);
    "lambda-managed-instances".clone_into(&mut spec.init_type);
    let options = Options::to("reports", sink.endpoint());
    let mut environment = Environment::start(spec, options).await?;
    for n in 0..3 {
        environment.emit(json!({
            "time": at(n).to_string(), "type": "platform.report",
            "record": {"requestId": format!("m{n}"), "status": "success", "metrics": {"durationMs": 5.25}},
        }));
    }
    let exit = environment.shutdown(Reason::Spindown).await?;
    sum_up("managed instances", 3, sink.reports(), &[&exit])?;
    let record = &sink.reports()[0];
    assert_eq!(record.init, Some(InitType::LambdaManagedInstances));
    assert_eq!(record.memory_mb.0, 2048); // as configured: the platform does not send it again
    for row in &record.reports {
        assert_eq!(
            (row.max_used_mb, row.billed_ms, row.init_ms),
            (None, None, None)
        );
        assert_eq!(row.duration_ms, Millis::from_ms_f64(5.25));
    }
    Ok(())
}

#[tokio::test]
async fn unknown_statuses_are_failures_only_where_they_must_be() -> Result<()> {
    let sink = Sink::start().await?;
    let mut environment = start(&sink, Faults::default()).await?;
    let metrics = json!({"durationMs": 1, "memorySizeMB": 1024, "maxMemoryUsedMB": 90});
    for (n, status) in [json!("success"), json!("partial"), json!(7), json!(null)]
        .iter()
        .enumerate()
    {
        environment.emit(json!({
            "time": at(n as i64).to_string(), "type": "platform.report",
            "record": {"requestId": format!("u{n}"), "status": status, "metrics": metrics},
        }));
    }
    let exit = environment.shutdown(Reason::Spindown).await?;
    sum_up("unknown statuses", 4, sink.reports(), &[&exit])?;
    assert_eq!(peaks(&sink.reports()), [90, 90, 90, 90]);
    assert_eq!(sink.reports()[0].reports[0].status, Status::Ok);
    assert_eq!(exit.log, "");
    Ok(())
}

#[tokio::test]
async fn a_batch_of_ten_thousand_events_is_one_batch_like_another() -> Result<()> {
    const COUNT: usize = 3334; // three events each
    let sink = Sink::start().await?;
    let mut environment = start(&sink, Faults::default()).await?;
    let events: Vec<String> = (0..COUNT).map(|n| invocation_text(n, at(0))).collect();
    let body = format!("[{}]", events.join(","));
    assert_eq!(environment.post_raw(body.as_bytes()).await?, 200);
    let exit = environment.shutdown(Reason::Spindown).await?;
    let sum = sum_up(
        "10,002 events at once",
        COUNT as u64,
        sink.reports(),
        &[&exit],
    )?;
    assert_eq!((sum.folded, sum.lost), (0, 0), "{}", exit.log);
    assert!(numbers(&distinct(sink.reports())).into_iter().eq(0..COUNT));
    Ok(())
}

/// The same events come in every later batch too, the tenth time as the first.
#[tokio::test]
async fn a_batch_of_the_agreed_size_may_come_again_and_again() -> Result<()> {
    const COUNT: usize = 333;
    let sink = Sink::start().await?;
    let mut environment = start(&sink, Faults::default()).await?;
    let events: Vec<String> = (0..COUNT).map(|n| invocation_text(n, at(0))).collect();
    let body = format!("[{}]", events.join(","));
    for _ in 0..10 {
        assert_eq!(environment.post_raw(body.as_bytes()).await?, 200);
    }
    let exit = environment.shutdown(Reason::Spindown).await?;
    sum_up(
        "999 events ten times",
        COUNT as u64,
        sink.reports(),
        &[&exit],
    )?;
    Ok(())
}

#[tokio::test]
async fn a_subscription_that_no_schema_gets_is_logged_and_idles() -> Result<()> {
    let sink = Sink::start().await?;
    let faults = Faults {
        subscribe: SubscribeAnswer::Only("2031-01-01"),
        ..Faults::default()
    };
    let mut environment = start(&sink, faults).await?;
    environment.invoke(ok(0, 90)).await?;
    let exit = environment.shutdown(Reason::Spindown).await?;
    ended_well(&exit)?;
    assert!(
        exit.log.contains("refused the subscription (400"),
        "{}",
        exit.log
    );
    assert_eq!((exit.log.lines().count(), sink.calls()), (1, 0));
    Ok(())
}

/// Each step of the clock between two events of an invocation: the invocation is one row.
#[tokio::test]
async fn a_clock_that_is_put_back_leaves_no_invocation_open() -> Result<()> {
    const STEPS_S: [i64; 6] = [-3600, -7, -1, 1, 7, 3600];
    let sink = Sink::start().await?;
    let mut environment = start(&sink, Faults::default()).await?;
    for (n, step_s) in STEPS_S.into_iter().enumerate() {
        let id = format!("stepped-{n}");
        let began = at(10 * n as i64);
        let stepped = at(10 * n as i64 + step_s);
        let metrics = json!({
            "durationMs": 5.0, "billedDurationMs": 5, "memorySizeMB": 1024, "maxMemoryUsedMB": 90 + n,
        });
        environment.emit(json!({
            "time": began.to_string(), "type": "platform.start", "record": {"requestId": id},
        }));
        environment.emit(json!({
            "time": stepped.to_string(), "type": "platform.runtimeDone",
            "record": {"requestId": id, "status": "success"},
        }));
        environment.emit(json!({
            "time": stepped.to_string(), "type": "platform.report",
            "record": {"requestId": id, "status": "success", "metrics": metrics},
        }));
    }
    environment.invoke(ok(100, 99)).await?;
    let exit = environment.shutdown(Reason::Spindown).await?;
    sum_up("steps of the clock", 7, sink.reports(), &[&exit])?;
    let mut peaks = peaks(&distinct(sink.reports()));
    peaks.sort_unstable();
    assert_eq!(peaks, [90, 91, 92, 93, 94, 95, 99]);
    Ok(())
}
