//! Two streams, a bucket, and tasks that each have a disk of their own.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use rightsizer_records::{EnvId, Megabytes, Record, Reports, Status, Timestamp};
use rightsizer_store::{Reader, ReviewRow};
use rightsizer_tests::aggregator::{Aggregator, rightsizer_with};
use rightsizer_tests::sample;
use rightsizer_tests::servers::{BucketFront, KinesisLocal, MotoServer, aws_environment};
use serde_json::Value;

pub(crate) const BUCKET: &str = "evidence";
pub(crate) const PLACE: &str = "s3://evidence/prod";
pub(crate) const HEAD: &str = "evidence/prod/head.json";

pub(crate) struct Scene {
    pub(crate) kinesis: KinesisLocal,
    pub(crate) s3: BucketFront,
    sent: u64,
    moto: MotoServer,
}

/// A machine with a disk.
pub(crate) struct Disk(tempfile::TempDir);

impl Disk {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.0.path().join("rightsizer.db")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.0.path().join("serve.log")
    }

    pub(crate) fn rows(&self) -> Vec<ReviewRow> {
        let reader = Reader::open(&self.store());
        reader
            .and_then(|reader| reader.review())
            .unwrap_or_default()
    }

    pub(crate) fn evidence(&self) -> Vec<String> {
        Reader::open(&self.store()).unwrap().evidence().unwrap()
    }

    /// What a person would see.
    pub(crate) fn review(&self) -> Vec<Value> {
        let rows = self.rows().into_iter();
        let mut rows: Vec<_> = rows.map(|row| serde_json::to_value(row).unwrap()).collect();
        rows.sort_by_key(|row| row["function"].to_string());
        rows
    }
}

impl Scene {
    pub(crate) async fn set() -> Self {
        let (kinesis, moto) = (KinesisLocal::start(), MotoServer::start());
        let (kinesis, moto) = (kinesis.await.unwrap(), moto.await.unwrap());
        kinesis.create_stream("reports", 2).await.unwrap();
        kinesis.create_stream("decisions", 1).await.unwrap();
        Self {
            s3: BucketFront::before(moto.endpoint(), BUCKET).await.unwrap(),
            kinesis,
            sent: 0,
            moto,
        }
    }

    /// With functions of 1024 MB and a timeout of 30 s: what is known of them may be decreased without
    /// a person.
    pub(crate) async fn set_with_functions(sizes: &[(&str, i32)]) -> Self {
        let scene = Self::set().await;
        for (name, size) in sizes {
            let made = scene.moto.create_function(name, *size, 30, &[]).await;
            made.unwrap();
        }
        scene
    }

    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let mut environment = aws_environment("KINESIS", self.kinesis.endpoint());
        environment.extend(aws_environment("S3", self.s3.endpoint()));
        for service in ["LAMBDA", "RESOURCE_GROUPS_TAGGING_API", "CLOUDWATCH"] {
            environment.extend(aws_environment(service, self.moto.endpoint()));
        }
        environment
    }

    /// Arguments of a task that makes snapshots as often as it may.
    fn arguments(place: &str) -> Vec<&str> {
        let streams = ["--source", "kinesis:reports", "--emit", "kinesis:decisions"];
        let snapshot = ["--snapshot", place, "--snapshot-minutes", "0.01"];
        let more = ["--clock", "event", "--inventory", "lambda"];
        [&more, &streams[..], &snapshot[..]].concat()
    }

    pub(crate) async fn try_serve(&self, disk: &Disk) -> anyhow::Result<Aggregator> {
        self.try_serve_with(disk, &[], Vec::new()).await
    }

    /// With these arguments and variables too.
    pub(crate) async fn try_serve_with(
        &self,
        disk: &Disk,
        more: &[&str],
        variables: Vec<(String, String)>,
    ) -> anyhow::Result<Aggregator> {
        let arguments = [&Self::arguments(PLACE), more].concat();
        self.start(disk, &arguments, variables).await
    }

    async fn start(
        &self,
        disk: &Disk,
        arguments: &[&str],
        variables: Vec<(String, String)>,
    ) -> anyhow::Result<Aggregator> {
        let log = disk.log_file();
        let environment = [self.environment(), variables].concat();
        Aggregator::start(&disk.store(), arguments, &environment, Some(&log)).await
    }

    /// A task whose snapshots are at another place.
    pub(crate) async fn serve_at(&self, place: &str, disk: &Disk) -> Aggregator {
        let started = self.start(disk, &Self::arguments(place), Vec::new()).await;
        started.unwrap_or_else(|error| panic!("{error:#}: {}", disk.log()))
    }

    pub(crate) async fn serve(&self, disk: &Disk) -> Aggregator {
        let started = self.try_serve(disk).await;
        started.unwrap_or_else(|error| panic!("{error:#}: {}", disk.log()))
    }

    /// The same, with what is known of the functions read.
    pub(crate) async fn serve_knowing(&self, disk: &Disk) -> Aggregator {
        let serve = self.serve(disk).await;
        let known = async || disk.log().contains("the inventory was read");
        until("the inventory is read", disk, known).await;
        serve
    }

    /// One that makes no snapshots and is never killed, over the same stream.
    pub(crate) async fn unharmed(&self) -> Disk {
        let disk = Disk::new();
        let log = disk.log_file();
        let arguments = ["--clock", "event", "--source", "kinesis:reports"];
        let serve =
            Aggregator::start(&disk.store(), &arguments, &self.environment(), Some(&log)).await;
        self.all_arrived(&disk).await;
        assert!(serve.unwrap().stop().await.unwrap().success());
        disk
    }

    /// A start that is expected to come to nothing.
    pub(crate) async fn refused(&self, disk: &Disk) -> Output {
        self.refused_at(PLACE, disk).await
    }

    /// The same at another place.
    pub(crate) async fn refused_at(&self, place: &str, disk: &Disk) -> Output {
        let store = disk.store();
        let start = ["serve", "--listen", "127.0.0.1:0", "--store"];
        let arguments = [
            &start,
            &[store.to_str().unwrap()][..],
            &Self::arguments(place),
        ]
        .concat();
        let environment = self.environment();
        let ended = rightsizer_with(&arguments, &environment);
        let Ok(ended) = tokio::time::timeout(Duration::from_mins(2), ended).await else {
            panic!("it serves, and was to be refused: {}", disk.log());
        };
        ended.unwrap()
    }

    /// Puts these records on the reports stream, over all shards.
    pub(crate) async fn put(&mut self, records: Vec<Reports>) {
        for chunk in records.chunks(100) {
            let records = chunk.iter().map(|record| {
                let entry = PutRecordsRequestEntry::builder();
                let entry = entry.data(Blob::new(sample::bytes(record.clone())));
                entry.partition_key(record.env.to_string()).build().unwrap()
            });
            let request = self.kinesis.client().put_records().stream_name("reports");
            let request = request.set_records(Some(records.collect()));
            let answer = request.send().await.unwrap();
            assert_eq!(answer.failed_record_count(), Some(0));
        }
        let rows = records.iter().map(|record| record.reports.len() as u64);
        self.sent += rows.sum::<u64>();
    }

    /// The next `count` records of a story: three functions over some weeks.
    pub(crate) async fn put_story(&mut self, count: u64) {
        let first = Timestamp::parse("2026-03-01T00:10:00Z").unwrap();
        let sent = self.sent;
        let record = |n: u64| {
            let name = format!("fn-{}", n % 3);
            let used = u32::try_from(100 + n * 37 % 90).unwrap();
            let at = first.plus_ms(i64::try_from(n).unwrap() * 40 * 60_000);
            invocation(&name, n, at, 512, used)
        };
        self.put((sent..sent + count).map(record).collect()).await;
    }

    /// 14 days of a function that needs 200 of its 1024 MB, and the event that closes the last.
    pub(crate) async fn put_fortnight(&mut self, name: &str) {
        let first = Timestamp::parse("2026-03-01T10:00:00Z").unwrap();
        let env = self.sent;
        let day = |n: u64| {
            let at = first.plus_ms(i64::try_from(n).unwrap() * 86_400_000);
            let mut record = invocation(name, env + n, at, 1024, 200);
            record.reports = vec![record.reports[0]; 10];
            record.total = 10;
            record.cpu_ms = Some(1);
            record
        };
        self.put((0..15).map(day).collect()).await;
    }

    /// The function runs out of memory.
    pub(crate) async fn put_out_of_memory(&mut self, name: &str) {
        let at = Timestamp::parse("2026-03-15T11:00:00Z").unwrap();
        let mut record = invocation(name, 1_000_000 + self.sent, at, 256, 256);
        record.reports[0].status = Status::OutOfMemory;
        self.put(vec![record]).await;
    }

    /// Waits until everything sent so far is in the store.
    pub(crate) async fn all_arrived(&self, disk: &Disk) {
        let arrived = async || disk.rows().iter().map(|row| row.seen).sum::<u64>() >= self.sent;
        until("all arrived", disk, arrived).await;
    }

    /// Recommendations on the decisions stream, by id, with how often each is there.
    pub(crate) async fn recommended(&self) -> HashMap<String, usize> {
        let mut ids = HashMap::new();
        for record in self.kinesis.records("decisions").await.unwrap() {
            if let Ok(Record::Recommendation(record)) = record.decoded() {
                *ids.entry(record.id).or_default() += 1;
            }
        }
        ids
    }

    pub(crate) async fn head(&self) -> Value {
        let bytes = self.s3.object(HEAD).await.unwrap();
        bytes.map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap())
    }
}

/// Waits until a snapshot was made of what is in the store at this moment.
pub(crate) async fn until_saved(serve: &Aggregator, disk: &Disk) {
    let from = rightsizer_aws::clock::now();
    until("a snapshot is made", disk, async || {
        let last = health(serve).await["snapshot"]["last"].clone();
        serde_json::from_value::<Timestamp>(last).is_ok_and(|last| last >= from)
    })
    .await;
}

pub(crate) fn invocation(name: &str, env: u64, at: Timestamp, size: u32, used: u32) -> Reports {
    let mut reports = sample::reports(name).unwrap();
    reports.reports[0].max_used_mb = Some(Megabytes(used));
    Reports {
        env: EnvId(env),
        t0: at,
        memory_mb: Megabytes(size),
        ..reports
    }
}

pub(crate) async fn health(serve: &Aggregator) -> Value {
    let url = format!("{}/healthz", serve.endpoint());
    reqwest::get(url).await.unwrap().json().await.unwrap()
}

pub(crate) async fn metric(serve: &Aggregator, name: &str) -> f64 {
    let url = format!("{}/metrics", serve.endpoint());
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    let mut lines = text.lines();
    let line = lines.find(|line| line.starts_with(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("{name} is not in {text}"))
        .rsplit(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap()
}

pub(crate) async fn until(what: &str, disk: &Disk, mut done: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + Duration::from_mins(1);
    while !done().await {
        assert!(Instant::now() < until, "{what}: {}", disk.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) fn error_text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
