//! Two tasks at once: one decides.

use std::time::{Duration, Instant};

use reqwest::Method;
use rightsizer_tests::servers::BucketFault;

use super::stage::{Disk, Scene, error_text, health, until, until_saved};

/// The code of a task that another one took over from.
const SUPERSEDED: i32 = 3;

/// A rolling deployment: the newer one acquires the lease, the older one stops at once and logs
/// why.
#[tokio::test(flavor = "multi_thread")]
async fn the_newer_task_takes_over_and_the_older_one_ends() {
    let mut scene = Scene::set().await;
    let (old, new) = (Disk::new(), Disk::new());
    let older = scene.serve(&old).await;
    scene.put_story(50).await;
    scene.all_arrived(&old).await;
    until_saved(&older, &old).await;
    let newer = scene.serve(&new).await;
    let ended = older.ended().await.unwrap();
    assert_eq!(ended.code(), Some(SUPERSEDED), "{}", old.log());
    assert!(old.log().contains("lost the lease"), "{}", old.log());
    scene.put_story(50).await;
    scene.all_arrived(&new).await;
    assert_eq!(health(&newer).await["snapshot"]["epoch"], 2);
    assert!(newer.stop().await.unwrap().success());
    assert_eq!(new.evidence(), scene.unharmed().await.evidence());
}

/// The older one hangs while the newer one takes over and sends; awake again it finds the same
/// decrease due, and does not send it.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_hung_while_another_took_over_sends_nothing() {
    let mut scene = Scene::set_with_functions(&[("shrinks", 1024)]).await;
    let (old, new) = (Disk::new(), Disk::new());
    let older = scene.serve_knowing(&old).await;
    scene.put_story(10).await;
    scene.all_arrived(&old).await;
    until_saved(&older, &old).await;
    older.pause_process().unwrap();
    let begun = Instant::now();
    let newer = scene.serve(&new).await;
    scene.put_fortnight("shrinks").await;
    until("the newer one sends the decrease", &new, async || {
        !scene.recommended().await.is_empty()
    })
    .await;
    // Not before whatever the other may have started to send is over.
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_secs(30), "{waited:?}");
    older.resume_process().unwrap();
    let ended = older.ended().await.unwrap();
    assert_eq!(ended.code(), Some(SUPERSEDED), "{}", old.log());
    assert!(newer.stop().await.unwrap().success());
    let recommended = scene.recommended().await;
    assert!(
        recommended.values().all(|times| *times == 1),
        "{recommended:?}: {}",
        old.log()
    );
    assert!(
        !old.log().contains("sent to the decisions stream"),
        "{}",
        old.log()
    );
}

/// Started in the same moment, over and over: one is left each time.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_tasks_started_together_one_is_left() {
    let mut scene = Scene::set().await;
    for round in 0..8 {
        let (a, b) = (Disk::new(), Disk::new());
        let (first, second) = tokio::join!(scene.try_serve(&a), scene.try_serve(&b));
        scene.put_story(5).await;
        let logs = || format!("round {round}\n{}\n{}", a.log(), b.log());
        let left = match (first, second) {
            // The one that lost noticed while it started.
            (Ok(left), Err(error)) | (Err(error), Ok(left)) => {
                assert!(
                    error.to_string().contains("exit status: 3"),
                    "{error}: {}",
                    logs()
                );
                left
            }
            (Ok(first), Ok(second)) => {
                let epoch = scene.head().await["epoch"].as_u64();
                let of_first = health(&first).await["snapshot"]["epoch"].as_u64();
                let (left, lost) = if of_first == epoch {
                    (first, second)
                } else {
                    (second, first)
                };
                assert_eq!(
                    lost.ended().await.unwrap().code(),
                    Some(SUPERSEDED),
                    "{}",
                    logs()
                );
                left
            }
            (Err(a), Err(b)) => panic!("no task is left: {a:#}, {b:#}: {}", logs()),
        };
        assert!(left.stop().await.unwrap().success(), "{}", logs());
    }
    let last = Disk::new();
    let serve = scene.serve(&last).await;
    scene.all_arrived(&last).await;
    assert!(serve.stop().await.unwrap().success());
    assert_eq!(last.evidence(), scene.unharmed().await.evidence());
}

/// The bucket is away: evidence is taken in, increases are sent, decreases wait until it is certain
/// that no other task decides.
#[tokio::test(flavor = "multi_thread")]
async fn while_the_lease_is_unknown_decreases_wait_and_increases_do_not() {
    let mut scene = Scene::set_with_functions(&[("shrinks", 1024), ("grows", 256)]).await;
    let disk = Disk::new();
    let serve = scene.serve_knowing(&disk).await;
    scene.put_story(10).await;
    until_saved(&serve, &disk).await;
    scene.s3.fail_all(BucketFault::Broken);
    scene.put_fortnight("shrinks").await;
    scene.put_out_of_memory("grows").await;
    scene.all_arrived(&disk).await;
    until("the increase is sent", &disk, async || {
        scene.recommended().await.len() == 1
    })
    .await;
    assert!(
        disk.log().contains("cannot confirm the lease"),
        "{}",
        disk.log()
    );
    let health_now = health(&serve).await;
    assert_eq!(health_now["status"], "degraded", "{health_now}");
    assert!(health_now["snapshot"]["unsure"].is_string(), "{health_now}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(scene.recommended().await.len(), 1, "{}", disk.log());
    scene.s3.mend();
    until("the decrease is sent", &disk, async || {
        scene.recommended().await.len() == 2
    })
    .await;
    until("all is well", &disk, async || {
        health(&serve).await["status"] == "ok"
    })
    .await;
    assert!(serve.stop().await.unwrap().success());
}

/// Removing or replacing the head stops the lease holder.
#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_gone_stops_the_task() {
    let scene = Scene::set().await;
    let disk = Disk::new();
    let serve = scene.serve(&disk).await;
    until_saved(&serve, &disk).await;
    scene.s3.remove_object(super::stage::HEAD).await.unwrap();
    assert_eq!(serve.ended().await.unwrap().code(), Some(SUPERSEDED));
    assert!(
        disk.log().contains("head.json is missing"),
        "{}",
        disk.log()
    );
    // A start does not overwrite what was there.
    let output = scene.refused(&disk).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        error_text(&output).contains("has snapshots but no head.json"),
        "{}",
        error_text(&output)
    );
}

/// The head was written and the answer lost: the task still holds it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_does_not_lose_the_head() {
    let mut scene = Scene::set().await;
    let disk = Disk::new();
    let serve = scene.serve(&disk).await;
    until_saved(&serve, &disk).await;
    scene
        .s3
        .fail(Method::PUT, "head.json", BucketFault::AnswerLost);
    for _ in 0..3 {
        scene.put_story(10).await;
        until_saved(&serve, &disk).await;
    }
    scene.s3.mend();
    scene.put_story(10).await;
    until_saved(&serve, &disk).await;
    assert_eq!(health(&serve).await["snapshot"]["epoch"], 1);
    assert!(serve.stop().await.unwrap().success());
}
