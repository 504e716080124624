//! Input that cannot be tuned: clear words, and nothing changed.

use rightsizer_tests::servers::{Fault, Operation};
use serde_json::json;

use crate::stage::{Stage, error_of};

/// Runs with `--yes`, and expects these words and an unchanged account.
async fn refused(stage: &Stage, arguments: &[&str], words: &str) {
    let before = stage.lambda().account();
    let mut all = arguments.to_vec();
    all.push("--yes");
    let output = stage.tune(&all).await;
    let error = error_of(&output);
    assert!(!output.status.success(), "{arguments:?}");
    assert!(error.contains(words), "{arguments:?}: {error}");
    assert_eq!(stage.lambda().account(), before, "{arguments:?}");
    let invoked = stage.lambda().calls();
    assert!(
        invoked
            .iter()
            .all(|call| call.operation != Operation::Invoke),
        "{arguments:?}"
    );
}

#[tokio::test]
async fn bad_payloads_are_refused_before_any_call() {
    let stage = Stage::open().await;
    let zero = r#"[{"payload":{},"weight":0},{"payload":1,"weight":0}]"#;
    let lines = stage.file("lines", "{}\n{broken\n");
    refused(
        &stage,
        &["checkout", "--payload", "{broken"],
        "neither JSON nor a file",
    )
    .await;
    refused(
        &stage,
        &["checkout", "--payload", zero],
        "weights of the payloads sum to 0",
    )
    .await;
    refused(
        &stage,
        &["checkout", "--payloads", &lines],
        "line 2: key must be a string",
    )
    .await;
    refused(
        &stage,
        &["checkout", "--payload", "s3://bucket"],
        "expected s3://BUCKET/KEY",
    )
    .await;
    refused(
        &stage,
        &["checkout", "--sizes", "64"],
        "expected sizes from 128 to 10240",
    )
    .await;
    assert!(stage.lambda().calls().is_empty());
}

#[tokio::test]
async fn functions_that_cannot_be_copied_are_refused() {
    let stage = Stage::open().await;
    stage.create("managed", &json!({"CapacityProviderConfig": {"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": "arn:aws:lambda:eu-central-1:123456789012:capacity-provider:p"}}}));
    stage.create(
        "replica",
        &json!({"MasterArn": "arn:aws:lambda:us-east-1:123456789012:function:replica:1"}),
    );
    stage.create(
        "durable",
        &json!({"DurableConfig": {"ExecutionTimeout": 3600}}),
    );
    stage.create(
        "tenants",
        &json!({"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}),
    );
    stage.create("stopped", &json!({}));
    stage.lambda().reserve("stopped", 0);
    for (name, words) in [
        ("managed", "it runs on managed instances"),
        ("replica", "it is a replica at the edge"),
        ("durable", "it is a durable function"),
        ("tenants", "it isolates tenants"),
        ("stopped", "its reserved concurrency is 0"),
        (
            "missing",
            "missing does not exist in this account and region",
        ),
        ("us-east-1.checkout", "is a replica at the edge"),
        (
            "arn:aws:lambda:eu-central-1:210987654321:function:checkout",
            "belongs to another account",
        ),
        (
            "arn:aws:lambda:us-west-2:123456789012:function:checkout",
            "is in us-west-2, but the calls go to eu-central-1",
        ),
    ] {
        refused(&stage, &[name], words).await;
    }
}

/// Functions of CloudFront have their home in us-east-1; only there a role says so.
#[tokio::test]
async fn a_function_whose_role_trusts_cloudfront_is_refused() {
    let stage = Stage::open().await;
    stage.create(
        "viewer",
        &json!({"Role": "arn:aws:iam::123456789012:role/edge"}),
    );
    stage.lambda().trusts_cloudfront("edge");
    let home = ["--region", "us-east-1"];
    let arguments = [&["viewer"][..], &home].concat();
    refused(&stage, &arguments, "its role trusts CloudFront").await;
    let others = ["checkout", "--sizes", "512,1024", "--num", "5", "--yes"];
    let output = stage.tune(&[&others[..], &home].concat()).await;
    assert!(output.status.success(), "{}", error_of(&output));
}

#[tokio::test]
async fn a_role_that_may_not_be_passed_is_named() {
    let stage = Stage::open().await;
    let words = "User: me is not authorized to perform: iam:PassRole on resource: arn:aws:iam::123456789012:role/shop";
    let denied = Fault::Deny {
        code: "AccessDeniedException",
        words,
    };
    stage
        .lambda()
        .order(Operation::CreateFunction, None, (0, 9), denied);
    refused(
        &stage,
        &["checkout"],
        "the role arn:aws:iam::123456789012:role/shop may not be passed",
    )
    .await;
    refused(&stage, &["checkout"], "hint: allow iam:PassRole").await;
}

#[tokio::test]
async fn a_budget_below_one_invocation_invokes_nothing() {
    let stage = Stage::open().await;
    refused(&stage, &["checkout", "--max-usd", "0.0000001"], "").await;
}
