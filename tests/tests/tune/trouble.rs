//! What goes wrong in a run.

use rightsizer_tests::servers::{Behaviour, Fault, Operation};
use serde_json::json;

use crate::stage::{Stage, by_size, error_of};

const SIZES: &str = "128,256,512,1024";

#[tokio::test]
async fn a_size_that_runs_out_of_memory_is_a_finding() {
    let stage = Stage::open().await;
    let before = stage.lambda().account();
    stage.lambda().plays(
        "checkout",
        Behaviour {
            used_mb: 300,
            ..Behaviour::default()
        },
    );
    let (report, output) = stage
        .tuned(&["checkout", "--sizes", SIZES, "--num", "5", "--yes"])
        .await;
    assert!(output.status.success(), "{}", error_of(&output));
    let unfit = by_size(&report, "unfit");
    assert_eq!(
        unfit,
        [
            (256, json!("out_of_memory")),
            (512, json!(null)),
            (1024, json!(null))
        ]
    );
    assert_eq!(report["best"]["memory_mb"], 512);
    let (report, output) = stage.tuned(&["checkout", "--sizes", SIZES, "--yes"]).await;
    assert!(output.status.success(), "{}", error_of(&output));
    assert!(report["best"]["memory_mb"].as_u64().unwrap() >= 512);
    assert_eq!(stage.lambda().account(), before);
}

#[tokio::test]
async fn a_size_that_times_out_is_a_finding() {
    let stage = Stage::open().await;
    // 400 × 1769 ÷ 128 = 5.5 s, and 2.8 s at 256 MB.
    stage.create("late", &json!({"Timeout": 4}));
    let (report, output) = stage
        .tuned(&["late", "--sizes", SIZES, "--num", "5", "--yes"])
        .await;
    assert!(output.status.success(), "{}", error_of(&output));
    assert_eq!(by_size(&report, "unfit")[0], (128, json!("timed_out")));
    assert_eq!(report["sizes"][0]["invocations"], 1);
}

#[tokio::test]
async fn a_function_that_needs_more_than_any_size_has_no_best_one() {
    let stage = Stage::open().await;
    let before = stage.lambda().account();
    stage.lambda().plays(
        "checkout",
        Behaviour {
            used_mb: 20_000,
            ..Behaviour::default()
        },
    );
    let (report, output) = stage
        .tuned(&["checkout", "--sizes", SIZES, "--num", "5", "--yes"])
        .await;
    assert!(!output.status.success());
    assert_eq!(report["best"], json!(null));
    assert!(
        report["stopped"]
            .as_str()
            .unwrap()
            .contains("every size ran out")
    );
    assert_eq!(stage.lambda().account(), before);
}

#[tokio::test]
async fn a_broken_payload_ends_the_run_at_once() {
    let stage = Stage::open().await;
    let before = stage.lambda().account();
    stage.wants("checkout", "order");
    let (report, output) = stage
        .tuned(&["checkout", "--payload", "{\"x\":1}", "--yes"])
        .await;
    assert!(!output.status.success());
    assert_eq!(
        (report["invocations"].clone(), report["best"].clone()),
        (json!(1), json!(null))
    );
    assert!(report["stopped"].as_str().unwrap().contains("KeyError"));
    let allowed = [
        "checkout",
        "--allowed-exception",
        "KeyError",
        "--sizes",
        "512,1024",
        "--num",
        "5",
        "--yes",
    ];
    let (report, output) = stage.tuned(&allowed).await;
    assert!(output.status.success(), "{}", error_of(&output));
    assert_eq!(report["invocations"], 10);
    assert_eq!(stage.lambda().account(), before);
}

#[tokio::test]
async fn throttled_calls_and_invocations_wait() {
    let stage = Stage::open().await;
    let before = stage.lambda().account();
    let lambda = stage.lambda();
    lambda.order(Operation::CreateFunction, None, (0, 1), Fault::throttle(0));
    lambda.order(Operation::PublishVersion, None, (0, 1), Fault::throttle(0));
    lambda.order(Operation::Invoke, None, (3, 2), Fault::throttle(0));
    lambda.order(Operation::DeleteFunction, None, (0, 1), Fault::throttle(0));
    let (report, output) = stage
        .tuned(&["checkout", "--sizes", "512,1024", "--num", "5", "--yes"])
        .await;
    assert!(output.status.success(), "{}", error_of(&output));
    assert_eq!(report["invocations"], 10);
    assert_eq!(report["throttled"], json!({"TooManyRequestsException": 2}));
    assert_eq!(stage.lambda().account(), before);
}

#[tokio::test]
async fn lost_answers_leave_nothing() {
    let stage = Stage::open().await;
    let before = stage.lambda().account();
    for operation in [
        Operation::CreateFunction,
        Operation::UpdateFunctionConfiguration,
        Operation::PublishVersion,
        Operation::DeleteFunction,
    ] {
        stage
            .lambda()
            .order(operation, None, (0, 1), Fault::LoseAnswer);
        let (report, output) = stage
            .tuned(&["checkout", "--sizes", "512,1024", "--num", "5", "--yes"])
            .await;
        assert!(
            output.status.success(),
            "{operation:?}: {}",
            error_of(&output)
        );
        assert_eq!(report["invocations"], 10, "{operation:?}");
        assert_eq!(stage.lambda().account(), before, "{operation:?}");
    }
    // An invocation that may have run is counted and not repeated.
    stage
        .lambda()
        .order(Operation::Invoke, None, (0, 1), Fault::LoseAnswer);
    let (report, _) = stage
        .tuned(&["checkout", "--sizes", "512,1024", "--num", "5", "--yes"])
        .await;
    assert_eq!(
        (report["invocations"].clone(), report["unclear"].clone()),
        (json!(10), json!(1))
    );
    assert_eq!(report["sizes"][1]["invocations"], 4);
}

#[tokio::test]
async fn code_that_changes_meanwhile_is_noticed_and_not_applied() {
    let stage = Stage::open().await;
    stage.lambda().order(
        Operation::DeleteFunction,
        None,
        (0, 1),
        Fault::Slow(std::time::Duration::from_secs(4)),
    );
    let lambda = stage.lambda().clone();
    let deploying = tokio::spawn(async move {
        while lambda
            .calls()
            .iter()
            .all(|call| call.operation != Operation::DeleteFunction)
        {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        lambda.deploy("checkout", "newer code");
    });
    let store = stage.folder.path().join("store.db").display().to_string();
    let sizes = ["checkout", "--sizes", "512,1769", "--num", "5"];
    let arguments = [&sizes[..], &["--store", &store, "--apply", "--yes"]].concat();
    let (report, output) = stage.tuned(&arguments).await;
    deploying.await.unwrap();
    assert_eq!(report["stored"], false, "they are of the code before");
    assert!(!output.status.success());
    assert_eq!(report["code_changed"], true);
    assert!(
        report["applied"]["words"]
            .as_str()
            .unwrap()
            .contains("code")
    );
    assert_eq!(stage.lambda().memory_mb("checkout", None), 1024);
}

#[tokio::test]
async fn production_keeps_its_concurrency() {
    let stage = Stage::open().await;
    stage.lambda().unreserved(40);
    let arguments = [
        "checkout",
        "--sizes",
        "512,1024",
        "--num",
        "8",
        "--parallel",
        "8",
        "--yes",
    ];
    let (report, output) = stage.tuned(&arguments).await;
    assert!(output.status.success(), "{}", error_of(&output));
    assert!(
        error_of(&output).contains("4 invocations at the same time instead of 8"),
        "{}",
        error_of(&output)
    );
    assert_eq!(report["invocations"], 16);
}

#[tokio::test]
async fn a_size_that_cannot_be_made_ends_the_run_and_leaves_nothing() {
    let stage = Stage::open().await;
    let before = stage.lambda().account();
    let denied = Fault::Deny {
        code: "AccessDeniedException",
        words: "not authorized to perform: lambda:PublishVersion",
    };
    stage
        .lambda()
        .order(Operation::PublishVersion, None, (1, 9), denied);
    let (report, output) = stage
        .tuned(&["checkout", "--sizes", "512,1024", "--num", "5", "--yes"])
        .await;
    assert!(!output.status.success());
    assert!(
        report["stopped"]
            .as_str()
            .unwrap()
            .contains("lambda:PublishVersion"),
        "{report}"
    );
    assert_eq!(stage.lambda().account(), before);
}
