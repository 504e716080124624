//! Tests of `overview`.

use rusqlite::Connection;

use super::*;
use crate::Store;
use crate::review::lines_where;

const NEW_YEAR: i64 = 1_704_067_200_000;

/// Functions a, b and c; b was read from the layer and from a log group.
fn store() -> (tempfile::TempDir, Reader) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    drop(Store::open(&path, "test").unwrap());
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch(
        "INSERT INTO functions (id, function, first_ms, heard_ms, last_ms, version)
            VALUES (1, 'a', 0, 0, 0, '$LATEST'), (2, 'b', 0, 0, 0, '$LATEST'), (3, 'c', 0, 0, 0, '$LATEST');",
    )
    .unwrap();
    let reader = Reader::open(&path).unwrap();
    (dir, reader)
}

fn raw(dir: &tempfile::TempDir) -> Connection {
    Connection::open(dir.path().join("store.db")).unwrap()
}

fn recommendation(dir: &tempfile::TempDir, id: &str, status: &str, day: i64, why: &str) {
    let sql = "INSERT INTO recommendations (function_id, id, day, from_mb, to_mb, urgent, auto, issued_ms,
            expires_ms, status, applied_ms, closed_ms, closed_reason, record)
        VALUES (1, ?1, 0, 1024, 512, 0, 0, ?3, 0, ?2, ?3, ?3, ?4, '{\"monthly_usd\":{\"before\":100.0,\"after\":60.0}}')";
    raw(dir)
        .execute(sql, params![id, status, at(day).as_ms(), why])
        .unwrap();
}

/// A day of 2024.
fn at(day: i64) -> Timestamp {
    Timestamp::from_ms(NEW_YEAR + day * 86_400_000).unwrap()
}

/// Both promised 40 dollars. 0.55 of the GB-seconds saves 45, 0.80 saves 20. One without a factor is left out.
#[test]
fn savings_are_billed_and_by_month() {
    let (dir, reader) = store();
    recommendation(
        &dir,
        "1",
        "verified",
        10,
        "no harm found; 0.55 times the GB-seconds an invocation",
    );
    recommendation(
        &dir,
        "2",
        "verified",
        40,
        "no harm found; 0.80 times the GB-seconds an invocation",
    );
    recommendation(&dir, "3", "verified", 41, "no harm seen");
    recommendation(&dir, "4", "rolled-back", 42, "slower");
    let months = reader.verified_savings(at(0)).unwrap();
    let found: Vec<_> = months
        .iter()
        .map(|m| {
            (
                m.month.as_str(),
                m.changes,
                m.promised_usd,
                m.billed_usd.round(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [("2024-01", 1, 40.0, 45.0), ("2024-02", 1, 40.0, 20.0)]
    );
    assert_eq!(reader.verified_savings(at(39)).unwrap().len(), 1);
    let ids = |changes: Vec<AppliedChange>| changes.into_iter().map(|c| c.id).collect::<Vec<_>>();
    assert_eq!(
        ids(reader.applied_changes(at(40), 10).unwrap()),
        ["4", "3", "2"]
    );
    assert_eq!(ids(reader.applied_changes(at(0), 1).unwrap()), ["4"]);
    assert_eq!(ids(reader.rolled_back(at(0), 10).unwrap()), ["4"]);
}

/// More than a list of them would have. Each promised 40 dollars; what was rolled back promises nothing.
#[test]
fn all_changes_of_a_week_are_counted() {
    let (dir, reader) = store();
    for n in 0..600 {
        let status = ["verified", "rolled-back", "applied", "reverted"][n % 4];
        recommendation(&dir, &n.to_string(), status, 40, "");
    }
    recommendation(&dir, "before", "verified", 39, "");
    let wanted = ChangeCounts {
        changed: 600,
        verified: 150,
        rolled_back: 150,
        applied: 150,
        promised_usd: 450.0 * 40.0,
    };
    assert_eq!(reader.change_counts(at(40)).unwrap(), wanted);
    assert_eq!(
        reader.change_counts(at(41)).unwrap(),
        ChangeCounts::default()
    );
}

/// The layer's reports count, not those of the log group on the same day (W7).
#[test]
fn w7_the_source_that_counts_is_shown() {
    let (dir, reader) = store();
    let insert = "INSERT INTO days (day, function_id, source, memory_mb, version, peak_mb, invocations, errors,
            timeouts, ooms, at_limit, censored, environments, billed_ms, durations, used)
        VALUES (?, 2, ?, 512, ?, 0, ?, 1, 0, 0, 0, 0, 1, 50, x'', x'')";
    for (day, source, version, invocations) in [
        (5, 0, "1", 7),
        (5, 0, "2", 3),
        (5, 20, "1", 99),
        (6, 20, "1", 4),
    ] {
        raw(&dir)
            .execute(insert, params![day, source, version, invocations])
            .unwrap();
    }
    let days = reader
        .size_days("b", (4..=6).map(Day::from_number))
        .unwrap();
    let found: Vec<_> = days
        .iter()
        .map(|d| (d.day.number(), d.invocations, d.failures, d.billed_ms))
        .collect();
    assert_eq!(found, [(5, 10, 2, 100), (6, 4, 1, 50)]);
}

#[test]
fn pages_of_the_list_follow_each_other() {
    let (_dir, reader) = store();
    let names = |after: &str, most: u32| -> Vec<String> {
        let rows = reader.review_after(after, most).unwrap();
        rows.into_iter().map(|row| row.function).collect()
    };
    assert_eq!(names("", 2), ["a", "b"]);
    assert_eq!(names("b", 2), ["c"]);
    assert!(names("c", 2).is_empty());
    let mut seen = Vec::new();
    reader
        .each_review_row(|row| seen.push(row.function))
        .unwrap();
    seen.sort();
    assert_eq!(seen, ["a", "b", "c"]);
    assert!(reader.exactly("b").unwrap().is_some() && reader.exactly("B").unwrap().is_none());
}

/// What the page reads finds days by their key: a day of all functions is never read for one function, nor all days for
/// the fleet.
#[test]
fn no_query_of_the_page_walks_all_days() {
    let (dir, _reader) = store();
    let one_function = [
        lines_where("r.function = ?1", ""),
        DAILY_PEAKS.to_owned(),
        SIZE_DAYS.to_owned(),
        crate::sizes::DAY.to_owned(),
        crate::review::TIMEOUTS.to_owned(),
    ];
    let fleet = [
        lines_where("1", ""),
        lines_where(
            "r.function > ?1 AND r.function <= ?2",
            "ORDER BY r.function",
        ),
        changes("r.applied_ms >= ?1"),
        CHANGE_COUNTS.to_owned(),
        SAVINGS.to_owned(),
        URGENT.to_owned(),
    ];
    let connection = raw(&dir);
    let plan = |sql: &str| -> Vec<String> {
        let mut statement = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        for parameter in 1..=statement.parameter_count() {
            statement.raw_bind_parameter(parameter, 1).unwrap();
        }
        let mut rows = statement.raw_query();
        let mut plan = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            plan.push(row.get(3).unwrap());
        }
        plan
    };
    for sql in one_function.iter().chain(&fleet) {
        let plan = plan(sql);
        let days = |line: &&String| {
            let mut words = line.split_whitespace();
            let reads = matches!(words.next(), Some("SCAN" | "SEARCH"));
            reads && matches!(words.next(), Some("days" | "d" | "peaks" | "p"))
        };
        for line in plan.iter().filter(days) {
            // Of days, the day and the function: the day alone is that of all functions.
            let by_key =
                line.contains("(day=? AND function_id=?") || line.contains("(function_id=?");
            assert!(line.starts_with("SEARCH ") && by_key, "{line} of {plan:#?}");
        }
    }
    // For one function, no other function is read.
    for sql in &one_function {
        let plan = plan(sql);
        let scans = plan
            .iter()
            .filter(|line| line.starts_with("SCAN f") || line.starts_with("SCAN i"));
        assert_eq!(
            scans.collect::<Vec<_>>(),
            Vec::<&String>::new(),
            "{sql}: {plan:#?}"
        );
    }
}
