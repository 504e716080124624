//! `tune --cleanup`: what it takes for a copy, how it finds one, and what it reports.

use std::process::Output;

use rightsizer_tests::servers::{Fault, Operation};
use serde_json::{Value, json};

use crate::stage::{Stage, error_of};

/// The name of a copy of a run.
const COPY: &str = "rightsizer-tune-checkout-00c0ffee";

/// Makes what a killed run has left: a copy with its tags.
fn left(stage: &Stage, name: &str, until: &str) {
    let of = "arn:aws:lambda:eu-central-1:123456789012:function:checkout";
    let tags = json!({
        "rightsizer:tune-run": "00c0ffee", "rightsizer:tune-of": of, "rightsizer:tune-until": until,
        "rightsizer:mode": "off",
    });
    stage.create(name, &json!({ "Tags": tags }));
}

const LATER: &str = "2100-01-01T00:00:00.000Z";
const EARLIER: &str = "2026-01-01T00:00:00.000Z";

async fn cleanup(stage: &Stage, more: &[&str]) -> (Value, Output) {
    let arguments = [&["--cleanup", "--yes", "--json"], more].concat();
    let output = stage.tune(&arguments).await;
    let found = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (found, output)
}

/// The names that it found.
fn names(found: &Value) -> Vec<&str> {
    let copies = found["copies"].as_array().unwrap().iter();
    copies.map(|copy| copy["name"].as_str().unwrap()).collect()
}

/// A tag alone does not make a copy: anyone may set one on a function of production.
#[tokio::test]
async fn a_function_with_the_tag_and_another_name_is_left() {
    let stage = Stage::open().await;
    left(&stage, "payments", EARLIER);
    let before = stage.lambda().account();
    let (found, output) = cleanup(&stage, &[]).await;
    assert!(output.status.success(), "{}", error_of(&output));
    assert_eq!(names(&found), [""; 0]);
    assert_eq!(stage.lambda().account(), before);
}

/// One of the two searches is enough, and both read every page.
#[tokio::test]
async fn a_copy_is_found_by_its_tag_or_by_its_name() {
    let mut stage = Stage::open().await;
    stage.lambda().pages_of(1);
    // A page that is not the first: functions are in the order of their names.
    stage.create(
        "a-first",
        &json!({"Tags": {"rightsizer:tune-run": "other"}}),
    );
    let before = stage.lambda().account();
    let denied = || Fault::Deny {
        code: "AccessDeniedException",
        words: "not authorized to perform: lambda:ListFunctions",
    };
    left(&stage, COPY, LATER);
    stage
        .lambda()
        .order(Operation::ListFunctions, None, (0, 99), denied());
    let (found, output) = cleanup(&stage, &[]).await;
    assert!(output.status.success(), "by tag: {}", error_of(&output));
    assert_eq!(names(&found), [COPY]);
    assert_eq!(stage.lambda().account(), before, "by tag");
    stage.lambda().works_again();

    left(&stage, COPY, LATER);
    let tagging = stage
        .environment
        .iter_mut()
        .filter(|(name, _)| name.contains("TAGGING"));
    tagging.for_each(|(_, address)| "http://127.0.0.1:1".clone_into(address));
    let (found, output) = cleanup(&stage, &[]).await;
    assert!(output.status.success(), "by name: {}", error_of(&output));
    assert_eq!(names(&found), [COPY]);
    assert_eq!(stage.lambda().account(), before, "by name");

    left(&stage, COPY, LATER);
    stage
        .lambda()
        .order(Operation::ListFunctions, None, (0, 99), denied());
    let (_, output) = cleanup(&stage, &[]).await;
    assert!(!output.status.success());
    assert!(
        error_of(&output).contains("cannot search for copies"),
        "{}",
        error_of(&output)
    );
}

/// Lambda may write its last lines after the copy is deleted, and makes the log group again.
#[tokio::test]
async fn a_log_group_without_its_copy_is_removed() {
    let stage = Stage::open().await;
    let before = stage.lambda().account();
    left(&stage, COPY, LATER);
    let client = stage.server.client();
    client.invoke().function_name(COPY).send().await.unwrap();
    client
        .delete_function()
        .function_name(COPY)
        .send()
        .await
        .unwrap();
    assert_ne!(stage.lambda().account(), before);
    let (found, output) = cleanup(&stage, &[]).await;
    assert!(output.status.success(), "{}", error_of(&output));
    assert_eq!(found["copies"][0]["function"], false, "{found}");
    assert_eq!(stage.lambda().account(), before);
}

/// A name alone does not make a copy either, so tags that cannot be read are an error.
#[tokio::test]
async fn a_copy_whose_tags_cannot_be_read_is_not_removed() {
    let stage = Stage::open().await;
    left(&stage, COPY, EARLIER);
    stage.lambda().tags_lag();
    stage.lambda().deny_tags(COPY);
    let before = stage.lambda().account();
    let (_, output) = cleanup(&stage, &[]).await;
    assert!(!output.status.success());
    assert!(
        error_of(&output).contains("allow lambda:ListTags"),
        "{}",
        error_of(&output)
    );
    assert_eq!(stage.lambda().account(), before);
}

#[tokio::test]
async fn what_cannot_be_removed_is_reported_and_fails() {
    let stage = Stage::open().await;
    left(&stage, COPY, LATER);
    let denied = Fault::Deny {
        code: "AccessDeniedException",
        words: "not authorized to perform: lambda:DeleteFunction",
    };
    stage
        .lambda()
        .order(Operation::DeleteFunction, None, (0, 99), denied);
    let (found, output) = cleanup(&stage, &[]).await;
    assert!(!output.status.success(), "{found}");
    assert_eq!(found["copies"][0]["removed"], false);
    let words = found["copies"][0]["words"].as_str().unwrap();
    assert!(words.contains("lambda:DeleteFunction"), "{words}");
}

/// `--expired` keeps the copies that another run may still need.
#[tokio::test]
async fn only_expired_copies_are_removed_if_that_is_wanted() {
    let stage = Stage::open().await;
    left(&stage, COPY, LATER);
    let before = stage.lambda().account();
    let old = "rightsizer-tune-checkout-0000dead";
    left(&stage, old, EARLIER);
    let (found, output) = cleanup(&stage, &["--expired"]).await;
    assert!(output.status.success(), "{}", error_of(&output));
    assert_eq!(names(&found), [old]);
    assert_eq!(stage.lambda().account(), before);
}
