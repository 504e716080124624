//! What a stream dropped before it was read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rightsizer_aws::kinesis::Inbox;
use rightsizer_aws::kinesis::{StreamReader, StreamStatus};
use rightsizer_formats::{Channel, Delivery};
use rightsizer_rules::gap::Gap;

use super::stage::{STREAM, Scene, until};
use tokio_util::sync::CancellationToken;

/// The reader without a store: what it reads and reports.
#[derive(Clone, Default)]
struct Memory {
    checkpoints: Arc<Mutex<BTreeMap<String, String>>>,
    payloads: Arc<Mutex<usize>>,
    gaps: Arc<Mutex<Vec<Gap>>>,
}

impl Inbox for Memory {
    async fn take(&self, deliveries: Vec<Delivery>) -> anyhow::Result<()> {
        for delivery in deliveries {
            *self.payloads.lock().unwrap() += delivery.payloads.len();
            self.gaps.lock().unwrap().extend(delivery.gaps);
            self.checkpoints.lock().unwrap().extend(delivery.checkpoint);
        }
        Ok(())
    }

    fn behind(&self, _source: &str, _ms: i64) {}

    async fn caught_up(&self, _stream: Channel) -> anyhow::Result<()> {
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

/// Nothing read for three days from a stream that keeps one: a gap of two days, and no position is
/// requested that the stream may have forgotten. A quiet shard that was read until a minute ago has
/// none, although its last record is as old.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_the_retention_is_a_gap_with_its_times() {
    let scene = Scene::set(2).await;
    let summary = scene.kinesis.client().describe_stream_summary();
    let summary = summary.stream_name(STREAM).send().await.unwrap();
    let created = summary.stream_description_summary().unwrap();
    let created = created.stream_creation_timestamp().to_millis().unwrap();
    let now = rightsizer_aws::clock::now();
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
    let stopped = CancellationToken::new();
    let reading = tokio::spawn(reader.run(inbox.clone(), stopped.clone()));
    until("both shards are read", &scene, async || {
        status
            .shards()
            .values()
            .filter(|s| s.read_at.is_some())
            .count()
            == 2
            && !inbox.gaps.lock().unwrap().is_empty()
    })
    .await;
    let gaps = inbox.gaps.lock().unwrap().clone();
    let [gap] = &gaps[..] else {
        panic!("one gap is wanted: {gaps:?}");
    };
    assert_eq!(gap.source, format!("kinesis:{STREAM}/shardId-000000000000"));
    assert_eq!(gap.from.unwrap().as_ms(), hours_ago(72));
    let end = gap.to.as_ms() - hours_ago(24);
    assert!((0..60_000).contains(&end), "{gap}");
    stopped.cancel();
    reading.await.unwrap().unwrap();
}
