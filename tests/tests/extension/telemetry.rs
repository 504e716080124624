//! What the platform says, in every shape it may come.

use anyhow::Result;
use rightsizer_tests::emulator::{
    Environment, Faults, FunctionSpec, Options, Reason, Sink, SubscribeAnswer,
};
use serde_json::json;

use crate::stage::{distinct, ended_well, ok, peaks, start};

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
