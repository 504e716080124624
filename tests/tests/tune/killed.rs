//! Runs that are killed at random moments, and what is left of them after `--cleanup`.

use std::time::Duration;

use nix::sys::signal::Signal;
use rightsizer_tests::dice::Dice;
use rightsizer_tests::servers::{Behaviour, Operation};
use serde_json::{Value, json};
use tokio::process::Child;

use crate::stage::{Stage, error_of, signal};

/// Kills of the usual test; `RIGHTSIZER_KILLS` sets more.
const KILLS: u64 = 8;

/// Functions of several kinds; a run takes some seconds.
async fn account() -> Stage {
    let stage = Stage::open().await;
    stage.create("image", &json!({
        "PackageType": "Image", "Code": {"ImageUri": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop@sha256:1"},
        "Runtime": null, "Handler": null,
    }));
    stage.create(
        "vpc",
        &json!({"VpcConfig": {"SubnetIds": ["s"], "SecurityGroupIds": ["g"], "VpcId": "v"}}),
    );
    for name in ["checkout", "image", "vpc"] {
        stage.lambda().plays(
            name,
            Behaviour {
                pace: 0.1,
                ..Behaviour::default()
            },
        );
    }
    stage.lambda().creating_takes(Duration::from_millis(300));
    stage
}

fn begin(stage: &Stage, name: &str) -> Child {
    stage.begin(&[
        "tune",
        name,
        "--sizes",
        "512,1024,1769",
        "--num",
        "5",
        "--yes",
    ])
}

#[tokio::test]
async fn nothing_is_left_of_killed_runs_after_the_cleanup() {
    let stage = account().await;
    let before = stage.lambda().account();
    let kills = std::env::var("RIGHTSIZER_KILLS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(KILLS);
    let mut dice = Dice::new(19);
    let (mut left, mut ended) = (0, 0);
    for n in 0..kills {
        let name = ["checkout", "image", "vpc"][usize::try_from(n / 3 % 3).unwrap()];
        let mut child = begin(&stage, name);
        // A third is killed at any moment, the others while their copy exists.
        while n % 3 != 0 && stage.lambda().account() == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(dice.below(1500))).await;
        ended += u32::from(child.try_wait().unwrap().is_some());
        signal(&child, Signal::SIGKILL);
        child.wait().await.unwrap();
        left += u32::from(stage.lambda().account() != before);
        // Half of the time the tagging API does not list the copy yet.
        if n % 2 == 1 {
            stage.lambda().tags_lag();
        }
        let output = stage.tune(&["--cleanup", "--yes", "--json"]).await;
        assert!(output.status.success(), "kill {n}: {}", error_of(&output));
        assert_eq!(stage.lambda().account(), before, "kill {n}");
    }
    println!("{kills} kills: {ended} runs had ended, {left} left something, 0 after the cleanup");
    assert!(
        left > 0,
        "no kill left anything, so the cleanup was not tried"
    );
}

#[tokio::test]
async fn a_dry_cleanup_removes_nothing() {
    let stage = account().await;
    stage.lambda().creating_takes(Duration::ZERO);
    let before = stage.lambda().account();
    let mut child = begin(&stage, "checkout");
    while stage.lambda().account() == before {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    signal(&child, Signal::SIGKILL);
    child.wait().await.unwrap();
    let left = stage.lambda().account();
    let output = stage.tune(&["--cleanup", "--json"]).await;
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["copies"].as_array().unwrap().len(), 1);
    assert_eq!(stage.lambda().account(), left);
    // It can still be needed, so it has not expired.
    let output = stage.tune(&["--cleanup", "--expired", "--yes"]).await;
    assert!(output.status.success());
    assert_eq!(stage.lambda().account(), left);
    assert!(stage.tune(&["--cleanup", "--yes"]).await.status.success());
    assert_eq!(stage.lambda().account(), before);
}

#[tokio::test]
async fn a_run_that_is_interrupted_removes_its_copy() {
    let stage = account().await;
    let before = stage.lambda().account();
    for by in [Signal::SIGINT, Signal::SIGTERM] {
        for later in [0, 400, 900] {
            let mut child = begin(&stage, "checkout");
            while stage.lambda().account() == before {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            tokio::time::sleep(Duration::from_millis(later)).await;
            signal(&child, by);
            let status = child.wait().await.unwrap();
            assert_eq!(
                stage.lambda().account(),
                before,
                "{by} after {later} ms: {status}"
            );
        }
    }
}

/// Lambda may take minutes to make a copy in a VPC, and a call that is under way makes one although its caller has gone.
#[tokio::test]
async fn a_run_that_is_interrupted_while_its_copy_is_made_ends_and_removes_it() {
    let stage = account().await;
    let before = stage.lambda().account();
    stage.lambda().creating_takes(Duration::from_hours(1));
    let mut child = begin(&stage, "vpc");
    while stage.lambda().account() == before {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    signal(&child, Signal::SIGTERM);
    let ended = tokio::time::timeout(Duration::from_mins(1), child.wait()).await;
    assert!(ended.is_ok(), "it waits until the copy is ready");
    assert_eq!(stage.lambda().account(), before);

    stage.lambda().creating_takes(Duration::ZERO);
    stage.lambda().creating_arrives(Duration::from_secs(3));
    let reads = stage.lambda().calls().len();
    let mut child = begin(&stage, "checkout");
    while stage.lambda().calls().len() == reads {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The call is made within a second, or the signal comes before it; it arrives later than the signal.
    tokio::time::sleep(Duration::from_secs(1)).await;
    signal(&child, Signal::SIGTERM);
    child.wait().await.unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(stage.lambda().account(), before);
}

/// Of three functions, the first is interrupted: nothing is done for the others.
#[tokio::test]
async fn an_interrupted_run_of_many_begins_no_other() {
    let stage = account().await;
    let before = stage.lambda().account();
    let lines = ["checkout", "image", "vpc"].map(|name| format!("{{\"function\": \"{name}\"}}"));
    let file = stage.file("list", &lines.join("\n"));
    let arguments = [
        "tune", "--file", &file, "--sizes", "512,1024", "--num", "50", "--yes",
    ];
    let mut child = stage.begin(&arguments);
    while stage.lambda().account() == before {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    signal(&child, Signal::SIGTERM);
    assert!(!child.wait().await.unwrap().success());
    assert_eq!(stage.lambda().account(), before);
    let calls = stage.lambda().calls().into_iter();
    let mut deleted: Vec<String> = calls
        .filter(|call| call.operation == Operation::DeleteFunction)
        .map(|call| call.function)
        .collect();
    deleted.dedup();
    assert_eq!(deleted.len(), 1, "{deleted:?}");
    assert!(deleted[0].starts_with("rightsizer-tune-checkout-"));
}

#[tokio::test]
async fn a_function_without_the_tag_that_is_named_like_a_copy_is_left() {
    let stage = account().await;
    stage.create("rightsizer-tune-by-hand", &json!({}));
    let before = stage.lambda().account();
    let output = stage.tune(&["--cleanup", "--yes"]).await;
    assert!(output.status.success(), "{}", error_of(&output));
    assert_eq!(stage.lambda().account(), before);
}
