//! `/healthz` and the log with a store that cannot be read, or is damaged.

use std::os::unix::fs::FileExt;

use rusqlite::Connection;

use crate::scene::{acknowledged, health, log, serve, store};

#[tokio::test(flavor = "multi_thread")]
async fn health_shows_that_the_store_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let serve = serve(&store).await;
    assert!(acknowledged(&serve, 0).await);
    let (code, json) = health(&serve).await;
    assert_eq!((code, &json["status"]), (200, &"ok".into()), "{json}");
    assert_eq!(json["paused"], serde_json::Value::Null);
    // It is broken in this way while the server runs.
    let outside = Connection::open(&store).unwrap();
    outside
        .execute_batch("ALTER TABLE gaps RENAME TO gone")
        .unwrap();
    drop(outside);
    let (_, json) = health(&serve).await;
    assert_ne!(json["status"], "ok", "{json}");
    let why = json["store"]["error"].as_str().unwrap();
    assert!(why.contains("no such table"), "{why}");
    // It is unknown whether anything is paused, so nothing is claimed.
    assert_eq!(json.get("paused"), None, "{json}");
}

/// Pages of another kind in the middle of the file, as a bad disk or a careless tool leaves them.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_store_is_not_called_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let first = serve(&store).await;
    for n in 0..40 {
        assert!(acknowledged(&first, n).await);
    }
    assert!(first.stop().await.unwrap().success());
    // The indexes of `functions` are looked up for every record, and not at the start.
    let root: i64 = {
        let sql =
            "SELECT rootpage FROM sqlite_schema WHERE tbl_name = 'functions' AND type = 'index'";
        let store = Connection::open(&store).unwrap();
        store.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(&store)
        .unwrap();
    let at = u64::try_from(root - 1).unwrap() * 4096;
    file.write_all_at(&[0xa5; 4096], at).unwrap();
    drop(file);

    let second = serve(&store).await;
    assert!(!acknowledged(&second, 100).await);
    assert_eq!(second.ended().await.unwrap().code(), Some(1));
    let text = log(&store).to_lowercase();
    assert!(text.contains("the store is damaged"), "{text}");
    assert!(text.contains("restore a backup"), "{text}");
    assert!(!text.contains("make room"), "{text}");
}
