//! Batches: order, poison, outcomes, and where the stream has to start again.

use std::collections::VecDeque;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rightsizer_records::{Megabytes, OutcomeStatus, Record, encode};

use super::apply::ready;
use super::{FakeLambda, FakeSink, OnWrite, live, now, rec, settings};
use crate::{
    ApiFault, BatchResponse, KinesisData, KinesisEvent, KinesisEventRecord, Updater, handle_batch,
};

/// Records numbered 1, 2, 3, …
fn event(payloads: &[Vec<u8>]) -> KinesisEvent {
    let record = |(n, bytes): (usize, &Vec<u8>)| KinesisEventRecord {
        kinesis: KinesisData {
            sequence_number: (n + 1).to_string(),
            data: STANDARD.encode(bytes),
        },
    };
    KinesisEvent {
        records: payloads.iter().enumerate().map(record).collect(),
    }
}

fn to(id: &str, from_mb: u32, to_mb: u32) -> Vec<u8> {
    let mut rec = rec();
    rec.id = id.to_owned();
    (rec.from_mb, rec.to_mb) = (Megabytes(from_mb), Megabytes(to_mb));
    encode(&Record::Recommendation(rec))
}

fn handle(lambda: &FakeLambda, sink: &FakeSink, event: &KinesisEvent) -> BatchResponse {
    ready(handle_batch(
        &Updater::new(lambda, settings()),
        sink,
        event,
        now(),
    ))
}

fn again(response: &BatchResponse) -> Vec<&str> {
    response
        .batch_item_failures
        .iter()
        .map(|f| f.item_identifier.as_str())
        .collect()
}

fn kept(sink: &FakeSink) -> Vec<(String, OutcomeStatus)> {
    sink.kept
        .lock()
        .unwrap()
        .iter()
        .map(|o| (o.id.clone(), o.status))
        .collect()
}

#[test]
fn recommendations_are_applied_in_order_and_every_outcome_is_put() {
    let (lambda, sink) = (FakeLambda::with(live()), FakeSink::default());
    let response = handle(
        &lambda,
        &sink,
        &event(&[to("a", 1024, 512), to("b", 512, 768)]),
    );
    assert_eq!(response, BatchResponse::default());
    assert_eq!(lambda.memory(), Megabytes(768));
    let want = ["a", "b"].map(|id| (id.to_owned(), OutcomeStatus::Applied));
    assert_eq!(kept(&sink), want);
}

#[test]
fn poison_and_other_kinds_do_not_block_the_shard() {
    let (lambda, sink) = (FakeLambda::with(live()), FakeSink::default());
    let outcome = include_bytes!("../../../records/fixtures/outcome.json").to_vec();
    let reports = include_bytes!("../../../records/fixtures/reports.json").to_vec();
    let mut batch = event(&[
        b"garbage".to_vec(),
        br#"{"v":9,"kind":"recommendation"}"#.to_vec(),
        outcome,
        reports,
        Vec::new(),
        to("a", 1024, 512),
    ]);
    batch.records[0].kinesis.data = "!! no base64".to_owned();
    assert_eq!(handle(&lambda, &sink, &batch), BatchResponse::default());
    assert_eq!(kept(&sink), [("a".to_owned(), OutcomeStatus::Applied)]);
}

#[test]
fn the_batch_stops_at_the_first_record_that_has_to_come_again() {
    let lambda =
        FakeLambda::with(live()).writing([OnWrite::Write, OnWrite::Fail(ApiFault::Throttled)]);
    let sink = FakeSink::default();
    let batch = event(&[to("a", 1024, 512), to("b", 512, 256), to("c", 512, 640)]);
    let response = handle(&lambda, &sink, &batch);
    assert_eq!(again(&response), ["2"]);
    // What was done before it is reported, and nothing behind it was tried.
    assert_eq!(kept(&sink), [("a".to_owned(), OutcomeStatus::Applied)]);
    assert_eq!(lambda.written().len(), 2);

    // Lambda delivers from there: b is applied now, c finds another size than it was decided for.
    let rest = KinesisEvent {
        records: batch.records[1..].to_vec(),
    };
    assert_eq!(handle(&lambda, &sink, &rest), BatchResponse::default());
    assert_eq!(lambda.memory(), Megabytes(256));
    assert_eq!(kept(&sink)[2], ("c".to_owned(), OutcomeStatus::Skipped));
}

#[test]
fn an_outcome_that_could_not_be_put_comes_again_without_a_second_write() {
    let lambda = FakeLambda::with(live());
    let sink = FakeSink {
        refuse: Mutex::new(VecDeque::from([vec![0]])),
        ..FakeSink::default()
    };
    let batch = event(&[to("a", 1024, 512)]);
    assert_eq!(again(&handle(&lambda, &sink, &batch)), ["1"]);
    assert_eq!(kept(&sink), []);

    assert_eq!(handle(&lambda, &sink, &batch), BatchResponse::default());
    assert_eq!(kept(&sink), [("a".to_owned(), OutcomeStatus::Applied)]);
    assert_eq!(lambda.written().len(), 1);
}

#[test]
fn the_lowest_of_several_failures_is_where_the_stream_starts_again() {
    let lambda = FakeLambda::with(live()).writing([
        OnWrite::Write,
        OnWrite::Write,
        OnWrite::Fail(ApiFault::Conflict),
    ]);
    let sink = FakeSink {
        refuse: Mutex::new(VecDeque::from([vec![1]])),
        ..FakeSink::default()
    };
    let batch = event(&[to("a", 1024, 512), to("b", 512, 768), to("c", 768, 640)]);
    assert_eq!(again(&handle(&lambda, &sink, &batch)), ["2"]);
}

#[test]
fn the_event_and_the_answer_are_written_as_lambda_writes_them() {
    let text = r#"{"Records":[{"eventID":"shardId-000000000000:49545115243490985018280067714973144582180062593244200961",
        "eventSource":"aws:kinesis","eventSourceARN":"arn:aws:kinesis:eu-central-1:123456789012:stream/decisions",
        "kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"k","sequenceNumber":"495451152434909850",
        "data":"e30=","approximateArrivalTimestamp":1545084650.987}}]}"#;
    let event: KinesisEvent = serde_json::from_str(text).unwrap();
    assert_eq!(
        event.records[0].kinesis.sequence_number,
        "495451152434909850"
    );
    let response = BatchResponse {
        batch_item_failures: vec![crate::BatchItemFailure {
            item_identifier: "7".to_owned(),
        }],
    };
    let json = serde_json::to_string(&response).unwrap();
    assert_eq!(json, r#"{"batchItemFailures":[{"itemIdentifier":"7"}]}"#);
    let done = serde_json::to_string(&BatchResponse::default()).unwrap();
    assert_eq!(done, r#"{"batchItemFailures":[]}"#);
}
