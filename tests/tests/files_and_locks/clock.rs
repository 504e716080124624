//! The real server with a machine clock that is wrong by days to months for a few seconds: it keeps all evidence, and
//! functions that run out of memory during and after that time get more.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use rightsizer_records::{EnvId, Millis, ReportRow, Reports, Status, Timestamp};
use rightsizer_store::Reader;
use rightsizer_tests::aggregator::Aggregator;
use rightsizer_tests::emulator::{Clock, Monotonic};
use rightsizer_tests::sample;
use rightsizer_tests::scene::or_not_played;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::put_records::{client, put};
use crate::scene::{health, log, store};

const DAY_MS: i64 = 86_400_000;

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp::from_ms(since.unwrap().as_millis().try_into().unwrap()).unwrap()
}

/// One invocation of `name` with the ending `status`.
fn record(name: &str, env: u64, t0: Timestamp, status: Status) -> Vec<u8> {
    let reports = sample::reports(name).unwrap();
    let used = if status == Status::OutOfMemory {
        reports.memory_mb
    } else {
        reports.reports[0].max_used_mb.unwrap()
    };
    let row = ReportRow {
        max_used_mb: Some(used),
        duration_ms: Some(Millis::from_ms(10)),
        billed_ms: Some(Millis::from_ms(10)),
        status,
        ..ReportRow::default()
    };
    sample::bytes(Reports {
        env: EnvId(env),
        t0,
        reports: vec![row],
        ..reports
    })
}

/// Runs `serve` with the wall clock, for which `clock` fakes the time.
async fn serve(store: &Path, clock: &Clock) -> Aggregator {
    let log = store.with_extension("log");
    Aggregator::start(store, &[], &clock.variables(), Some(&log))
        .await
        .unwrap()
}

async fn send(serve: &Aggregator, records: Vec<Vec<u8>>) {
    put(&client(serve.endpoint()), records).await.unwrap();
}

fn count(store: &Path, sql: &str) -> i64 {
    let store = Connection::open(store).unwrap();
    store.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn is_urgent(store: &Path, name: &str) -> bool {
    let rows = Reader::open(store).and_then(|reader| reader.review());
    let suffix = format!(":{name}");
    let rows = rows.unwrap();
    let row = rows.iter().find(|row| row.function.ends_with(&suffix));
    row.is_some_and(|row| row.urgent)
}

async fn wrong_for_some_seconds(days: i64) {
    let folder: TempDir = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let Some(clock) = or_not_played(Clock::new(Monotonic::StandsStill)).unwrap() else {
        return;
    };

    // Ten days of three functions.
    let first = serve(&store, &clock).await;
    let began = now();
    let mut records = Vec::new();
    for day in 0..10_u64 {
        let then = began.plus_ms(-i64::try_from(day).unwrap() * DAY_MS - 60_000);
        for (n, name) in (0..).zip(["f", "g", "h"]) {
            records.push(record(name, day * 10 + n, then, Status::Ok));
        }
    }
    send(&first, records).await;
    assert!(first.stop().await.unwrap().success());
    let rows = |table: &str| count(&store, &format!("SELECT count(*) FROM {table}"));
    let before = ["days", "environments", "peaks"].map(&rows);
    assert_eq!(before[1], 30);

    // The clock is wrong, and a function runs out of memory.
    clock.set_ahead(days * DAY_MS / 1000).unwrap();
    let wrong = serve(&store, &clock).await;
    let out = record("during", 1000, now(), Status::OutOfMemory);
    send(&wrong, vec![out]).await;
    let until = Instant::now() + Duration::from_secs(20);
    let doubt = loop {
        let (_, health) = health(&wrong).await;
        if let Some(doubt) = health["clock"].as_str() {
            break doubt.to_owned();
        }
        assert!(Instant::now() < until, "{days} days: {health}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(doubt.contains("NTP"), "{days} days: {doubt}");
    // The server acts on its clock once a second.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(wrong.stop().await.unwrap().success());
    assert!(log(&store).contains("this machine's clock"), "{days} days");

    // The clock is right again, and another function runs out.
    clock.set_ahead(0).unwrap();
    let right = serve(&store, &clock).await;
    let out = record("after", 1001, now(), Status::OutOfMemory);
    send(&right, vec![out]).await;
    let until = Instant::now() + Duration::from_secs(20);
    while !(is_urgent(&store, "during") && is_urgent(&store, "after")) {
        assert!(
            Instant::now() < until,
            "{days} days: during {}, after {}",
            is_urgent(&store, "during"),
            is_urgent(&store, "after")
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(right.stop().await.unwrap().success());
    let after = ["days", "environments", "peaks"].map(&rows);
    assert_eq!(
        after,
        [before[0] + 2, before[1] + 2, before[2] + 2],
        "{days} days"
    );
    assert_eq!(rows("quarantine"), 0, "{days} days");
}

#[tokio::test(flavor = "multi_thread")]
async fn months_ahead() {
    wrong_for_some_seconds(70).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn weeks_ahead() {
    wrong_for_some_seconds(20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn days_behind() {
    wrong_for_some_seconds(-3).await;
}
