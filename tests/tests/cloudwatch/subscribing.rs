//! `subscribe` adds one filter to each log group, and `unsubscribe` takes off exactly that.

use std::collections::BTreeMap;
use std::process::Output;

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::{PolicyType, Scope};
use aws_sdk_kinesis::types::EncryptionType;
use rightsizer_aws::logs::REPORT_PATTERN;
use rightsizer_tests::aggregator::rightsizer_with;
use rightsizer_tests::servers::kinesis_client;
use serde_json::{Value, json};

use crate::stage::{Group, Stage};

const STREAM: &str = "arn:aws:kinesis:eu-central-1:123456789012:stream/reports";
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/logs-to-reports";

/// Functions of these names, and the streams.
pub(crate) async fn stage_with(names: &[&str]) -> Stage {
    let stage = Stage::with_functions(names).await;
    let client = kinesis_client(stage.moto.endpoint());
    for stream in ["reports", "rz-reports"] {
        let create = client.create_stream().stream_name(stream).shard_count(1);
        create.send().await.unwrap();
    }
    stage
}

async fn run(stage: &Stage, command: &str, more: &[&str]) -> (Output, Value) {
    let mut arguments = vec![command, "--stream", "reports", "--json", "--rate", "10"];
    if command == "subscribe" {
        arguments.extend(["--role", ROLE]);
    }
    arguments.extend(more);
    let environment = stage.environment(stage.proxy.endpoint());
    let output = rightsizer_with(&arguments, &environment).await.unwrap();
    let json = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output, json)
}

/// Every filter of every group: name, pattern, destination.
async fn filters(client: &Client) -> BTreeMap<String, Vec<[String; 3]>> {
    let groups = client.describe_log_groups().send().await.unwrap();
    let mut all = BTreeMap::new();
    for group in groups.log_groups() {
        let name = group.log_group_name().unwrap();
        let there = client
            .describe_subscription_filters()
            .log_group_name(name)
            .send()
            .await
            .unwrap();
        let json = there.subscription_filters().iter().map(|filter| {
            [
                filter.filter_name(),
                filter.filter_pattern(),
                filter.destination_arn(),
            ]
            .map(|text| text.unwrap_or_default().to_owned())
        });
        all.insert(name.to_owned(), json.collect());
    }
    all
}

async fn foreign(client: &Client, group: &str, name: &str) {
    let put = client
        .put_subscription_filter()
        .log_group_name(group)
        .filter_name(name);
    let put = put
        .filter_pattern("ERROR")
        .destination_arn("arn:aws:lambda:eu-central-1:123456789012:function:siem");
    put.send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_subscribed_and_are_as_they_were_again() {
    let names = ["plain", "one-other", "two-others", "never-logged"];
    let stage = stage_with(&names).await;
    let client = stage.client();
    for name in &names[..3] {
        Group {
            client: &client,
            name: &format!("/aws/lambda/{name}"),
        }
        .create()
        .await;
    }
    foreign(&client, "/aws/lambda/one-other", "siem").await;
    foreign(&client, "/aws/lambda/two-others", "siem").await;
    foreign(&client, "/aws/lambda/two-others", "audit").await;
    let before = filters(&client).await;

    let (output, plan) = run(&stage, "subscribe", &["--all"]).await;
    assert!(output.status.success(), "{output:?}");
    let wanted = json!({"subscribe": 2, "skip: two-filters": 1, "skip: no-log-group": 1});
    assert_eq!(plan["counts"], wanted);
    assert_eq!(plan["role"]["policy"]["Statement"][0]["Resource"], STREAM);
    assert_eq!(filters(&client).await, before, "a dry run changes nothing");

    let (output, done) = run(&stage, "subscribe", &["--all", "--yes"]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(done["counts"], wanted);
    let subscribed = filters(&client).await;
    let ours = ["rightsizer-reports", REPORT_PATTERN, STREAM].map(str::to_owned);
    assert_eq!(subscribed["/aws/lambda/plain"], [ours]);
    assert_eq!(subscribed["/aws/lambda/one-other"].len(), 2);
    assert_eq!(
        subscribed["/aws/lambda/two-others"],
        before["/aws/lambda/two-others"]
    );

    let (_, again) = run(&stage, "subscribe", &["--all", "--yes"]).await;
    assert_eq!(again["counts"]["skip: already-subscribed"], 2, "{again}");
    let (output, done) = run(&stage, "unsubscribe", &["--all", "--yes"]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(done["counts"]["unsubscribe"], 2, "{done}");
    assert_eq!(filters(&client).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_another_region_is_named() {
    let stage = stage_with(&["f"]).await;
    let far = "arn:aws:kinesis:us-east-1:123456789012:stream/far";
    let words = ["subscribe", "--all", "--stream", far, "--role", ROLE];
    let environment = stage.environment(stage.proxy.endpoint());
    let output = rightsizer_with(&words, &environment).await.unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    let named = "the functions are in eu-central-1 and the stream is in us-east-1";
    assert!(text.contains(named), "{text}");
    assert!(text.contains("does not exist"), "{text}");
}

/// With the key that AWS manages the role needs nothing but the stream; with a customer's own it
/// needs that one, and if the stream cannot be read, that is reported.
#[tokio::test(flavor = "multi_thread")]
async fn the_printed_policy_has_the_streams_key_if_the_role_needs_it() {
    let stage = stage_with(&["f"]).await;
    let statements = |plan: &Value| plan["role"]["policy"]["Statement"].clone();
    let client = kinesis_client(stage.moto.endpoint());
    let (_, plan) = run(&stage, "subscribe", &["--all"]).await;
    let bare = statements(&plan);
    let encrypt = async |key: &str| {
        let kind = EncryptionType::Kms;
        let start = client.start_stream_encryption().encryption_type(kind);
        let start = start.stream_name("reports").key_id(key);
        start.send().await.unwrap();
    };
    encrypt("alias/aws/kinesis").await;
    let (output, plan) = run(&stage, "subscribe", &["--all"]).await;
    assert_eq!(statements(&plan), bare);
    assert_eq!(bare.as_array().unwrap().len(), 1, "{bare}");
    assert!(output.stderr.is_empty(), "{output:?}");

    let key = "arn:aws:kms:eu-central-1:123456789012:key/5a5a";
    encrypt(key).await;
    let (_, plan) = run(&stage, "subscribe", &["--all"]).await;
    let own = statements(&plan);
    assert_eq!(
        (&own[1]["Action"], &own[1]["Resource"]),
        (&json!("kms:GenerateDataKey"), &json!(key))
    );

    stage
        .lambda
        .always_refuse("DescribeStreamSummary", "AccessDeniedException");
    let (output, plan) = run(&stage, "subscribe", &["--all"]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(statements(&plan), bare);
    let besides = &plan["role"]["with_a_key_of_its_own"]["Action"];
    assert_eq!(besides, "kms:GenerateDataKey", "{plan}");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        stderr.contains("the stream's key could not be read"),
        "{stderr}"
    );
}

/// The stream of a deployed system: the policy leaves out the logs of the system itself.
#[tokio::test(flavor = "multi_thread")]
async fn the_account_s_policy_leaves_out_the_logs_of_a_system() {
    let stage = stage_with(&["f"]).await;
    let client = stage.client();
    let all = ["--all", "--account-policy", "--yes"];
    let mut arguments = vec![
        "subscribe",
        "--stream",
        "rz-reports",
        "--role",
        ROLE,
        "--json",
    ];
    arguments.extend(all);
    let environment = stage.environment(stage.proxy.endpoint());
    let output = rightsizer_with(&arguments, &environment).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let kind = PolicyType::SubscriptionFilterPolicy;
    let there = client.describe_account_policies().policy_type(kind);
    let there = there.send().await.unwrap();
    let criteria = there.account_policies()[0].selection_criteria();
    assert!(
        criteria.unwrap().contains("\"/rightsizer/rz/flink\""),
        "{criteria:?}"
    );
    // A second run finds it as it is to be.
    let output = rightsizer_with(&arguments, &environment).await.unwrap();
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("already-subscribed"),
        "{output:?}"
    );
    arguments[0] = "unsubscribe";
    arguments.retain(|word| !["--role", ROLE].contains(word));
    rightsizer_with(&arguments, &environment).await.unwrap();
    let there = client
        .describe_account_policies()
        .policy_type(PolicyType::SubscriptionFilterPolicy);
    let there = there.send().await.unwrap();
    assert!(there.account_policies().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_is_subscribed_by_one_policy_and_a_policy_that_is_there_stays() {
    let stage = stage_with(&["f"]).await;
    let client = stage.client();
    let policies = async || {
        let kind = PolicyType::SubscriptionFilterPolicy;
        let answer = client
            .describe_account_policies()
            .policy_type(kind)
            .send()
            .await
            .unwrap();
        let policies = answer.account_policies().iter();
        let json = policies.map(|policy| {
            [policy.policy_name(), policy.policy_document()].map(|text| text.unwrap().to_owned())
        });
        json.collect::<Vec<_>>()
    };
    let all = ["--all", "--account-policy", "--yes"];
    let (output, _) = run(&stage, "subscribe", &all[..2]).await;
    assert!(output.status.success(), "{output:?}");
    assert!(policies().await.is_empty(), "a dry run changes nothing");
    let (output, _) = run(&stage, "subscribe", &all).await;
    assert!(output.status.success(), "{output:?}");
    let made = policies().await;
    let document: Value = serde_json::from_str(&made[0][1]).unwrap();
    assert_eq!(
        (&document["DestinationArn"], &document["RoleArn"]),
        (&json!(STREAM), &json!(ROLE))
    );
    assert_eq!(document["FilterPattern"], REPORT_PATTERN);
    let (output, again) = run(&stage, "subscribe", &all).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(again["counts"]["skip: already-subscribed"], 1);
    run(&stage, "unsubscribe", &all).await;
    assert!(policies().await.is_empty());

    let put = client
        .put_account_policy()
        .policy_name("security")
        .scope(Scope::All);
    let put = put.policy_type(PolicyType::SubscriptionFilterPolicy);
    put.policy_document(r#"{"DestinationArn":"arn:x","FilterPattern":""}"#)
        .send()
        .await
        .unwrap();
    let before = policies().await;
    let (output, json) = run(&stage, "subscribe", &all).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(json["counts"], json!({"skip: policy-exists": 1}));
    assert!(
        json["log_groups"][0]["words"]
            .as_str()
            .unwrap()
            .contains("\"security\""),
        "{json}"
    );
    let (_, json) = run(&stage, "unsubscribe", &all).await;
    assert_eq!(json["counts"], json!({"skip: not-subscribed": 1}));
    assert_eq!(policies().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_denied_is_reported_for_each_group() {
    let stage = stage_with(&["a", "b"]).await;
    let client = stage.client();
    for name in ["/aws/lambda/a", "/aws/lambda/b"] {
        Group {
            client: &client,
            name,
        }
        .create()
        .await;
    }
    stage.proxy.refuse_where(
        "PutSubscriptionFilter",
        "/aws/lambda/a",
        "AccessDeniedException",
    );
    stage
        .proxy
        .refuse("DescribeSubscriptionFilters", 1, "ThrottlingException");
    let (output, json) = run(&stage, "subscribe", &["--all", "--yes"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(json["counts"], json!({"failed: change": 1, "subscribe": 1}));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("hint: allow logs:DescribeSubscriptionFilters, PutSubscriptionFilter"),
        "{stderr}"
    );
    let arguments = [
        "subscribe",
        "--all",
        "--stream",
        "reports",
        "--role",
        "logs",
    ];
    let output = rightsizer_with(&arguments, &[]).await.unwrap();
    assert_eq!(output.status.code(), Some(2), "a role is an ARN");
}

/// A policy for all log groups with a selection of functions is a mistake: the selection would be left out.
#[tokio::test]
async fn the_account_s_policy_needs_all() {
    for command in ["subscribe", "unsubscribe"] {
        for which in [["--prefix", "fn01"], ["--tag", "a=b"], ["--file", "list"]] {
            let mut arguments = vec![command, "--account-policy", "--stream", "reports", "--yes"];
            if command == "subscribe" {
                arguments.extend(["--role", ROLE]);
            }
            arguments.extend(which);
            let output = rightsizer_with(&arguments, &[]).await.unwrap();
            assert_eq!(output.status.code(), Some(2), "{output:?}");
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(stderr.contains("--account-policy"), "{stderr}");
        }
    }
}

/// Nothing would arrive at a stream that does not exist; but a filter to it can be taken off.
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_stream_stops_a_subscription() {
    let stage = Stage::with_functions(&["f"]).await;
    let client = stage.client();
    Group {
        client: &client,
        name: "/aws/lambda/f",
    }
    .create()
    .await;
    let before = filters(&client).await;
    let (output, _) = run(&stage, "subscribe", &["--all", "--yes"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let words = format!("the stream {STREAM} does not exist");
    assert!(stderr.contains(&words), "{stderr}");
    assert_eq!(filters(&client).await, before);
    let (output, _) = run(&stage, "unsubscribe", &["--all"]).await;
    assert!(output.status.success(), "{output:?}");
}
