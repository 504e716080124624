//! A stream behind the proxy, `rightsizer serve` that reads it, and the output of both.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use rightsizer_records::{EnvId, Reports};
use rightsizer_store::{Reader, ReviewRow};
use rightsizer_tests::aggregator::Aggregator;
use rightsizer_tests::sample;
use rightsizer_tests::servers::{FaultProxy, KinesisLocal, aws_environment};

pub(crate) const STREAM: &str = "reports";

pub(crate) struct Scene {
    pub(crate) kinesis: KinesisLocal,
    pub(crate) faults: FaultProxy,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) sent: u64,
}

impl Scene {
    pub(crate) async fn set(shards: i32) -> Self {
        let scene = Self::without_stream().await;
        scene.kinesis.create_stream(STREAM, shards).await.unwrap();
        scene
    }

    pub(crate) async fn without_stream() -> Self {
        let kinesis = KinesisLocal::start().await.unwrap();
        Self {
            faults: FaultProxy::before(kinesis.endpoint()).await.unwrap(),
            kinesis,
            folder: tempfile::tempdir().unwrap(),
            sent: 0,
        }
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("rightsizer.db")
    }

    pub(crate) async fn serve(&self) -> Aggregator {
        self.serve_by("event").await
    }

    pub(crate) async fn serve_by(&self, clock: &str) -> Aggregator {
        self.serve_with(&["--clock", clock]).await
    }

    pub(crate) async fn serve_with(&self, more: &[&str]) -> Aggregator {
        let source = format!("kinesis:{STREAM}");
        let environment = aws_environment("KINESIS", self.faults.endpoint());
        let log = self.folder.path().join("serve.log");
        let arguments = [&["--source", &source], more].concat();
        Aggregator::start(&self.store(), &arguments, &environment, Some(&log))
            .await
            .unwrap()
    }

    /// Puts `count` records, each of an environment of its own, over all shards.
    pub(crate) async fn put(&mut self, count: u64) {
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

    pub(crate) async fn put_poison(&self) {
        let request = self.kinesis.client().put_record().stream_name(STREAM);
        let request = request
            .partition_key("poison")
            .data(Blob::new(b"\xff\x00 no record"));
        request.send().await.unwrap();
    }

    pub(crate) async fn split(&self, shard: &str) {
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

    pub(crate) async fn merge(&self, shard: &str, adjacent: &str) {
        let request = self.kinesis.client().merge_shards().stream_name(STREAM);
        let request = request
            .shard_to_merge(shard)
            .adjacent_shard_to_merge(adjacent);
        request.send().await.unwrap();
        self.active().await;
    }

    /// Open shards with their hash ranges, by range.
    pub(crate) async fn open_shards(&self) -> Vec<(String, u128, u128)> {
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

    pub(crate) async fn active(&self) {
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

    /// How many reports are in the store.
    pub(crate) fn seen(&self) -> u64 {
        let rows = Reader::open(&self.store()).and_then(|r| r.review());
        rows.unwrap_or_default().iter().map(|row| row.seen).sum()
    }

    /// Waits until everything sent so far is in the store.
    pub(crate) async fn all_arrived(&self) -> ReviewRow {
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

pub(crate) fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("serve.log")).unwrap_or_default()
}

/// One invocation of environment `n`.
pub(crate) fn record(n: u64) -> Vec<u8> {
    let reports = sample::reports("fn").unwrap();
    sample::bytes(Reports {
        env: EnvId(n),
        ..reports
    })
}

pub(crate) async fn metrics(serve: &Aggregator) -> String {
    let url = format!("{}/metrics", serve.endpoint());
    reqwest::get(url).await.unwrap().text().await.unwrap()
}

/// The sum of a counter over all shards.
pub(crate) async fn counted(serve: &Aggregator, counter: &str) -> u64 {
    let metrics = metrics(serve).await;
    let lines = metrics.lines().filter(|line| line.starts_with(counter));
    lines
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}

pub(crate) async fn health(serve: &Aggregator) -> serde_json::Value {
    let url = format!("{}/healthz", serve.endpoint());
    reqwest::get(url).await.unwrap().json().await.unwrap()
}

pub(crate) async fn until(what: &str, scene: &Scene, mut done: impl AsyncFnMut() -> bool) {
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
