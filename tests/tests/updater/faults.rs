//! What the Lambda API does when things go wrong, in virtual time: one function, or one beside it.

use std::time::Duration;

use rightsizer_records::{ApiFault, Megabytes, OutcomeStatus};
use rightsizer_tests::servers::{Fault, FaultLambda, Operation};
use rightsizer_updater::{ControlPlane, LambdaApi, LastUpdate, RetryLater};
use serde_json::json;
use tokio::time::Instant;

use crate::stage::{apply, now, recommendation, updater};

const UPDATE: Operation = Operation::UpdateFunctionConfiguration;
const READ: Operation = Operation::GetFunction;

fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

#[tokio::test(start_paused = true)]
async fn the_request_has_the_size_and_the_revision_and_nothing_else() {
    let lambda = FaultLambda::default();
    let arn = lambda.function("checkout", 1024, &[]);
    apply(&lambda, &recommendation("a", &arn, 1024, 512))
        .await
        .unwrap();
    let updates = lambda.calls_of(UPDATE, "checkout");
    assert_eq!(updates.len(), 1);
    assert_eq!(updates[0].fields, ["MemorySize", "RevisionId"]);
}

#[tokio::test(start_paused = true)]
async fn a_stale_revision_writes_nothing_and_is_read_again() {
    let lambda = FaultLambda::default();
    let arn = lambda.function("checkout", 1024, &[]);
    let api = LambdaApi::new(&lambda.client());
    let before = api.get(&arn).await.unwrap();
    let revision = before.revision_id.as_deref();
    api.set_memory(&arn, Megabytes(768), revision)
        .await
        .unwrap();
    let refused = api
        .set_memory(&arn, Megabytes(512), revision)
        .await
        .unwrap_err();
    assert_eq!(refused.fault, ApiFault::RevisionChanged);
    assert_eq!(lambda.memory_mb("checkout", None), 768);

    let fault = Fault::Refuse {
        status: 412,
        code: "PreconditionFailedException",
        retry_after_s: None,
    };
    lambda.order(UPDATE, None, (0, 1), fault);
    let outcome = apply(&lambda, &recommendation("a", &arn, 768, 512))
        .await
        .unwrap();
    assert_eq!(outcome.status, OutcomeStatus::Applied);
    assert_eq!(lambda.memory_mb("checkout", None), 512);
}

#[tokio::test(start_paused = true)]
async fn another_update_is_waited_for_but_not_for_ever() {
    for (takes, want, memory) in [(3, "", 512), (3600, "update-in-progress", 1024)] {
        let lambda = FaultLambda::default();
        let arn = lambda.function("checkout", 1024, &[]);
        lambda.updates_take("checkout", seconds(takes), None);
        let api = LambdaApi::new(&lambda.client());
        let theirs = api.set_memory(&arn, Megabytes(1024), None).await.unwrap();
        assert_eq!(theirs.1, LastUpdate::InProgress);
        let refused = api
            .set_memory(&arn, Megabytes(900), None)
            .await
            .unwrap_err();
        assert_eq!(refused.fault, ApiFault::Conflict);
        let outcome = apply(&lambda, &recommendation("a", &arn, 1024, 512))
            .await
            .unwrap();
        assert_eq!(outcome.reason, want, "{}", outcome.detail);
        assert_eq!(lambda.memory_mb("checkout", None), memory);
    }
}

#[tokio::test(start_paused = true)]
async fn an_accepted_update_is_followed_to_its_end() {
    let lambda = FaultLambda::default();
    let good = lambda.function("good", 1024, &[]);
    let bad = lambda.function("bad", 1024, &[]);
    lambda.updates_take("good", seconds(2), None);
    lambda.updates_take("bad", seconds(2), Some("EniLimitExceeded"));
    let outcome = apply(&lambda, &recommendation("a", &good, 1024, 512))
        .await
        .unwrap();
    assert_eq!(outcome.status, OutcomeStatus::Applied);
    assert!(!outcome.detail.contains("still"), "{}", outcome.detail);
    let outcome = apply(&lambda, &recommendation("b", &bad, 1024, 512))
        .await
        .unwrap();
    assert_eq!(
        (outcome.status, outcome.reason.as_str()),
        (OutcomeStatus::Failed, "update-failed")
    );
    assert!(
        outcome.detail.contains("EniLimitExceeded"),
        "{}",
        outcome.detail
    );
    assert_eq!(lambda.memory_mb("bad", None), 1024);
    assert_eq!(lambda.calls_of(UPDATE, "bad").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_neither_applied_twice_nor_reported_as_a_failure() {
    for fault in [
        Fault::LoseAnswer,
        Fault::Slow(seconds(8)),
        Fault::LoseRequest,
    ] {
        let lambda = FaultLambda::default();
        let arn = lambda.function("checkout", 1024, &[]);
        lambda.order(UPDATE, None, (0, 1), fault.clone());
        let outcome = apply(&lambda, &recommendation("a", &arn, 1024, 512))
            .await
            .unwrap();
        assert_eq!(outcome.status, OutcomeStatus::Applied, "{fault:?}");
        assert_eq!(lambda.memory_mb("checkout", None), 512);
        let updates = lambda.calls_of(UPDATE, "checkout").len();
        assert_eq!(
            updates,
            if fault == Fault::LoseRequest { 2 } else { 1 },
            "{fault:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_429_is_not_called_again_before_its_time_and_keeps_no_other_function() {
    let lambda = FaultLambda::default();
    let stuck = lambda.function("stuck", 1024, &[]);
    let other = lambda.function("other", 1024, &[]);
    lambda.order(UPDATE, Some("stuck"), (0, 1), Fault::throttle(20));
    let recs = [
        recommendation("a", &stuck, 1024, 2048),
        recommendation("b", &other, 1024, 2048),
    ];
    let begin = Instant::now();
    let mut done = Vec::new();
    updater(&lambda.client())
        .apply_all(&recs, |position, answer| {
            done.push((position, answer.unwrap().status, begin.elapsed()));
        })
        .await;
    assert_eq!((done[0].0, done[0].1), (1, OutcomeStatus::Applied));
    assert!(done[0].2 < seconds(5), "{done:?}");
    assert_eq!((done[1].0, done[1].1), (0, OutcomeStatus::Applied));
    let updates = lambda.calls_of(UPDATE, "stuck");
    assert_eq!((updates[0].status, updates[1].status), (429, 200));
    assert!(updates[1].at >= updates[0].at + seconds(20), "{updates:?}");
    // All calls waited.
    let calls = lambda.calls();
    let next = calls.iter().find(|call| call.at > updates[0].at).unwrap();
    assert!(next.at >= updates[0].at + seconds(1), "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn a_429_longer_than_the_invocation_goes_back_to_the_stream_at_once() {
    let lambda = FaultLambda::default();
    let arn = lambda.function("checkout", 1024, &[]);
    lambda.order(UPDATE, None, (0, 9), Fault::throttle(90));
    let begin = Instant::now();
    let updater = updater(&lambda.client()).until(now().plus_ms(52_000));
    let later = updater.apply(&recommendation("a", &arn, 1024, 512)).await;
    let RetryLater { error, unclear, .. } = later.unwrap_err();
    assert_eq!(
        (error.fault, error.retry_after),
        (ApiFault::Throttled, Some(seconds(90)))
    );
    assert!(!unclear && begin.elapsed() < seconds(2));
    assert_eq!(lambda.calls_of(UPDATE, "checkout").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_answers_slowly_does_not_delay_anothers_increase() {
    let lambda = FaultLambda::default();
    let slow = lambda.function("slow", 1024, &[]);
    let other = lambda.function("other", 1024, &[]);
    lambda.order(READ, Some("slow"), (0, 99), Fault::Slow(seconds(30)));
    let recs = [
        recommendation("a", &slow, 1024, 4096),
        recommendation("b", &other, 1024, 2048),
    ];
    let begin = Instant::now();
    let mut done = Vec::new();
    let updater = updater(&lambda.client()).until(now().plus_ms(52_000));
    updater
        .apply_all(&recs, |position, answer| {
            done.push((position, answer.is_ok(), begin.elapsed()));
        })
        .await;
    assert_eq!((done[0].0, done[0].1), (1, true));
    assert!(lambda.calls_of(UPDATE, "other")[0].at < seconds(1));
    assert!(done[0].2 < seconds(3), "{done:?}");
    // And it ends in time itself: nothing runs into the invocation's deadline.
    assert_eq!((done[1].0, done[1].1), (0, false));
    assert!(done[1].2 <= seconds(52), "{done:?}");
}

#[tokio::test(start_paused = true)]
async fn the_services_facts_about_a_function_are_used() {
    let lambda = FaultLambda::default();
    for (name, field, value, want) in [
        (
            "edge",
            "MasterArn",
            json!("arn:aws:lambda:us-east-1:1:function:edge"),
            "edge-replica",
        ),
        (
            "managed",
            "CapacityProviderConfig",
            json!({}),
            "managed-instances",
        ),
        ("broken", "State", json!("Failed"), "not-updatable"),
        ("new", "State", json!("Pending"), "update-in-progress"),
        ("image", "PackageType", json!("Image"), ""),
    ] {
        let arn = lambda.function(name, 1024, &[]);
        lambda.set(name, field, value);
        let outcome = apply(&lambda, &recommendation(name, &arn, 1024, 512))
            .await
            .unwrap();
        assert_eq!(outcome.reason, want, "{name}: {}", outcome.detail);
        assert_eq!(
            lambda.calls_of(UPDATE, name).len(),
            usize::from(want.is_empty())
        );
    }
    let arn = lambda.function("secret", 1024, &[]);
    lambda.deny_tags("secret");
    let outcome = apply(&lambda, &recommendation("secret", &arn, 1024, 512))
        .await
        .unwrap();
    assert_eq!(outcome.reason, "tags-unreadable");
}

#[tokio::test(start_paused = true)]
async fn what_the_service_refuses_for_good_is_an_outcome() {
    for (status, code, outcome_status, reason) in [
        (
            403,
            "AccessDeniedException",
            OutcomeStatus::Failed,
            "access-denied",
        ),
        (
            400,
            "InvalidParameterValueException",
            OutcomeStatus::Failed,
            "refused",
        ),
        (
            404,
            "ResourceNotFoundException",
            OutcomeStatus::Failed,
            "not-found",
        ),
    ] {
        let lambda = FaultLambda::default();
        let arn = lambda.function("checkout", 1024, &[]);
        let fault = Fault::Refuse {
            status,
            code,
            retry_after_s: None,
        };
        lambda.order(UPDATE, None, (0, 1), fault);
        let outcome = apply(&lambda, &recommendation("a", &arn, 1024, 512))
            .await
            .unwrap();
        assert_eq!(
            (outcome.status, outcome.reason.as_str()),
            (outcome_status, reason)
        );
    }
}
