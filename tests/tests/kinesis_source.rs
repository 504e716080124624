//! The Kinesis source over a real Kinesis API server: shards that split and merge while they are
//! read, restarts from checkpoints, poison in the middle. Between the two stands a proxy that goes
//! wrong when it is told to, so every test is also one of the proxy.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use rightsizer::source::kinesis::{StreamReader, StreamStatus};
use rightsizer::source::{Channel, Delivery, Inbox};
use rightsizer::stop::Stop;
use rightsizer::store::{Reader, ReviewRow};
use rightsizer_records::{EnvId, Reports};
use rightsizer_tests::aggregator::Aggregator;
use rightsizer_tests::sample;
use rightsizer_tests::servers::{FaultProxy, KinesisLocal, aws_environment};

const STREAM: &str = "reports";

struct Scene {
    kinesis: KinesisLocal,
    faults: FaultProxy,
    folder: tempfile::TempDir,
    sent: u64,
}

impl Scene {
    async fn set(shards: i32) -> Self {
        let scene = Self::without_stream().await;
        scene.kinesis.create_stream(STREAM, shards).await.unwrap();
        scene
    }

    async fn without_stream() -> Self {
        let kinesis = KinesisLocal::start().await.unwrap();
        Self {
            faults: FaultProxy::before(kinesis.endpoint()).await.unwrap(),
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
        self.serve_with(&["--clock", clock]).await
    }

    async fn serve_with(&self, more: &[&str]) -> Aggregator {
        let source = format!("kinesis:{STREAM}");
        let environment = aws_environment("KINESIS", self.faults.endpoint());
        let log = self.folder.path().join("serve.log");
        let arguments = [&["--source", &source], more].concat();
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

async fn metrics(serve: &Aggregator) -> String {
    let url = format!("{}/metrics", serve.endpoint());
    reqwest::get(url).await.unwrap().text().await.unwrap()
}

/// The sum of a counter over all shards.
async fn counted(serve: &Aggregator, counter: &str) -> u64 {
    let metrics = metrics(serve).await;
    let lines = metrics.lines().filter(|line| line.starts_with(counter));
    lines
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}

async fn health(serve: &Aggregator) -> serde_json::Value {
    let url = format!("{}/healthz", serve.endpoint());
    reqwest::get(url).await.unwrap().json().await.unwrap()
}

async fn until(what: &str, scene: &Scene, mut done: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + Duration::from_mins(1);
    while !done().await {
        assert!(
            Instant::now() < until,
            "{what}: {}",
            log(scene.folder.path())
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// An iterator that took too long is made anew behind the last committed record.
#[tokio::test(flavor = "multi_thread")]
async fn an_expired_iterator_is_made_anew_where_the_last_one_was() {
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

/// A throttled shard is waited for, longer each time; `/healthz` and the metrics say so.
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

/// `latest` is settled at the first start: what comes while nobody reads is not left out later.
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

/// A stream is begun at a time once; then its checkpoints count.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_can_be_begun_at_a_time() {
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

/// The stream does not know the position any more: it is read from what it still has, and that
/// something may be missing is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_the_stream_has_forgotten_is_a_gap_that_is_told() {
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
    assert_eq!(counted(&serve, "rightsizer_gaps_total").await, 1);
    let gaps = health(&serve).await["gaps"].clone();
    let shard = format!("kinesis:{STREAM}/shardId-000000000000");
    assert_eq!(gaps[0]["source"], shard);
    assert!(
        gaps[0]["from"].is_string() && gaps[0]["to"].is_string(),
        "{gaps}"
    );
    assert!(log(scene.folder.path()).contains("may be lost"));
    assert!(serve.stop().await.unwrap().success());
}

/// A shard that was split and forgotten by the stream while nobody read it: its children are read,
/// and what it still had is told as lost, once.
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
        assert_eq!(counted(&serve, "rightsizer_gaps_total").await, times);
        assert!(serve.stop().await.unwrap().success());
    }
}

/// What a reader gets and tells, without a store.
#[derive(Clone, Default)]
struct Memory {
    checkpoints: Arc<Mutex<BTreeMap<String, String>>>,
    payloads: Arc<Mutex<usize>>,
}

impl Inbox for Memory {
    async fn take(&self, deliveries: Vec<Delivery>) -> anyhow::Result<()> {
        for delivery in deliveries {
            *self.payloads.lock().unwrap() += delivery.payloads.len();
            self.checkpoints.lock().unwrap().extend(delivery.checkpoint);
        }
        Ok(())
    }

    fn behind(&self, _source: &str, _ms: i64) {}

    async fn caught_up(&self) -> anyhow::Result<()> {
        Ok(())
    }

    async fn checkpoints(&self, prefix: &str) -> anyhow::Result<Vec<(String, String)>> {
        let checkpoints = self.checkpoints.lock().unwrap().clone();
        let found = checkpoints.into_iter();
        Ok(found
            .filter(|(source, _)| source.starts_with(prefix))
            .collect())
    }
}

/// Nobody read for three days of a stream that keeps one: a gap of two days, and no position is
/// asked for that the stream may have forgotten. A quiet shard that was read to a minute ago has
/// none, though its last record is as old.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_the_retention_is_a_gap_with_its_times() {
    let scene = Scene::set(2).await;
    let summary = scene.kinesis.client().describe_stream_summary();
    let summary = summary.stream_name(STREAM).send().await.unwrap();
    let created = summary.stream_description_summary().unwrap();
    let created = created.stream_creation_timestamp().to_millis().unwrap();
    let now = rightsizer::wall::now();
    let hours_ago = |hours: i64| now.plus_ms(-hours * 3_600_000).as_ms();
    let inbox = Memory::default();
    let source = |n| format!("kinesis:{STREAM}@{created}/shardId-00000000000{n}");
    let unread = format!("1;at={0};to={0}", hours_ago(72));
    let quiet = format!("1;at={};to={}", hours_ago(72), now.as_ms());
    let known = [(source(0), unread), (source(1), quiet)];
    inbox.checkpoints.lock().unwrap().extend(known);
    let error = "InvalidArgumentException";
    scene
        .faults
        .refuse_where("GetShardIterator", "AFTER_SEQUENCE_NUMBER", error);

    let status = StreamStatus::default();
    let through = scene.kinesis.client().config().to_builder();
    let through = through.endpoint_url(scene.faults.endpoint()).build();
    let client = aws_sdk_kinesis::Client::from_conf(through);
    let reader = StreamReader::new(&client, STREAM, Channel::Reports, status.clone());
    let (stop, stopped) = Stop::new();
    let reading = tokio::spawn(reader.run(inbox.clone(), stopped));
    until("both shards are read", &scene, async || {
        status
            .shards()
            .values()
            .filter(|s| s.read_at.is_some())
            .count()
            == 2
    })
    .await;
    let [gap] = &status.gaps()[..] else {
        panic!("one gap is wanted: {:?}", status.gaps());
    };
    assert_eq!(gap.source, format!("kinesis:{STREAM}/shardId-000000000000"));
    assert_eq!(gap.from.unwrap().as_ms(), hours_ago(72));
    let end = gap.to.as_ms() - hours_ago(24);
    assert!((0..60_000).contains(&end), "{gap}");
    stop.now();
    reading.await.unwrap().unwrap();
}
