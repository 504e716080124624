//! Fifty functions in one run: within the limits of the account, continued after a kill, and ranked.

use std::time::Duration;

use nix::sys::signal::Signal;
use rightsizer_tests::servers::{Behaviour, Call, Operation, most_within_a_second};
use serde_json::{Value, json};

use crate::stage::{Stage, error_of, signal};

const FUNCTIONS: usize = 50;
/// The calls a second that Lambda accepts on an account's functions, `GetFunction` and `Invoke` apart.
const CONTROL_PLANE: usize = 15;

/// Functions with more CPU time from one to the next, of which each sees its own payload.
fn account(stage: &Stage) -> String {
    let line = |n: usize| {
        let name = format!("f{n:02}");
        stage.create(&name, &json!({}));
        let n = u32::try_from(n).unwrap();
        let behaviour = Behaviour {
            cpu_ms: 50.0 + 10.0 * f64::from(n),
            wants: Some(format!("\"order\":{n}}}")),
            ..Behaviour::default()
        };
        stage.lambda().plays(&name, behaviour);
        format!("{{\"function\": \"{name}\", \"payload\": {{\"order\":{n}}}}}\n")
    };
    stage.file(
        "functions.jsonl",
        &(0..FUNCTIONS).map(line).collect::<String>(),
    )
}

/// The most calls of the control plane in a second, of which none may be refused.
fn pace(calls: &[Call]) -> usize {
    assert!(calls.iter().all(|call| call.status != 429), "{calls:?}");
    let apart = [Operation::GetFunction, Operation::Invoke];
    let calls = calls.iter().filter(|call| !apart.contains(&call.operation));
    most_within_a_second(&calls.cloned().collect::<Vec<_>>())
}

#[tokio::test]
async fn fifty_functions_run_within_the_limits_and_go_on_after_a_kill() {
    let stage = Stage::open().await;
    let file = account(&stage);
    stage.lambda().limit(CONTROL_PLANE);
    let before = stage.lambda().account();
    let state = stage.folder.path().join("state");
    let (state_path, done) = (state.display().to_string(), || {
        std::fs::read_to_string(&state).map_or(0, |text| text.lines().count())
    });
    let arguments = [
        "tune",
        "--file",
        &file,
        "--state",
        &state_path,
        "--sizes",
        "512",
        "--num",
        "5",
        "--yes",
        "--json",
    ];
    let mut first = stage.begin(&arguments);
    while done() < 20 {
        assert!(first.try_wait().unwrap().is_none(), "it ended by itself");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    signal(&first, Signal::SIGKILL);
    first.wait().await.unwrap();
    let calls = stage.lambda().calls();
    let most = pace(&calls);
    assert!(most <= CONTROL_PLANE, "{most} calls in a second");

    let finished = done();
    let output = stage.rightsizer(&arguments).await;
    assert!(output.status.success(), "{}", error_of(&output));
    let messages = error_of(&output);
    let left = FUNCTIONS - finished;
    assert!(
        messages.contains(&format!(
            "{finished} functions tuned by an earlier run, {left} left"
        )),
        "{messages}"
    );
    let all = stage.lambda().calls();
    let most = pace(&all[calls.len()..]);
    assert!(most <= CONTROL_PLANE, "{most} calls in a second");
    // Only the function that was killed may have been invoked twice.
    let invoked = all
        .iter()
        .filter(|call| call.operation == Operation::Invoke);
    let invoked = invoked.count();
    assert!((250..=255).contains(&invoked), "{invoked} invocations");

    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["functions"].as_array().unwrap().len(), left);
    assert_ranked(&found["ranking"]);

    let cleanup = stage.tune(&["--cleanup", "--yes"]).await;
    assert!(cleanup.status.success(), "{}", error_of(&cleanup));
    assert_eq!(stage.lambda().account(), before);
}

/// All functions, the one first for which tuning found most beyond its curve.
fn assert_ranked(ranking: &Value) {
    let ranking = ranking.as_array().unwrap();
    assert_eq!(ranking.len(), FUNCTIONS);
    let better: Vec<f64> = ranking
        .iter()
        .map(|of| of["better"].as_f64().unwrap())
        .collect();
    assert!(better.is_sorted_by(|a, b| a >= b), "{better:?}");
}
