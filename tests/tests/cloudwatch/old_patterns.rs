//! `rightsizer doctor --account` names subscriptions with the pattern of an earlier release, and how to change them.

use std::process::Output;

use rightsizer_tests::aggregator::{binary, rightsizer_with};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::stage::{Group, Stage};
use crate::subscribing::{ROLE, stage_with};

const OLD: &str = r#"?"REPORT RequestId:" ?"platform.report""#;
const STREAM: &str = "arn:aws:kinesis:eu-central-1:123456789012:stream/rz-reports";

/// Subscribes the functions of these names as an earlier release did.
async fn subscribe_as_before(stage: &Stage, names: &[&str]) {
    let client = stage.client();
    for name in names {
        let name = format!("/aws/lambda/{name}");
        let group = Group {
            client: &client,
            name: &name,
        };
        group.create().await;
        let put = client.put_subscription_filter().log_group_name(&name);
        let put = put
            .filter_name("rightsizer-reports")
            .filter_pattern(OLD)
            .destination_arn(STREAM)
            .role_arn(ROLE);
        put.send().await.unwrap();
    }
}

/// What `doctor` finds of log subscriptions: of the account, then of log groups.
async fn found(stage: &Stage) -> [Value; 2] {
    let arguments = ["doctor", "--account", "--stack", "rz", "--json"];
    let environment = stage.environment(stage.proxy.endpoint());
    let output = rightsizer_with(&arguments, &environment).await.unwrap();
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    ["the account's log subscription", "log subscriptions"].map(|check| {
        let finding = findings.iter().find(|finding| finding["check"] == check);
        finding.cloned().unwrap_or_default()
    })
}

/// Runs a command as it was printed.
async fn run(stage: &Stage, printed: &str) -> Output {
    let path = std::env::var("PATH").unwrap();
    let folder = binary().unwrap().parent().unwrap().display().to_string();
    let mut shell = Command::new("bash");
    shell
        .args(["-c", printed])
        .env("PATH", folder + ":" + &path);
    shell.envs(stage.environment(stage.proxy.endpoint()));
    shell.output().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_of_an_earlier_release_is_named_and_its_command_changes_it() {
    let names = ["checkout", "orders"];
    let stage = stage_with(&names).await;
    subscribe_as_before(&stage, &names).await;
    let [account, groups] = found(&stage).await;
    assert_eq!(
        (account, &groups["verdict"]),
        (Value::Null, &json!("doubtful"))
    );
    let printed = groups["do"].as_str().unwrap();
    let output = run(&stage, printed).await;
    assert!(output.status.success(), "{printed}: {output:?}");
    assert_eq!(found(&stage).await[1]["verdict"], "ok");

    // Without a right to the account's policy the log groups are looked at.
    let call = "DescribeAccountPolicies";
    stage.proxy.always_refuse(call, "AccessDeniedException");
    let [account, groups] = found(&stage).await;
    let verdicts = [&account["verdict"], &groups["verdict"]];
    assert_eq!(verdicts, ["not-checked", "ok"], "{account}");
}
