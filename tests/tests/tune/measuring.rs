//! What a run measures, makes and leaves.

use rightsizer_tests::aggregator::binary;
use rightsizer_tests::servers::{Behaviour, Operation};
use serde_json::json;

use crate::stage::{Stage, by_size, error_of, text_of};

#[tokio::test]
async fn without_yes_only_the_plan_is_shown() {
    let stage = Stage::open().await;
    let before = stage.lambda().account();
    let output = stage.tune(&["checkout", "--payload", "{}"]).await;
    assert!(output.status.success(), "{}", error_of(&output));
    assert!(text_of(&output).contains("dry run: nothing was created or invoked"));
    let plan = error_of(&output);
    for words in [
        "checkout ($LATEST, 1024 MB, arm64",
        "at most $",
        "real code with the real role",
    ] {
        assert!(plan.contains(words), "{words}: {plan}");
    }
    assert_eq!(stage.lambda().account(), before);
    let reads = [Operation::GetFunction];
    assert!(
        stage
            .lambda()
            .calls()
            .iter()
            .all(|call| reads.contains(&call.operation))
    );
}

#[tokio::test]
async fn every_size_is_measured_and_the_copy_removed() {
    let stage = Stage::open().await;
    let before = stage.lambda().account();
    let arguments = ["checkout", "--sizes", "512,1769", "--num", "5", "--yes"];
    let (report, output) = stage.tuned(&arguments).await;
    assert!(output.status.success(), "{}", error_of(&output));
    assert_eq!(
        by_size(&report, "invocations"),
        [(512, json!(5)), (1769, json!(5))]
    );
    // 40 + 400 × 1769 ÷ 512 = 1422 ms for 512 MB, 440 ms for 1769: 711 and 760 GB × ms.
    assert_eq!(report["best"]["memory_mb"], 512);
    let mean = report["sizes"][1]["typical"]["mean_ms"].as_f64().unwrap();
    assert!((mean / 440.0 - 1.0).abs() < 0.05, "{mean}");
    assert_eq!(stage.lambda().account(), before);
    let original = stage.lambda().calls_of(Operation::Invoke, "checkout");
    assert!(
        original.is_empty(),
        "the function itself is never invoked: {original:?}"
    );
}

/// It waits for 1 s and computes for 200 ms: 482 GB × ms at 128 MB, and at least 13 % more at any other size.
#[tokio::test]
async fn an_adaptive_run_needs_few_invocations() {
    let stage = Stage::open().await;
    let waits = Behaviour {
        wait_ms: 1000.0,
        cpu_ms: 200.0,
        ..Behaviour::default()
    };
    stage.lambda().plays("checkout", waits);
    let before = stage.lambda().account();
    let (report, output) = stage.tuned(&["checkout", "--yes"]).await;
    assert!(output.status.success(), "{}", error_of(&output));
    assert_eq!(report["best"]["memory_mb"], 128);
    let made = report["invocations"].as_u64().unwrap();
    assert!(made <= 30, "{made}");
    assert_eq!(stage.lambda().account(), before);
}

#[tokio::test]
async fn a_copy_has_the_code_and_settings_but_no_tags_and_no_extension() {
    let stage = Stage::open().await;
    stage.create(
        "reporting",
        &json!({
            "Layers": ["arn:aws:lambda:eu-central-1:123456789012:layer:rightsizer-extension-arm64:3",
                       "arn:aws:lambda:eu-central-1:123456789012:layer:libraries:1"],
            "Environment": {"Variables": {"TABLE": "orders", "RIGHTSIZER_STREAM": "reports"}},
            "EphemeralStorage": {"Size": 2048},
            "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"], "VpcId": "vpc-1"},
            "LoggingConfig": {"LogFormat": "JSON", "LogGroup": "/shop/all", "SystemLogLevel": "WARN"},
        }),
    );
    // The copy is left, so that it can be looked at.
    let denied = rightsizer_tests::servers::Fault::Deny {
        code: "AccessDeniedException",
        words: "no",
    };
    stage
        .lambda()
        .order(Operation::DeleteFunction, None, (0, 99), denied);
    let output = stage
        .tune(&["reporting", "--sizes", "512,1024", "--num", "5", "--yes"])
        .await;
    assert!(!output.status.success());
    assert!(
        error_of(&output).contains("tune --cleanup --yes removes it"),
        "{}",
        error_of(&output)
    );
    let account = stage.lambda().account();
    let copies = account["functions"].as_object().unwrap().iter();
    let (name, copy) = copies
        .into_iter()
        .find(|(name, _)| name.starts_with("rightsizer-tune-"))
        .unwrap();
    assert!(name.starts_with("rightsizer-tune-reporting-"));
    let latest = &copy["latest"];
    assert_eq!(
        latest["Layers"],
        json!([{"Arn": "arn:aws:lambda:eu-central-1:123456789012:layer:libraries:1"}])
    );
    assert_eq!(
        latest["Environment"]["Variables"],
        json!({"TABLE": "orders"})
    );
    assert_eq!(latest["VpcConfig"]["SubnetIds"], json!(["subnet-1"]));
    assert_eq!(latest["LoggingConfig"]["LogGroup"], json!(null));
    assert_eq!(latest["LoggingConfig"]["SystemLogLevel"], "INFO");
    assert_eq!(latest["EphemeralStorage"]["Size"], 2048);
    assert_eq!(
        latest["CodeSha256"],
        account["functions"]["reporting"]["latest"]["CodeSha256"]
    );
    let tags = copy["tags"].as_object().unwrap();
    assert_eq!(
        tags["rightsizer:tune-of"],
        "arn:aws:lambda:eu-central-1:123456789012:function:reporting"
    );
    assert_eq!(tags["rightsizer:mode"], "off");
    assert!(!tags.contains_key("team"));
}

#[tokio::test]
async fn reports_are_read_from_logs_as_json() {
    let stage = Stage::open().await;
    stage.create("json", &json!({"LoggingConfig": {"LogFormat": "JSON"}}));
    let (report, output) = stage
        .tuned(&["json", "--sizes", "512,1024", "--num", "5", "--yes"])
        .await;
    assert!(output.status.success(), "{}", error_of(&output));
    assert_eq!(report["sizes"][0]["starts"]["count"], 1);
    assert_eq!(report["sizes"][0]["used_mb"], 60);
}

#[tokio::test]
async fn images_and_functions_in_a_vpc_are_copied() {
    let stage = Stage::open().await;
    let image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop@sha256:1";
    stage.create(
        "image",
        &json!({
            "PackageType": "Image", "Code": {"ImageUri": image}, "Runtime": null, "Handler": null,
            "ImageConfig": {"Command": ["main.handle"]},
            "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"], "VpcId": "vpc-1"},
        }),
    );
    stage
        .lambda()
        .creating_takes(std::time::Duration::from_millis(700));
    let before = stage.lambda().account();
    let (report, output) = stage
        .tuned(&["image", "--sizes", "512,1024", "--num", "5", "--yes"])
        .await;
    assert!(output.status.success(), "{}", error_of(&output));
    assert_eq!(report["invocations"], 10);
    assert_eq!(stage.lambda().account(), before);
}

#[tokio::test]
async fn an_alias_is_tuned_with_the_code_that_it_points_at() {
    let stage = Stage::open().await;
    let client = stage.server.client();
    client
        .publish_version()
        .function_name("checkout")
        .send()
        .await
        .unwrap();
    let alias = client
        .create_alias()
        .function_name("checkout")
        .name("live")
        .function_version("1");
    alias.send().await.unwrap();
    stage.lambda().deploy("checkout", "newer code");
    let (report, output) = stage
        .tuned(&[
            "checkout:live",
            "--sizes",
            "512,1024",
            "--num",
            "5",
            "--yes",
        ])
        .await;
    assert!(output.status.success(), "{}", error_of(&output));
    assert_eq!(report["version"], "1");
    assert_eq!(report["invocations"], 10);
}

/// `script` of util-linux gives the command a terminal; a pipe gets no bar.
#[tokio::test]
async fn a_terminal_shows_the_progress() {
    let stage = Stage::open().await;
    let arguments = "tune checkout --sizes 512,1024 --num 5 --yes";
    let command = format!("{} {arguments}", binary().unwrap().display());
    let mut terminal = tokio::process::Command::new("script");
    terminal
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .envs(stage.environment.iter().cloned())
        .env("TERM", "xterm")
        .current_dir(stage.folder.path())
        .stdin(std::process::Stdio::null());
    let output = terminal.output().await.unwrap();
    let shown = text_of(&output);
    assert!(output.status.success(), "{shown}");
    assert!(
        shown.contains("invoking [") && shown.contains("/10 "),
        "{shown}"
    );
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let piped = stage.rightsizer(&arguments).await;
    assert!(
        !error_of(&piped).contains("invoking ["),
        "{}",
        error_of(&piped)
    );
}
