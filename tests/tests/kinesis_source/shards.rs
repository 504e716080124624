//! Shards come and go, servers stop and start: everything is read once.

use std::time::{Duration, Instant};

use rightsizer_tests::aggregator::Aggregator;

use super::stage::{STREAM, Scene, health, log, metrics, until};

/// Counts: 40 over two shards, 40 after a split, 40 after a merge; each once.
#[tokio::test(flavor = "multi_thread")]
async fn shards_that_split_and_merge_while_they_are_read_lose_and_repeat_nothing() {
    let mut scene = Scene::set(2).await;
    let serve = scene.serve().await;
    scene.put(40).await;
    scene.all_arrived().await;
    let first = scene.open_shards().await[0].0.clone();
    scene.split(&first).await;
    scene.put(40).await;
    scene.all_arrived().await;
    let open = scene.open_shards().await;
    assert_eq!(open.len(), 3);
    scene.merge(&open[1].0, &open[2].0).await;
    scene.put(40).await;
    let row = scene.all_arrived().await;
    assert_eq!((row.seen, row.duplicates, row.lost), (120, 0, 0));
    let metrics = metrics(&serve).await;
    assert!(
        metrics.contains("rightsizer_reports_total 120"),
        "{metrics}"
    );
    let lag = format!("rightsizer_behind_seconds{{shard=\"kinesis:{STREAM}/{first}\"}} 0");
    assert!(metrics.contains(&lag), "{lag} is not in {metrics}");
    assert!(serve.stop().await.unwrap().success());
    assert!(log(scene.folder.path()).contains("read to its end"));
}

/// A restart continues from the checkpoints: what is stored is not even read again.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_continues_from_the_last_commit() {
    let mut scene = Scene::set(2).await;
    for _ in 0..3 {
        let serve = scene.serve().await;
        scene.put(30).await;
        scene.put_poison().await;
        scene.all_arrived().await;
        serve.kill().await.unwrap();
    }
    let serve = scene.serve().await;
    scene.put(10).await;
    let row = scene.all_arrived().await;
    assert_eq!((row.seen, row.duplicates), (100, 0));
    assert!(serve.stop().await.unwrap().success());
}

/// What a shard answers that is to be waited for.
const THROTTLED: &str = "ProvisionedThroughputExceededException";

/// Waits until a shard was asked for in vain for the third time: seconds after whatever could be read was.
async fn held_up(shard: &str, serve: &Aggregator, scene: &Scene) {
    let shard = format!("kinesis:{STREAM}/{shard}");
    until(&format!("{shard} fails"), scene, async || {
        let shards = health(serve).await["shards"].clone();
        shards[&shard]["failing"].is_string()
    })
    .await;
}

/// The children of a split have records and could be read: nothing of them is while the parent, which
/// has older ones, cannot be read.
#[tokio::test(flavor = "multi_thread")]
async fn a_split_shards_children_wait_for_it() {
    let mut scene = Scene::set(1).await;
    scene.put(20).await;
    scene.split("shardId-000000000000").await;
    scene.put(20).await;
    scene
        .faults
        .refuse_where("GetShardIterator", "shardId-000000000000", THROTTLED);
    let serve = scene.serve().await;
    held_up("shardId-000000000000", &serve, &scene).await;
    assert_eq!(scene.faults.calls("GetRecords"), 0, "a child was read");
    scene.faults.mend();
    let row = scene.all_arrived().await;
    assert_eq!((row.seen, row.duplicates), (40, 0));
    assert!(serve.stop().await.unwrap().success());
}

/// A shard merged of two waits for the one that cannot be read, though the other was read to its end.
#[tokio::test(flavor = "multi_thread")]
async fn a_merged_shard_waits_for_both_its_parents() {
    let mut scene = Scene::set(2).await;
    scene.put(20).await;
    let parents = ["shardId-000000000000", "shardId-000000000001"];
    scene.merge(parents[0], parents[1]).await;
    scene.put(20).await;
    scene
        .faults
        .refuse_where("GetShardIterator", "shardId-000000000001", THROTTLED);
    let serve = scene.serve().await;
    held_up(parents[1], &serve, &scene).await;
    until("the other is read to its end", &scene, async || {
        log(scene.folder.path()).contains("read to its end")
    })
    .await;
    let shards = health(&serve).await["shards"].clone();
    let shards: Vec<_> = shards.as_object().unwrap().keys().collect();
    assert_eq!(shards, [&format!("kinesis:{STREAM}/{}", parents[1])]);
    let seen = scene.seen();
    assert!((1..20).contains(&seen), "{seen}: some of the first 20");
    scene.faults.mend();
    let row = scene.all_arrived().await;
    assert_eq!((row.seen, row.duplicates), (40, 0));
    assert!(serve.stop().await.unwrap().success());
}

/// Live, days close once every shard was read to its newest record, and not before: one shard of
/// three cannot be read, the others can, and the clock continues meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn w3_days_close_when_the_backlog_is_read() {
    let mut scene = Scene::set(3).await;
    scene.put(30).await;
    scene
        .faults
        .refuse_where("GetShardIterator", "shardId-000000000002", THROTTLED);
    let serve = scene.serve_by("wall").await;
    held_up("shardId-000000000002", &serve, &scene).await;
    until("the others are read", &scene, async || scene.seen() > 0).await;
    for _ in 0..2 {
        let before = health(&serve).await["last_commit"].clone();
        until("the clock ticks", &scene, async || {
            health(&serve).await["last_commit"] != before
        })
        .await;
    }
    assert_eq!(closed_day(&serve).await, None, "a backlog is unread");
    scene.faults.mend();
    scene.all_arrived().await;
    until("the days close", &scene, async || {
        closed_day(&serve).await.is_some()
    })
    .await;
    assert!(serve.stop().await.unwrap().success());
}

/// The last closed day, counted from 1970, if any.
async fn closed_day(serve: &Aggregator) -> Option<i32> {
    let metrics = metrics(serve).await;
    let mut lines = metrics.lines();
    let day = lines.find_map(|l| l.strip_prefix("rightsizer_last_closed_day "));
    day.unwrap().parse().ok().filter(|day| *day > 20_000)
}

/// A stream that was deleted and created again under its name is another stream: its sequence
/// numbers restart, and a checkpoint of the old one would hide records of the new.
#[tokio::test(flavor = "multi_thread")]
async fn a_recreated_stream_is_read_from_its_beginning() {
    let mut scene = Scene::set(1).await;
    let serve = scene.serve().await;
    scene.put(20).await;
    scene.all_arrived().await;
    assert!(serve.stop().await.unwrap().success());
    let request = scene.kinesis.client().delete_stream().stream_name(STREAM);
    request.send().await.unwrap();
    let until = Instant::now() + Duration::from_mins(1);
    let request = || {
        scene
            .kinesis
            .client()
            .describe_stream_summary()
            .stream_name(STREAM)
    };
    while request().send().await.is_ok() {
        assert!(Instant::now() < until, "the stream is not gone");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    scene.kinesis.create_stream(STREAM, 1).await.unwrap();
    scene.put(5).await;
    let serve = scene.serve().await;
    let row = scene.all_arrived().await;
    assert_eq!((row.seen, row.duplicates), (25, 0));
    assert!(log(scene.folder.path()).contains("created again"));
    assert!(serve.stop().await.unwrap().success());
}

/// A stream that does not exist yet is waited for; the log names what is missing.
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_stream_is_waited_for_and_logged() {
    let mut scene = Scene::without_stream().await;
    let serve = scene.serve().await;
    let until = Instant::now() + Duration::from_mins(1);
    while !log(scene.folder.path()).contains("ResourceNotFound") {
        assert!(Instant::now() < until, "{}", log(scene.folder.path()));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    scene.kinesis.create_stream(STREAM, 1).await.unwrap();
    scene.put(5).await;
    assert_eq!(scene.all_arrived().await.seen, 5);
    assert!(serve.stop().await.unwrap().success());
}
