//! The updater over real parts: a Lambda API server, a Kinesis API server, its own Lambda binary.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::collections::HashMap;

use aws_sdk_kinesis::primitives::Blob;
use rightsizer_records::{
    Confidence, Day, EvidenceWindow, FunctionArn, Megabytes, Millis, Mode, MonthlyUsd, Outcome,
    OutcomeStatus, Recommendation, Record, Timestamp, Usd, encode,
};
use rightsizer_tests::servers::{FunctionSpec, KinesisLocal, MotoServer, UpdaterLambda};
use rightsizer_updater::{FunctionMode, LambdaApi, Place, Settings, Updater};

const STREAM: &str = "decisions";

fn now() -> Timestamp {
    Timestamp::parse("2026-02-01T02:00:00Z").unwrap()
}

/// Good until long after this test is forgotten: the Lambda binary asks the real clock.
fn recommendation(id: &str, function: &FunctionArn, from_mb: u32, to_mb: u32) -> Recommendation {
    let day = Day::parse("2026-01-31").unwrap();
    Recommendation {
        id: id.to_owned(),
        function: function.clone(),
        version: "$LATEST".to_owned(),
        from_mb: Megabytes(from_mb),
        to_mb: Megabytes(to_mb),
        target_mb: Megabytes(to_mb),
        policy: "average-plus-buffer".to_owned(),
        reasons: Vec::new(),
        window: EvidenceWindow {
            from: day.plus(-13),
            to: day,
            days: 14,
            invocations: 1400,
        },
        p99_ms: Some(Millis::from_ms(100)),
        confidence: Confidence::High,
        monthly_usd: MonthlyUsd {
            before: Usd::from_f64(2.0),
            after: Usd::from_f64(1.0),
        },
        mode: Mode::Auto,
        by: None,
        urgent: false,
        issued_at: now(),
        expires_at: Timestamp::parse("2199-01-01T00:00:00Z").unwrap(),
        rollback_of: None,
        code_sha256: None,
    }
}

/// An updater in this process that may act on the test account.
fn updater(moto: &MotoServer, function: &FunctionArn) -> Updater<LambdaApi> {
    let settings = Settings {
        default_mode: FunctionMode::Auto,
        accept: vec![Place::of(function)],
        ..Settings::default()
    };
    Updater::new(LambdaApi::new(moto.lambda().clone()), settings)
}

fn pairs(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

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
async fn memory_changes_and_nothing_else() {
    let moto = MotoServer::start().await.unwrap();
    let spec = FunctionSpec {
        memory_mb: 1024,
        timeout_s: 9,
        tags: pairs(&[("rightsizer:mode", "auto"), ("team", "payments")]),
        environment: pairs(&[("LEVEL", "info"), ("TABLE", "orders")]),
    };
    let arn = moto.create("checkout", spec).await.unwrap();
    let read = async || {
        let answer = moto
            .lambda()
            .get_function()
            .function_name("checkout")
            .send()
            .await
            .unwrap();
        (answer.configuration.unwrap(), answer.tags)
    };
    let (before, tags) = read().await;

    let rec = recommendation("a", &arn, 1024, 512);
    let outcome = updater(&moto, &arn).apply(&rec, now()).await.unwrap();
    assert_eq!(outcome.status, OutcomeStatus::Applied, "{}", outcome.detail);

    let (mut after, tags_after) = read().await;
    assert_eq!(after.memory_size, Some(512));
    // Everything else is as it was, but for the marks that every change leaves.
    after.memory_size = before.memory_size;
    after.revision_id.clone_from(&before.revision_id);
    after.last_modified.clone_from(&before.last_modified);
    assert_eq!(after, before);
    assert_eq!(tags_after, tags);
    assert_eq!(
        before.environment.unwrap().variables.unwrap()["TABLE"],
        "orders"
    );

    // A second delivery is answered the same; another function's absence is an outcome.
    let again = updater(&moto, &arn).apply(&rec, now()).await.unwrap();
    assert_eq!(again.status, OutcomeStatus::Applied);
    let gone = moto.function_arn("gone").unwrap();
    let absent = recommendation("b", &gone, 1024, 512);
    let outcome = updater(&moto, &arn).apply(&absent, now()).await.unwrap();
    assert_eq!(
        (outcome.status, outcome.reason.as_str()),
        (OutcomeStatus::Failed, "not-found")
    );
}

#[tokio::test]
async fn the_tags_on_the_function_itself_are_obeyed() {
    let moto = MotoServer::start().await.unwrap();
    let mode = "rightsizer:mode";
    for (name, tags, approved, want) in [
        ("plain", vec![], false, ""),
        ("off", vec![(mode, "off")], false, "opted-out"),
        ("off-approved", vec![(mode, "off")], true, "opted-out"),
        (
            "recommend",
            vec![(mode, "recommend")],
            false,
            "recommend-only",
        ),
        ("recommend-approved", vec![(mode, "recommend")], true, ""),
        (
            "min",
            vec![("rightsizer:min-mb", "600")],
            false,
            "outside-tags",
        ),
        ("typing-error", vec![(mode, "of")], false, "bad-tag"),
    ] {
        let arn = moto.create_function(name, 1024, 3, &tags).await.unwrap();
        let mut rec = recommendation(name, &arn, 1024, 512);
        if approved {
            (rec.mode, rec.by) = (Mode::Approved, Some("on-call".to_owned()));
        }
        let outcome = updater(&moto, &arn).apply(&rec, now()).await.unwrap();
        assert_eq!(outcome.reason, want, "{name}: {}", outcome.detail);
        let memory = if want.is_empty() { 512 } else { 1024 };
        assert_eq!(moto.memory_mb(name).await.unwrap(), memory, "{name}");
    }
}

#[tokio::test]
async fn the_lambda_binary_applies_a_stream_and_answers_every_recommendation() {
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
            .matches("cannot be read and is left out")
            .count(),
        4
    );
    // Its own outcomes come by on the same stream and are no work.
    assert_eq!(updater.deliver(&kinesis).await.unwrap().invocations, 0);
}

#[tokio::test]
async fn the_lambda_binary_only_recommends_unless_told_to_act() {
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

#[tokio::test]
async fn a_control_plane_that_is_away_fails_the_batch_from_the_first_record_it_needed() {
    let (kinesis, moto) = (KinesisLocal::start(), MotoServer::start());
    let (kinesis, moto) = (kinesis.await.unwrap(), moto.await.unwrap());
    kinesis.create_stream(STREAM, 1).await.unwrap();
    let settings = [("RIGHTSIZER_MODE", "auto"), ("AWS_MAX_ATTEMPTS", "1")];
    let mut updater = UpdaterLambda::start(&kinesis, STREAM, &moto, &settings)
        .await
        .unwrap();
    let elsewhere = FunctionArn::new("aws", "us-east-1", "123456789012", "elsewhere").unwrap();
    let here = moto.function_arn("checkout").unwrap();
    for (id, arn) in [("a", &elsewhere), ("b", &here), ("c", &elsewhere)] {
        let rec = recommendation(id, arn, 1024, 512);
        put(&kinesis, "one-shard", encode(&Record::Recommendation(rec))).await;
    }
    drop(moto);

    let delivered = updater.deliver(&kinesis).await.unwrap();
    // a is done; b is delivered 1 + 3 times, given up, and then c is done.
    assert_eq!(
        (delivered.records, delivered.invocations),
        (2, 5),
        "{}",
        updater.log_text()
    );
    assert_eq!(delivered.given_up.len(), 1);
    let Ok(Record::Recommendation(given_up)) = delivered.given_up[0].decoded() else {
        panic!("{:?}", delivered.given_up);
    };
    assert_eq!(given_up.id, "b");
    let skipped = |id| (id, OutcomeStatus::Skipped, "other-region");
    assert_eq!(
        ends(&outcomes(&kinesis).await),
        [skipped("a"), skipped("c")]
    );
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
