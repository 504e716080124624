//! Traffic on a published version, with a slow and failing service, in virtual time.

use std::time::Duration;

use rightsizer_records::{FunctionArn, Outcome, OutcomeStatus, Recommendation};
use rightsizer_tests::servers::{Fault, FaultLambda, Operation};
use serde_json::json;

use crate::stage::{apply, approved, for_version, recommendation};

/// Alias `live` at version 1 of 1024 MB; changes take two seconds.
async fn stage() -> (FaultLambda, FunctionArn) {
    let lambda = FaultLambda::default();
    let arn = lambda.function("shop", 1024, &[("rightsizer:alias", "live")]);
    lambda.updates_take("shop", Duration::from_secs(2), None);
    let client = lambda.client();
    let publish = client.publish_version().function_name("shop");
    publish.description("release 1").send().await.unwrap();
    let alias = client.create_alias().function_name("shop").name("live");
    alias.function_version("1").send().await.unwrap();
    (lambda, arn)
}

fn down(arn: &FunctionArn) -> Recommendation {
    for_version("1", recommendation("a", arn, 1024, 512))
}

fn end(outcome: &Outcome) -> (OutcomeStatus, &str) {
    (outcome.status, outcome.reason.as_str())
}

#[tokio::test(start_paused = true)]
async fn nothing_but_memory_differs_between_what_served_and_what_serves() {
    let (lambda, arn) = stage().await;
    let before = lambda.configuration("shop", Some("live"));
    let outcome = apply(&lambda, &down(&arn)).await.unwrap();
    assert_eq!(
        end(&outcome),
        (OutcomeStatus::Applied, ""),
        "{}",
        outcome.detail
    );
    let after = lambda.configuration("shop", Some("live"));
    assert_eq!(
        (&before["Version"], &after["Version"]),
        (&json!("1"), &json!("2"))
    );
    assert_eq!(after["MemorySize"], 512);
    assert_eq!(after["Description"], "release 1");
    let differ: Vec<_> = before
        .keys()
        .filter(|key| before.get(*key) != after.get(*key))
        .collect();
    let of_every_version = [
        "FunctionArn",
        "LastModified",
        "MemorySize",
        "RevisionId",
        "Version",
    ];
    assert_eq!(differ, of_every_version);
}

#[tokio::test(start_paused = true)]
async fn what_is_unreleased_stays_unreleased() {
    for (field, value) in [
        ("Environment", json!({"Variables": {"TABLE": "orders-2"}})),
        (
            "Environment",
            json!({"Error": {"ErrorCode": "KMS", "Message": "denied"}}),
        ),
        ("Timeout", json!(4)),
        (
            "Layers",
            json!([{"Arn": "arn:aws:lambda:eu-central-1:123456789012:layer:x:1"}]),
        ),
        ("Role", json!("arn:aws:iam::123456789012:role/other")),
        (
            "DeadLetterConfig",
            json!({"TargetArn": "arn:aws:sqs:eu-central-1:123456789012:q"}),
        ),
    ] {
        let (lambda, arn) = stage().await;
        lambda.set("shop", field, value);
        let before = lambda.configuration("shop", None);
        let outcome = apply(&lambda, &approved(down(&arn))).await.unwrap();
        assert_eq!(
            end(&outcome),
            (OutcomeStatus::Skipped, "alias-ahead"),
            "{field}"
        );
        assert!(!outcome.detail.contains("orders"), "{}", outcome.detail);
        assert_eq!(lambda.configuration("shop", None), before);
        assert_eq!(lambda.configuration("shop", Some("live"))["Version"], "1");
    }
}

#[tokio::test(start_paused = true)]
async fn code_that_is_deployed_in_the_middle_stays_unreleased() {
    let (lambda, arn) = stage().await;
    lambda.updates_take("shop", Duration::ZERO, None);
    let client = lambda.client();
    let deploy = async {
        while lambda.memory_mb("shop", None) != 512 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let code = client.update_function_code().function_name("shop");
        let code = code.s3_bucket("releases").s3_key("unreleased");
        code.send().await.unwrap();
    };
    let rec = down(&arn);
    let (outcome, ()) = tokio::join!(apply(&lambda, &rec), deploy);
    let outcome = outcome.unwrap();
    assert_eq!(
        end(&outcome),
        (OutcomeStatus::Skipped, "alias-ahead"),
        "{}",
        outcome.detail
    );
    assert_eq!(lambda.configuration("shop", Some("live"))["Version"], "1");
    assert_eq!(lambda.calls_of(Operation::PublishVersion, "shop").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_lost_anywhere_on_the_way_changes_nothing_about_the_end() {
    for operation in [
        Operation::UpdateFunctionConfiguration,
        Operation::PublishVersion,
        Operation::UpdateAlias,
    ] {
        for fault in [Fault::LoseAnswer, Fault::LoseRequest] {
            let (lambda, arn) = stage().await;
            lambda.order(operation, None, (0, 1), fault.clone());
            let outcome = apply(&lambda, &down(&arn)).await.unwrap();
            let what = format!("{operation:?} {fault:?}: {}", outcome.detail);
            assert_eq!(end(&outcome), (OutcomeStatus::Applied, ""), "{what}");
            assert_eq!(
                lambda.configuration("shop", Some("live"))["Version"],
                "2",
                "{what}"
            );
            assert!(lambda.configuration("shop", Some("3")).is_empty(), "{what}");
        }
    }
}

/// `SnapStart` prepares a version for minutes; an alias moved earlier would fail its invocations.
#[tokio::test(start_paused = true)]
async fn a_version_that_is_prepared_for_minutes_is_moved_to_by_the_next_recommendation() {
    let (lambda, arn) = stage().await;
    lambda.publishing_takes("shop", Duration::from_mins(5));
    let outcome = apply(&lambda, &down(&arn)).await.unwrap();
    assert_eq!(
        end(&outcome),
        (OutcomeStatus::Skipped, "update-in-progress")
    );
    assert_eq!(lambda.configuration("shop", Some("live"))["Version"], "1");

    tokio::time::advance(Duration::from_mins(6)).await;
    let outcome = apply(&lambda, &down(&arn)).await.unwrap();
    assert_eq!(
        end(&outcome),
        (OutcomeStatus::Applied, ""),
        "{}",
        outcome.detail
    );
    assert_eq!(lambda.configuration("shop", Some("live"))["Version"], "2");
    assert_eq!(
        lambda
            .calls_of(Operation::UpdateFunctionConfiguration, "shop")
            .len(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn an_update_that_comes_to_nothing_moves_no_alias() {
    let (lambda, arn) = stage().await;
    lambda.updates_take("shop", Duration::from_secs(2), Some("KMSKeyAccessDenied"));
    let outcome = apply(&lambda, &down(&arn)).await.unwrap();
    assert_eq!(
        end(&outcome),
        (OutcomeStatus::Failed, "update-failed"),
        "{}",
        outcome.detail
    );
    assert_eq!(
        lambda
            .calls_of(Operation::UpdateFunctionConfiguration, "shop")
            .len(),
        1
    );
    assert_eq!(lambda.configuration("shop", Some("live"))["Version"], "1");
}

#[tokio::test(start_paused = true)]
async fn provisioned_concurrency_is_not_taken_away_unasked() {
    let (lambda, arn) = stage().await;
    lambda.provision("shop", "live");
    let outcome = apply(&lambda, &down(&arn)).await.unwrap();
    assert_eq!(
        end(&outcome),
        (OutcomeStatus::Skipped, "provisioned-concurrency")
    );
    let outcome = apply(&lambda, &approved(down(&arn))).await.unwrap();
    assert_eq!(end(&outcome), (OutcomeStatus::Applied, ""));

    let (lambda, arn) = stage().await;
    lambda.provision("shop", "1");
    let outcome = apply(&lambda, &approved(down(&arn))).await.unwrap();
    assert_eq!(
        end(&outcome),
        (OutcomeStatus::Skipped, "provisioned-concurrency")
    );
}
