//! What is kept, to the day, of every table, as in docs/STORE.md.

use super::*;

/// The last day that the event of the test closes; what is kept counts back from here.
const CLOSED: &str = "2026-05-14T00:00:00Z";

impl Case {
    /// A case whose store has a function `f` of 500 days ago, and a hand in that store.
    fn old() -> (Self, rusqlite::Connection) {
        let mut case = Self::new();
        case.report(reports("f", 1, "2025-01-01T10:00:00Z", 1024, 200, 10));
        let store = rusqlite::Connection::open(case.path()).unwrap();
        (case, store)
    }

    /// An event of the day after [`CLOSED`], which closes it.
    fn close(&mut self) {
        let digest = self.report(reports("f", 2, "2026-05-15T10:00:00Z", 1024, 200, 10));
        assert_eq!(digest.closed, Some(at(CLOSED).day()));
    }
}

fn days_ago(days: i32) -> i32 {
    at(CLOSED).day().plus(-days).number()
}

fn ms_ago(days: i32) -> i64 {
    at(CLOSED).day().plus(-days).start().as_ms()
}

/// Which of these texts are in a column, in their order.
fn left(store: &rusqlite::Connection, query: &str) -> Vec<String> {
    let mut statement = store.prepare(query).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// 60 days before the last closed one are kept, the 61st is not: details, and the marks of
/// environments whose last report is older.
#[test]
fn details_are_kept_for_60_days() {
    let (mut case, store) = Case::old();
    store
        .execute("INSERT INTO log_groups VALUES (1, 'group')", [])
        .unwrap();
    for (name, days) in [("kept", 60), ("gone", 61), ("long-gone", 300)] {
        store
            .execute(
                "INSERT INTO days SELECT ?, function_id, source, memory_mb, ?, peak_mb, invocations,
                    errors, crashes, heap_limits, timeouts, ooms, at_limit, censored, environments,
                    billed_ms, cpu_ms, cpu_wall_ms, firsts, firsts_ms, durations, inits, restores, used,
                    failed_inits, failed_restores, hours
                 FROM days WHERE version = '$LATEST'",
                rusqlite::params![days_ago(days), name],
            )
            .unwrap();
        store
            .execute(
                "INSERT INTO log_days VALUES (1, ?, 0, ?)",
                [i64::from(days_ago(days)), i64::from(days)],
            )
            .unwrap();
    }
    for (name, last_ms) in [("kept", ms_ago(60)), ("gone", ms_ago(60) - 1)] {
        store
            .execute(
                "INSERT INTO environments SELECT function_id, env, memory_mb, ?, first_ms, ?, marks,
                    total, seen, events_dropped, days, arch, self_kib, high_water, used, start_ms
                 FROM environments WHERE version = '$LATEST'",
                rusqlite::params![name, last_ms],
            )
            .unwrap();
    }
    case.close();
    let days = "SELECT DISTINCT version FROM days ORDER BY day";
    assert_eq!(left(&store, days), ["kept", "$LATEST"]);
    let environments = "SELECT version FROM environments ORDER BY last_ms";
    assert_eq!(left(&store, environments), ["kept", "$LATEST"]);
    let log_days = "SELECT CAST(invocations AS TEXT) FROM log_days";
    assert_eq!(left(&store, log_days), ["60"]);
}

/// 400 days before the last closed one are kept: peaks, outcomes, and recommendations that ended. What
/// is under way stays however old it is.
#[test]
fn peaks_and_what_was_decided_are_kept_for_400_days() {
    let (mut case, store) = Case::old();
    store.execute("DELETE FROM recommendations", []).unwrap();
    let ended = [
        "applied",
        "verified",
        "rolled-back",
        "reverted",
        "skipped",
        "failed",
        "expired",
        "rejected",
        "superseded",
        "withdrawn",
    ];
    for (name, days) in [("kept", 400), ("gone", 401)] {
        let day = i64::from(days_ago(days));
        store
            .execute(
                "INSERT INTO peaks VALUES (1, ?, ?, 0)",
                [day, i64::from(days)],
            )
            .unwrap();
        for status in ended {
            let id = format!("{name}-{status}");
            recommend(&store, &id, 1, day, status);
        }
    }
    for (name, at_ms) in [("kept", ms_ago(400)), ("gone", ms_ago(400) - 1)] {
        store
            .execute(
                "INSERT INTO outcomes VALUES (?, 'applied', ?, 'f', 1, 1, '', '')",
                rusqlite::params![name, at_ms],
            )
            .unwrap();
    }
    // Of a function that is no longer decided.
    store
        .execute(
            "INSERT INTO functions (id, function, version, first_ms, heard_ms, last_ms)
             VALUES (2, 'local:quiet', '$LATEST', 1735725600000, 1735725600000, 1735725600000)",
            [],
        )
        .unwrap();
    for status in ["open", "approved", "sent"] {
        recommend(&store, status, 2, i64::from(days_ago(450)), status);
    }
    case.close();
    let peaks = "SELECT CAST(peak_mb AS TEXT) FROM peaks WHERE peak_mb >= 400";
    assert_eq!(left(&store, peaks), ["400"]);
    let mut kept: Vec<_> = ended
        .iter()
        .map(|status| format!("kept-{status}"))
        .collect();
    kept.sort();
    let ids = "SELECT id FROM recommendations WHERE function_id = 1 AND day < 20500 ORDER BY id";
    assert_eq!(left(&store, ids), kept);
    assert_eq!(left(&store, "SELECT id FROM outcomes"), ["kept"]);
    let live = "SELECT id FROM recommendations WHERE function_id = 2 ORDER BY id";
    assert_eq!(left(&store, live), ["approved", "open", "sent"]);
}

fn recommend(store: &rusqlite::Connection, id: &str, function: i64, day: i64, status: &str) {
    store
        .execute(
            "INSERT INTO recommendations (function_id, id, day, status, from_mb, to_mb, urgent, auto,
                issued_ms, expires_ms)
             VALUES (?, ?, ?, ?, 512, 512, 0, 0, 1735725600000, 4102444800000)",
            rusqlite::params![function, id, day, status],
        )
        .unwrap();
}

#[test]
fn ids_of_log_events_are_kept_for_3_days() {
    let (mut case, store) = Case::old();
    for days in 1..=5 {
        store
            .execute(
                "INSERT INTO log_events VALUES (?, ?, 0)",
                [days_ago(days), days],
            )
            .unwrap();
    }
    case.close();
    let ids = "SELECT CAST(id AS TEXT) FROM log_events ORDER BY id";
    assert_eq!(left(&store, ids), ["1", "2", "3"]);
}

/// Functions, how far streams are read, gaps, the inventory, holds, log groups, the state.
#[test]
fn what_is_for_good_outlives_every_close() {
    let (mut case, store) = Case::old();
    store
        .execute_batch(
            "INSERT INTO functions (id, function, version, first_ms, heard_ms, last_ms)
                VALUES (2, 'local:quiet', '$LATEST', 1735725600000, 1735725600000, 1735725600000);
             INSERT INTO checkpoints VALUES ('kinesis:reports@0/shard', 'SHARD_END', 1735725600000);
             INSERT INTO gaps VALUES ('kinesis:reports/shard', 1, 2, 'why', 3);
             INSERT INTO inventory (function, memory_mb, timeout_s, arch, package, layers, log_group,
                edge_replica, managed_instances, snap_start, seen_ms, gone_ms)
                VALUES ('local:quiet', 128, 3, 'arm64', 'zip', '[]', '', 0, 0, 0, 1735725600000, 1735725600000);
             INSERT INTO holds VALUES (2, 1735725600000, 'on-call', 'why', 1735725600000);
             INSERT INTO log_groups VALUES (1, 'quiet');
             INSERT INTO state VALUES ('paused', 'by on-call');
             INSERT INTO quarantine VALUES (1, 1735725600000, 'origin', 'reason', 1, 'x');",
        )
        .unwrap();
    case.close();
    for (table, rows) in [
        ("functions", 2),
        ("checkpoints", 1),
        ("gaps", 1),
        ("inventory", 1),
        ("holds", 1),
        ("log_groups", 1),
        ("quarantine", 1),
        ("state WHERE key = 'paused'", 1),
    ] {
        let count = case.count(&format!("SELECT count(*) FROM {table}"));
        assert_eq!(count, rows, "{table}");
    }
}

/// 10,005 records that are none: the first five make room. A sample is of characters, not of bytes.
#[test]
fn the_quarantine_keeps_the_newest_10_000_and_500_characters_of_each() {
    let mut case = Case::new();
    let long = "\u{1f980}".repeat(501);
    let poison = |n: usize| format!("{n} {long}").into_bytes();
    let payloads: Vec<_> = (1..=10_005).map(poison).collect();
    let digest = case.deliver(payloads, Channel::Reports);
    assert_eq!(digest.quarantined, 10_005);
    assert_eq!(case.count("SELECT count(*) FROM quarantine"), 10_000);
    let store = rusqlite::Connection::open(case.path()).unwrap();
    let first = "SELECT sample FROM quarantine ORDER BY id LIMIT 1";
    assert_eq!(
        left(&store, first),
        [format!("6 {}", "\u{1f980}".repeat(498))],
        "the sixth, its first 500 characters"
    );
    assert_eq!(case.count("SELECT min(bytes) FROM quarantine"), 2 + 4 * 501);
    let last = "SELECT substr(sample, 1, 6) FROM quarantine ORDER BY id DESC LIMIT 1";
    assert_eq!(left(&store, last), ["10005 "]);
    let longest = case.count("SELECT max(length(sample)) FROM quarantine");
    assert_eq!(longest, 500);
}
