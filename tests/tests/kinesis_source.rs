//! The Kinesis source over a real Kinesis API server: shards that split and merge while they are
//! read, restarts from checkpoints, poison in the middle.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use rightsizer::store::{Reader, ReviewRow};
use rightsizer_records::{EnvId, Reports};
use rightsizer_tests::aggregator::Aggregator;
use rightsizer_tests::sample;
use rightsizer_tests::servers::{KinesisLocal, aws_environment};

const STREAM: &str = "reports";

struct Scene {
    kinesis: KinesisLocal,
    folder: tempfile::TempDir,
    sent: u64,
}

impl Scene {
    async fn set(shards: i32) -> Self {
        let kinesis = KinesisLocal::start().await.unwrap();
        kinesis.create_stream(STREAM, shards).await.unwrap();
        Self {
            kinesis,
            folder: tempfile::tempdir().unwrap(),
            sent: 0,
        }
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("rightsizer.db")
    }

    async fn serve(&self) -> Aggregator {
        self.serve_by("event").await
    }

    async fn serve_by(&self, clock: &str) -> Aggregator {
        let source = format!("kinesis:{STREAM}");
        let environment = aws_environment("KINESIS", self.kinesis.endpoint());
        let log = self.folder.path().join("serve.log");
        let arguments = ["--clock", clock, "--source", &source];
        Aggregator::start(&self.store(), &arguments, &environment, Some(&log))
            .await
            .unwrap()
    }

    /// Puts `count` records, each of an environment of its own, over all shards.
    async fn put(&mut self, count: u64) {
        let records = (self.sent..self.sent + count).map(|n| {
            let entry = PutRecordsRequestEntry::builder().data(Blob::new(record(n)));
            // Spread over the hash range: the key itself is hashed.
            entry.partition_key(format!("env-{n}")).build().unwrap()
        });
        let request = self.kinesis.client().put_records().stream_name(STREAM);
        let answer = request
            .set_records(Some(records.collect()))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.failed_record_count(), Some(0));
        self.sent += count;
    }

    async fn put_poison(&self) {
        let request = self.kinesis.client().put_record().stream_name(STREAM);
        let request = request
            .partition_key("poison")
            .data(Blob::new(b"\xff\x00 no record"));
        request.send().await.unwrap();
    }

    async fn split(&self, shard: &str) {
        let range = self.open_shards().await;
        let (_, start, end) = range.into_iter().find(|(id, ..)| id == shard).unwrap();
        let middle = start + (end - start) / 2;
        let request = self.kinesis.client().split_shard().stream_name(STREAM);
        let request = request
            .shard_to_split(shard)
            .new_starting_hash_key(middle.to_string());
        request.send().await.unwrap();
        self.active().await;
    }

    async fn merge(&self, shard: &str, adjacent: &str) {
        let request = self.kinesis.client().merge_shards().stream_name(STREAM);
        let request = request
            .shard_to_merge(shard)
            .adjacent_shard_to_merge(adjacent);
        request.send().await.unwrap();
        self.active().await;
    }

    /// Open shards with their hash ranges, by range.
    async fn open_shards(&self) -> Vec<(String, u128, u128)> {
        let answer = self
            .kinesis
            .client()
            .list_shards()
            .stream_name(STREAM)
            .send()
            .await
            .unwrap();
        let open = answer.shards().iter().filter(|shard| {
            shard
                .sequence_number_range()
                .is_some_and(|r| r.ending_sequence_number().is_none())
        });
        let mut open: Vec<_> = open
            .map(|shard| {
                let range = shard.hash_key_range().unwrap();
                let (start, end) = (range.starting_hash_key(), range.ending_hash_key());
                (
                    shard.shard_id().to_owned(),
                    start.parse().unwrap(),
                    end.parse().unwrap(),
                )
            })
            .collect();
        open.sort_by_key(|(_, start, _): &(String, u128, u128)| *start);
        open
    }

    async fn active(&self) {
        let until = Instant::now() + Duration::from_mins(1);
        loop {
            let request = self
                .kinesis
                .client()
                .describe_stream_summary()
                .stream_name(STREAM);
            let answer = request.send().await.unwrap();
            let summary = answer.stream_description_summary().unwrap();
            if summary.stream_status().as_str() == "ACTIVE" {
                return;
            }
            assert!(
                Instant::now() < until,
                "the stream stays {}",
                summary.stream_status()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until everything sent so far is in the store.
    async fn all_arrived(&self) -> ReviewRow {
        let until = Instant::now() + Duration::from_mins(1);
        loop {
            let rows = Reader::open(&self.store())
                .and_then(|r| r.review())
                .unwrap_or_default();
            match rows.into_iter().next() {
                Some(row) if row.seen >= self.sent => return row,
                row => assert!(
                    Instant::now() < until,
                    "{} sent, {:?} arrived: {}",
                    self.sent,
                    row.map(|row| row.seen),
                    log(self.folder.path())
                ),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("serve.log")).unwrap_or_default()
}

/// One invocation of environment `n`.
fn record(n: u64) -> Vec<u8> {
    let reports = sample::reports("fn").unwrap();
    sample::bytes(Reports {
        env: EnvId(n),
        ..reports
    })
}

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
    let url = format!("{}/metrics", serve.endpoint());
    let metrics = reqwest::get(url).await.unwrap().text().await.unwrap();
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
    let kinesis = KinesisLocal::start().await.unwrap();
    let mut scene = Scene {
        kinesis,
        folder: tempfile::tempdir().unwrap(),
        sent: 0,
    };
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
