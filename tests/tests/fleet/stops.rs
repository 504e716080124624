//! `attach` that stops before its end: what was done, what was not tried, and the way back.

use std::process::Stdio;
use std::time::Duration;

use rightsizer_tests::aggregator::{binary, rightsizer_with};
use rightsizer_tests::servers::FaultProxy;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::account::Account;

const LIST: &str = "GET /2015-03-31/functions";
const READ: &str = "GET /2015-03-31/functions/\
    arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3Af0";

async fn fleet(functions: usize) -> Account {
    let account = Account::open().await;
    for n in 0..functions {
        account.create(&format!("f{n}"), &[], &[]).await;
    }
    account
}

fn arguments<'a>(account: &'a Account, more: &[&'a str]) -> Vec<&'a str> {
    let layer = account.layer.as_str();
    let mut all = vec!["attach", "--all", "--layer", layer, "--stream", "reports"];
    all.extend(["--yes", "--json"]);
    all.extend(more);
    all
}

async fn attach(account: &Account, more: &[&str]) -> (Option<i32>, Value, String) {
    let output = rightsizer_with(&arguments(account, more), &account.environment).await;
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let json = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code(), json, text)
}

async fn fails(account: &Account, function: &str) {
    for metric in ["Invocations", "Errors"] {
        account.count(function, metric, 7).await;
    }
}

/// The region is named although it came from the environment.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_tried_is_named_so_and_the_way_back_leads_to_the_same_place() {
    let account = fleet(3).await;
    fails(&account, "f0").await;
    let (code, done, text) = attach(&account, &["--waves", "1", "--settle", "0"]).await;
    assert_eq!(code, Some(1), "{text}");
    assert_eq!(done["counts"], json!({"attach": 1, "not-tried": 2}));
    assert_eq!(done["functions"][1]["action"], "not-tried", "{done}");
    let stopped = &done["stopped"];
    assert_eq!(stopped["code"], "harmed", "{done}");
    assert_eq!(
        (&stopped["changed"], &stopped["not_tried"]),
        (&json!(1), &json!(2))
    );
    let back = format!(
        "rightsizer detach --all --layer {} --stream reports --region eu-central-1 --yes",
        account.layer
    );
    assert!(text.contains(&back), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_wave_is_checked_and_functions_without_an_invocation_are_counted() {
    let account = fleet(3).await;
    fails(&account, "f2").await;
    let (code, done, text) = attach(&account, &["--waves", "1", "--settle", "0"]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("1 of 1 changed functions were not invoked"),
        "{text}"
    );
    assert!(text.contains("f2: 7 of 7 invocations failed"), "{text}");
    assert_eq!(done["counts"], json!({"attach": 3}));
    assert_eq!(done["stopped"]["not_tried"], 0);
}

/// By the store that is named: of two functions that were invoked, one has reported since.
#[tokio::test(flavor = "multi_thread")]
async fn functions_that_were_invoked_and_did_not_report_are_named() {
    let account = fleet(2).await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (store, reports) = (path("store.db"), path("reports.jsonl"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = i64::try_from(now.unwrap().as_millis()).unwrap();
    let at = |ms| rightsizer_records::Timestamp::from_ms(now + ms).unwrap();
    let line = |function: &str, at| {
        json!({
            "functionName": format!("arn:aws:lambda:eu-central-1:123456789012:function:{function}"),
            "records": [{"time": format!("{at}"), "type": "platform.report", "record": {
                "requestId": function, "status": "success", "metrics": {"durationMs": 10.5,
                    "billedDurationMs": 11, "memorySizeMB": 512, "maxMemoryUsedMB": 90}}}],
        })
    };
    let lines = [line("f0", at(30_000)), line("f1", at(-3_600_000))];
    std::fs::write(&reports, lines.map(|line| format!("{line}\n")).concat()).unwrap();
    let import = ["import", "--store", &store, &reports];
    let imported = rightsizer_with(&import, &[]).await.unwrap();
    assert!(imported.status.success(), "{imported:?}");
    for function in ["f0", "f1"] {
        account.count(function, "Invocations", 7).await;
    }
    let more = ["--store", &store, "--waves", "2", "--settle", "0"];
    let (code, done, text) = attach(&account, &more).await;
    assert_eq!((code, &done["stopped"]), (Some(0), &Value::Null), "{text}");
    let silent = "1 of 2 changed functions that were invoked sent no report yet: f1.";
    assert!(text.contains(silent), "{text}");
    let (_, _, text) = attach(&account, &["--store", "/nowhere/store.db", "--settle", "0"]).await;
    assert!(text.contains("/nowhere/store.db"), "{text}");
}

/// A running command, once its standard error has a text, and that text when it has ended.
pub(crate) async fn begun(
    arguments: &[&str],
    environment: &[(String, String)],
    wanted: &str,
) -> (Child, impl Future<Output = String> + use<>) {
    let mut child = Command::new(binary().unwrap())
        .args(arguments)
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut text = String::new();
    while !text.contains(wanted) {
        let line = tokio::time::timeout(Duration::from_mins(1), lines.next_line()).await;
        let line = line.unwrap().unwrap();
        text.push_str(&line.unwrap_or_else(|| panic!("it ended: {text}")));
        text.push('\n');
    }
    let rest = async move {
        while let Some(line) = lines.next_line().await.unwrap() {
            text.push_str(&line);
            text.push('\n');
        }
        text
    };
    (child, rest)
}

pub(crate) async fn press_ctrl_c(child: &Child) {
    let id = child.id().unwrap().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().await;
    assert!(sent.unwrap().success());
}

/// Runs a command, presses Ctrl-C once `is_time`, and returns the exit code and what was printed.
async fn pressed_at(
    arguments: &[&str],
    environment: &[(String, String)],
    is_time: impl AsyncFn() -> bool,
) -> (Option<i32>, Value, String) {
    let child = Command::new(binary().unwrap())
        .args(arguments)
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let waited = tokio::time::timeout(Duration::from_mins(1), async {
        while !is_time().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap();
    press_ctrl_c(&child).await;
    let output = child.wait_with_output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let json = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code(), json, text)
}

/// A function that is invoked rarely fails when the next wave has begun.
#[tokio::test(flavor = "multi_thread")]
async fn functions_of_earlier_waves_are_looked_at_again() {
    let account = fleet(3).await;
    let slowly = arguments(&account, &["--waves", "1", "--settle", "5"]);
    let wanted = "1 of 1 changed functions";
    let (child, rest) = begun(&slowly, &account.environment, wanted).await;
    fails(&account, "f0").await;
    let text = rest.await;
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("f0: 7 of 7 invocations failed"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_between_waves_prints_what_was_done_and_the_way_back() {
    let account = fleet(3).await;
    let slowly = arguments(&account, &["--waves", "1", "--settle", "600"]);
    let (child, rest) = begun(&slowly, &account.environment, "looking for failures").await;
    press_ctrl_c(&child).await;
    let text = rest.await;
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(130), "{text}");
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(done["counts"], json!({"attach": 1, "not-tried": 2}));
    assert_eq!(done["stopped"]["code"], "interrupted");
    assert!(text.contains("rightsizer detach --all"), "{text}");
}

/// The calls are throttled, so the plan takes as long as the test needs.
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_while_the_plan_is_made_changes_nothing() {
    let account = fleet(2).await;
    let before = account.configurations().await;
    for (phase, operation) in [("list", LIST), ("read", READ)] {
        let proxy = FaultProxy::before(account.moto.endpoint()).await.unwrap();
        proxy.always_refuse(operation, "TooManyRequestsException");
        let environment = account.by_way_of("LAMBDA", proxy.endpoint());
        let is_asked = async || proxy.calls(operation) > 0;
        let arguments = arguments(&account, &[]);
        let (code, done, text) = pressed_at(&arguments, &environment, is_asked).await;
        assert_eq!(code, Some(130), "{phase}: {text}");
        assert!(
            text.contains("error: interrupted by Ctrl-C; nothing was changed"),
            "{phase}: {text}"
        );
        assert!(
            text.contains("hint: to continue, run the same command again"),
            "{phase}: {text}"
        );
        assert_eq!(done["region"], "eu-central-1", "{phase}: {done}");
        assert_eq!(
            done["error"],
            "interrupted by Ctrl-C; nothing was changed here"
        );
    }
    assert_eq!(account.configurations().await, before);
}

/// One function in ten seconds: the first is done at once, and the others wait for their turn.
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_during_detach_prints_what_was_done_and_the_way_back() {
    let account = fleet(4).await;
    let attached = ["--waves", "none"];
    let (code, _, text) = attach(&account, &attached).await;
    assert_eq!(code, Some(0), "{text}");
    let layer = account.layer.as_str();
    let mut detach = vec!["detach", "--all", "--layer", layer, "--stream", "reports"];
    detach.extend(["--rate", "0.1", "--yes", "--json"]);
    let with_layer = async || {
        let functions = account.configurations().await;
        functions
            .values()
            .filter(|now| {
                now["Layers"]
                    .as_array()
                    .is_some_and(|layers| !layers.is_empty())
            })
            .count()
    };
    let first_is_done = async || with_layer().await < 4;
    let (code, done, text) = pressed_at(&detach, &account.environment, first_is_done).await;
    assert_eq!(code, Some(130), "{text}");
    let left = with_layer().await;
    assert!(left > 0, "it did not stop: {text}");
    assert_eq!(
        done["counts"],
        json!({"detach": 4 - left, "not-tried": left}),
        "{done}"
    );
    assert_eq!(done["stopped"]["code"], "interrupted");
    assert!(
        text.contains("hint: to continue, run the same command again; to add the layer again"),
        "{text}"
    );
    let back = format!(
        "run rightsizer attach --all --layer {layer} --stream reports --region eu-central-1 --yes"
    );
    assert!(text.contains(&back), "{text}");
}
