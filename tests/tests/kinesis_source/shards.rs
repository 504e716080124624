//! Shards come and go, servers stop and start: everything is read once.

use std::time::{Duration, Instant};

use super::stage::{STREAM, Scene, log, metrics};

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

/// A restart goes on from the checkpoints: what is stored is not even read again.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_the_last_commit_was() {
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

/// Live, days close once every shard was read to its newest record, and not before.
#[tokio::test(flavor = "multi_thread")]
async fn w3_days_close_when_the_backlog_is_read() {
    let mut scene = Scene::set(3).await;
    scene.put(30).await;
    let serve = scene.serve_by("wall").await;
    scene.all_arrived().await;
    let url = format!("{}/metrics", serve.endpoint());
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        let metrics = reqwest::get(&url).await.unwrap().text().await.unwrap();
        let closed = metrics
            .lines()
            .find_map(|l| l.strip_prefix("rightsizer_last_closed_day "));
        if closed.is_some_and(|day| day.parse::<i32>().unwrap() > 20_000) {
            break;
        }
        assert!(
            Instant::now() < until,
            "{metrics}\n{}",
            log(scene.folder.path())
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(serve.stop().await.unwrap().success());
}

/// A stream deleted and made anew under its name is another stream: its sequence numbers begin
/// anew, and a checkpoint of the old one would hide records of the new.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_made_anew_is_read_from_its_beginning() {
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
    assert!(log(scene.folder.path()).contains("made anew"));
    assert!(serve.stop().await.unwrap().success());
}

/// A stream that is not there yet is waited for; the words say what is missing.
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_stream_is_waited_for_and_said() {
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
