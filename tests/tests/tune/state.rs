//! Runs that end early: what their state file counts as done, and what is not applied.

use rightsizer_tests::servers::Operation;
use serde_json::{Value, json};

use crate::stage::{Stage, error_of};

/// The second of three functions does not exist. When it does, the next run invokes it alone.
#[tokio::test]
async fn a_run_that_was_ended_continues_with_the_others() {
    let stage = Stage::open().await;
    let lines = ["checkout", "later", "refund"].map(|name| format!("{{\"function\": \"{name}\"}}"));
    let (file, state) = (
        stage.file("list", &lines.join("\n")),
        stage.folder.path().join("state"),
    );
    let state = state.display().to_string();
    stage.create("refund", &json!({}));
    let arguments = [
        "--file", &file, "--state", &state, "--sizes", "512,1769", "--num", "5", "--yes", "--json",
    ];
    let output = stage.tune(&arguments).await;
    assert!(!output.status.success());
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["functions"].as_array().unwrap().len(), 2);
    assert_eq!(found["failed"][0]["function"], "later");
    stage.create("later", &json!({}));
    let before = stage.lambda().calls().len();
    let output = stage.tune(&arguments).await;
    assert!(output.status.success(), "{}", error_of(&output));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["functions"].as_array().unwrap().len(), 1);
    assert_eq!(found["ranking"].as_array().unwrap().len(), 3);
    let calls = stage.lambda().calls();
    let invoked = calls[before..]
        .iter()
        .filter(|call| call.operation == Operation::Invoke);
    assert_eq!(invoked.count(), 10);
}

/// Invocations of at most 30 s and a start cost up to 40 s: $0.0004 at 1769 MB, and a quarter of that at 512. The budget
/// allows all of the larger size and ends within the smaller one. What is best so far is shown, and not applied.
#[tokio::test]
async fn a_run_that_its_budget_ended_is_not_applied() {
    let stage = Stage::open().await;
    let arguments =
        "checkout --sizes 512,1769 --num 40 --strategy speed --apply --yes --max-usd 0.0012";
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let (report, output) = stage.tuned(&arguments).await;
    assert!(!output.status.success(), "{report}");
    let stopped = report["stopped"].as_str().unwrap();
    assert!(stopped.contains("--max-usd"), "{stopped}");
    assert!(report["spent_usd"].as_f64().unwrap() <= 0.0012, "{report}");
    assert_eq!(report["best"]["memory_mb"], 1769, "{report}");
    assert_eq!(report["applied"]["done"], false);
    assert_eq!(stage.lambda().memory_mb("checkout", None), 1024);
}

/// A plan writes no state. A line that a crash cut off does not swallow the next one. A run that its budget ended, and one
/// with other options, are not done.
#[tokio::test]
async fn the_state_has_what_is_done_with_these_options() {
    let stage = Stage::open().await;
    stage.create("refund", &json!({}));
    let lines = ["checkout", "refund"].map(|name| format!("{{\"function\": \"{name}\"}}"));
    let file = stage.file("list", &lines.join("\n"));
    let state = stage.folder.path().join("state");
    let path = state.display().to_string();
    let usual = [
        "--file", &file, "--state", &path, "--sizes", "512,1769", "--json",
    ];
    let left = async |more: &[&str]| {
        let before = stage.lambda().calls().len();
        let output = stage.tune(&[&usual[..], more].concat()).await;
        let calls = stage.lambda().calls();
        let made = calls[before..].iter();
        let made = made.filter(|call| call.operation == Operation::CreateFunction);
        (made.count(), output.status.success())
    };
    assert_eq!(left(&["--num", "5"]).await, (0, true));
    assert!(!state.exists(), "a plan leaves nothing");
    let ended = ["--num", "40", "--max-usd", "0.0012", "--yes"];
    assert_eq!(left(&ended).await, (2, false));
    assert_eq!(
        left(&["--num", "40", "--yes"]).await,
        (2, true),
        "not done before"
    );
    assert_eq!(left(&["--num", "40", "--yes"]).await, (0, true), "done");
    assert_eq!(
        left(&["--num", "5", "--yes"]).await,
        (2, true),
        "other options"
    );
    let whole = std::fs::read_to_string(&state).unwrap();
    std::fs::write(&state, &whole[..whole.len() - 9]).unwrap();
    assert_eq!(
        left(&["--num", "5", "--yes"]).await,
        (1, true),
        "its line was cut off"
    );
    assert_eq!(
        left(&["--num", "5", "--yes"]).await,
        (0, true),
        "the next line is whole"
    );
}
