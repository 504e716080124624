//! What a stream answers on bad days, and where a stream is started.

use std::time::{Duration, Instant};

use rightsizer_tests::aggregator::{Aggregator, rightsizer};
use rightsizer_tests::servers::aws_environment;

use super::stage::{STREAM, Scene, counted, health, log, until};

impl Scene {
    /// Shards with gaps in `doctor`.
    async fn gaps_in_doctor(&self) -> Vec<String> {
        let store = self.store();
        let arguments = ["doctor", "--json", "--store", store.to_str().unwrap()];
        let output = rightsizer(&arguments).await.unwrap();
        let findings: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
        let gaps = findings.iter().filter(|found| found["check"] == "gaps");
        let found = gaps.map(|gap| gap["found"].as_str().unwrap());
        let shard = |found: &str| {
            let from = found.find("kinesis:").unwrap();
            found[from..].split(": ").next().unwrap().to_owned()
        };
        found.map(shard).collect()
    }
}

/// An iterator that took too long is replaced behind the last committed record.
#[tokio::test(flavor = "multi_thread")]
async fn an_expired_iterator_is_replaced_at_the_same_position() {
    let mut scene = Scene::set(2).await;
    let serve = scene.serve().await;
    scene.put(20).await;
    scene.all_arrived().await;
    scene
        .faults
        .refuse("GetRecords", 3, "ExpiredIteratorException");
    scene.put(20).await;
    let row = scene.all_arrived().await;
    assert_eq!((row.seen, row.duplicates), (40, 0));
    until("the expiries are counted", &scene, async || {
        counted(&serve, "rightsizer_expired_iterators_total").await == 3
    })
    .await;
    assert!(serve.stop().await.unwrap().success());
}

/// A throttled shard is waited for, longer each time; `/healthz` and the metrics show it.
#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_shard_is_waited_for_and_seen() {
    let mut scene = Scene::set(1).await;
    let serve = scene.serve().await;
    scene.put(5).await;
    scene.all_arrived().await;
    let error = "ProvisionedThroughputExceededException";
    scene.faults.always_refuse("GetRecords", error);
    scene.put(5).await;
    until("it is degraded", &scene, async || {
        health(&serve).await["status"] == "degraded"
    })
    .await;
    let shards = health(&serve).await["shards"].clone();
    let failing = &shards[format!("kinesis:{STREAM}/shardId-000000000000")]["failing"];
    assert!(failing.as_str().unwrap().contains(error), "{shards}");
    let before = scene.faults.calls("GetRecords");
    let throttled = counted(&serve, "rightsizer_throttled_total").await;
    assert!(throttled >= 3, "{throttled}");
    // 250, 500, 1000 ms and more: never five a second.
    assert!(before < 30, "{before} calls");
    scene.faults.mend();
    let row = scene.all_arrived().await;
    assert_eq!((row.seen, row.duplicates), (10, 0));
    until("it is well again", &scene, async || {
        health(&serve).await["status"] == "ok"
    })
    .await;
    assert!(serve.stop().await.unwrap().success());
}

/// The updater's event source reads the decisions stream beside it: of a shard's five reads a second it
/// is left four.
#[tokio::test(flavor = "multi_thread")]
async fn the_decisions_stream_is_read_once_a_second() {
    let scene = Scene::set(1).await;
    let environment = aws_environment("KINESIS", scene.faults.endpoint());
    let emit = ["--emit", "kinesis:reports"];
    let store = scene.store();
    let serve = Aggregator::start(&store, &emit, &environment, None)
        .await
        .unwrap();
    until("it is read", &scene, async || {
        scene.faults.calls("GetRecords") > 0
    })
    .await;
    let (before, began) = (scene.faults.calls("GetRecords"), Instant::now());
    tokio::time::sleep(Duration::from_secs(4)).await;
    let (calls, seconds) = (
        scene.faults.calls("GetRecords") - before,
        began.elapsed().as_secs(),
    );
    assert!(calls >= 2, "{calls} reads in {seconds} s");
    assert!(
        u64::try_from(calls).unwrap() <= seconds + 1,
        "{calls} reads in {seconds} s"
    );
    assert!(serve.stop().await.unwrap().success());
}

/// `latest` is settled at the first start: what comes while nothing reads is not left out later.
#[tokio::test(flavor = "multi_thread")]
async fn latest_is_the_time_of_the_first_start() {
    let mut scene = Scene::set(2).await;
    scene.put(10).await;
    // The server's times are of whole milliseconds.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let latest = ["--clock", "event", "--from", "latest"];
    let serve = scene.serve_with(&latest).await;
    until("it has begun", &scene, async || {
        log(scene.folder.path()).contains("is read from")
    })
    .await;
    serve.kill().await.unwrap();
    scene.sent = 0;
    scene.put(10).await;
    let serve = scene.serve_with(&latest).await;
    // The same environments as before: what had been read from the beginning would be twice there.
    let row = scene.all_arrived().await;
    assert_eq!((row.seen, row.duplicates), (10, 0));
    assert!(serve.stop().await.unwrap().success());
}

/// A stream is started at a time once; then its checkpoints count.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_can_be_started_at_a_time() {
    let mut scene = Scene::set(2).await;
    scene.put(10).await;
    let serve = scene
        .serve_with(&["--clock", "event", "--from", "2020-01-01"])
        .await;
    assert_eq!(scene.all_arrived().await.seen, 10);
    assert!(serve.stop().await.unwrap().success());
    scene.put(10).await;
    let serve = scene
        .serve_with(&["--clock", "event", "--from", "latest"])
        .await;
    let row = scene.all_arrived().await;
    assert_eq!((row.seen, row.duplicates), (20, 0));
    assert!(serve.stop().await.unwrap().success());
}

/// The stream no longer knows the position: it is read from its oldest record, and the possible
/// loss is reported.
#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_the_stream_has_forgotten_is_a_reported_gap() {
    let mut scene = Scene::set(1).await;
    let serve = scene.serve().await;
    scene.put(10).await;
    scene.all_arrived().await;
    assert!(serve.stop().await.unwrap().success());
    let error = "InvalidArgumentException";
    scene
        .faults
        .refuse_where("GetShardIterator", "AFTER_SEQUENCE_NUMBER", error);
    scene.put(10).await;
    let serve = scene.serve().await;
    let row = scene.all_arrived().await;
    assert_eq!(
        (row.seen, row.duplicates),
        (20, 10),
        "the oldest are read again"
    );
    // A slow machine may ask for a position more than once while it is refused.
    assert!(counted(&serve, "rightsizer_gaps_total").await >= 1);
    let gaps = health(&serve).await["gaps"].clone();
    let shard = format!("kinesis:{STREAM}/shardId-000000000000");
    assert_eq!(gaps[0]["source"], shard);
    assert!(
        gaps[0]["from"].is_string() && gaps[0]["to"].is_string(),
        "{gaps}"
    );
    assert!(log(scene.folder.path()).contains("may be lost"));
    assert!(serve.stop().await.unwrap().success());
    let expected = [shard];
    assert_eq!(scene.gaps_in_doctor().await, expected);
    scene.faults.mend();
    let serve = scene.serve().await;
    scene.put(1).await;
    scene.all_arrived().await;
    assert_eq!(counted(&serve, "rightsizer_gaps_total").await, 0);
    let gaps_now = health(&serve).await["gaps"].clone();
    let still = gaps_now.as_array().unwrap();
    assert!(still.contains(&gaps[0]), "after a restart too: {gaps_now}");
    assert_eq!(scene.gaps_in_doctor().await, expected);
    assert!(serve.stop().await.unwrap().success());
}

/// A shard that was split and forgotten by the stream while nothing read it: its children are read,
/// and its rest is reported as lost, once.
#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_vanished_unread_is_a_gap_and_its_children_are_read() {
    let mut scene = Scene::set(1).await;
    let serve = scene.serve().await;
    scene.put(10).await;
    scene.all_arrived().await;
    assert!(serve.stop().await.unwrap().success());
    let parent = scene.open_shards().await[0].0.clone();
    scene.split(&parent).await;
    scene.put(10).await;
    scene.faults.change("ListShards", move |answer| {
        let shards = answer["Shards"].as_array_mut().unwrap();
        shards.retain(|shard| shard["ShardId"] != parent.as_str());
    });
    for times in [1, 0] {
        let serve = scene.serve().await;
        let row = scene.all_arrived().await;
        assert_eq!((row.seen, row.duplicates), (20, 0));
        until("both children are read", &scene, async || {
            health(&serve).await["shards"].as_object().unwrap().len() == 2
        })
        .await;
        assert_eq!(counted(&serve, "rightsizer_gaps_total").await, times);
        assert!(serve.stop().await.unwrap().success());
    }
}
