//! kill -9, hundreds of times, at random moments of a real process over a real file: the store ends
//! as that of a run never killed (W8).

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod put_records;

use std::path::Path;
use std::time::Duration;

use put_records::{client, put};
use rightsizer_records::{EnvId, Megabytes, Millis, ReportRow, Reports, Status, Timestamp};
use rightsizer_store::Reader;
use rightsizer_tests::aggregator::Aggregator;
use rightsizer_tests::dice::Dice;
use rightsizer_tests::sample;

const KILLS: u64 = 200;
const FUNCTIONS: u64 = 7;
/// Records an environment sends.
const RECORDS: u64 = 3;

/// The `n`-th record of the story: environments of a few functions over 20 days, some of whose
/// invocations run out of memory.
fn record(n: u64) -> Vec<u8> {
    let environment = n / RECORDS;
    let mut draw = Dice::new(n);
    let first = Timestamp::parse("2026-03-01T00:10:00Z").unwrap();
    let minutes = i64::try_from(n * 11).unwrap();
    let mut row = |i: u64| ReportRow {
        at_ms: i64::try_from(i * 1000).unwrap(),
        max_used_mb: Some(Megabytes(u32::try_from(90 + draw.below(150)).unwrap())),
        duration_ms: Some(Millis::from_ms(1 + draw.below(900))),
        billed_ms: Some(Millis::from_ms(1 + draw.below(900))),
        status: if draw.below(97) == 0 {
            Status::OutOfMemory
        } else {
            Status::Ok
        },
        init_ms: None,
    };
    let rows = (0..4).map(&mut row).collect();
    let reports = sample::reports(&format!("fn-{}", environment % FUNCTIONS)).unwrap();
    sample::bytes(Reports {
        env: EnvId(environment),
        seq: n % RECORDS,
        total: (n % RECORDS + 1) * 4,
        memory_mb: Megabytes(256),
        t0: first.plus_ms(minutes * 60_000),
        reports: rows,
        cpu_ms: Some(3),
        ..reports
    })
}

async fn serve(store: &Path) -> Aggregator {
    let log = store.with_extension("log");
    Aggregator::start(store, &["--clock", "event"], &[], Some(&log))
        .await
        .unwrap()
}

/// The evidence, its decisions, what could not be read, and how far the days are closed. Without
/// times of the wall clock and without numbers of deliveries, because what was not acknowledged is
/// sent again.
fn contents(store: &Path) -> Vec<String> {
    let reader = Reader::open(store).unwrap();
    let mut contents = reader.evidence().unwrap();
    for row in reader.review().unwrap() {
        let mut row = serde_json::to_value(row).unwrap();
        row.as_object_mut().unwrap().remove("duplicates").unwrap();
        contents.push(row.to_string());
    }
    let store = rusqlite::Connection::open(store).unwrap();
    for query in [
        "SELECT f.function || ' ' || r.id || ' ' || r.day || ' ' || r.status || ' ' || r.from_mb || ' '
            || r.to_mb || ' ' || r.urgent || ' ' || r.auto || ' ' || coalesce(r.closed_reason, '')
         FROM recommendations r JOIN functions f ON f.id = r.function_id ORDER BY 1",
        "SELECT DISTINCT reason || ' ' || bytes || ' ' || sample FROM quarantine ORDER BY 1",
        "SELECT key || ' ' || value FROM state ORDER BY 1",
        "SELECT source || ' ' || position FROM checkpoints ORDER BY 1",
    ] {
        let mut statement = store.prepare(query).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        let before = contents.len();
        contents.extend(rows.map(Result::unwrap));
        // The embedded stream has no checkpoints.
        assert_eq!(contents.len() == before, query.contains("checkpoints"), "{query}");
    }
    contents
}

/// What is sent at once: two records, and now and then something that is none.
fn payloads(next: u64) -> Vec<Vec<u8>> {
    let poison = next
        .is_multiple_of(10)
        .then(|| format!("no record: {next}").into_bytes());
    [record(next), record(next + 1)]
        .into_iter()
        .chain(poison)
        .collect()
}

/// Sends records from `next` on until the process is gone; returns the first one not answered.
async fn send_from(endpoint: &str, mut next: u64) -> u64 {
    let kinesis = client(endpoint);
    while put(&kinesis, payloads(next)).await.is_ok() {
        next += 2;
    }
    next
}

#[tokio::test(flavor = "multi_thread")]
async fn w8_hundreds_of_kills_leave_the_state_of_a_run_never_killed() {
    let folder = tempfile::tempdir().unwrap();
    let killed = folder.path().join("killed.db");
    let mut draw = Dice::new(20_260_301);
    let mut next = 0;
    for _ in 0..KILLS {
        let aggregator = serve(&killed).await;
        let endpoint = aggregator.endpoint().to_owned();
        let sender = tokio::spawn(async move { send_from(&endpoint, next).await });
        tokio::time::sleep(Duration::from_micros(draw.below(40_000))).await;
        aggregator.kill().await.unwrap();
        // What was not answered is sent again, though it may have been stored.
        next = sender.await.unwrap();
    }
    let aggregator = serve(&killed).await;
    put(&client(aggregator.endpoint()), payloads(next))
        .await
        .unwrap();
    assert!(aggregator.stop().await.unwrap().success());
    assert!(
        next > KILLS,
        "{next} records in {KILLS} lives: too few were killed while writing"
    );

    let unharmed = folder.path().join("unharmed.db");
    let aggregator = serve(&unharmed).await;
    let kinesis = client(aggregator.endpoint());
    // Sent alike: what is urgent is decided when it comes.
    for n in (0..next + 2).step_by(2) {
        put(&kinesis, payloads(n)).await.unwrap();
    }
    assert!(aggregator.stop().await.unwrap().success());
    let (killed, unharmed) = (contents(&killed), contents(&unharmed));
    assert_eq!(killed, unharmed, "{KILLS} kills, {next} records");
    println!(
        "{KILLS} kills, {} records, {} equal lines",
        next + 2,
        killed.len()
    );
}
