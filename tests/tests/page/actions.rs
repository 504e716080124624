//! Each action, from the click to the store's row.

use serde_json::json;

use crate::browser::drive;
use crate::scene::{Scene, TOKEN, asked};

#[tokio::test(flavor = "multi_thread")]
async fn each_action_reaches_the_store() {
    let scene = Scene::start().await;
    let waiting = "SELECT group_concat(f.function) FROM (SELECT f.function FROM recommendations r
        JOIN functions f ON f.id = r.function_id WHERE r.status = 'open' ORDER BY f.function LIMIT 7) f";
    let names = scene.asked(waiting).unwrap();
    let names: Vec<&str> = names.split(',').collect();
    let printed = drive(
        "actions",
        scene.server.endpoint(),
        json!({ "token": TOKEN, "functions": names }),
    )
    .await;
    assert!(printed.iter().any(|line| line == "done"), "{printed:#?}");
    let row = |function: &str, column: &str| {
        scene.asked(&format!(
            "SELECT {column} FROM recommendations r JOIN functions f ON f.id = r.function_id
             WHERE f.function = '{function}' ORDER BY r.issued_ms DESC, r.id LIMIT 1"
        ))
    };
    let decided = "r.status || ' by ' || r.reviewed_by || ': ' || r.reviewed_why";
    assert_eq!(
        row(names[0], decided).as_deref(),
        Some("approved by Ada: looks <b>right</b>")
    );
    assert_eq!(
        row(names[1], decided).as_deref(),
        Some("rejected by Ada: not now")
    );
    assert_eq!(
        row(names[2], "r.status").as_deref(),
        Some("open"),
        "its approval was taken back"
    );
    let held = format!(
        "SELECT h.by || ': ' || h.why FROM holds h JOIN functions f ON f.id = h.function_id WHERE f.function = '{}'",
        names[3]
    );
    assert_eq!(scene.asked(&held).as_deref(), Some("Ada: busy week"));
    // Exactly the two that were marked, by keyboard alone.
    for bulk in [4, 5] {
        assert_eq!(
            row(names[bulk], decided).as_deref(),
            Some("approved by Ada: in bulk")
        );
    }
    assert_eq!(
        row(names[6], "r.status").as_deref(),
        Some("open"),
        "it was not marked"
    );
    let approved = "SELECT CAST(count(*) AS TEXT) FROM recommendations WHERE status = 'approved'";
    assert_eq!(scene.asked(approved).as_deref(), Some("3"));
    assert_eq!(
        scene.asked("SELECT value FROM state WHERE key = 'paused'"),
        None,
        "paused and resumed"
    );
    scene.server.stop().await.unwrap();
}

/// A store that no server has: `rightsizer ui` serves its page, and decides as the command line does.
#[tokio::test(flavor = "multi_thread")]
async fn ui_opens_a_local_store() {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    let folder = tempfile::tempdir().unwrap();
    crate::scene::make(folder.path()).await;
    let store = folder.path().join("rightsizer.db");
    let mut ui = tokio::process::Command::new(rightsizer_tests::aggregator::binary().unwrap())
        .args([
            "ui",
            "--no-browser",
            "--by",
            "Ada",
            "--store",
            store.to_str().unwrap(),
        ])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(ui.stdout.take().unwrap()).lines();
    let entrance = lines.next_line().await.unwrap().unwrap();
    let printed = drive("ui", &entrance, json!({})).await;
    let function = printed
        .iter()
        .find_map(|line| line.strip_prefix("approved "))
        .unwrap();
    let sql = format!(
        "SELECT r.status || ' by ' || r.reviewed_by FROM recommendations r JOIN functions f ON f.id = r.function_id
         WHERE f.function = '{function}' AND r.status = 'approved'"
    );
    assert_eq!(asked(&store, &sql).as_deref(), Some("approved by Ada"));
    ui.kill().await.unwrap();
}
