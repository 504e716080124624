//! Review commands are in the bucket before they are acknowledged.

use std::time::Duration;

use reqwest::Method;
use rightsizer_store::key::read_key;
use rightsizer_tests::aggregator::{Aggregator, rightsizer};
use rightsizer_tests::servers::{BucketFault, aws_environment};
use rusqlite::Connection;
use serde_json::json;

use super::stage::{Disk, Scene, error_text, health, until, until_saved};

/// A word by the command line, through the server that has the store; returns the exit code.
async fn run_command(disk: &Disk, word: &[&str]) -> (Option<i32>, String) {
    let store = disk.store();
    let who = ["--store", store.to_str().unwrap(), "--by", "ann"];
    let output = rightsizer(&[word, &who[..]].concat()).await.unwrap();
    (output.status.code(), error_text(&output))
}

async fn lose(serve: Aggregator, disk: Disk) {
    serve.kill().await.unwrap();
    drop(disk);
}

/// Answered, then lost with the disk before any snapshot: the next task knows it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_outlives_the_disk() {
    let mut scene = Scene::set().await;
    let first = Disk::new();
    let serve = scene.serve(&first).await;
    until_saved(&serve, &first).await;
    // From here on nothing but words reaches the bucket: what they are about is on the stream alone.
    scene
        .s3
        .fail(Method::PUT, "/snapshots/", BucketFault::Denied);
    scene.put_fortnight("pays").await;
    scene.put_fortnight("waits").await;
    scene.all_arrived(&first).await;
    for word in [
        &["pause"][..],
        &["approve", "pays"],
        &["approve", "waits"],
        &["hold", "pays", "--days", "3"],
    ] {
        let (code, error) = run_command(&first, word).await;
        assert_eq!(code, Some(0), "{word:?}: {error}");
    }
    lose(serve, first).await;
    scene.s3.mend();

    let second = Disk::new();
    let serve = scene.serve(&second).await;
    until("it is up to date", &second, async || {
        health(&serve).await["paused"].is_string()
    })
    .await;
    assert_eq!(run_command(&second, &["resume"]).await.0, Some(0));
    let status = async |name: &str| {
        let rows = second.rows();
        let row = rows.iter().find(|row| row.function.ends_with(name));
        row.map(|row| row.status.clone())
    };
    until("the one that is not held is sent", &second, async || {
        status("waits").await.as_deref() == Some("sent")
    })
    .await;
    assert_eq!(
        status("pays").await.as_deref(),
        Some("approved"),
        "it is held"
    );
    assert!(serve.stop().await.unwrap().success());
}

/// The bucket does not accept it: the response warns that it may be lost, and it is saved later.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_not_saved_yet_is_reported() {
    let scene = Scene::set().await;
    let disk = Disk::new();
    let serve = scene.serve(&disk).await;
    until_saved(&serve, &disk).await;
    scene.s3.fail(Method::PUT, "", BucketFault::Denied);
    let (code, error) = run_command(&disk, &["pause"]).await;
    assert_eq!(code, Some(1));
    assert!(
        error.contains("is not saved in s3://evidence/prod yet"),
        "{error}"
    );
    let report = health(&serve).await;
    assert!(report["paused"].is_string(), "it was applied: {report}");
    assert_eq!(report["snapshot"]["words_waiting"], 1);
    scene.s3.mend();
    until("it is kept", &disk, async || {
        health(&serve).await["snapshot"]["words_waiting"] == 0
    })
    .await;
    assert_eq!(scene.head().await["words"][0]["action"], "pause");
    assert!(serve.stop().await.unwrap().success());
}

const UPDATER: &str = "arn:aws:lambda:eu-central-1:123456789012:function:rightsizer-updater";

/// A pause on the way to the server that has the store.
fn pause(serve: &Aggregator, disk: &Disk) -> reqwest::RequestBuilder {
    let key = read_key(&disk.store()).unwrap();
    let url = format!("{}/{key}/review", serve.endpoint());
    let word = json!({ "action": "pause", "by": "ann" });
    reqwest::Client::new().post(url).json(&word)
}

/// The updater's function does not answer; the word is in the bucket long before that is given up.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_is_saved_while_the_updater_is_still_being_paused() {
    let scene = Scene::set().await;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let lambda = format!("http://{}", silent.local_addr().unwrap());
    let disk = Disk::new();
    let variables = aws_environment("LAMBDA", &lambda);
    let serve = scene.try_serve_with(&disk, &["--updater", UPDATER], variables);
    let serve = serve.await.unwrap();
    until_saved(&serve, &disk).await;
    let is_kept = until("it is kept", &disk, async || {
        scene.head().await["words"][0]["action"] == "pause"
    });
    tokio::select! {
        biased;
        answer = pause(&serve, &disk).send() => panic!("answered first: {answer:?}"),
        () = is_kept => {}
    }
    serve.kill().await.unwrap();
}

/// The client disconnects while the store is still writing it.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_saved_even_if_its_client_disconnects() {
    let scene = Scene::set().await;
    let disk = Disk::new();
    let serve = scene.serve(&disk).await;
    until_saved(&serve, &disk).await;
    let store = Connection::open(disk.store()).unwrap();
    store.execute_batch("BEGIN IMMEDIATE").unwrap();
    let hung_up = pause(&serve, &disk).timeout(Duration::from_secs(2));
    assert!(hung_up.send().await.unwrap_err().is_timeout());
    store.execute_batch("ROLLBACK").unwrap();
    until("it is kept", &disk, async || {
        scene.head().await["words"][0]["action"] == "pause"
    })
    .await;
    assert!(serve.stop().await.unwrap().success());
}

/// Neither the updater nor the bucket accepted it: both are reported, with the command that pauses
/// the updater by hand.
#[tokio::test(flavor = "multi_thread")]
async fn the_updaters_state_is_reported_even_if_a_command_is_not_saved() {
    let scene = Scene::set().await;
    let disk = Disk::new();
    let serve = scene.try_serve_with(&disk, &["--updater", UPDATER], Vec::new());
    let serve = serve.await.unwrap();
    until_saved(&serve, &disk).await;
    scene.s3.fail(Method::PUT, "", BucketFault::Denied);
    let (code, error) = run_command(&disk, &["pause"]).await;
    assert_eq!(code, Some(1));
    for part in [
        "could not pause updater",
        "aws lambda tag-resource",
        "is not saved",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    serve.kill().await.unwrap();
}

/// What a lost task sent is on the decisions stream: the next one knows it as sent and does not send it
/// again, though no snapshot ever held it.
#[tokio::test(flavor = "multi_thread")]
async fn changes_sent_by_a_lost_task_are_known_and_not_sent_again() {
    let mut scene = Scene::set_with_functions(&[("shrinks", 1024)]).await;
    let first = Disk::new();
    let serve = scene.serve_knowing(&first).await;
    until_saved(&serve, &first).await;
    scene
        .s3
        .fail(Method::PUT, "/snapshots/", BucketFault::Denied);
    scene.put_fortnight("shrinks").await;
    until("it is sent", &first, async || {
        !scene.recommended().await.is_empty()
    })
    .await;
    lose(serve, first).await;
    scene.s3.mend();

    let second = Disk::new();
    let serve = scene.serve(&second).await;
    scene.all_arrived(&second).await;
    until("it is known as sent", &second, async || {
        second.rows().iter().any(|row| row.status == "sent")
    })
    .await;
    assert!(serve.stop().await.unwrap().success());
    let recommended = scene.recommended().await;
    assert_eq!(recommended.values().collect::<Vec<_>>(), [&1]);
}
