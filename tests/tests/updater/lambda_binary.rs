//! The updater's own Lambda binary between a Kinesis API server and a Lambda API server.

use aws_sdk_kinesis::primitives::Blob;
use rightsizer_records::{Outcome, OutcomeStatus, Record, encode};
use rightsizer_tests::servers::{
    Fault, FaultLambda, KinesisLocal, MotoServer, Operation, UPDATER, UpdaterLambda,
};

use crate::stage::recommendation;

const STREAM: &str = "decisions";

async fn put(kinesis: &KinesisLocal, key: &str, data: Vec<u8>) {
    let put = kinesis
        .client()
        .put_record()
        .stream_name(STREAM)
        .partition_key(key);
    put.data(Blob::new(data)).send().await.unwrap();
}

/// The outcomes on the stream, in order of their ids.
async fn outcomes(kinesis: &KinesisLocal) -> Vec<Outcome> {
    let records = kinesis.records(STREAM).await.unwrap();
    let mut outcomes: Vec<_> = records
        .iter()
        .filter_map(|r| match r.decoded() {
            Ok(Record::Outcome(outcome)) => {
                assert_eq!(r.partition_key, outcome.function.as_str());
                Some(outcome)
            }
            _ => None,
        })
        .collect();
    outcomes.sort_by(|a, b| a.id.cmp(&b.id));
    outcomes
}

fn ends(outcomes: &[Outcome]) -> Vec<(&str, OutcomeStatus, &str)> {
    outcomes
        .iter()
        .map(|o| (o.id.as_str(), o.status, o.reason.as_str()))
        .collect()
}

#[tokio::test]
async fn the_lambda_binary_applies_a_stream_with_an_outcome_for_every_recommendation() {
    let (kinesis, moto) = (KinesisLocal::start(), MotoServer::start());
    let (kinesis, moto) = (kinesis.await.unwrap(), moto.await.unwrap());
    kinesis.create_stream(STREAM, 2).await.unwrap();
    let mut updater = UpdaterLambda::start(&kinesis, STREAM, &moto, &[("RIGHTSIZER_MODE", "auto")])
        .await
        .unwrap();

    for (id, name, tags, from, to) in [
        ("a", "checkout", vec![], 1024, 512),
        ("b", "search", vec![], 256, 384),
        ("c", "billing", vec![("rightsizer:mode", "off")], 1024, 512),
        ("d", "stale", vec![], 768, 512),
    ] {
        let size = if name == "stale" {
            2048
        } else {
            i32::try_from(from).unwrap()
        };
        let arn = moto.create_function(name, size, 3, &tags).await.unwrap();
        let rec = recommendation(id, &arn, from, to);
        put(&kinesis, arn.as_str(), encode(&Record::Recommendation(rec))).await;
        // Poison that passes the filter, and what does not pass it, on the same shards.
        put(
            &kinesis,
            arn.as_str(),
            br#"{"v":1,"kind":"recommendation","id":7}"#.to_vec(),
        )
        .await;
        put(&kinesis, arn.as_str(), b"\xff\x00 garbage".to_vec()).await;
    }
    let delivered = updater.deliver(&kinesis).await.unwrap();
    assert_eq!(
        (delivered.records, delivered.given_up),
        (8, vec![]),
        "{}",
        updater.log_text()
    );
    assert_eq!(
        ends(&outcomes(&kinesis).await),
        [
            ("a", OutcomeStatus::Applied, ""),
            ("b", OutcomeStatus::Applied, ""),
            ("c", OutcomeStatus::Skipped, "opted-out"),
            ("d", OutcomeStatus::Skipped, "stale-from"),
        ]
    );
    for (name, memory) in [
        ("checkout", 512),
        ("search", 384),
        ("billing", 1024),
        ("stale", 2048),
    ] {
        assert_eq!(moto.memory_mb(name).await.unwrap(), memory, "{name}");
    }
    assert_eq!(
        updater
            .log_text()
            .matches("cannot be read and is skipped")
            .count(),
        4
    );
    // Its own outcomes arrive on the same stream and are ignored.
    assert_eq!(updater.deliver(&kinesis).await.unwrap().invocations, 0);
}

#[tokio::test]
async fn the_lambda_binary_only_recommends_unless_configured_to_act() {
    let (kinesis, moto) = (KinesisLocal::start(), MotoServer::start());
    let (kinesis, moto) = (kinesis.await.unwrap(), moto.await.unwrap());
    kinesis.create_stream(STREAM, 1).await.unwrap();
    let mut updater = UpdaterLambda::start(&kinesis, STREAM, &moto, &[])
        .await
        .unwrap();
    let arn = moto
        .create_function("checkout", 1024, 3, &[])
        .await
        .unwrap();
    let rec = recommendation("a", &arn, 1024, 512);
    put(&kinesis, arn.as_str(), encode(&Record::Recommendation(rec))).await;
    updater.deliver(&kinesis).await.unwrap();
    let outcomes = outcomes(&kinesis).await;
    assert_eq!(
        ends(&outcomes),
        [("a", OutcomeStatus::Skipped, "recommend-only")]
    );
    assert_eq!(moto.memory_mb("checkout").await.unwrap(), 1024);
}

/// Three functions on one shard; the one in the middle is throttled for longer than an invocation.
#[tokio::test]
async fn a_function_that_is_throttled_for_long_delays_no_other_and_has_an_outcome() {
    let kinesis = KinesisLocal::start().await.unwrap();
    kinesis.create_stream(STREAM, 1).await.unwrap();
    let fleet = FaultLambda::default();
    fleet.function(UPDATER, 128, &[]);
    let server = fleet.serve().await.unwrap();
    let mode = [("RIGHTSIZER_MODE", "auto")];
    let updater = UpdaterLambda::start_at(&kinesis, STREAM, server.endpoint(), &mode);
    let mut updater = updater.await.unwrap();
    for (id, name) in [("a", "first"), ("b", "stuck"), ("c", "last")] {
        let arn = fleet.function(name, 1024, &[]);
        let rec = recommendation(id, &arn, 1024, 2048);
        put(&kinesis, "one-shard", encode(&Record::Recommendation(rec))).await;
    }
    fleet.order(None, Some("stuck"), (0, 9999), Fault::throttle(600));

    let delivered = updater.deliver(&kinesis).await.unwrap();
    // a and c at once, b comes 1 + 3 times and c with it: the fourth time it is answered.
    assert_eq!(
        (
            delivered.records,
            delivered.invocations,
            delivered.given_up.len()
        ),
        (3, 4, 0),
        "{}",
        updater.log_text()
    );
    let applied = |id| (id, OutcomeStatus::Applied, "");
    let outcomes = outcomes(&kinesis).await;
    let mut ends = ends(&outcomes);
    ends.dedup();
    let failed = ("b", OutcomeStatus::Failed, "throttled");
    assert_eq!(ends, [applied("a"), failed, applied("c")]);
    for name in ["first", "last"] {
        assert_eq!(fleet.memory_mb(name, None), 2048);
        let updates = fleet.calls_of(Operation::UpdateFunctionConfiguration, name);
        assert_eq!(updates.len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_setting_that_means_nothing_stops_the_lambda_binary_with_its_name() {
    let (kinesis, moto) = (KinesisLocal::start(), MotoServer::start());
    let (kinesis, moto) = (kinesis.await.unwrap(), moto.await.unwrap());
    kinesis.create_stream(STREAM, 1).await.unwrap();
    let settings = [("RIGHTSIZER_MODE", "always")];
    let mut updater = UpdaterLambda::start(&kinesis, STREAM, &moto, &settings)
        .await
        .unwrap();
    let rec = recommendation("a", &moto.function_arn("checkout").unwrap(), 1024, 512);
    put(&kinesis, "key", encode(&Record::Recommendation(rec))).await;
    let error = format!("{:#}", updater.deliver(&kinesis).await.unwrap_err());
    assert!(error.contains("the updater ended"), "{error}");
    assert!(
        error.contains("RIGHTSIZER_MODE") && error.contains("always"),
        "{error}"
    );
}
