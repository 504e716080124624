//! Under AWS's own runtime interface emulator: its Extensions API, its telemetry, its shutdown.

use std::time::Duration;

use anyhow::{Context as _, Result};
use rightsizer_records::{InitType, Status};
use rightsizer_tests::emulator::{Sink, extension_binary};
use rightsizer_tests::scene::or_not_played;
use rightsizer_tests::servers::Rie;

use crate::stage::{SOON, distinct};

fn variables<'a>(sink: &'a Sink, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let lambda = [
        ("AWS_LAMBDA_FUNCTION_NAME", "checkout"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("RIGHTSIZER_STREAM", "reports"),
        ("RIGHTSIZER_ENDPOINT", sink.endpoint()),
        ("RIGHTSIZER_LOG", "debug"),
    ];
    lambda.into_iter().chain(more.iter().copied()).collect()
}

#[tokio::test]
async fn aws_own_emulator_has_no_telemetry_and_the_function_answers_normally() -> Result<()> {
    let sink = Sink::start().await?;
    let rie = Rie::start(&extension_binary()?, &variables(&sink, &[])).await;
    let Some(rie) = or_not_played(rie)? else {
        return Ok(());
    };
    for n in 0..3 {
        let answer = rie.invoke(&format!("{{\"n\":{n}}}")).await?;
        assert_eq!(
            answer,
            format!("{{\"got\":{{\"n\":{n}}}}}"),
            "{}",
            rie.log()
        );
    }
    let (_, log) = rie.stop().await?;
    assert!(
        log.contains("registered, subscribed to [SHUTDOWN]"),
        "{log}"
    );
    assert!(log.contains("no telemetry here (202 Accepted)"), "{log}");
    assert!(
        !log.contains("[rightsizer] WARN") && !log.contains("panicked"),
        "{log}"
    );
    assert_eq!(sink.calls(), 0);
    println!("AWS's emulator, standard: 3 invocations answered, 0 reports (telemetry: 202)");
    Ok(())
}

#[tokio::test]
async fn aws_own_code_delivers_real_telemetry_as_a_managed_instance() -> Result<()> {
    const COUNT: usize = 5;
    let sink = Sink::start().await?;
    let managed = [
        ("AWS_LAMBDA_MAX_CONCURRENCY", "1"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "lambda-managed-instances"),
    ];
    let rie = Rie::start(&extension_binary()?, &variables(&sink, &managed)).await;
    let Some(rie) = or_not_played(rie)? else {
        return Ok(());
    };
    for n in 0..COUNT {
        let answer = rie.invoke(&format!("{{\"n\":{n}}}")).await?;
        assert_eq!(
            answer,
            format!("{{\"got\":{{\"n\":{n}}}}}"),
            "{}",
            rie.log()
        );
    }
    let (_, log) = rie.stop().await?;
    // The emulator does not wait for the extension's end as Lambda does.
    let arrived = async {
        while sink.reports().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let arrived = tokio::time::timeout(SOON, arrived).await;
    arrived.with_context(|| format!("nothing arrived:\n{log}"))?;
    let records = distinct(sink.reports());
    let rows: Vec<_> = records.iter().flat_map(|record| &record.reports).collect();
    assert_eq!(rows.len(), COUNT, "{log}");
    assert_eq!(
        records.last().map(|record| record.total),
        Some(COUNT as u64)
    );
    for row in rows {
        assert!(
            row.duration_ms.is_some() && row.max_used_mb.is_none(),
            "{row:?}"
        );
        assert_eq!(row.status, Status::Ok);
    }
    assert_eq!(records[0].init, Some(InitType::LambdaManagedInstances));
    assert_eq!(records[0].memory_mb.0, 512);
    assert!(
        log.contains("Telemetry subscription created") && !log.contains("panicked"),
        "{log}"
    );
    println!("AWS's emulator, managed: emitted {COUNT} = delivered {COUNT}; durations, no memory");
    Ok(())
}
