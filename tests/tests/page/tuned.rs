//! Results of active tuning: on the function's page, and the page of forced starts.

use rightsizer_tests::aggregator::rightsizer;
use serde_json::json;

use crate::browser::drive;
use crate::scene::{Scene, TOKEN, make};

const TUNED: &str = "arn:aws:lambda:eu-west-1:123456789012:function:media-resize";

/// Durations of a run at five sizes, as `rightsizer tune` stores them and prints them for an import.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_tuning_run_measured_is_on_the_page() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path()).await;
    let sizes = [
        (128, 9600.0),
        (512, 2500.0),
        (1024, 1300.0),
        (1769, 800.0),
        (3008, 790.0),
    ];
    let stats = sizes.map(|(mb, ms)| {
        // At $0.0000133334 a GB-second.
        let usd = f64::from(mb) / 1024.0 * ms / 1000.0 * 0.000_013_333_4;
        json!({ "value": mb, "averageDuration": ms, "averagePrice": usd })
    });
    let run = json!({ "lambdaARN": TUNED, "stopDate": "2026-03-01T10:00:00Z", "stats": stats });
    let (file, store) = (
        folder.path().join("run.json"),
        folder.path().join("rightsizer.db"),
    );
    std::fs::write(&file, run.to_string()).unwrap();
    let import = [
        "import",
        "--store",
        store.to_str().unwrap(),
        file.to_str().unwrap(),
    ];
    let done = rightsizer(&import).await.unwrap();
    assert!(done.status.success(), "{done:?}");
    let scene = Scene::of(folder, &[], &[]).await;
    let starts = [
        ("zip", "first", 512, 912.0),
        ("zip", "later", 512, 640.0),
        ("snap_start", "later", 512, 90.0),
        ("image", "first", 10_240, 8512.0),
    ];
    let starts = starts.map(|(package, stage, mb, ms)| {
        json!({
            "function": TUNED, "memory_mb": mb, "package": package, "stage": stage, "starts": 12, "p50_ms": ms,
            "p95_ms": ms * 1.4, "measured_at": "2026-03-02T00:00:00Z",
        })
    });
    let address = format!("{}/{TOKEN}/forced-starts", scene.server.endpoint());
    let body = json!(starts).to_string();
    let post = reqwest::Client::new().post(address).body(body).send();
    assert!(post.await.unwrap().status().is_success());
    // 1 GB for 1.3 s a million times: 1.3 × 13.3334.
    let more = json!({ "token": TOKEN, "function": TUNED, "sizes": sizes.len(), "cost": "$17.33" });
    let lines = drive("tuned", scene.server.endpoint(), more).await;
    assert!(
        lines.iter().any(|line| line == "looked: a tuned function"),
        "{lines:#?}"
    );
    scene.server.stop().await.unwrap();
}

/// Starts of a package and of an image, as `coldstarts --bench` writes them down.
#[tokio::test(flavor = "multi_thread")]
async fn forced_starts_are_a_page_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let (samples, page) = (
        folder.path().join("starts.jsonl"),
        folder.path().join("starts.html"),
    );
    let mut text = String::new();
    for (function, package, typical) in [("shop-zip", "zip", 900.0), ("shop-image", "image", 450.0)]
    {
        for round in 0..2 {
            for n in 0..10_u32 {
                let start_ms = typical * (0.9 + 0.02 * f64::from(n));
                let sample = json!({
                    "function": function, "region": "eu-west-1", "arm64": true, "runtime": "python3.13", "package": package,
                    "memory_mb": 1024, "round": round, "start_ms": start_ms, "handler_ms": 21.0,
                });
                text.push_str(&format!("{sample}\n"));
            }
        }
    }
    std::fs::write(&samples, text).unwrap();
    let arguments = [
        "coldstarts",
        "--samples",
        samples.to_str().unwrap(),
        "--html",
        page.to_str().unwrap(),
    ];
    let done = rightsizer(&arguments).await.unwrap();
    assert!(done.status.success(), "{done:?}");
    let lines = drive("bench", &format!("file://{}", page.display()), json!({})).await;
    let looked = lines
        .iter()
        .filter(|line| *line == "looked: forced starts")
        .count();
    assert_eq!(looked, 4, "two themes, two widths: {lines:#?}");
}
