//! Rounds of load, of every route, of outside readers and writers, each ended by kill -9 at any moment:
//! nothing acknowledged is missing or counted twice, and the file is whole.
//!
//! `RIGHTSIZER_ROUNDS` is the number of rounds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rightsizer_records::{EnvId, Reports};
use rightsizer_tests::aggregator::Aggregator;
use rightsizer_tests::dice::Dice;
use rightsizer_tests::sample;
use rusqlite::Connection;
use tokio::process::Command;

use crate::put_records::{client, put};
use crate::scene::{call_every_route, serve, store};

const ROUNDS: u64 = 8;
const SENDERS: u64 = 4;
/// Records a call.
const BATCH: u64 = 5;
const FUNCTIONS: u64 = 20;

/// What programs do that open the store beside the server, each time in a process of its own.
const PYTHON: [&str; 5] = [
    "c.execute('SELECT count(*), sum(seen) FROM functions').fetchall()",
    "c.execute('CREATE TABLE IF NOT EXISTS outside (n)')\n\
     c.execute('INSERT INTO outside VALUES (1)')\nc.commit()",
    "c.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchall()",
    "b = sqlite3.connect(sys.argv[2])\nc.backup(b)\nb.close()",
    "c.execute('BEGIN')\nc.execute('SELECT * FROM review').fetchmany(1)\n\
     import time; time.sleep(0.1)",
];
const SQLITE3: [&str; 3] = [
    "SELECT function, seen FROM functions;",
    "PRAGMA quick_check;",
    "VACUUM;",
];

fn record(n: u64) -> Vec<u8> {
    let reports = sample::reports(&format!("fn-{}", n % FUNCTIONS)).unwrap();
    sample::bytes(Reports {
        env: EnvId(n),
        ..reports
    })
}

/// The records of one sender: `n`, `n + SENDERS`, … in calls of `BATCH`.
fn batch(sender: u64, next: u64) -> Vec<Vec<u8>> {
    let numbers = next..next + BATCH;
    numbers.map(|n| record(n * SENDERS + sender)).collect()
}

/// Sends until the process is gone; returns the first one not acknowledged.
async fn send_from(endpoint: String, sender: u64, mut next: u64) -> u64 {
    let kinesis = client(&endpoint);
    while put(&kinesis, batch(sender, next)).await.is_ok() {
        next += BATCH;
    }
    next
}

/// One outside program after another, until it is aborted.
async fn outside(store: PathBuf, mut draw: Dice, opened: Arc<AtomicU64>) {
    let has_cli = Command::new("sqlite3").arg("-version").output().await;
    let has_cli = has_cli.is_ok();
    loop {
        let mut command = if has_cli && draw.below(2) == 0 {
            let sql = SQLITE3[usize::try_from(draw.below(SQLITE3.len() as u64)).unwrap()];
            let mut command = Command::new("sqlite3");
            command.args(["-cmd", ".timeout 5000"]).arg(&store).arg(sql);
            command
        } else {
            let script = PYTHON[usize::try_from(draw.below(PYTHON.len() as u64)).unwrap()];
            let script = format!(
                "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], timeout=5)\n{script}\nc.close()\n"
            );
            let mut command = Command::new("python3");
            command.args(["-c", &script]).arg(&store);
            command.arg(store.with_extension(format!("backup{}", draw.below(1 << 20))));
            command
        };
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        // A busy store is not a failure of an outside program.
        let _ = command.stderr(Stdio::null()).status().await;
        opened.fetch_add(1, Ordering::Relaxed);
    }
}

/// By function: how many of its records were acknowledged, and how many may have been stored beside.
fn sent(next: &[u64]) -> BTreeMap<String, (u64, u64)> {
    let mut sent: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (sender, &next) in (0..).zip(next) {
        for n in 0..next + BATCH {
            let name = format!("fn-{}", (n * SENDERS + sender) % FUNCTIONS);
            let counts = sent.entry(name).or_default();
            if n < next {
                counts.0 += 1;
            } else {
                counts.1 += 1;
            }
        }
    }
    sent
}

/// Compares the store with what was acknowledged.
fn check(store: &Path, next: &[u64], round: u64) {
    let store = Connection::open(store).unwrap();
    store.busy_timeout(Duration::from_secs(20)).unwrap();
    let check: String = store
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok", "round {round}");
    let mut functions = store
        .prepare("SELECT function, seen FROM functions")
        .unwrap();
    let rows = functions.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    let rows: Vec<(String, i64)> = rows.unwrap().map(Result::unwrap).collect();
    let seen: BTreeMap<String, u64> = rows
        .into_iter()
        .map(|(arn, seen)| {
            let name = arn.rsplit(':').next().unwrap().to_owned();
            (name, seen.try_into().unwrap())
        })
        .collect();
    for (name, (acknowledged, open)) in sent(next) {
        let seen = seen.get(&name).copied().unwrap_or(0);
        assert!(
            (acknowledged..=acknowledged + open).contains(&seen),
            "round {round}: {name} has {seen}, {acknowledged} were acknowledged, {open} not answered"
        );
    }
}

/// One life of the server: load, routes, outside programs, and its end.
async fn live(serve: Aggregator, store: &Path, next: &mut [u64], wait: Duration) {
    let endpoint = serve.endpoint().to_owned();
    let senders: Vec<_> = (0..)
        .zip(next.iter())
        .map(|(sender, &next)| tokio::spawn(send_from(endpoint.clone(), sender, next)))
        .collect();
    let routes = {
        let (endpoint, store) = (endpoint.clone(), store.to_owned());
        tokio::spawn(async move {
            loop {
                call_every_route(&endpoint, &store).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
    };
    tokio::time::sleep(wait).await;
    serve.kill().await.unwrap();
    routes.abort();
    for (next, sender) in next.iter_mut().zip(senders) {
        *next = sender.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_missing_beside_outside_programs_and_kills() {
    let rounds = std::env::var("RIGHTSIZER_ROUNDS").ok();
    let rounds: u64 = rounds.map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let mut next: Vec<u64> = (0..SENDERS).map(|_| 0).collect();
    let mut draw = Dice::new(20_261_129);
    let opened = Arc::new(AtomicU64::new(0));
    // They continue over kills and starts.
    let programs: Vec<_> = (0..2)
        .map(|seed| tokio::spawn(outside(store.clone(), Dice::new(seed), opened.clone())))
        .collect();
    for round in 0..rounds {
        let serve = serve(&store).await;
        let wait = Duration::from_millis(100 + draw.below(1200));
        live(serve, &store, &mut next, wait).await;
        check(&store, &next, round);
        remove_backups(&store);
    }
    for program in programs {
        program.abort();
    }
    // What was not answered is sent once more, and everything is there once.
    let last = serve(&store).await;
    for (sender, next) in (0..).zip(&mut next) {
        put(&client(last.endpoint()), batch(sender, *next))
            .await
            .unwrap();
        *next += BATCH;
    }
    assert!(last.stop().await.unwrap().success());
    check(&store, &next, rounds);
    let total: u64 = next.iter().sum();
    let seen: i64 = Connection::open(&store)
        .unwrap()
        .query_row("SELECT sum(seen) FROM functions", [], |row| row.get(0))
        .unwrap();
    assert_eq!(u64::try_from(seen).unwrap(), total);
    let opened = opened.load(Ordering::Relaxed);
    assert!(
        opened >= rounds,
        "{opened} outside programs in {rounds} rounds"
    );
    println!("{rounds} kills, {total} records acknowledged and there, {opened} outside programs");
}

fn remove_backups(store: &Path) {
    for entry in std::fs::read_dir(store.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().contains(".backup") {
            // One may be in the making.
            let _ = std::fs::remove_file(path);
        }
    }
}
