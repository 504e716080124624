//! `tune --server`: the curve of a running server, beside that of the same store on this machine.

use std::path::Path;

use rightsizer_tests::aggregator::Aggregator;
use serde_json::{Value, json};

use crate::stage::{Stage, error_of};

const TOKENS: [&str; 4] = [
    "--token",
    "writers-token",
    "--review-token",
    "reviewers-token",
];

/// A store with 60 invocations of `checkout` at each of two sizes: 40 ms of waiting and 400 ms of CPU time.
async fn store(stage: &Stage) -> String {
    let report = |n: u32, size: u32, ms: u32| {
        format!(
            "REPORT RequestId: 00000000-0000-0000-{size:04}-{n:012} Duration: {ms}.00 ms Billed Duration: {ms} ms \
             Memory Size: {size} MB Max Memory Used: 60 MB"
        )
    };
    let sizes = [(512, 1422), (1024, 731)];
    let lines = sizes.map(|(size, ms)| (0..60).map(move |n| report(n, size, ms)));
    let lines: Vec<String> = lines.into_iter().flatten().collect();
    let file = stage.file("reports.log", &lines.join("\n"));
    let store = stage.folder.path().join("s.db").display().to_string();
    let arn = "arn:aws:lambda:eu-central-1:123456789012:function:checkout";
    let import = ["import", &file, "--store", &store, "--function", arn];
    let output = stage.rightsizer(&import).await;
    assert!(output.status.success(), "{}", error_of(&output));
    store
}

/// The plan, which names the sizes from the safe one on and the expected cost.
async fn plan(stage: &Stage, from: [&str; 2]) -> (Value, String) {
    let arguments = ["checkout", "--json", from[0], from[1]];
    let output = stage.tune(&arguments).await;
    assert!(output.status.success(), "{}", error_of(&output));
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    (plan["functions"][0].clone(), error_of(&output))
}

#[tokio::test]
async fn a_servers_curve_plans_a_run_as_the_store_does() {
    let stage = Stage::open().await;
    let store = store(&stage).await;
    let serve = Aggregator::start(Path::new(&store), &TOKENS, &[], None).await;
    let serve = serve.unwrap();
    let url = format!("{}/reviewers-token", serve.endpoint());
    let (here, _) = plan(&stage, ["--store", &store]).await;
    assert!(here["expected_usd"].is_f64(), "{here}");
    let (there, _) = plan(&stage, ["--server", &url]).await;
    assert_eq!(there, here);
    // One that may not read it, and one that is not there, are named; the run can still be planned.
    let writer = format!("{}/writers-token", serve.endpoint());
    for stranger in [writer.as_str(), "http://127.0.0.1:1/reviewers-token"] {
        let (plan, warnings) = plan(&stage, ["--server", stranger]).await;
        assert_eq!(plan["expected_usd"], json!(null), "{plan}");
        assert!(
            warnings.contains("the server's curve of it is not used"),
            "{warnings}"
        );
    }
    let size = ["checkout", "--sizes", "512,1024,1769", "--yes"];
    let (report, output) = stage
        .tuned(&[&size[..], &["--server", &url]].concat())
        .await;
    assert!(output.status.success(), "{}", error_of(&output));
    assert_eq!(report["stored"], json!(false), "a server has the store");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let ranked = &found["ranking"][0];
    assert!(ranked["curve_mb"].is_u64(), "{ranked}");
    assert!(serve.stop().await.unwrap().success());
}
