//! The store's files: for their owner alone, by one name, and not what a link leads to.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rightsizer_tests::aggregator::{Aggregator, binary, rightsizer};
use tokio::process::Command;

use crate::scene::{acknowledged, beside, serve, store};

fn mode(file: &Path) -> u32 {
    let facts = std::fs::metadata(file).unwrap();
    facts.permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_for_its_owner_alone_whatever_the_umask() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let mut command = Command::new("sh");
    command.args(["-c", "umask 000; exec \"$0\" \"$@\""]);
    command.arg(binary().unwrap());
    let log = store.with_extension("log");
    let serve = Aggregator::start_by(command, &store, &["--clock", "event"], &[], Some(&log))
        .await
        .unwrap();
    assert!(acknowledged(&serve, 0).await);
    let backup = folder.path().join("backup.db");
    let script = "umask 000; exec \"$0\" backup --store \"$1\" \"$2\"";
    let copied = std::process::Command::new("sh")
        .args(["-c", script])
        .arg(binary().unwrap())
        .args([&store, &backup])
        .output()
        .unwrap();
    assert!(copied.status.success(), "{copied:?}");
    for suffix in ["", "-wal", "-shm", ".lock", ".key"] {
        let file = beside(&store, suffix);
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    assert_eq!(mode(&backup), 0o600, "the backup");
    assert!(serve.stop().await.unwrap().success());
    // One that others could read is closed to them at the next start.
    for suffix in ["", ".lock"] {
        let readable = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(beside(&store, suffix), readable).unwrap();
    }
    let serve = crate::scene::serve(&store).await;
    for suffix in ["", "-wal", "-shm", ".lock"] {
        assert_eq!(mode(&beside(&store, suffix)), 0o600, "{suffix}");
    }
    assert!(serve.stop().await.unwrap().success());
}

/// `serve` or `import` over `store`, which does not start; returns its output.
async fn refused(store: &Path) -> String {
    let import = ["import", "/dev/null", "--store", store.to_str().unwrap()];
    let done = rightsizer(&import).await.unwrap();
    let text = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(1), "{text}");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_link_of_a_store_is_not_a_second_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let first = serve(&store).await;
    assert!(acknowledged(&first, 0).await);
    let link = folder.path().join("link.db");
    std::fs::hard_link(&store, &link).unwrap();
    let text = refused(&link).await;
    assert!(text.contains("more than one name"), "{text}");
    // By that name the log is another: what was acknowledged would not be seen.
    let listed = rightsizer(&["list", "--store", link.to_str().unwrap()])
        .await
        .unwrap();
    assert!(!listed.status.success(), "{listed:?}");
    // The one that runs is not harmed by it.
    assert!(acknowledged(&first, 1).await);
    let listed = rightsizer(&["list", "--store", store.to_str().unwrap()])
        .await
        .unwrap();
    assert!(listed.status.success(), "{listed:?}");
    assert!(first.stop().await.unwrap().success());
    assert!(refused(&store).await.contains("more than one name"));
    std::fs::remove_file(&link).unwrap();
    assert!(serve(&store).await.stop().await.unwrap().success());
}

/// In a folder that others may write to, each name that a store takes can be a link to a victim's file.
#[tokio::test(flavor = "multi_thread")]
async fn links_in_the_place_of_the_stores_files_are_not_followed() {
    for suffix in [".lock", "-wal", "-shm", "-journal"] {
        for hard in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let store = store(&folder);
            let victim = folder.path().join("victim");
            std::fs::write(&victim, "a diary").unwrap();
            let planted = beside(&store, suffix);
            if hard {
                std::fs::hard_link(&victim, &planted).unwrap();
            } else {
                std::os::unix::fs::symlink(&victim, &planted).unwrap();
            }
            let text = refused(&store).await;
            assert!(text.contains("link"), "{suffix}: {text}");
            let diary = std::fs::read_to_string(&victim).unwrap();
            assert_eq!(diary, "a diary", "{suffix}, hard: {hard}");
            assert_eq!(mode(&victim) & 0o044, 0o044, "its mode is as it was");
        }
    }
}
