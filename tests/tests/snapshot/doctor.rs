//! `rightsizer doctor --snapshot`, and the credentials of a Fargate task.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Json;
use axum::routing::get;
use reqwest::Method;
use rightsizer_tests::aggregator::rightsizer_with;
use rightsizer_tests::servers::BucketFault;
use serde_json::{Value, json};

use super::stage::{Disk, HEAD, PLACE, Scene, until_saved};

/// The findings about snapshots, each with its verdict and its words.
async fn findings(environment: &[(String, String)]) -> Vec<(String, String)> {
    let disk = Disk::new();
    let store = disk.store();
    let arguments = [
        "doctor",
        "--json",
        "--snapshot",
        PLACE,
        "--store",
        store.to_str().unwrap(),
    ];
    let output = rightsizer_with(&arguments, environment).await.unwrap();
    let all: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let text = |f: &Value, key: &str| f[key].as_str().unwrap_or_default().to_owned();
    let ours = all
        .iter()
        .filter(|f| text(f, "check").starts_with("snapshots"));
    ours.map(|f| (text(f, "verdict"), text(f, "found") + " " + &text(f, "do")))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_tries_each_call_and_writes_nothing() {
    let scene = Scene::set().await;
    let environment = scene.environment();
    let well = findings(&environment).await;
    assert!(well.iter().all(|(verdict, _)| verdict == "ok"), "{well:?}");
    assert!(
        well[0].1.starts_with("none at s3://evidence/prod yet"),
        "{well:?}"
    );
    let disk = Disk::new();
    let serve = scene.serve(&disk).await;
    until_saved(&serve, &disk).await;
    let before = scene.s3.object(HEAD).await.unwrap();
    let well = findings(&environment).await;
    assert!(well[0].1.contains("holds epoch 1"), "{well:?}");
    assert_eq!(
        scene.s3.object("evidence/prod/doctor.json").await.unwrap(),
        None
    );
    for (method, path, place, action) in [
        (Method::GET, "head.json", 0, "s3:GetObject"),
        (Method::GET, "list-type=2", 1, "s3:ListBucket"),
        (Method::PUT, "doctor.json", 2, "s3:PutObject"),
    ] {
        scene.s3.fail(method, path, BucketFault::Denied);
        let sick = findings(&environment).await;
        scene.s3.mend();
        assert_eq!(sick[place].0, "wrong", "{sick:?}");
        assert!(
            sick[place]
                .1
                .starts_with(&format!("{action} fails: AccessDenied")),
            "{sick:?}"
        );
        let wrong = sick.iter().filter(|(verdict, _)| verdict == "wrong");
        assert_eq!(wrong.count(), 1, "{sick:?}");
    }
    assert!(serve.stop().await.unwrap().success());
    assert!(before.is_some());
    scene.s3.remove_object(HEAD).await.unwrap();
    let sick = findings(&environment).await;
    assert_eq!(sick[0].0, "wrong", "{sick:?}");
    assert!(sick[0].1.contains("head.json is missing"), "{sick:?}");
}

/// A Fargate task gets an address for its role's credentials, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn the_credentials_of_a_container_are_used() {
    let scene = Scene::set().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let credentials = get(async move || {
        count.fetch_add(1, Ordering::Relaxed);
        Json(json!({
            "AccessKeyId": "testing", "SecretAccessKey": "testing", "Token": "testing",
            "Expiration": "2099-01-01T00:00:00Z",
        }))
    });
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().route("/role", credentials);
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let mut environment = scene.environment();
    environment.retain(|(name, _)| !name.contains("ACCESS_KEY"));
    let full = (
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        format!("http://{address}/role"),
    );
    environment.push((full.0.to_owned(), full.1));
    let well = findings(&environment).await;
    assert!(well.iter().all(|(verdict, _)| verdict == "ok"), "{well:?}");
    assert!(asked.load(Ordering::Relaxed) > 0);
    server.abort();
}
