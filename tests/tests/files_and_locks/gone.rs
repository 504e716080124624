//! The store's files are moved, removed or replaced under the server.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::scene::{acknowledged, beside, functions, log, serve, store};

/// What happens to the store's files.
type Harm = fn(&Path);

fn moved(from: &Path, to: &Path) {
    std::fs::rename(from, to).unwrap();
}

fn elsewhere(store: &Path) -> PathBuf {
    store.with_extension("elsewhere")
}

/// Each must be noticed within a second or so, without any record coming.
const HARMS: [(&str, Harm); 7] = [
    ("the store is moved", |store| {
        moved(store, &elsewhere(store));
    }),
    ("the store is moved with its log", |store| {
        for suffix in ["", "-wal", "-shm"] {
            moved(&beside(store, suffix), &beside(&elsewhere(store), suffix));
        }
    }),
    ("the store is removed", |store| {
        std::fs::remove_file(store).unwrap();
    }),
    ("the WAL is removed", |store| {
        std::fs::remove_file(beside(store, "-wal")).unwrap();
    }),
    ("the shared memory is removed", |store| {
        std::fs::remove_file(beside(store, "-shm")).unwrap();
    }),
    ("the lock is removed", |store| {
        std::fs::remove_file(beside(store, ".lock")).unwrap();
    }),
    ("a copy is put in its place", |store| {
        std::fs::copy(store, elsewhere(store)).unwrap();
        moved(&elsewhere(store), store);
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_store_was_moved_stops_with_a_message() {
    for (what, harm) in HARMS {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let serve = serve(&store).await;
        for n in 0..4 {
            assert!(acknowledged(&serve, n).await, "{what}");
        }
        harm(&store);
        let since = Instant::now();
        let status = serve.ended().await.unwrap();
        let took = since.elapsed();
        let log_text = log(&store);
        assert_eq!(status.code(), Some(1), "{what}: {log_text}");
        assert!(took < Duration::from_secs(4), "{what}: {took:?}");
        assert!(
            log_text.contains("moved, replaced or removed"),
            "{what}: {log_text}"
        );
        assert!(!log_text.contains("make room"), "{what}: {log_text}");
    }
}

/// Between the harm and its noticing nothing is acknowledged, and no health check is passed.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acknowledged_once_the_store_is_gone() {
    for (what, harm) in HARMS {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let serve = serve(&store).await;
        assert!(acknowledged(&serve, 0).await, "{what}");
        harm(&store);
        // It may have noticed by itself, and ended, before it is asked.
        if let Ok(answer) = reqwest::get(format!("{}/healthz", serve.endpoint())).await {
            assert_eq!(answer.status().as_u16(), 503, "{what}");
            let body = answer.text().await.unwrap_or_default();
            assert!(
                body.is_empty() || body.contains("\"failed\""),
                "{what}: {body}"
            );
        }
        assert!(!acknowledged(&serve, 1).await, "{what}");
        assert_eq!(serve.ended().await.unwrap().code(), Some(1), "{what}");
    }
}

/// What was acknowledged before is complete, in the moved database or beside its old path.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_is_kept_whatever_is_gone() {
    for (what, harm) in HARMS {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let serve = serve(&store).await;
        for n in 0..40 {
            assert!(acknowledged(&serve, n).await, "{what}");
        }
        harm(&store);
        assert_eq!(serve.ended().await.unwrap().code(), Some(1), "{what}");
        let whole = (40, "ok".to_owned());
        if elsewhere(&store).exists() {
            assert_eq!(functions(&elsewhere(&store)), whole, "{what}");
        }
        let names = std::fs::read_dir(folder.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().path());
        let rescued = names.into_iter().find(|name| {
            let name = name.to_string_lossy();
            name.contains(".rescued-") && !name.ends_with("-wal") && !name.ends_with("-shm")
        });
        match rescued {
            Some(rescued) => {
                assert_eq!(functions(&rescued), whole, "{what}");
                assert!(log(&store).contains(&*rescued.to_string_lossy()), "{what}");
            }
            None => assert_eq!(functions(&store), whole, "{what}"),
        }
        // No log is left that the next file at this path would be taken to belong to.
        if !store.exists() {
            let left = std::fs::metadata(beside(&store, "-wal"));
            assert_eq!(left.map_or(0, |left| left.len()), 0, "{what}");
        }
    }
}
