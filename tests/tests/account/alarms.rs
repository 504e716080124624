//! The alarms depend on lines that the deployed programs log. Here the programs log them and the deployed filters
//! must count them, because a changed line would silence its alarm.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use rightsizer_records::{Record, encode};
use rightsizer_tests::aggregator::Aggregator;
use rightsizer_tests::sample;
use rightsizer_tests::servers::{
    BucketFault, BucketFront, Fault, FaultLambda, KinesisLocal, MotoServer, Operation, UPDATER,
    UpdaterLambda, aws_environment,
};

use crate::metric_filter::{MetricFilter, of_module, of_template};
use crate::policies::down;
use crate::template::template;

#[test]
fn the_module_counts_what_the_template_counts() -> Result<()> {
    let filters = of_template()?;
    assert_eq!(filters.len(), 6);
    assert_eq!(of_module()?, filters);
    Ok(())
}

/// Returns the values that the only filter of that metric on that log group counts in a log.
fn counted(log: &str, metric: &str, text: &str) -> Result<Vec<i64>> {
    let filters = of_template()?;
    let is_it = |filter: &&MetricFilter| filter.log == log && filter.metric == metric;
    let filter = filters.iter().find(is_it);
    filter
        .with_context(|| format!("nothing counts {metric}"))?
        .counts(text)
}

async fn put(kinesis: &KinesisLocal, stream: &str, data: Vec<u8>) -> Result<()> {
    let put = kinesis.client().put_record().stream_name(stream);
    put.partition_key("one").data(data.into()).send().await?;
    Ok(())
}

/// Returns the task's environment variables that do not name a resource.
fn variables_of_the_task() -> Result<Vec<(String, String)>> {
    let template = template("template.yaml")?;
    let task = &template["Resources"]["AggregatorTask"]["Properties"]["ContainerDefinitions"][0];
    let all = task["Environment"].as_array().context("no environment")?;
    let plain = all.iter().filter_map(|variable| {
        let text = |key: &str| variable[key].as_str().map(str::to_owned);
        Some((text("Name")?, text("Value")?))
    });
    Ok(plain.collect())
}

async fn logged(log: &Path, wanted: &str) -> Result<()> {
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        let text = std::fs::read_to_string(log)?;
        if text.contains(wanted) {
            return Ok(());
        }
        ensure!(Instant::now() < until, "{wanted} is not in {text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Returns the log of `serve` for one report, two invalid records, and a bucket that rejects snapshots.
async fn log_of_a_bad_day() -> Result<String> {
    let (kinesis, moto) = (KinesisLocal::start().await?, MotoServer::start().await?);
    for stream in ["reports", "decisions"] {
        kinesis.create_stream(stream, 1).await?;
    }
    let bucket = BucketFront::before(moto.endpoint(), "evidence").await?;
    bucket.fail(Method::PUT, "/snapshots/", BucketFault::Denied);
    put(
        &kinesis,
        "reports",
        sample::bytes(sample::reports("checkout").context("no report")?),
    )
    .await?;
    for _ in 0..2 {
        put(&kinesis, "reports", b"no record".to_vec()).await?;
    }
    let mut environment = variables_of_the_task()?;
    environment.extend(aws_environment("KINESIS", kinesis.endpoint()));
    environment.extend(aws_environment("S3", bucket.endpoint()));
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("serve.log");
    let streams = ["--source", "kinesis:reports", "--emit", "kinesis:decisions"];
    let more = ["--snapshot", "s3://evidence/store"];
    let store = folder.path().join("rightsizer.db");
    let arguments = [&streams[..], &more].concat();
    let serve = Aggregator::start(&store, &arguments, &environment, Some(&log)).await?;
    logged(&log, "is quarantined").await?;
    logged(&log, "no snapshot could be made").await?;
    // The rest since the last figures is logged at the end.
    ensure!(serve.stop().await?.success());
    Ok(std::fs::read_to_string(&log)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aggregators_figures_and_failed_snapshots_are_counted() -> Result<()> {
    let text = log_of_a_bad_day().await?;
    let behind = counted("aggregator", "BehindSeconds", &text)?;
    assert!(
        behind.len() >= 2 && behind.iter().all(|s| *s >= 0),
        "{behind:?}: {text}"
    );
    let quarantined = counted("aggregator", "Quarantined", &text)?;
    assert_eq!(
        quarantined.iter().sum::<i64>(),
        2,
        "{quarantined:?}: {text}"
    );
    let snapshots = counted("aggregator", "FailedSnapshots", &text)?;
    assert!(
        !snapshots.is_empty() && snapshots.iter().all(|n| *n == 1),
        "{text}"
    );
    // The log alone shows the reason, once.
    let refused: Vec<&str> = text
        .lines()
        .filter(|l| l.contains("is quarantined"))
        .collect();
    let [refused] = refused[..] else {
        anyhow::bail!("not one line: {refused:?}");
    };
    let refused: serde_json::Value = serde_json::from_str(refused)?;
    assert!(
        refused["origin"]
            .as_str()
            .is_some_and(|o| o.starts_with("kinesis:reports"))
    );
    assert!(
        refused["reason"]
            .as_str()
            .is_some_and(|why| !why.is_empty()),
        "{refused}"
    );
    Ok(())
}

/// A change that succeeds, one that fails, and an invalid record.
#[tokio::test(flavor = "multi_thread")]
async fn the_updaters_poison_and_failed_changes_are_counted() -> Result<()> {
    let kinesis = KinesisLocal::start().await?;
    kinesis.create_stream("decisions", 1).await?;
    let fleet = FaultLambda::default();
    fleet.function(UPDATER, 128, &[]);
    let server = fleet.serve().await?;
    let mode = [("RIGHTSIZER_MODE", "auto")];
    let updater = UpdaterLambda::start_at(&kinesis, "decisions", server.endpoint(), &mode);
    let mut updater = updater.await?;
    for (id, name) in [("a", "sized"), ("b", "denied")] {
        let mut change = down(&fleet.function(name, 1024, &[]))?;
        id.clone_into(&mut change.id);
        put(
            &kinesis,
            "decisions",
            encode(&Record::Recommendation(change)),
        )
        .await?;
    }
    put(
        &kinesis,
        "decisions",
        br#"{"v":1,"kind":"recommendation"}"#.to_vec(),
    )
    .await?;
    let denied = Fault::Refuse {
        status: 403,
        code: "AccessDeniedException",
        retry_after_s: None,
    };
    let update = Some(Operation::UpdateFunctionConfiguration);
    fleet.order(update, Some("denied"), (0, 9999), denied);
    updater.deliver(&kinesis).await?;

    let text = updater.log_text();
    assert_eq!(fleet.memory_mb("sized", None), 512, "{text}");
    assert_eq!(counted("updater", "FailedUpdates", &text)?, [1], "{text}");
    assert_eq!(counted("updater", "Quarantined", &text)?, [1], "{text}");
    Ok(())
}
