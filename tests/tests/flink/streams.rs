//! The job between streams of a real Kinesis API server.

use std::time::{Duration, Instant};

use rightsizer_aws::clock::now;
use rightsizer_records::{News, Notice, Proposal, Record, Status, encode};
use rightsizer_tests::servers::{KinesisLocal, aws_environment};
use tokio::process::{Child, Command};

use super::due::report;
use super::job::{Job, reads_streams};

/// Only a job that does not read or write lasts longer.
const PATIENCE: Duration = Duration::from_mins(5);

/// The job over three streams.
fn command(job: &Job, kinesis: &KinesisLocal, reports: &str) -> Command {
    let mut command = job.command(&[
        "--checkpoint-ms",
        "200",
        "--parallelism",
        "1",
        "--kinesis.aws.endpoint",
        kinesis.endpoint(),
        "--kinesis.aws.http.protocol.version",
        "HTTP1_1",
    ]);
    for (option, stream) in [
        ("--reports", reports),
        ("--decisions", "decisions"),
        ("--proposals", "proposals"),
    ] {
        command.arg(option).arg(kinesis.stream_arn(stream));
    }
    command.envs(aws_environment("KINESIS", kinesis.endpoint()));
    command
}

async fn put(kinesis: &KinesisLocal, stream: &str, record: Vec<u8>) {
    let request = kinesis.client().put_record().stream_name(stream);
    let request = request.partition_key("fn").data(record.into());
    request.send().await.unwrap();
}

/// Waits for the first proposal that recommends a size.
async fn proposal(kinesis: &KinesisLocal, job: &Job, running: &mut Child) -> Box<Proposal> {
    let until = Instant::now() + PATIENCE;
    loop {
        for record in kinesis.records("proposals").await.unwrap() {
            if let Ok(Record::Proposal(proposal)) = record.decoded()
                && proposal
                    .decision
                    .as_ref()
                    .is_some_and(|one| one.id.is_some())
            {
                return proposal;
            }
        }
        let ended = running.try_wait().unwrap();
        assert_eq!(ended, None, "the job ended: {}", job.log());
        assert!(Instant::now() < until, "no proposal: {}", job.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// An out-of-memory on one stream becomes a proposal on the other, and a stream that is missing is named. Not every
/// registry serves the Kinesis connector; a jar that was built without it says so at once.
#[tokio::test(flavor = "multi_thread")]
async fn the_job_reads_and_writes_streams_or_names_what_it_lacks() {
    let kinesis = KinesisLocal::start().await.unwrap();
    for (stream, shards) in [("reports", 2), ("decisions", 1), ("proposals", 1)] {
        kinesis.create_stream(stream, shards).await.unwrap();
    }
    let job = Job::new();
    let missing = command(&job, &kinesis, "nothing").status().await;
    let missing = missing.expect("java is missing: run `make tools`");
    assert!(!missing.success());
    let arn = kinesis.stream_arn("nothing");
    if !reads_streams() {
        let lacks = "this jar was built without the Kinesis connector";
        assert!(job.log().contains(lacks), "{}", job.log());
        let connector = "org.apache.flink:flink-connector-aws-kinesis-streams:";
        assert!(job.log().contains(connector), "{}", job.log());
        return;
    }
    let wanted = format!("reports: there is no stream {arn}. Nothing was read or written.");
    assert!(job.log().contains(&wanted), "{}", job.log());

    let mut running = command(&job, &kinesis, "reports").spawn().unwrap();
    // News of a function without evidence: without any record, a stream has no time for its first minute.
    let news = Notice {
        function: "local:none".to_owned(),
        at: now(),
        news: News::Due,
    };
    put(&kinesis, "decisions", encode(&Record::Notice(news))).await;
    put(&kinesis, "reports", report(Status::Ok)).await;
    put(&kinesis, "reports", report(Status::OutOfMemory)).await;
    let proposal = proposal(&kinesis, &job, &mut running).await;
    assert!(proposal.decision.unwrap().urgent);
    assert_eq!(proposal.current_mb.0, 512);
}
