//! The power goes while `serve` writes. What the disk then holds is the database, and of its WAL what was
//! synced and any part of what was not: whatever of that is left, the store opens with whole deliveries, and
//! with every one that was answered (W8).

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod put_records;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use put_records::{client, put};
use rightsizer_records::{EnvId, Reports};
use rightsizer_store::{Reader, Store};
use rightsizer_tests::aggregator::Aggregator;
use rightsizer_tests::dice::Dice;
use rightsizer_tests::sample;

const CUTS: u64 = 100;
/// Deliveries before the first cut, to see how long one takes.
const WARMING: u64 = 10;
/// Records of a delivery: enough for some twenty pages of the WAL.
const RECORDS: u64 = 40;

/// Delivery `n`: the first records of environments of many functions.
fn delivery(n: u64) -> Vec<Vec<u8>> {
    let environments = n * RECORDS..(n + 1) * RECORDS;
    let record = |env| {
        let reports = sample::reports(&format!("fn-{}", env % 300)).unwrap();
        sample::bytes(Reports {
            env: EnvId(env),
            ..reports
        })
    };
    environments.map(record).collect()
}

fn wal(store: &Path) -> PathBuf {
    store.with_extension("db-wal")
}

/// Which generation of the WAL this is, and up to which byte it belongs to it: its frames carry the salts of
/// its header (SQLite's file format, section 4.1). What lies behind is of an earlier generation.
fn written(wal: &[u8]) -> ([u8; 8], usize) {
    let number = |at: usize| u32::from_be_bytes(wal[at..at + 4].try_into().unwrap());
    if wal.len() < 32 {
        return ([0; 8], 0);
    }
    let salts: [u8; 8] = wal[16..24].try_into().unwrap();
    let frame = 24 + usize::try_from(number(8)).unwrap();
    let frames = wal[32..].chunks_exact(frame);
    let of_it = frames.take_while(|frame| frame[8..16] == salts).count();
    (salts, 32 + of_it * frame)
}

/// What of the WAL is synced.
#[derive(Clone, Copy)]
enum Synced {
    /// All that is written.
    All,
    /// Of this generation, up to this byte.
    To([u8; 8], usize),
}

/// What the disk holds after the power went: the file as it is, the WAL with a byte range of what was not
/// synced torn away, either to its end or as one sector in its midst.
fn after_the_cut(store: &Path, synced: Synced, into: &Path, draw: &mut Dice) {
    std::fs::copy(store, into).unwrap();
    let mut left = std::fs::read(wal(store)).unwrap();
    let (salts, end) = written(&left);
    // A generation that began since the answer is not synced at all; its header comes first.
    let safe = match synced {
        Synced::All => end,
        Synced::To(synced, to) if synced == salts => to,
        Synced::To(..) => 0,
    };
    let unsynced = left.len().max(end) - safe;
    let at = safe + usize::try_from(draw.below(unsynced as u64 + 1)).unwrap();
    if draw.below(2) == 0 {
        left.truncate(at);
    } else {
        let sector = at..left.len().min(at + 512);
        left[sector].fill(0);
    }
    std::fs::write(wal(into), left).unwrap();
}

/// How many whole deliveries the store of a disk like this has.
fn deliveries(store: &Path) -> u64 {
    drop(Store::open(store, "after the cut").unwrap());
    let reader = Reader::open(store).unwrap();
    let seen: u64 = reader.review().unwrap().iter().map(|row| row.seen).sum();
    let check = rusqlite::Connection::open(store).unwrap();
    let check: String = check
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
    assert_eq!(seen % RECORDS, 0, "half a delivery");
    seen / RECORDS
}

#[tokio::test(flavor = "multi_thread")]
async fn w8_a_power_cut_at_any_moment_leaves_whole_deliveries_and_every_answered_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("rightsizer.db");
    let log = folder.path().join("serve.log");
    let arguments = ["--clock", "event"];
    let serve = Aggregator::start(&store, &arguments, &[], Some(&log))
        .await
        .unwrap();
    let mut draw = Dice::new(20_260_301);
    let began = Instant::now();
    for n in 0..WARMING {
        let kinesis = client(serve.endpoint());
        put(&kinesis, delivery(n)).await.unwrap();
    }
    // Fast or slow, about half of the cuts come before the answer.
    let within = u64::try_from(began.elapsed().as_micros()).unwrap() / WARMING * 2;
    let (mut in_between, mut answered) = (0, WARMING);
    for cut in 0..CUTS {
        // The writer is idle: all that is written is synced.
        let (salts, end) = written(&std::fs::read(wal(&store)).unwrap_or_default());
        let kinesis = client(serve.endpoint());
        let sending = tokio::spawn(async move { put(&kinesis, delivery(answered)).await });
        tokio::time::sleep(Duration::from_micros(draw.below(within))).await;
        let was_answered = sending.is_finished();
        serve.pause_process().unwrap();
        let synced = if was_answered {
            Synced::All
        } else {
            Synced::To(salts, end)
        };
        let disk = folder.path().join(format!("disk-{cut}.db"));
        after_the_cut(&store, synced, &disk, &mut draw);
        serve.resume_process().unwrap();
        sending.await.unwrap().unwrap();
        let found = deliveries(&disk);
        let least = answered + u64::from(was_answered);
        assert!(
            (least..=answered + 1).contains(&found),
            "{found} deliveries, {least} were answered"
        );
        in_between += u64::from(!was_answered);
        answered += 1;
    }
    println!("{CUTS} cuts, {in_between} of them before the answer");
    assert!(
        in_between > CUTS / 10,
        "{in_between}: too few while it wrote"
    );
    assert!(serve.stop().await.unwrap().success());
}
