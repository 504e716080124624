//! What a start refuses, with the reason.

use std::time::Duration;

use reqwest::Method;
use rightsizer_store::Store;
use rightsizer_tests::servers::BucketFault;
use serde_json::Value;

use super::stage::{Disk, HEAD, Scene, error_text, until_saved};

impl Scene {
    /// A task that made two snapshots, of 50 and of 100 reports, and was lost.
    async fn lost_after_two_snapshots(&mut self) {
        let disk = Disk::new();
        let serve = self.serve(&disk).await;
        for _ in 0..2 {
            self.put_story(50).await;
            self.all_arrived(&disk).await;
            until_saved(&serve, &disk).await;
        }
        serve.kill().await.unwrap();
    }

    async fn snapshot_keys(&self) -> Vec<String> {
        let head = self.head().await;
        let snapshots = head["snapshots"].as_array().unwrap();
        let key = |s: &Value| format!("evidence/prod/{}", s["key"].as_str().unwrap());
        snapshots.iter().map(key).collect()
    }

    async fn change_head(&self, how: impl FnOnce(&mut Value)) {
        let mut head = self.head().await;
        how(&mut head);
        let bytes = serde_json::to_vec(&head).unwrap();
        self.s3.put_object(HEAD, bytes).await.unwrap();
    }
}

/// The newest is damaged: the one before is restored, and the stream has the rest.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_snapshot_is_passed_over_with_words() {
    let mut scene = Scene::set().await;
    scene.lost_after_two_snapshots().await;
    let keys = scene.snapshot_keys().await;
    let mut bytes = scene.s3.object(&keys[0]).await.unwrap().unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    scene.s3.put_object(&keys[0], bytes).await.unwrap();
    let disk = Disk::new();
    let serve = scene.serve(&disk).await;
    assert!(disk.log().contains("is damaged ("), "{}", disk.log());
    scene.all_arrived(&disk).await;
    assert!(serve.stop().await.unwrap().success());
    assert_eq!(disk.evidence(), scene.unharmed().await.evidence());
}

/// After an upgrade is undone, the older version starts from its own snapshot and reads the rest from the stream.
#[tokio::test(flavor = "multi_thread")]
async fn a_later_versions_snapshot_is_passed_over_while_the_stream_has_the_rest() {
    let mut scene = Scene::set().await;
    scene.lost_after_two_snapshots().await;
    scene
        .change_head(|head| head["snapshots"][0]["schema"] = 9999.into())
        .await;
    let disk = Disk::new();
    let serve = scene.serve(&disk).await;
    assert!(
        disk.log().contains("was made by a later version"),
        "{}",
        disk.log()
    );
    scene.all_arrived(&disk).await;
    assert!(serve.stop().await.unwrap().success());
    assert_eq!(disk.evidence(), scene.unharmed().await.evidence());
}

/// What came since may be lost: a person decides.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_snapshot_is_not_taken_for_a_later_versions() {
    let mut scene = Scene::set().await;
    scene.lost_after_two_snapshots().await;
    scene
        .change_head(|head| {
            let snapshots = head["snapshots"].as_array_mut().unwrap();
            let last = snapshots.len() - 1;
            for newer in &mut snapshots[..last] {
                newer["schema"] = 9999.into();
            }
            snapshots[last]["taken_at"] = "2026-01-01T00:00:00Z".into();
        })
        .await;
    let error_text = error_text(&scene.refused(&Disk::new()).await);
    assert!(error_text.contains("go back on purpose"), "{error_text}");
}

/// None can be restored: starting empty would lose two weeks.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_started_if_no_snapshot_can_be_restored() {
    let mut scene = Scene::set().await;
    scene.lost_after_two_snapshots().await;
    for (n, key) in scene.snapshot_keys().await.iter().enumerate() {
        if n == 0 {
            scene.s3.remove_object(key).await.unwrap();
        } else {
            scene
                .s3
                .put_object(key, b"no snapshot".to_vec())
                .await
                .unwrap();
        }
    }
    let disk = Disk::new();
    let output = scene.refused(&disk).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        error_text(&output).contains("no readable snapshot among"),
        "{}",
        error_text(&output)
    );
    assert!(!disk.store().exists());
    assert_eq!(
        scene.head().await["epoch"],
        1,
        "no other task acquired the lease"
    );
}

/// The head alone was removed, and the disk is new: the snapshots are neither begun over nor removed.
#[tokio::test(flavor = "multi_thread")]
async fn snapshots_without_a_head_are_not_overwritten() {
    let mut scene = Scene::set().await;
    scene.lost_after_two_snapshots().await;
    let keys = scene.snapshot_keys().await;
    scene.s3.remove_object(HEAD).await.unwrap();
    let disk = Disk::new();
    let output = scene.refused(&disk).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        error_text(&output).contains("has snapshots but no head.json"),
        "{}",
        error_text(&output)
    );
    assert!(!disk.store().exists());
    for key in keys {
        assert!(scene.s3.object(&key).await.unwrap().is_some(), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_later_version_wrote_is_refused() {
    let mut scene = Scene::set().await;
    scene.lost_after_two_snapshots().await;
    scene.change_head(|head| head["v"] = 2.into()).await;
    let output = scene.refused(&Disk::new()).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        error_text(&output).contains("upgrade the program"),
        "{}",
        error_text(&output)
    );
}

/// A store of another history is neither overwritten nor mixed with the snapshots.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_another_history_is_left_alone() {
    let mut scene = Scene::set().await;
    scene.lost_after_two_snapshots().await;
    let disk = Disk::new();
    drop(Store::open(&disk.store(), "a test").unwrap());
    let output = scene.refused(&disk).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        error_text(&output).contains("different histories"),
        "{}",
        error_text(&output)
    );
    assert_eq!(disk.rows().len(), 0);
    assert!(!disk.store().with_extension("db.replaced").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_the_permission_gets_its_name() {
    let scene = Scene::set().await;
    for (method, path) in [(Method::GET, ""), (Method::PUT, "head.json")] {
        scene.s3.fail(method, path, BucketFault::Denied);
        let output = scene.refused(&Disk::new()).await;
        assert_eq!(output.status.code(), Some(1));
        assert!(
            error_text(&output).contains("s3:PutObject"),
            "{}",
            error_text(&output)
        );
        scene.s3.mend();
    }
    assert_eq!(scene.head().await, Value::Null);
}

/// The bucket does not answer at first: the start waits for it, and decides nothing meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_away_at_the_start_is_waited_for() {
    let mut scene = Scene::set().await;
    scene.lost_after_two_snapshots().await;
    scene.s3.fail_all(BucketFault::Silent);
    let disk = Disk::new();
    let (serve, ()) = tokio::join!(scene.serve(&disk), async {
        tokio::time::sleep(Duration::from_secs(7)).await;
        assert!(disk.log().contains("cannot be read yet"), "{}", disk.log());
        assert!(!disk.store().exists());
        scene.s3.mend();
    });
    scene.all_arrived(&disk).await;
    assert!(serve.stop().await.unwrap().success());
}
