//! W9, timed: a function that ran out of memory is on the decisions stream within a second after
//! the record was acknowledged.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod put_records;

use std::time::{Duration, Instant};

use put_records::{client, put};
use rightsizer_aws::clock::now;
use rightsizer_records::{Megabytes, Recommendation, Record, ReportRow, Reports, Status};
use rightsizer_tests::aggregator::Aggregator;
use rightsizer_tests::sample;
use rightsizer_tests::servers::{KinesisLocal, aws_environment};

const DECISIONS: &str = "decisions";

/// A function's first word: it ran out of 512 MB just now.
fn out_of_memory(name: &str) -> Vec<u8> {
    let reports = sample::reports(name).unwrap();
    let row = ReportRow {
        max_used_mb: Some(Megabytes(512)),
        status: Status::OutOfMemory,
        ..reports.reports[0]
    };
    sample::bytes(Reports {
        t0: now(),
        reports: vec![row],
        ..reports
    })
}

/// Waits for the recommendation about `name`.
async fn recommended(kinesis: &KinesisLocal, name: &str) -> Recommendation {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        for record in kinesis.records(DECISIONS).await.unwrap() {
            match record.decoded().unwrap() {
                Record::Recommendation(sent) if sent.function.name() == name => return sent,
                _ => {}
            }
        }
        assert!(Instant::now() < until, "nothing is recommended for {name}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Of five, one after the other, so that a moment in which the machine did something else does not count.
#[tokio::test(flavor = "multi_thread")]
async fn w9_out_of_memory_is_on_the_decisions_stream_within_a_second() {
    let kinesis = KinesisLocal::start().await.unwrap();
    kinesis.create_stream(DECISIONS, 1).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let emit = format!("kinesis:{DECISIONS}");
    let environment = aws_environment("KINESIS", kinesis.endpoint());
    let (store, log) = (
        folder.path().join("rightsizer.db"),
        folder.path().join("serve.log"),
    );
    let serve = Aggregator::start(&store, &["--emit", &emit], &environment, Some(&log))
        .await
        .unwrap();
    let embedded = client(serve.endpoint());
    let mut took = Vec::new();
    for n in 0..5 {
        let name = format!("fn-{n}");
        put(&embedded, vec![out_of_memory(&name)]).await.unwrap();
        let acknowledged = Instant::now();
        let sent = recommended(&kinesis, &name).await;
        took.push(acknowledged.elapsed());
        assert!(sent.urgent && sent.to_mb > sent.from_mb, "{sent:?}");
        assert_eq!(sent.from_mb, Megabytes(512));
    }
    took.sort();
    println!("from the answer to the recommendation: {took:?}");
    assert!(took[2] < Duration::from_secs(1), "{took:?}");
    assert!(serve.stop().await.unwrap().success());
}
