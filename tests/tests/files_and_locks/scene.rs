//! A server, the records that it is sent, and programs that open its store.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use rightsizer_records::{EnvId, Reports};
use rightsizer_tests::aggregator::Aggregator;
use rightsizer_tests::sample;
use serde_json::Value;
use tempfile::TempDir;

use crate::put_records::{client, put};

pub(crate) fn store(folder: &TempDir) -> PathBuf {
    folder.path().join("rightsizer.db")
}

/// The file of a store with this behind its name.
pub(crate) fn beside(store: &Path, suffix: &str) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub(crate) fn log(store: &Path) -> String {
    std::fs::read_to_string(store.with_extension("log")).unwrap()
}

pub(crate) async fn serve(store: &Path) -> Aggregator {
    let log = store.with_extension("log");
    Aggregator::start(store, &["--clock", "event"], &[], Some(&log))
        .await
        .unwrap()
}

/// The `n`-th record: one invocation of a function of its own.
pub(crate) fn record(n: u64) -> Vec<u8> {
    let reports = sample::reports(&format!("fn-{n}")).unwrap();
    sample::bytes(Reports {
        env: EnvId(n),
        ..reports
    })
}

/// Puts one record; whether it was acknowledged.
pub(crate) async fn acknowledged(serve: &Aggregator, n: u64) -> bool {
    put(&client(serve.endpoint()), vec![record(n)])
        .await
        .is_ok()
}

/// Calls every route that reads, and the one that reviews.
pub(crate) async fn call_every_route(endpoint: &str, store: &Path) {
    let key = std::fs::read_to_string(beside(store, ".key")).unwrap_or_default();
    let http = reqwest::Client::builder()
        .timeout(Duration::from_secs(10))
        .build()
        .unwrap();
    for route in [
        "healthz".to_owned(),
        "metrics".to_owned(),
        format!("{key}/healthz"),
        format!("{key}/metrics"),
        format!("{key}/review"),
        format!("{key}/review/fn-0"),
        format!("{key}/export"),
    ] {
        // The server may be killed meanwhile.
        if let Ok(answer) = http.get(format!("{endpoint}/{route}")).send().await {
            let _ = answer.bytes().await;
        }
    }
    let word = serde_json::json!({"action": "hold", "what": "fn-0", "by": "a test", "days": 1});
    let request = http.post(format!("{endpoint}/{key}/review"));
    let _ = request.json(&word).send().await;
}

/// `/healthz`: its HTTP status and what it answers.
pub(crate) async fn health(serve: &Aggregator) -> (u16, Value) {
    let answer = reqwest::get(format!("{}/healthz", serve.endpoint()))
        .await
        .unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// What Python's own SQLite does to the store, opened for reading and writing as any tool does.
pub(crate) fn python(store: &Path, script: &str) -> Output {
    let script = format!(
        "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], timeout=20)\n{script}\nc.close()\n"
    );
    std::process::Command::new("python3")
        .args(["-c", &script])
        .arg(store)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// How many functions the store has, and what `PRAGMA integrity_check` answers.
pub(crate) fn functions(store: &Path) -> (u64, String) {
    let store = rusqlite::Connection::open(store).unwrap();
    let ask = |sql: &str| store.query_row(sql, [], |row| row.get(0));
    let count: i64 = ask("SELECT count(*) FROM functions").unwrap();
    let check = store.query_row("PRAGMA integrity_check", [], |row| row.get(0));
    (count.try_into().unwrap(), check.unwrap())
}
