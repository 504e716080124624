//! Payloads, processors, strategies, forms of output, and applying.

use rightsizer_tests::servers::{Behaviour, Operation};
use serde_json::{Value, json};

use crate::stage::{Stage, error_of, text_of};

#[tokio::test]
async fn the_input_of_power_tuning_runs_and_its_output_is_printed() {
    let stage = Stage::open().await;
    let before = stage.lambda().account();
    let input = json!({
        "lambdaARN": "arn:aws:lambda:eu-central-1:123456789012:function:checkout",
        "powerValues": [128, 512, 1024], "num": 10, "payload": {}, "parallelInvocation": true, "strategy": "speed",
    });
    let file = stage.file("input.json", &input.to_string());
    let output = stage
        .tune(&["--power-tuning", &file, "--format", "power-tuning", "--yes"])
        .await;
    assert!(output.status.success(), "{}", error_of(&output));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["power"], 1024);
    assert!(
        found["stateMachine"]["visualization"]
            .as_str()
            .unwrap()
            .contains("lambda-power-tuning.show/#")
    );
    let invoked = stage
        .lambda()
        .calls()
        .into_iter()
        .filter(|call| call.operation == Operation::Invoke);
    assert_eq!(invoked.count(), 30);
    assert_eq!(stage.lambda().account(), before);
    let output = stage
        .tune(&["--power-tuning", &file, "--chart-url", "--yes"])
        .await;
    assert!(text_of(&output).starts_with("https://lambda-power-tuning.show/#"));
}

/// The sample of its documentation names no real function, so one is named beside it. `RIGHTSIZER_POWER_TUNING` names a
/// folder with published inputs, which run unchanged too.
#[tokio::test]
async fn published_inputs_of_power_tuning_run_unchanged() {
    let stage = Stage::open().await;
    let before = stage.lambda().account();
    let sample = json!({
        "lambdaARN": "arn:aws:lambda:XXX:YYY:function:ZZZ", "powerValues": [128, 256, 512, 3008], "num": 5,
        "payload": {}, "parallelInvocation": true, "strategy": "cost",
    });
    let mut files = vec![stage.file("sample.json", &sample.to_string())];
    if let Some(folder) = std::env::var_os("RIGHTSIZER_POWER_TUNING") {
        let published = std::fs::read_dir(folder).unwrap();
        let published = published.map(|file| file.unwrap().path());
        let json = published.filter(|path| path.extension().is_some_and(|end| end == "json"));
        files.extend(json.map(|path| path.display().to_string()));
    }
    for file in files {
        let arguments = [
            "checkout",
            "--power-tuning",
            &file,
            "--format",
            "power-tuning",
            "--yes",
        ];
        let output = stage.tune(&arguments).await;
        assert!(output.status.success(), "{file}: {}", error_of(&output));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        println!("{file}: {} MB", found["power"]);
        assert_eq!(stage.lambda().account(), before);
    }
    let output = stage
        .tune(&[
            "--power-tuning",
            &stage.file("s.json", &sample.to_string()),
            "--yes",
        ])
        .await;
    assert!(
        error_of(&output).contains("not an unqualified function ARN"),
        "{}",
        error_of(&output)
    );
}

#[tokio::test]
async fn weighted_payloads_and_processors_are_used() {
    let stage = Stage::open().await;
    stage.create("before", &json!({}));
    stage.create("after", &json!({}));
    let returns = Some(json!({"order": 7}));
    stage.lambda().plays(
        "before",
        Behaviour {
            returns,
            ..Behaviour::default()
        },
    );
    stage.wants("checkout", "order");
    let before = stage.lambda().account();
    let arguments = [
        "checkout",
        "--sizes",
        "512",
        "--num",
        "5",
        "--pre-processor",
        "before",
        "--post-processor",
        "after",
        "--yes",
    ];
    let (report, output) = stage.tuned(&arguments).await;
    assert!(output.status.success(), "{}", error_of(&output));
    assert_eq!(report["invocations"], 5);
    for processor in ["before", "after"] {
        assert_eq!(
            stage.lambda().calls_of(Operation::Invoke, processor).len(),
            5,
            "{processor}"
        );
    }
    let mut after = stage.lambda().account();
    // The processors are the caller's own functions, with log groups of their own.
    after["log_groups"] = before["log_groups"].clone();
    assert_eq!(after, before);
}

#[tokio::test]
async fn cold_starts_alone_are_measured_each_in_a_new_environment() {
    let stage = Stage::open().await;
    let before = stage.lambda().account();
    let (report, output) = stage
        .tuned(&[
            "checkout",
            "--sizes",
            "512,1024",
            "--num",
            "5",
            "--cold-starts",
            "--yes",
        ])
        .await;
    assert!(output.status.success(), "{}", error_of(&output));
    for size in report["sizes"].as_array().unwrap() {
        assert_eq!(size["starts"]["count"], 5, "{size}");
    }
    assert_eq!(stage.lambda().account(), before);
}

#[tokio::test]
async fn the_best_size_is_applied_through_the_updater() {
    let stage = Stage::open().await;
    let arguments = [
        "checkout",
        "--sizes",
        "512,1024,1769",
        "--num",
        "5",
        "--strategy",
        "speed",
        "--apply",
        "--yes",
    ];
    let (report, output) = stage.tuned(&arguments).await;
    assert!(output.status.success(), "{} {report}", error_of(&output));
    assert_eq!(report["applied"]["done"], true);
    assert_eq!(stage.lambda().memory_mb("checkout", None), 1769);
    // The function's owner has the last word.
    stage.create("off", &json!({"Tags": {"rightsizer:mode": "off"}}));
    let arguments = [
        "off",
        "--sizes",
        "512,1769",
        "--num",
        "5",
        "--strategy",
        "speed",
        "--apply",
        "--yes",
    ];
    let (report, output) = stage.tuned(&arguments).await;
    assert!(!output.status.success());
    assert_eq!(report["applied"]["done"], false);
    assert_eq!(stage.lambda().memory_mb("off", None), 1024);
}

#[tokio::test]
async fn several_functions_run_from_a_file() {
    let stage = Stage::open().await;
    stage.create("refund", &json!({}));
    let before = stage.lambda().account();
    let lines =
        "{\"function\": \"checkout\", \"payload\": {\"order\": 1}}\n{\"function\": \"refund\"}\n";
    let file = stage.file("functions.jsonl", lines);
    let output = stage
        .tune(&[
            "--file", &file, "--sizes", "512,1024", "--num", "5", "--yes", "--json",
        ])
        .await;
    assert!(output.status.success(), "{}", error_of(&output));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["functions"].as_array().unwrap().len(), 2);
    assert_eq!(stage.lambda().account(), before);
}

#[tokio::test]
async fn one_invocation_tries_the_payload() {
    let stage = Stage::open().await;
    let (report, output) = stage.tuned(&["checkout", "--once", "--yes"]).await;
    assert!(output.status.success(), "{}", error_of(&output));
    assert_eq!(
        (report["invocations"].clone(), report["best"].clone()),
        (json!(1), json!(null))
    );
}

#[tokio::test]
async fn results_are_in_the_store_and_on_the_curve() {
    let stage = Stage::open().await;
    let store = stage.folder.path().join("store.db").display().to_string();
    let line = |n: u32| {
        format!(
            "REPORT RequestId: 00000000-0000-0000-0000-{n:012} Duration: 731.00 ms Billed Duration: 731 ms \
             Memory Size: 1024 MB Max Memory Used: 60 MB"
        )
    };
    let lines: Vec<String> = (0..60).map(line).collect();
    let file = stage.file("reports.log", &lines.join("\n"));
    let arn = "arn:aws:lambda:eu-central-1:123456789012:function:checkout";
    let import = ["import", &file, "--store", &store, "--function", arn];
    let output = rightsizer_tests::aggregator::rightsizer(&import)
        .await
        .unwrap();
    assert!(output.status.success(), "{}", error_of(&output));
    let arguments = [
        "checkout", "--sizes", "512,1769", "--num", "5", "--store", &store, "--yes",
    ];
    let (report, output) = stage.tuned(&arguments).await;
    assert!(output.status.success(), "{}", error_of(&output));
    assert_eq!(report["stored"], true, "{report}");
    let show = ["show", arn, "--store", &store, "--json"];
    let output = rightsizer_tests::aggregator::rightsizer(&show)
        .await
        .unwrap();
    let detail: Value = serde_json::from_slice(&output.stdout).unwrap();
    let sizes = detail["measured_sizes"].as_array().unwrap();
    let sizes: Vec<u64> = sizes
        .iter()
        .filter_map(|size| size["memory_mb"].as_u64())
        .collect();
    assert_eq!(sizes, [512, 1769]);
}

#[tokio::test]
async fn payloads_come_from_s3() {
    let stage = Stage::open().await;
    let before = stage.lambda().account();
    stage.wants("checkout", "order");
    stage
        .lambda()
        .object("samples", "orders/7.json", br#"{"order": 7}"#);
    let sizes = ["--sizes", "512,1024", "--num", "5", "--yes"];
    let from = |place| [&["checkout", "--payload", place][..], &sizes].concat();
    let (report, output) = stage.tuned(&from("s3://samples/orders/7.json")).await;
    assert!(output.status.success(), "{}", error_of(&output));
    assert_eq!(report["invocations"], 10);
    let input = json!({
        "lambdaARN": "arn:aws:lambda:eu-central-1:123456789012:function:checkout", "powerValues": [512, 1024],
        "num": 5, "payloadS3": "s3://samples/orders/7.json",
    });
    let file = stage.file("input.json", &input.to_string());
    let output = stage.tune(&["--power-tuning", &file, "--yes"]).await;
    assert!(output.status.success(), "{}", error_of(&output));
    let output = stage.tune(&from("s3://samples/orders/8.json")).await;
    assert!(!output.status.success());
    assert!(
        error_of(&output).contains("cannot read the payload s3://samples/orders/8.json"),
        "{}",
        error_of(&output)
    );
    assert_eq!(stage.lambda().account(), before);
}

/// A package above 50 MB is named in S3, and must be that of the function.
#[tokio::test]
async fn a_large_package_comes_from_s3() {
    let stage = Stage::open().await;
    stage.create("large", &json!({}));
    stage.lambda().weighs("large", 60 << 20);
    let before = stage.lambda().account();
    let sizes = ["large", "--sizes", "512,1024", "--num", "5", "--yes"];
    let output = stage.tune(&sizes).await;
    assert!(
        error_of(&output).contains("--code s3://BUCKET/KEY"),
        "{}",
        error_of(&output)
    );
    stage
        .lambda()
        .object("builds", "large.zip", b"code of large");
    stage.lambda().object("builds", "other.zip", b"other code");
    let with = |key| [&sizes[..], &["--code", key]].concat();
    let (report, output) = stage.tuned(&with("s3://builds/large.zip")).await;
    assert!(output.status.success(), "{}", error_of(&output));
    assert_eq!(report["invocations"], 10);
    for (key, words) in [
        (
            "s3://builds/other.zip",
            "name the package of exactly this version",
        ),
        ("s3://builds/none.zip", "NoSuchKey"),
    ] {
        let output = stage.tune(&with(key)).await;
        assert!(!output.status.success(), "{key}");
        assert!(
            error_of(&output).contains(words),
            "{key}: {}",
            error_of(&output)
        );
    }
    assert_eq!(stage.lambda().account(), before);
    let invoked = stage.lambda().calls_of(Operation::Invoke, "large");
    assert!(invoked.is_empty());
}

/// The alias is moved to a new version of what it serves, if the tag of the function lets the updater do so.
#[tokio::test]
async fn the_alias_of_power_tunings_input_is_moved_if_its_owner_agrees() {
    let stage = Stage::open().await;
    stage.create("shop", &json!({"Tags": {"rightsizer:alias": "live"}}));
    let client = stage.server.client();
    for name in ["shop", "checkout"] {
        let publish = client.publish_version().function_name(name);
        publish.send().await.unwrap();
        let alias = client.create_alias().function_name(name).name("live");
        alias.function_version("1").send().await.unwrap();
    }
    let run = async |name: &str, alias: &str| {
        let input = json!({
            "lambdaARN": format!("arn:aws:lambda:eu-central-1:123456789012:function:{name}"), "num": 5,
            "powerValues": [512, 1024, 1769], "strategy": "speed", "autoOptimize": true, "autoOptimizeAlias": alias,
        });
        let file = stage.file("input.json", &input.to_string());
        stage.tuned(&["--power-tuning", &file, "--yes"]).await
    };
    let (report, output) = run("shop", "live").await;
    assert!(output.status.success(), "{} {report}", error_of(&output));
    assert_eq!(
        (&report["version"], &report["applied"]["done"]),
        (&json!("1"), &json!(true))
    );
    assert_eq!(stage.lambda().memory_mb("shop", Some("live")), 1769);
    let before = stage.lambda().account();
    for (name, alias) in [("checkout", "live"), ("shop", "beta")] {
        let (_, output) = run(name, alias).await;
        assert!(!output.status.success(), "{name}:{alias}");
        assert!(
            error_of(&output).contains(if alias == "live" {
                "hint: set rightsizer:alias=live"
            } else {
                "does not exist"
            }),
            "{}",
            error_of(&output)
        );
    }
    assert_eq!(stage.lambda().account(), before);
}
