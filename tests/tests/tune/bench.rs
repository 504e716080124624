//! `coldstarts --bench`: forced starts of copies, side by side.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use rightsizer_aws::clock::now;
use rightsizer_records::Timestamp;
use rightsizer_tests::aggregator::Aggregator;
use rightsizer_tests::servers::{Behaviour, Operation};
use serde_json::{Value, json};

use crate::stage::{Stage, error_of, signal, text_of};

const IMAGES: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop";

/// A function for each version of Python and each package, with starts as github.com/fourTheorem/lambda-datasci-perf
/// published them: 3.0 s for zip, 3.26 s with layers, and for images 7 to 10 s in the first round and 1.45 s later. `slow`
/// starts of an image belong to the first round.
async fn published(pythons: &[&str], slow: usize) -> (Stage, Vec<String>) {
    let stage = Stage::open().await;
    let mut names = Vec::new();
    for python in pythons {
        let short = python.replace('.', "");
        let runtime = json!(format!("python{python}"));
        let (zip, layers, image) = (
            format!("zip-{short}"),
            format!("layers-{short}"),
            format!("image-{short}"),
        );
        stage.create(&zip, &json!({ "Runtime": runtime }));
        let layer = "arn:aws:lambda:eu-central-1:123456789012:layer:pandas:1";
        stage.create(&layers, &json!({ "Runtime": runtime, "Layers": [layer] }));
        let uri = format!("{IMAGES}@sha256:{short}");
        let package = json!({
            "PackageType": "Image", "Code": {"ImageUri": uri}, "Runtime": null, "Handler": null,
        });
        stage.create(&image, &package);
        let starts = |init_ms: f64, init_scatter: f64, slow_starts: (usize, f64)| Behaviour {
            init_ms,
            init_scatter,
            slow_starts,
            pace: 0.05,
            ..Behaviour::default()
        };
        stage.lambda().plays(&zip, starts(3003.0, 0.07, (0, 0.0)));
        stage
            .lambda()
            .plays(&layers, starts(3259.0, 0.07, (0, 0.0)));
        stage
            .lambda()
            .plays(&image, starts(1450.0, 0.18, (slow, 8500.0)));
        names.extend([zip, layers, image]);
    }
    (stage, names)
}

/// The verdict and the ratio of the finding with these fields.
fn finding(report: &Value, fields: &Value) -> (String, f64) {
    let findings = report["findings"].as_array().unwrap();
    let fits = |found: &&Value| {
        let mut wanted = fields.as_object().unwrap().iter();
        wanted.all(|(name, value)| &found[name] == value)
    };
    let found = findings.iter().find(fits);
    let found = found.unwrap_or_else(|| panic!("nothing about {fields}: {report}"));
    let verdict = found["verdict"].as_str().unwrap().to_owned();
    (verdict, found["ratio"].as_f64().unwrap())
}

#[tokio::test]
async fn a_published_experiment_is_reproduced_with_its_conclusions() {
    let pythons = ["3.8", "3.9", "3.10", "3.11"];
    let sizes = [1024_u32, 1769, 3538, 10_240];
    // Six starts at each of four sizes are the first round.
    let (stage, names) = published(&pythons, 6 * sizes.len()).await;
    let before = stage.lambda().account();
    let page = stage.folder.path().join("starts.html");
    let mut arguments = vec!["coldstarts", "--bench"];
    arguments.extend(names.iter().map(String::as_str));
    let page_path = page.display().to_string();
    let options = "--sizes 1024,1769,3538,10240 --starts 6 --parallel 6 --rounds 2 --every 0 --json --yes --html";
    arguments.extend(options.split(' '));
    arguments.push(&page_path);
    let output = stage.rightsizer(&arguments).await;
    assert!(output.status.success(), "{}", error_of(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let cells = report["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 12 * sizes.len() * 2);
    assert!(cells.iter().all(|cell| cell["starts"] == 6), "{report}");

    let differs = |fields: Value, wanted: f64| {
        let (verdict, ratio) = finding(&report, &fields);
        assert_eq!(verdict, "differs", "{fields}");
        assert!((ratio / wanted - 1.0).abs() < 0.06, "{fields}: {ratio}");
    };
    let package = |stage: &str, package: &str| json!({"about": "package", "stage": stage, "package": package, "with": "zip"});
    differs(package("first", "image"), 8500.0 / 3003.0);
    differs(package("later", "image"), 1450.0 / 3003.0);
    differs(package("later", "layers"), 3259.0 / 3003.0);
    differs(
        json!({"about": "stage", "package": "image"}),
        8500.0 / 1450.0,
    );
    let same = |fields: Value| assert_eq!(finding(&report, &fields).0, "same", "{fields}");
    same(json!({"about": "stage", "package": "zip"}));
    for package in ["zip", "layers"] {
        same(json!({"about": "size", "package": package, "stage": "later"}));
    }
    for python in ["3.11", "3.8", "3.9"] {
        let runtime = format!("python{python}");
        same(json!({"about": "runtime", "runtime": runtime, "with": "python3.10"}));
    }
    let page = std::fs::read_to_string(page).unwrap();
    assert!(
        page.contains("Right after the deployment: image starts take 2."),
        "{page}"
    );
    assert_eq!(stage.lambda().account(), before, "nothing is left");
    for name in &names {
        let invoked = stage.lambda().calls_of(Operation::Invoke, name);
        assert!(invoked.is_empty(), "the function itself is never invoked");
    }
}

#[tokio::test]
async fn without_yes_only_the_plan_is_shown() {
    let (stage, _) = published(&["3.9"], 0).await;
    let before = stage.lambda().account();
    let arguments = [
        "coldstarts",
        "--bench",
        "zip-39",
        "image-39",
        "--rounds",
        "3",
    ];
    let output = stage.rightsizer(&arguments).await;
    assert!(output.status.success(), "{}", error_of(&output));
    assert!(text_of(&output).contains("dry run: nothing was created or invoked"));
    let plan = error_of(&output);
    for words in [
        "zip-39 (zip, python3.9)",
        "image-39 (image, image)",
        "1024, 1769, 3538 MB",
        "in each of 3 rounds, 60 minutes apart",
        "180 in all",
        "real code with the real role",
    ] {
        assert!(plan.contains(words), "{words}: {plan}");
    }
    assert_eq!(stage.lambda().account(), before);
}

/// A tenth of 20 unreserved executions are two; the rest is for production.
#[tokio::test]
async fn a_bench_leaves_production_its_concurrency() {
    let (stage, _) = published(&["3.9"], 0).await;
    stage.lambda().unreserved(20);
    let output = stage.rightsizer(&["coldstarts", "--bench", "zip-39"]).await;
    let plan = error_of(&output);
    assert!(plan.contains(", 2 at the same time,"), "{plan}");
}

/// A store that knows the functions.
async fn stored(stage: &Stage, names: &[String]) -> PathBuf {
    let store = stage.folder.path().join("store.db");
    let line = "REPORT RequestId: 00000000-0000-0000-0000-000000000001 Duration: 20.00 ms Billed Duration: 20 ms \
                Memory Size: 1024 MB Max Memory Used: 60 MB";
    let (file, path) = (stage.file("reports.log", line), store.display().to_string());
    for name in names {
        let arn = format!("arn:aws:lambda:eu-central-1:123456789012:function:{name}");
        let import = ["import", &file, "--store", &path, "--function", &arn];
        let output = stage.rightsizer(&import).await;
        assert!(output.status.success(), "{}", error_of(&output));
    }
    store
}

/// A server that has the store, and its URL for reviewers.
async fn serving(store: &Path) -> (Aggregator, String) {
    let tokens = "--token writers-token --review-token reviewers-token";
    let tokens: Vec<_> = tokens.split(' ').collect();
    let server = Aggregator::start(store, &tokens, &[], None).await.unwrap();
    let url = format!("{}/reviewers-token", server.endpoint());
    (server, url)
}

/// How many forced starts a server shows of a function.
async fn forced(stage: &Stage, url: &str, name: &str) -> usize {
    let shown = ["coldstarts", name, "--server", url, "--json"];
    let output = stage.rightsizer(&shown).await;
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    all[0]["forced"].as_array().unwrap().len()
}

/// What a bench found is kept with each function: `coldstarts` and `show` have it, for the package and the size.
#[tokio::test]
async fn forced_starts_are_kept_in_the_store() {
    let (stage, names) = published(&["3.14"], 3).await;
    let store = stored(&stage, &names).await.display().to_string();
    let mut arguments = vec!["coldstarts", "--bench"];
    arguments.extend(names.iter().map(String::as_str));
    let options = "--sizes 1024 --starts 3 --rounds 2 --every 0 --yes --store";
    arguments.extend(options.split(' '));
    arguments.push(&store);
    let output = stage.rightsizer(&arguments).await;
    assert!(output.status.success(), "{}", error_of(&output));
    let shown = ["coldstarts", "image-314", "--store", &store, "--json"];
    let output = stage.rightsizer(&shown).await;
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [first, later] = all[0]["forced"].as_array().unwrap().as_slice() else {
        panic!("{all}");
    };
    for (line, stage, ms) in [(first, "first", 8500.0), (later, "later", 1450.0)] {
        let wanted = (json!("image"), json!(stage), json!(1024), json!(3));
        let found = ["package", "stage", "memory_mb", "starts"].map(|key| line[key].clone());
        assert_eq!(found, <[Value; 4]>::from(wanted), "{line}");
        let off = line["p50_ms"].as_f64().unwrap() / ms - 1.0;
        assert!(off.abs() < 0.2, "{line}");
    }
    let text = text_of(&stage.rightsizer(&shown[..4]).await);
    assert!(text.contains("forced starts of copies"), "{text}");
}

/// Beside a running server the store is the server's, so it gets the starts: the one that is named, or the one that has
/// the store.
#[tokio::test]
async fn forced_starts_reach_a_running_server() {
    let (stage, names) = published(&["3.14"], 3).await;
    let store = stored(&stage, &names).await;
    let path = store.display().to_string();
    let (server, url) = serving(&store).await;
    for (name, to) in [
        ("image-314", ["--server", &url]),
        ("zip-314", ["--store", &path]),
    ] {
        assert_eq!(forced(&stage, &url, name).await, 0);
        let bench = "--sizes 1024 --starts 3 --rounds 2 --every 0 --yes";
        let mut arguments = vec!["coldstarts", "--bench", name];
        arguments.extend(bench.split(' ').chain(to));
        let output = stage.rightsizer(&arguments).await;
        assert!(output.status.success(), "{}", error_of(&output));
        assert!(
            !error_of(&output).contains("not in the store"),
            "{}",
            error_of(&output)
        );
        assert_eq!(
            forced(&stage, &url, name).await,
            2,
            "right after the deployment, and later: {to:?}"
        );
    }
    assert!(server.stop().await.unwrap().success());
}

/// A server takes forced starts from reviewers alone, and none that are impossible.
#[tokio::test]
async fn impossible_forced_starts_and_those_of_a_writer_are_refused() {
    let (stage, names) = published(&["3.14"], 3).await;
    let (server, url) = serving(&stored(&stage, &names).await).await;
    let post = async |token: &str, body: Value| {
        let url = format!("{}/{token}/forced-starts", server.endpoint());
        let answer = reqwest::Client::new()
            .post(url)
            .body(body.to_string())
            .send();
        answer.await.unwrap().status().as_u16()
    };
    let function = "arn:aws:lambda:eu-central-1:123456789012:function:layers-314";
    let starts = |mb: u32| {
        json!([{
            "function": function, "memory_mb": mb, "package": "layers", "stage": "later", "starts": 3,
            "p50_ms": 900.0, "p95_ms": 950.0, "measured_at": "2026-03-01T00:00:00.000Z",
        }])
    };
    assert_eq!(post("writers-token", starts(512)).await, 403);
    assert_eq!(post("reviewers-token", starts(64)).await, 400);
    assert_eq!(
        post("reviewers-token", json!([{"function": function}])).await,
        400
    );
    assert_eq!(forced(&stage, &url, "layers-314").await, 0);
    assert_eq!(post("reviewers-token", starts(512)).await, 200);
    assert_eq!(forced(&stage, &url, "layers-314").await, 1);
    assert!(server.stop().await.unwrap().success());
}

/// The starts are kept in a file, which is shown without an account; a snapshot restores in 90 ms instead of 3 s.
#[tokio::test]
async fn snapshots_are_compared_and_starts_are_kept() {
    let (stage, _) = published(&["3.12"], 0).await;
    let before = stage.lambda().account();
    let file = stage
        .folder
        .path()
        .join("starts.jsonl")
        .display()
        .to_string();
    let arguments = [
        "coldstarts",
        "--bench",
        "zip-312",
        "--snap-start",
        "--sizes",
        "1024",
        "--starts",
        "8",
        "--samples",
        &file,
        "--yes",
    ];
    let output = stage.rightsizer(&arguments).await;
    assert!(output.status.success(), "{}", error_of(&output));
    let text = text_of(&output);
    assert!(
        text.contains("SnapStart starts take 0.03 times as long as zip"),
        "{text}"
    );
    assert_eq!(stage.lambda().account(), before, "both copies are removed");
    let again = stage.rightsizer(&["coldstarts", "--samples", &file]).await;
    let again = text_of(&again);
    assert!(text.starts_with(again.trim_end()), "{again}");
    let lines = std::fs::read_to_string(&file).unwrap().lines().count();
    assert_eq!(lines, 16);
}

#[tokio::test]
async fn what_cannot_be_benched_leaves_nothing() {
    let stage = Stage::open().await;
    stage.create("small", &json!({}));
    let small = Behaviour {
        used_mb: 900,
        ..Behaviour::default()
    };
    stage.lambda().plays("small", small);
    let before = stage.lambda().account();
    let nowhere = stage.folder.path().join("missing/starts.jsonl");
    let nowhere = nowhere.display().to_string();
    let mut refused = vec![
        (vec!["checkout", "--samples", &nowhere], "cannot write"),
        (vec!["missing"], "does not exist"),
        (
            vec!["checkout", "--payload", "{broken"],
            "neither JSON nor a file",
        ),
        (
            vec!["checkout", "--max-usd", "0.0000001"],
            "could cost more than allowed",
        ),
        (vec!["small", "--sizes", "512"], "ran out of memory"),
    ];
    for (arguments, words) in refused.drain(..) {
        let all = [vec!["coldstarts", "--bench"], arguments, vec!["--yes"]].concat();
        let output = stage.rightsizer(&all).await;
        assert!(!output.status.success(), "{all:?}");
        let shown = error_of(&output) + &text_of(&output);
        assert!(shown.contains(words), "{words}: {shown}");
        assert_eq!(stage.lambda().account(), before, "{all:?}");
    }
}

/// SIGTERM removes the copies before the command ends; after SIGKILL the cleanup of `tune` does.
#[tokio::test]
async fn a_bench_that_is_ended_leaves_nothing_after_the_cleanup() {
    let (stage, _) = published(&["3.13"], 0).await;
    let before = stage.lambda().account();
    for by in [Signal::SIGTERM, Signal::SIGKILL] {
        let mut child = stage.begin(&[
            "coldstarts",
            "--bench",
            "zip-313",
            "image-313",
            "--starts",
            "50",
            "--yes",
        ]);
        while stage.lambda().account() == before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(800)).await;
        signal(&child, by);
        child.wait().await.unwrap();
        if by == Signal::SIGKILL {
            assert_ne!(stage.lambda().account(), before, "it left its copies");
            copies_are_needed_for_two_hours(&stage).await;
            let output = stage.tune(&["--cleanup", "--yes"]).await;
            assert!(output.status.success(), "{}", error_of(&output));
        }
        assert_eq!(stage.lambda().account(), before, "{by}");
    }
}

/// The cleanup of a script passes `--expired`, so that it does not remove the copies of another bench.
async fn copies_are_needed_for_two_hours(stage: &Stage) {
    let left = stage.lambda().account();
    let copies = async |arguments: &[&str]| {
        let output = stage.tune(arguments).await;
        assert!(output.status.success(), "{}", error_of(&output));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        found["copies"].as_array().unwrap().clone()
    };
    let all = copies(&["--cleanup", "--json"]).await;
    assert!(!all.is_empty());
    for copy in &all {
        let until = Timestamp::parse(copy["until"].as_str().unwrap()).unwrap();
        let hours = (until.as_ms() - now().as_ms()) / 3_600_000;
        assert!((2..24).contains(&hours), "{copy}");
    }
    let expired = copies(&["--cleanup", "--expired", "--yes", "--json"]).await;
    assert_eq!(expired, [] as [Value; 0]);
    assert_eq!(stage.lambda().account(), left);
}

/// Lambda may take minutes to make a copy of an image or in a VPC.
#[tokio::test]
async fn a_bench_that_is_interrupted_while_its_copies_are_made_ends_and_removes_them() {
    let (stage, _) = published(&["3.13"], 0).await;
    let before = stage.lambda().account();
    stage.lambda().creating_takes(Duration::from_hours(1));
    let mut child = stage.begin(&["coldstarts", "--bench", "zip-313", "image-313", "--yes"]);
    while stage.lambda().account() == before {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    signal(&child, Signal::SIGTERM);
    let ended = tokio::time::timeout(Duration::from_mins(1), child.wait()).await;
    assert!(ended.is_ok(), "it waits until the copies are ready");
    assert_eq!(stage.lambda().account(), before);
}
