//! From an empty machine with Python to a ranked list of an account's functions, timed: install, sign in, import,
//! list.

use std::process::Command;
use std::time::{Duration, Instant};

use aws_sdk_cloudwatchlogs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use rightsizer_aws::clock::now;
use rightsizer_tests::servers::{LogsServer, MotoServer, REGION, aws_environment};
use serde_json::Value;

use crate::install::{installed_by_pip, run};

const GROUPS: usize = 300;
/// What the README promises.
const PROMISED: Duration = Duration::from_mins(10);

/// Functions that were invoked on each of the last days.
async fn account(moto: &MotoServer, logs: &LogsServer) {
    let client = aws_sdk_cloudwatchlogs::Client::from_conf(
        aws_sdk_cloudwatchlogs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .credentials_provider(Credentials::new("testing", "testing", None, None, "tests"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(logs.endpoint())
            .build(),
    );
    for n in 0..GROUPS {
        let name = format!("team-{}-function-{n:03}", n % 7);
        moto.create_function(&name, 1024, 30, &[]).await.unwrap();
        let group = format!("/aws/lambda/{name}");
        client
            .create_log_group()
            .log_group_name(&group)
            .send()
            .await
            .unwrap();
        for day in 1..=8_i64 {
            let at = now().as_ms() - day * 86_400_000;
            let stream = format!("2026/01/01/[$LATEST]{day:032}");
            let put = client
                .create_log_stream()
                .log_group_name(&group)
                .log_stream_name(&stream);
            put.send().await.unwrap();
            let used = 60 + (n * 13) % 400;
            let event = |k: i64| {
                let line = format!(
                    "REPORT RequestId: 7d1e0c2a-0000-4000-8000-{n:06}{day:03}{k:03}\tDuration: 120.00 ms\tBilled \
                     Duration: 120 ms\tMemory Size: 1024 MB\tMax Memory Used: {used} MB\t\n"
                );
                InputLogEvent::builder()
                    .timestamp(at + k)
                    .message(line)
                    .build()
                    .unwrap()
            };
            let put = client
                .put_log_events()
                .log_group_name(&group)
                .log_stream_name(&stream);
            put.set_log_events(Some((0..8).map(event).collect()))
                .send()
                .await
                .unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_ranked_within_the_minutes_that_the_readme_promises() {
    let (moto, logs) = (
        MotoServer::start().await.unwrap(),
        LogsServer::start().await.unwrap(),
    );
    account(&moto, &logs).await;
    // Not the product's time: a release is packed by the release workflow.
    crate::install::packages();

    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let program = installed_by_pip(&folder.path().join("venv"));
    let installed = began.elapsed();
    let mut environment = aws_environment("CLOUDWATCH_LOGS", logs.endpoint());
    for service in ["LAMBDA", "RESOURCE_GROUPS_TAGGING_API", "CLOUDWATCH"] {
        environment.extend(aws_environment(service, moto.endpoint()));
    }
    let command = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command
            .args(arguments)
            .current_dir(folder.path())
            .envs(environment.clone());
        run(&mut command)
    };
    // The default rate of calls: the account's limits are shared with other tools.
    command(&["import", "cloudwatch", "--yes"]);
    let imported = began.elapsed();
    let list = command(&["list", "-o", "json"]);
    let took = began.elapsed();
    let rows: Vec<Value> = serde_json::from_slice(&list.stdout).unwrap();
    let open = rows.iter().filter(|row| row["status"] == "open").count();
    println!(
        "README: {:.1} minutes from an empty environment to {} ranked functions ({open} with a recommendation): \
         installed after {:.1} s, imported after {:.1} s",
        took.as_secs_f64() / 60.0,
        rows.len(),
        installed.as_secs_f64(),
        imported.as_secs_f64()
    );
    assert_eq!(rows.len(), GROUPS);
    assert!(open > GROUPS / 2, "{open} of {GROUPS}");
    assert!(took < PROMISED, "{took:?}");
}
