//! SQLite's locks belong to the process: closing any descriptor on the database drops them all, and the
//! next program that closes it removes the WAL under the server.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::scene::{acknowledged, call_every_route, functions, python, serve, store};

/// How many locks of SQLite's any process holds on this file.
fn posix_locks(file: &Path) -> usize {
    let inode = format!(":{} ", std::fs::metadata(file).unwrap().ino());
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    let of_file = |line: &&str| line.contains("POSIX") && line.contains(&inode);
    locks.lines().filter(of_file).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_outlives_health_checks_and_sqlite3_and_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let serve = serve(&store).await;
    for n in 0..20 {
        assert!(acknowledged(&serve, n).await);
    }
    let before = posix_locks(&store);
    assert!(before > 0, "SQLite holds a lock on an open database");
    call_every_route(serve.endpoint(), &store).await;
    let after = posix_locks(&store);
    let read = python(
        &store,
        "c.execute('SELECT count(*) FROM review').fetchall()",
    );
    assert!(read.status.success(), "{read:?}");
    for n in 20..60 {
        assert!(acknowledged(&serve, n).await);
    }
    serve.kill().await.unwrap();
    assert_eq!(functions(&store), (60, "ok".to_owned()));
    assert_eq!(after, before, "locks after every route was called");
}

/// `import` of the store itself, by any of its names, or of the folder that it lies in.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_does_not_open_its_own_store_as_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let linked = folder.path().join("link");
    std::os::unix::fs::symlink(&store, &linked).unwrap();
    let one = folder.path().join("one.jsonl");
    std::fs::write(&one, crate::scene::record(0)).unwrap();
    let name = |path: &Path| path.to_str().unwrap().to_owned();
    let mut files: Vec<String> = ["", "-wal", "-shm"]
        .iter()
        .map(|suffix| name(&crate::scene::beside(&store, suffix)))
        .collect();
    files.extend([name(&linked), name(&one)]);
    let mut arguments = vec!["import", "--store", store.to_str().unwrap()];
    arguments.extend(files.iter().map(String::as_str));
    let done = rightsizer_tests::aggregator::rightsizer(&arguments)
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(text.matches("it is the store itself").count(), 4, "{text}");
    assert_eq!(functions(&store), (1, "ok".to_owned()));
}
