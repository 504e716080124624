//! `rightsizer backup` while a server writes as fast as it can: each copy is whole, is the store as
//! it stood between two commits, and is a store again.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod put_records;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use put_records::{client, put};
use rightsizer_records::{EnvId, Reports};
use rightsizer_store::inspect::look;
use rightsizer_store::{Reader, Store};
use rightsizer_tests::aggregator::{Aggregator, rightsizer, rightsizer_with};
use rightsizer_tests::sample;

const BACKUPS: usize = 12;

fn record(function: &str, env: u64) -> Vec<u8> {
    let reports = sample::reports(function).unwrap();
    sample::bytes(Reports {
        env: EnvId(env),
        ..reports
    })
}

/// Reports of `left` and of `right` that a store holds.
fn seen(store: &Path) -> (u64, u64) {
    let reader = Reader::open(store).unwrap();
    let of = |name| reader.find(name).unwrap().first().map_or(0, |row| row.seen);
    (of("left"), of("right"))
}

/// Sends both functions' records as fast as they are answered, until it is enough.
fn send(
    endpoint: &str,
    answered: &Arc<AtomicU64>,
    enough: &Arc<AtomicBool>,
) -> Vec<tokio::task::JoinHandle<()>> {
    (0..4)
        .map(|sender: u64| {
            let kinesis = client(endpoint);
            let (answered, enough) = (Arc::clone(answered), Arc::clone(enough));
            tokio::spawn(async move {
                for n in 0.. {
                    if enough.load(Ordering::Relaxed) {
                        return;
                    }
                    let env = sender << 32 | n;
                    let both = vec![record("left", env), record("right", env)];
                    put(&kinesis, both).await.unwrap();
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect()
}

/// Every request carries one record of each of two functions, and is one commit with others: a
/// copy with more of one than of the other would be torn.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_the_store_between_two_commits() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("rightsizer.db");
    let log = folder.path().join("serve.log");
    let serve = Aggregator::start(&store, &["--clock", "event"], &[], Some(&log));
    let serve = serve.await.unwrap();
    let (answered, enough) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let senders = send(serve.endpoint(), &answered, &enough);
    let path = store.to_str().unwrap();
    let mut sizes = Vec::new();
    for n in 0..BACKUPS {
        let until = Instant::now() + Duration::from_secs(30);
        let grown = answered.load(Ordering::Relaxed) + 50;
        while answered.load(Ordering::Relaxed) < grown {
            assert!(
                Instant::now() < until,
                "nothing is stored while backups are made"
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let copy = folder.path().join(format!("backup-{n}.db"));
        let before = answered.load(Ordering::Relaxed);
        let made = rightsizer(&["backup", copy.to_str().unwrap(), "--store", path])
            .await
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        assert_eq!(look(&copy).unwrap().damage, [""; 0]);
        let (left, right) = seen(&copy);
        assert_eq!(left, right, "torn");
        assert!(
            left >= before,
            "{before} were answered before, {left} are in the copy"
        );
        sizes.push(left);
    }
    enough.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.await.unwrap();
    }
    assert!(
        sizes.is_sorted() && sizes[0] < sizes[BACKUPS - 1],
        "{sizes:?}"
    );
    assert!(serve.stop().await.unwrap().success());
    let last = folder.path().join(format!("backup-{}.db", BACKUPS - 1));
    let list = rightsizer(&["list", "--store", last.to_str().unwrap()])
        .await
        .unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(list.contains("left") && list.contains("right"), "{list}");
    // It is a store: it can be written to, and continues from there.
    drop(Store::open(&last, "a test").unwrap());
}

#[tokio::test]
async fn a_backup_is_written_over_nothing_and_leaves_nothing_half_made() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("rightsizer.db");
    drop(Store::open(&store, "a test").unwrap());
    let path = store.to_str().unwrap();
    let backup = async |file: &Path, of: &str| {
        let arguments = ["backup", file.to_str().unwrap(), "--store", of];
        let text = rightsizer(&arguments).await.unwrap();
        (text.status.code(), String::from_utf8(text.stderr).unwrap())
    };
    let there = folder.path().join("there.db");
    std::fs::write(&there, "precious").unwrap();
    let (code, error) = backup(&there, path).await;
    assert_eq!(code, Some(1));
    assert!(error.contains("exists already"), "{error}");
    assert_eq!(std::fs::read(&there).unwrap(), b"precious");
    let (code, error) = backup(&folder.path().join("nowhere/b.db"), path).await;
    assert_eq!(code, Some(1));
    assert!(error.contains("could not write the backup"), "{error}");
    let (code, error) = backup(&folder.path().join("b.db"), there.to_str().unwrap()).await;
    assert_eq!(code, Some(1));
    assert!(error.contains("is not a Rightsizer store"), "{error}");
    // A file left by an interrupted backup does not prevent the next.
    let good = folder.path().join("good.db");
    std::fs::write(folder.path().join("good.db.partial"), "half").unwrap();
    assert_eq!(backup(&good, path).await.0, Some(0));
    let left = std::fs::read_dir(folder.path()).unwrap();
    let left = left.filter(|f| {
        f.as_ref()
            .unwrap()
            .path()
            .to_string_lossy()
            .contains("partial")
    });
    assert_eq!(left.count(), 0);
}

/// A user of a tunnel has another store on the disk, or none.
#[tokio::test]
async fn a_backup_of_a_server_elsewhere_is_refused_and_names_what_keeps_its_store() {
    let folder = tempfile::tempdir().unwrap();
    let (store, file) = (
        folder.path().join("rightsizer.db"),
        folder.path().join("b.db"),
    );
    drop(Store::open(&store, "a test").unwrap());
    let url = "http://127.0.0.1:8750/token";
    let arguments = [
        "backup",
        file.to_str().unwrap(),
        "--store",
        store.to_str().unwrap(),
    ];
    let variable = [("RIGHTSIZER_SERVER".to_owned(), url.to_owned())];
    for text in [
        rightsizer(&[&arguments[..], &["--server", url]].concat()).await,
        rightsizer_with(&arguments, &variable).await,
    ] {
        let text = text.unwrap();
        assert_eq!(text.status.code(), Some(1));
        let error = String::from_utf8(text.stderr).unwrap();
        assert!(
            error.contains("rightsizer restore s3://BUCKET/PREFIX --store"),
            "{error}"
        );
        assert!(!file.exists());
    }
}
