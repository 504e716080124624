//! The task is lost with its disk.

use std::time::Duration;

use reqwest::Method;
use rightsizer_tests::dice::Dice;

use super::stage::{Disk, Scene, metric, until, until_saved};

/// Kill, empty disk, restore, replay: the state of a run that was never killed, to the byte (W8), and
/// only what came since the snapshot is read again.
#[tokio::test(flavor = "multi_thread")]
async fn w8_a_lost_disk_is_restored_and_replayed_to_the_state_of_a_run_never_killed() {
    let mut scene = Scene::set().await;
    let first = Disk::new();
    let serve = scene.serve(&first).await;
    scene.put_story(300).await;
    scene.all_arrived(&first).await;
    until_saved(&serve, &first).await;
    scene.put_story(60).await;
    scene.all_arrived(&first).await;
    serve.kill().await.unwrap();
    drop(first);
    scene.put_story(60).await;

    let second = Disk::new();
    let serve = scene.serve(&second).await;
    scene.all_arrived(&second).await;
    let read = metric(&serve, "rightsizer_reports_total").await;
    assert!(
        (60.0..=120.0).contains(&read),
        "{read} of 420 were read again"
    );
    assert!(
        second
            .log()
            .contains("restored s3://evidence/prod/snapshots/"),
        "{}",
        second.log()
    );
    assert!(serve.stop().await.unwrap().success());
    let unharmed = scene.unharmed().await;
    assert_eq!(second.evidence(), unharmed.evidence());
    assert_eq!(second.review(), unharmed.review());
    assert!(second.rows().iter().all(|row| row.duplicates == 0));
}

const KILLS: usize = 40;

/// Each life has a new disk and is killed at a random moment: while it restores, takes over, reads,
/// copies, uploads, writes the head.
#[tokio::test(flavor = "multi_thread")]
async fn w8_dozens_of_lost_tasks_leave_the_state_of_a_run_never_killed() {
    let mut scene = Scene::set().await;
    let mut draw = Dice::new(20_261_121);
    let mut made = 0;
    for _ in 0..KILLS {
        let disk = Disk::new();
        let serve = scene.serve(&disk).await;
        scene.put_story(10).await;
        tokio::time::sleep(Duration::from_millis(draw.below(1500))).await;
        serve.kill().await.unwrap();
        made += disk.log().matches("made a snapshot").count();
    }
    assert!(
        made > KILLS / 4,
        "{made} snapshots in {KILLS} lives: too few to be killed in one"
    );
    let last = Disk::new();
    let serve = scene.serve(&last).await;
    scene.all_arrived(&last).await;
    assert!(serve.stop().await.unwrap().success());
    let unharmed = scene.unharmed().await;
    assert_eq!(last.evidence(), unharmed.evidence());
    assert_eq!(last.review(), unharmed.review());
    let epochs = scene.head().await["epoch"].as_u64();
    assert_eq!(epochs, Some(KILLS as u64 + 1), "one for each life");
    println!("{KILLS} tasks lost, {made} snapshots, equal state");
}

/// A task that is asked to stop leaves nothing to be read again, and stops at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_asked_to_stop_leaves_its_last_state() {
    let mut scene = Scene::set().await;
    let first = Disk::new();
    let serve = scene.serve(&first).await;
    scene.put_story(100).await;
    scene.all_arrived(&first).await;
    assert!(serve.stop().await.unwrap().success());
    let head = scene.head().await;
    assert_eq!(head["released"], true, "{}", first.log());

    let second = Disk::new();
    let serve = scene.serve(&second).await;
    assert_eq!(second.evidence(), first.evidence());
    until("the stream is read", &second, async || {
        second.log().matches("reading").count() >= 2
    })
    .await;
    assert!(metric(&serve, "rightsizer_reports_total").await < 1.0);
    assert!(serve.stop().await.unwrap().success());
}

/// On its own disk a task continues: nothing is restored over what is newer.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_started_again_on_its_own_disk_keeps_it() {
    let mut scene = Scene::set().await;
    let disk = Disk::new();
    let serve = scene.serve(&disk).await;
    scene.put_story(50).await;
    scene.all_arrived(&disk).await;
    until_saved(&serve, &disk).await;
    serve.kill().await.unwrap();
    let serve = scene.serve(&disk).await;
    assert!(
        disk.log().contains("the store on the disk is the newest"),
        "{}",
        disk.log()
    );
    assert_eq!(scene.s3.calls(&Method::GET, "/snapshots/"), 0);
    assert_eq!(scene.head().await["epoch"], 2);
    assert!(serve.stop().await.unwrap().success());

    // Another machine continues meanwhile: now the disk is the older one.
    let other = Disk::new();
    let serve = scene.serve(&other).await;
    scene.put_story(50).await;
    scene.all_arrived(&other).await;
    assert!(serve.stop().await.unwrap().success());
    let serve = scene.serve(&disk).await;
    assert!(disk.log().contains("older; kept as"), "{}", disk.log());
    scene.all_arrived(&disk).await;
    assert!(serve.stop().await.unwrap().success());
    assert_eq!(disk.evidence(), other.evidence());
    let kept = disk.store().with_extension("db.replaced");
    assert!(kept.exists(), "{}", kept.display());
}

/// If nothing changes nothing is uploaded, and old ones are removed.
#[tokio::test(flavor = "multi_thread")]
async fn snapshots_are_made_of_changes_and_old_ones_are_removed() {
    let mut scene = Scene::set().await;
    let disk = Disk::new();
    let serve = scene.serve(&disk).await;
    until_saved(&serve, &disk).await;
    assert!(serve.stop().await.unwrap().success());
    let head = scene.head().await;
    // Left by an upload whose task was lost before it wrote the head; and what another history left.
    let orphan =
        |lineage: &str| format!("evidence/prod/snapshots/{lineage}/0000000000-0000000001.db.zst");
    let (own, foreign) = (orphan(head["lineage"].as_str().unwrap()), orphan("other"));
    for orphan in [&own, &foreign] {
        scene.s3.put_object(orphan, vec![1, 2, 3]).await.unwrap();
    }
    let serve = scene.serve(&disk).await;
    for _ in 0..6 {
        scene.put_story(10).await;
        until_saved(&serve, &disk).await;
    }
    let listed = async || {
        let list = scene
            .s3
            .object("evidence?list-type=2")
            .await
            .unwrap()
            .unwrap();
        String::from_utf8(list)
            .unwrap()
            .matches(".db.zst</Key>")
            .count()
    };
    until(
        "three newest are until_saved, one of them the day's last, beside what is of another history",
        &disk,
        async || listed().await == 4,
    )
    .await;
    assert_eq!(scene.s3.object(&own).await.unwrap(), None);
    assert!(scene.s3.object(&foreign).await.unwrap().is_some());
    until("an idle store is left alone", &disk, async || {
        let before = scene.s3.calls(&Method::PUT, "/snapshots/");
        tokio::time::sleep(Duration::from_secs(2)).await;
        scene.s3.calls(&Method::PUT, "/snapshots/") == before
    })
    .await;
    let age = metric(&serve, "rightsizer_snapshot_age_seconds").await;
    assert!(age < 30.0, "{age}: it was found unchanged since");
    assert!(metric(&serve, "rightsizer_snapshot_size_bytes").await > 0.0);
    assert!(serve.stop().await.unwrap().success());
}
