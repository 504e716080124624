//! Batches: order, poison, outcomes, and where the stream has to start again.

use std::collections::VecDeque;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rightsizer_records::{ApiFault, Megabytes, OutcomeStatus, Record, encode};

use super::apply::ready;
use super::{FakeClock, FakeFleet, FakeLambda, FakeSink, OnWrite, arn, live, rec, updater};
use crate::{
    BatchResponse, Deliveries, KinesisData, KinesisEvent, KinesisEventRecord, handle_batch,
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
    handle_again(lambda, sink, event, &Deliveries::with_retries(3))
}

fn handle_again(
    lambda: &FakeLambda,
    sink: &FakeSink,
    event: &KinesisEvent,
    deliveries: &Deliveries,
) -> BatchResponse {
    let clock = FakeClock::default();
    ready(handle_batch(
        &updater(lambda, &clock),
        sink,
        event,
        deliveries,
    ))
}

fn named(name: &str, id: &str, from_mb: u32, to_mb: u32) -> Vec<u8> {
    let mut rec = rec();
    (rec.id, rec.function) = (id.to_owned(), arn(name));
    (rec.from_mb, rec.to_mb) = (Megabytes(from_mb), Megabytes(to_mb));
    encode(&Record::Recommendation(rec))
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
fn a_record_that_names_its_function_gets_an_outcome_even_if_it_cannot_be_read() {
    let (lambda, sink) = (FakeLambda::with(live()), FakeSink::default());
    let text = String::from_utf8(to("a", 1024, 512)).unwrap();
    let to_mb = |mb: &str| {
        text.replace("\"to_mb\":512", &format!("\"to_mb\":{mb}"))
            .into_bytes()
    };
    let no_arn = text.replace("arn:aws:lambda", "checkout").into_bytes();
    let batch = event(&[to_mb("0"), to_mb("99999"), to_mb("\"much\""), no_arn]);
    assert_eq!(handle(&lambda, &sink, &batch), BatchResponse::default());
    let kept = sink.kept.lock().unwrap();
    let got: Vec<_> = kept
        .iter()
        .map(|o| (o.reason.as_str(), o.to_mb.0, o.detail.as_str()))
        .collect();
    assert_eq!(kept.len(), 3, "{got:?}");
    for (n, to_mb, words) in [
        (0, 1, "to_mb is 0"),
        (1, 65_536, "to_mb is 99999"),
        (2, 1, "much"),
    ] {
        assert_eq!((got[n].0, got[n].1), ("bad-record", to_mb));
        assert!(got[n].2.contains(words), "{}", got[n].2);
        // What is put can be read by who gets it.
        let bytes = encode(&Record::Outcome(kept[n].clone()));
        assert_eq!(
            rightsizer_records::decode(&bytes),
            Ok(Record::Outcome(kept[n].clone()))
        );
    }
    assert_eq!(lambda.reads(), 0);
}

#[test]
fn everything_is_tried_before_anything_comes_again() {
    let (other, stuck) = ("other", "stuck");
    let batch = event(&[
        named(stuck, "a", 1024, 512),
        named(other, "b", 1024, 2048),
        named(stuck, "c", 1024, 640),
    ]);
    let lambda = FakeFleet::new(&[stuck, other]);
    lambda
        .of(stuck)
        .state()
        .reads
        .extend(std::iter::repeat_n(Err(ApiFault::Unavailable), 10));
    let (sink, deliveries) = (FakeSink::default(), Deliveries::with_retries(3));
    let clock = FakeClock::default();
    let updater = crate::Updater::new(&lambda, crate::NeverPaused, &clock, super::settings());
    let response = ready(handle_batch(&updater, &sink, &batch, &deliveries));
    assert_eq!(again(&response), ["1"]);
    assert_eq!(kept(&sink), [("b".to_owned(), OutcomeStatus::Applied)]);
    assert_eq!(lambda.of(other).memory(), Megabytes(2048));

    // The stream starts again at a, in another process: b is found done, and not written twice.
    let deliveries = Deliveries::with_retries(3);
    let response = ready(handle_batch(&updater, &sink, &batch, &deliveries));
    assert_eq!(response, BatchResponse::default());
    assert_eq!(lambda.of(other).written().len(), 1);
    assert_eq!(lambda.of(stuck).memory(), Megabytes(512));
    // c found another size than it was decided for.
    assert_eq!(
        kept(&sink).last(),
        Some(&("c".to_owned(), OutcomeStatus::Skipped))
    );
}

/// Behind a stuck function stands one that was changed, and that a pipeline put back since.
#[test]
fn a_delivered_outcome_is_not_repeated_against_a_later_change() {
    let batch = event(&[
        named("stuck", "a", 1024, 512),
        named("other", "b", 1024, 512),
    ]);
    let lambda = FakeFleet::new(&["stuck", "other"]);
    let faults = std::iter::repeat_n(Err(ApiFault::Throttled), 2);
    lambda
        .of("stuck")
        .state()
        .reads
        .extend(faults.clone().chain(faults.clone()).chain(faults));
    let (sink, deliveries) = (FakeSink::default(), Deliveries::with_retries(3));
    let clock = FakeClock::default();
    let updater = crate::Updater::new(&lambda, crate::NeverPaused, &clock, super::settings());
    let response = ready(handle_batch(&updater, &sink, &batch, &deliveries));
    assert_eq!((again(&response), kept(&sink).len()), (vec!["1"], 1));
    lambda
        .of("other")
        .state()
        .function
        .as_mut()
        .unwrap()
        .memory_mb = Megabytes(1024);

    let response = ready(handle_batch(&updater, &sink, &batch, &deliveries));
    assert_eq!(response, BatchResponse::default());
    let want = ["b", "a"].map(|id| (id.to_owned(), OutcomeStatus::Applied));
    assert_eq!(kept(&sink), want);
    assert_eq!(lambda.of("other").memory(), Megabytes(1024));
}

#[test]
fn increases_go_first_and_urgent_ones_before_them() {
    let lambda = FakeFleet::new(&["down", "up", "urgent"]);
    let mut urgent = rec();
    urgent.function = arn("urgent");
    (urgent.id, urgent.urgent, urgent.to_mb) = ("c".to_owned(), true, Megabytes(2048));
    let batch = event(&[
        named("down", "a", 1024, 512),
        named("up", "b", 1024, 2048),
        encode(&Record::Recommendation(urgent)),
    ]);
    let (sink, clock) = (FakeSink::default(), FakeClock::default());
    let updater = crate::Updater::new(&lambda, crate::NeverPaused, &clock, super::settings());
    ready(handle_batch(
        &updater,
        &sink,
        &batch,
        &Deliveries::with_retries(3),
    ));
    assert_eq!(*lambda.order.lock().unwrap(), ["urgent", "up", "down"]);
}

/// A decrease and its undoing in one batch that is delivered again: the decrease is not made again.
#[test]
fn what_was_undone_since_is_not_done_again() {
    let lambda = FakeLambda::with(live());
    let batch = event(&[to("a", 1024, 512), to("b", 512, 1024)]);
    let sink = FakeSink {
        refuse: Mutex::new(VecDeque::from([vec![0]])),
        ..FakeSink::default()
    };
    // The function has 1024 MB already, as after a first delivery of both.
    assert_eq!(again(&handle(&lambda, &sink, &batch)), ["1"]);
    assert_eq!(handle(&lambda, &sink, &batch), BatchResponse::default());
    assert_eq!(lambda.written(), []);
    let ends: Vec<_> = kept(&sink);
    assert_eq!(ends[1], ("a".to_owned(), OutcomeStatus::Skipped));
    assert_eq!(ends[2], ("b".to_owned(), OutcomeStatus::Applied));
    assert_eq!(sink.kept.lock().unwrap()[1].reason, "superseded");
}

#[test]
fn two_increases_of_one_function_in_one_batch_are_both_made() {
    let (lambda, sink) = (FakeLambda::with(live()), FakeSink::default());
    let batch = event(&[to("a", 1024, 1280), to("b", 1280, 1536)]);
    assert_eq!(handle(&lambda, &sink, &batch), BatchResponse::default());
    assert_eq!(lambda.memory(), Megabytes(1536));
}

#[test]
fn the_last_delivery_of_a_record_ends_in_a_failure_and_not_in_silence() {
    let lambda =
        FakeLambda::with(live()).reading(std::iter::repeat_n(Err(ApiFault::Throttled), 99));
    let (sink, deliveries) = (FakeSink::default(), Deliveries::with_retries(3));
    let batch = event(&[to("a", 1024, 512)]);
    for _ in 0..3 {
        assert_eq!(
            again(&handle_again(&lambda, &sink, &batch, &deliveries)),
            ["1"]
        );
        assert_eq!(kept(&sink), []);
    }
    let last = handle_again(&lambda, &sink, &batch, &deliveries);
    assert_eq!(last, BatchResponse::default());
    assert_eq!(kept(&sink), [("a".to_owned(), OutcomeStatus::Failed)]);
    assert_eq!(sink.kept.lock().unwrap()[0].reason, "throttled");

    // If a change may have been made, the outcome has that reason.
    let lambda = FakeLambda::with(live()).writing([OnWrite::WriteSilently]);
    lambda.state().reads.push_back(Ok(()));
    lambda
        .state()
        .reads
        .extend(std::iter::repeat_n(Err(ApiFault::Unavailable), 99));
    let (sink, deliveries) = (FakeSink::default(), Deliveries::with_retries(0));
    handle_again(&lambda, &sink, &batch, &deliveries);
    assert_eq!(sink.kept.lock().unwrap()[0].reason, "update-unclear");
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
    let lambda = FakeFleet::new(&["one", "two", "three"]);
    lambda
        .of("three")
        .state()
        .reads
        .extend(std::iter::repeat_n(Err(ApiFault::Unavailable), 9));
    let sink = FakeSink {
        refuse: Mutex::new(VecDeque::from([vec![1]])),
        ..FakeSink::default()
    };
    let batch = event(&[
        named("one", "a", 1024, 512),
        named("two", "b", 1024, 768),
        named("three", "c", 1024, 640),
    ]);
    let clock = FakeClock::default();
    let updater = crate::Updater::new(&lambda, crate::NeverPaused, &clock, super::settings());
    let response = ready(handle_batch(
        &updater,
        &sink,
        &batch,
        &Deliveries::with_retries(3),
    ));
    assert_eq!(again(&response), ["2"]);
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
