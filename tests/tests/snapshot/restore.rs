//! `rightsizer restore`: back to an earlier snapshot on purpose.

use std::path::Path;
use std::process::Output;

use reqwest::Method;
use rightsizer_store::Reader;
use rightsizer_tests::aggregator::{Aggregator, rightsizer, rightsizer_with};
use rightsizer_tests::servers::BucketFault;
use serde_json::Value;

use super::stage::{Disk, HEAD, PLACE, Scene, error_text, metric, until_saved};

const BACK: &str = "s3://evidence/back";
const BACK_HEAD: &str = "evidence/back/head.json";

impl Scene {
    /// `rightsizer restore` of the snapshots at [`PLACE`].
    async fn restore(&self, arguments: &[&str]) -> Output {
        let arguments = [&["restore", PLACE], arguments].concat();
        rightsizer_with(&arguments, &self.environment())
            .await
            .unwrap()
    }

    /// The same, applied.
    async fn restored(&self, arguments: &[&str]) -> String {
        let output = self.restore(arguments).await;
        assert_eq!(output.status.code(), Some(0), "{}", error_text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same, which has to be refused; returns the reason.
    async fn not_restored(&self, arguments: &[&str]) -> String {
        let output = self.restore(arguments).await;
        assert_eq!(output.status.code(), Some(1), "{}", error_text(&output));
        error_text(&output)
    }

    /// Puts the next part of the story, and waits until a snapshot has it; answers when that was made,
    /// and the evidence in it.
    async fn next_snapshot(&mut self, serve: &Aggregator, disk: &Disk) -> (String, Vec<String>) {
        self.put_story(60).await;
        self.all_arrived(disk).await;
        until_saved(serve, disk).await;
        let head = self.head().await;
        let made = head["snapshots"][0]["taken_at"]
            .as_str()
            .unwrap()
            .to_owned();
        (made, disk.evidence())
    }
}

/// A task that keeps every snapshot, with its settings on its own disk.
async fn serve_keeping_all(scene: &Scene, disk: &Disk) -> Aggregator {
    let settings = disk.store().with_file_name("rightsizer.toml");
    std::fs::write(&settings, "[snapshot]\nkeep = 100\n").unwrap();
    let more = ["--config", settings.to_str().unwrap()];
    let started = scene.try_serve_with(disk, &more, Vec::new()).await;
    started.unwrap_or_else(|error| panic!("{error:#}: {}", disk.log()))
}

fn evidence(file: &Path) -> Vec<String> {
    Reader::open(file).unwrap().evidence().unwrap()
}

/// Three snapshots of three states, and back to the second: as a file it is what was then, and at a
/// new place a task continues from it to the state of a run that was never interrupted.
#[tokio::test(flavor = "multi_thread")]
async fn a_system_goes_back_to_an_earlier_snapshot() {
    let mut scene = Scene::set().await;
    let first = Disk::new();
    let serve = serve_keeping_all(&scene, &first).await;
    let (_, before) = scene.next_snapshot(&serve, &first).await;
    let (at, wanted) = scene.next_snapshot(&serve, &first).await;
    let store = first.store();
    let hold = [
        "hold", "fn-1", "--days", "3", "--by", "ann", "--why", "sale",
    ];
    let hold = [&hold[..], &["--store", store.to_str().unwrap()]].concat();
    assert!(rightsizer(&hold).await.unwrap().status.success());
    let (_, after) = scene.next_snapshot(&serve, &first).await;
    assert!(before != wanted && wanted != after);
    serve.kill().await.unwrap();
    let head = scene.s3.object(HEAD).await.unwrap();

    let listed: Value = serde_json::from_str(&scene.restored(&["--json"]).await).unwrap();
    let snapshots = listed["snapshots"].as_array().unwrap();
    let is_it = |s: &&Value| s["taken_at"] == *at;
    assert_eq!(snapshots.iter().find(is_it).unwrap()["said_since"], 1);
    assert_eq!(snapshots[0]["next"], true);
    assert_eq!(snapshots.iter().filter(|s| s["next"] == true).count(), 1);
    let table = scene.restored(&["--at", &at]).await;
    let line = table.lines().find(|line| line.contains(&at)).unwrap();
    assert!(line.contains("selected by --at"), "{table}");

    // As a file.
    let disk = Disk::new();
    let store = disk.store();
    let file = ["--at", &at, "--store", store.to_str().unwrap()];
    let shown = scene.restored(&file).await;
    let left: Vec<_> = std::fs::read_dir(store.parent().unwrap())
        .unwrap()
        .collect();
    assert_eq!(left.len(), 1, "nothing lies beside it: {left:?}");
    assert_eq!(evidence(&store), wanted);
    assert!(shown.contains("3 functions"), "{shown}");
    assert!(shown.contains("fn-1 for 3 days (sale)"), "{shown}");
    let again = scene.not_restored(&file).await;
    assert!(
        again.contains("exists already; nothing is overwritten"),
        "{again}"
    );
    assert_eq!(evidence(&store), wanted);
    // It is not the newest at its old location.
    let refused = scene.refused(&disk).await;
    assert!(
        error_text(&refused).contains("different histories"),
        "{}",
        error_text(&refused)
    );

    goes_on_at_a_new_place(&mut scene, &at).await;
    assert_eq!(
        scene.s3.object(HEAD).await.unwrap(),
        head,
        "it was only read"
    );
}

async fn goes_on_at_a_new_place(scene: &mut Scene, at: &str) {
    let into = ["--at", at, "--into", BACK];
    let plan = scene.restored(&into).await;
    assert!(
        plan.contains("nothing was written; pass --yes to apply"),
        "{plan}"
    );
    assert_eq!(scene.s3.object(BACK_HEAD).await.unwrap(), None);
    let yes = [&into[..], &["--yes"]].concat();
    let done = scene.restored(&yes).await;
    assert!(done.contains("OPTIONS=SnapshotPrefix=back"), "{done}");
    let again = scene.not_restored(&yes).await;
    assert!(again.contains("s3://evidence/back is not empty"), "{again}");

    scene.put_story(60).await;
    let second = Disk::new();
    let serve = scene.serve_at(BACK, &second).await;
    assert!(
        second
            .log()
            .contains("restored s3://evidence/back/snapshots/"),
        "{}",
        second.log()
    );
    scene.all_arrived(&second).await;
    // 120 of 240 are in the snapshot.
    let read = metric(&serve, "rightsizer_reports_total").await;
    assert!((119.0..=121.0).contains(&read), "{read} were read on");
    until_saved(&serve, &second).await;
    assert!(serve.stop().await.unwrap().success());
    let unharmed = scene.unharmed().await;
    assert_eq!(second.evidence(), unharmed.evidence());
    assert_eq!(second.review(), unharmed.review());
    // And it is a history like any other: its next task begins with its own snapshot.
    let third = Disk::new();
    let serve = scene.serve_at(BACK, &third).await;
    assert_eq!(third.evidence(), unharmed.evidence());
    assert!(serve.stop().await.unwrap().success());
}

/// A file of it is served at a place of its own, and continues there.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_snapshot_is_served_at_a_place_of_its_own() {
    let mut scene = Scene::set().await;
    let first = Disk::new();
    let serve = scene.serve(&first).await;
    scene.next_snapshot(&serve, &first).await;
    serve.kill().await.unwrap();
    let disk = Disk::new();
    scene
        .restored(&["--store", disk.store().to_str().unwrap()])
        .await;
    scene.put_story(30).await;
    let serve = scene.serve_at(BACK, &disk).await;
    scene.all_arrived(&disk).await;
    assert!(serve.stop().await.unwrap().success());
    assert_eq!(disk.evidence(), scene.unharmed().await.evidence());
}

/// Everything that can be in the way, in words; and nothing is made of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_way_is_reported() {
    let mut scene = Scene::set().await;
    let disk = Disk::new();
    let none = scene.not_restored(&[]).await;
    assert!(
        none.contains("there are no snapshots at s3://evidence/prod"),
        "{none}"
    );
    let serve = scene.serve(&disk).await;
    scene.next_snapshot(&serve, &disk).await;
    assert!(serve.stop().await.unwrap().success());
    let target = Disk::new();
    let store = target.store();
    let file = ["--store", store.to_str().unwrap()];
    let nowhere = store.with_file_name("nowhere").join("a.db");
    let nowhere = ["--store", nowhere.to_str().unwrap()];
    let old = ["--at", "2026-03-01T00:00:00Z", file[0], file[1]];
    let into_itself = ["--into", "s3://evidence/prod", "--yes"];
    for (arguments, wanted) in [
        (&nowhere[..], "there is no folder"),
        (
            &old,
            "from 2026-03-01T00:00:00.000Z or before: the oldest is from",
        ),
        (&into_itself, "s3://evidence/prod is not empty"),
        (
            &["--into", "s3://no-such-bucket/x"],
            "the bucket does not exist",
        ),
    ] {
        let why = scene.not_restored(arguments).await;
        assert!(why.contains(wanted), "{arguments:?}: {why}");
    }
    let into = ["--into", BACK, "--yes"];
    for (arguments, method, path, wanted) in [
        (
            &file[..],
            Method::GET,
            "head.json",
            "allow s3:GetObject on evidence/prod/*",
        ),
        (
            &file,
            Method::GET,
            "/snapshots/",
            "cannot be read; nothing was written",
        ),
        (
            &into,
            Method::GET,
            "list-type=2",
            "allow s3:GetObject on evidence/back/*",
        ),
        (
            &into,
            Method::PUT,
            "doctor.json",
            "allow s3:PutObject, s3:DeleteObject",
        ),
        (
            &into,
            Method::PUT,
            "/snapshots/",
            "no history was begun at s3://evidence/back",
        ),
        (&into, Method::PUT, "head.json", "was not created"),
    ] {
        scene.s3.fail(method, path, BucketFault::Denied);
        let why = scene.not_restored(arguments).await;
        scene.s3.mend();
        assert!(
            why.contains(wanted) && why.contains("AccessDenied"),
            "{arguments:?} {path}: {why}"
        );
        assert!(!store.exists());
    }
    scene.s3.fail_all(BucketFault::Silent);
    let why = scene.not_restored(&file).await;
    scene.s3.mend();
    assert!(why.contains("check that this machine reaches S3"), "{why}");
    what_is_there_is_no_snapshot(&scene, &file).await;
    let left: Vec<_> = std::fs::read_dir(store.parent().unwrap())
        .unwrap()
        .collect();
    assert!(left.is_empty(), "{left:?}");
    let left = scene
        .s3
        .object("evidence?list-type=2&prefix=back/")
        .await
        .unwrap()
        .unwrap();
    assert!(!String::from_utf8(left).unwrap().contains("<Key>"));
}

async fn what_is_there_is_no_snapshot(scene: &Scene, file: &[&str]) {
    let head = scene.s3.object(HEAD).await.unwrap().unwrap();
    let key = scene.head().await["snapshots"][0]["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("evidence/prod/{key}");
    let mut bytes = scene.s3.object(&path).await.unwrap().unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    scene.s3.put_object(&path, bytes).await.unwrap();
    for into in [&[][..], &["--into", BACK, "--yes"]] {
        let arguments = if into.is_empty() { file } else { into };
        let why = scene.not_restored(arguments).await;
        assert!(why.contains("is damaged or gone"), "{why}");
    }
    let mut newer = scene.head().await;
    newer["v"] = 2.into();
    let bytes = serde_json::to_vec(&newer).unwrap();
    scene.s3.put_object(HEAD, bytes).await.unwrap();
    let why = scene.not_restored(file).await;
    assert!(why.contains("upgrade the program"), "{why}");
    scene.s3.remove_object(HEAD).await.unwrap();
    let why = scene.not_restored(&[]).await;
    assert!(why.contains("head.json is missing"), "{why}");
    scene.s3.put_object(HEAD, head).await.unwrap();
}

/// A session ends between the listing and the end: one cause, the command that signs in, and nothing half-written.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_during_a_restore_leaves_nothing() {
    let mut scene = Scene::set().await;
    let disk = Disk::new();
    let serve = scene.serve(&disk).await;
    scene.next_snapshot(&serve, &disk).await;
    assert!(serve.stop().await.unwrap().success());
    let target = Disk::new();
    let store = target.store();
    let file = ["--store", store.to_str().unwrap()];
    let into = ["--into", BACK, "--yes"];
    for (arguments, method, path) in [
        (&file[..], Method::GET, "/snapshots/"),
        (&into, Method::GET, "/snapshots/"),
        (&into, Method::PUT, "/snapshots/"),
        (&into, Method::PUT, "head.json"),
    ] {
        let reads = scene.s3.calls(&Method::GET, "/snapshots/");
        scene.s3.fail(method, path, BucketFault::Expired);
        let why = scene.not_restored(arguments).await;
        scene.s3.mend();
        let hint = "hint: the credentials have expired; get new ones where these came from; then run this command again";
        assert!(why.trim_end().ends_with(hint), "{path}: {why}");
        assert_eq!(why.matches("ExpiredToken").count(), 1, "{path}: {why}");
        assert_eq!(why.trim_end().lines().count(), 2, "{path}: {why}");
        assert_eq!(
            scene.s3.calls(&Method::GET, "/snapshots/") - reads,
            1,
            "it is not tried again"
        );
    }
    let left = std::fs::read_dir(store.parent().unwrap()).unwrap().count();
    assert_eq!(left, 0);
    // The prefix is free for the next attempt.
    scene.restored(&into).await;
    scene.restored(&file).await;

    // If the delete fails too, what is left is named.
    scene
        .s3
        .fail(Method::PUT, "again/head.json", BucketFault::Expired);
    scene
        .s3
        .fail(Method::DELETE, "again/snapshots", BucketFault::Expired);
    let why = scene
        .not_restored(&["--into", "s3://evidence/again", "--yes"])
        .await;
    assert!(
        why.contains("hint: s3://evidence/again/snapshots/"),
        "{why}"
    );
    assert!(
        why.contains("is left: delete it, or give another prefix"),
        "{why}"
    );
}

/// The response to the first head is lost: it was written anyway, and reported as such.
#[tokio::test(flavor = "multi_thread")]
async fn a_beginning_whose_answer_was_lost_is_one() {
    let mut scene = Scene::set().await;
    let disk = Disk::new();
    let serve = scene.serve(&disk).await;
    scene.next_snapshot(&serve, &disk).await;
    assert!(serve.stop().await.unwrap().success());
    scene
        .s3
        .fail(Method::PUT, "back/head.json", BucketFault::AnswerLost);
    scene.restored(&["--into", BACK, "--yes"]).await;
    scene.s3.mend();
    let next = Disk::new();
    let serve = scene.serve_at(BACK, &next).await;
    assert_eq!(next.evidence(), disk.evidence());
    assert!(serve.stop().await.unwrap().success());
}
