//! A store of every earlier version, with something in each of its tables, is brought up to date with all
//! of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;

fn file(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("store.db")
}

/// As version 1 wrote them: a function at 512 MB with one day from a stream and one from a file, one
/// environment that lost 3 of 10 reports, an applied recommendation and one that waits, and a line in
/// every other table.
const VERSION_1: &str = "
    INSERT INTO functions (id, function, version, first_ms, heard_ms, last_ms, current_mb,
        current_ms, applied_mb, applied_ms, seen, duplicates, late, policy_mb, reasons)
    VALUES (7, 'local:f', '$LATEST', 1767225600000, 1767225600000, 1767225700000, 1024,
        1767225600000, 512, 1767225650000, 7, 2, 1, 300, '[]');
    INSERT INTO days VALUES (20454, 7, 0, 512, '$LATEST', 200, 7, 0, 0, 0, 0, 0, 1, 700, x'', x'');
    INSERT INTO days VALUES (20453, 7, 2, 512, '$LATEST', 210, 7, 1, 1, 1, 1, 1, 1, 700, x'', x'');
    INSERT INTO peaks VALUES (7, 20454, 200, 0), (7, 20453, 210, 512);
    INSERT INTO environments VALUES (7, '0000000000000001', 512, '$LATEST', 1767225600000,
        1767225700000, '0-0', 10, 7, 0, '20454', NULL, 4300, 5);
    INSERT INTO checkpoints VALUES ('kinesis:reports@0/shardId-000000000000', '49', 1767225700000);
    INSERT INTO recommendations VALUES
        ('aa', 7, 20453, 'applied', 1024, 512, 0, 1, NULL, 1767225600000, 1767312000000,
            1767225610000, 1767225650000, '', NULL, NULL, NULL),
        ('bb', 7, 20454, 'approved', 512, 300, 0, 0, '{}', 1767225600000, 1767312000000,
            NULL, NULL, NULL, 'on-call', 'why', 1767225640000);
    INSERT INTO holds VALUES (7, 1767312000000, 'on-call', 'why', 1767225600000);
    INSERT INTO outcomes VALUES ('aa', 'applied', 1767225650000, 'local:f', 1024, 512, '', 'well');
    INSERT INTO quarantine VALUES (3, 1767225600000, 'kinesis:reports', 'no JSON', 2, 'xx');
    INSERT INTO state VALUES ('last_closed_day', '20453'), ('paused', 'by on-call');";

/// What version 2 brought.
const VERSION_2: &str = "
    UPDATE functions SET cleared_day = 20440, baseline_p95_ms = 12.5;
    UPDATE days SET cpu_ms = 3, cpu_wall_ms = 9;
    UPDATE environments SET high_water = '1,2,3';
    INSERT INTO log_events VALUES (20454, -5);
    INSERT INTO gaps VALUES ('kinesis:reports/shardId-000000000000', 0, 1767225600000, 'why',
        1767225600000);
    INSERT INTO inventory VALUES ('local:f', 512, 30, 'arm64', 'nodejs22.x', 'sha', 'zip', '[]',
        '/aws/lambda/f', '{\"team\":\"a\"}', 0, 0, 1, 1767225600000, 1767225700000);";

/// What version 4 brought.
const VERSION_4: &str = "UPDATE recommendations SET again_ms = 1767225800000 WHERE id = 'bb';";

/// What version 5 brought.
const VERSION_5: &str = "
    UPDATE inventory SET failures_only = 1;
    INSERT INTO log_groups VALUES (4, '/aws/lambda/f');
    INSERT INTO log_days VALUES (4, 20454, 1767225700000, 7);";

/// What version 7 brought.
const VERSION_7: &str = "
    UPDATE functions SET ran_out_mb = 512, ran_out_ms = 1767225600000, imported = 1;
    INSERT INTO witnesses VALUES (7, 20454, 200, 0, 0, 0, 0);";

/// Makes the store that a program of `version` left.
fn store_of(path: &Path, version: usize) -> Connection {
    let old = Connection::open(path).unwrap();
    old.execute_batch(MIGRATIONS[0]).unwrap();
    old.execute_batch(VERSION_1).unwrap();
    for (n, step) in (1..).zip(MIGRATIONS).take(version).skip(1) {
        old.execute_batch(step).unwrap();
        match n {
            2 => old.execute_batch(VERSION_2).unwrap(),
            4 => old.execute_batch(VERSION_4).unwrap(),
            5 => old.execute_batch(VERSION_5).unwrap(),
            7 => old.execute_batch(VERSION_7).unwrap(),
            _ => {}
        }
    }
    old.pragma_update(None, "application_id", APPLICATION_ID)
        .unwrap();
    old.pragma_update(None, "user_version", i64::try_from(version).unwrap())
        .unwrap();
    old
}

/// The columns of every table.
fn tables(store: &Connection) -> BTreeMap<String, Vec<String>> {
    let mut statement = store
        .prepare(
            "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c
             WHERE t.type = 'table' ORDER BY t.name, c.cid",
        )
        .unwrap();
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let columns = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    for column in columns.unwrap() {
        let (table, column) = column.unwrap();
        tables.entry(table).or_default().push(column);
    }
    tables
}

/// The rows of a table, these columns of each.
fn rows(store: &Connection, table: &str, columns: &[String]) -> Vec<String> {
    let columns: Vec<_> = columns.iter().map(|c| format!("quote({c})")).collect();
    let query = format!("SELECT {} FROM {table}", columns.join(" || ' ' || "));
    let mut statement = store.prepare(&query).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    let mut rows = rows.collect::<Result<Vec<_>, _>>().unwrap();
    rows.sort();
    rows
}

#[test]
fn a_store_of_any_earlier_version_is_brought_up_to_date_with_all_that_is_in_it() {
    for version in 1..MIGRATIONS.len() {
        let dir = tempfile::tempdir().unwrap();
        let old = store_of(&file(&dir), version);
        // What is represented differently since then is compared separately below.
        let retold = |table: &str, column: &str| (table, column) == ("days", "source");
        let before: Vec<_> = tables(&old)
            .into_iter()
            .map(|(table, mut columns)| {
                columns.retain(|column| !retold(&table, column));
                (table, columns)
            })
            .collect();
        let error = Reader::open(&file(&dir)).unwrap_err().to_string();
        assert!(error.contains(&format!("version {version}")), "{error}");
        let empty: Vec<_> = before
            .iter()
            .filter(|(table, columns)| rows(&old, table, columns).is_empty())
            .collect();
        assert!(
            empty.is_empty(),
            "nothing in {empty:?} of version {version}"
        );
        let copy = tempfile::tempdir().unwrap();
        let untouched = store_of(&file(&copy), version);
        drop(old);

        // Once is enough.
        for _ in 0..2 {
            drop(Store::open(&file(&dir), "test").unwrap());
        }
        let now = Connection::open(file(&dir)).unwrap();
        let columns_now = tables(&now);
        for (table, mut columns) in before {
            columns.retain(|column| columns_now[&table].contains(column));
            let (was, is) = (
                rows(&untouched, &table, &columns),
                rows(&now, &table, &columns),
            );
            assert_eq!(is, was, "{table} of version {version}");
        }
        told_as_now(&now, version);
        let reader = Reader::open(&file(&dir)).unwrap();
        let row = reader.find("f").unwrap().remove(0);
        assert_eq!(
            (row.current_mb, row.policy_mb, row.lost),
            (512, Some(300), 3),
            "version {version}"
        );
        assert_eq!(row.status, "approved");
        assert_eq!(reader.evidence().unwrap().len(), 5);
    }
}

/// What a later version keeps in other columns or by other numbers.
fn told_as_now(store: &Connection, version: usize) {
    let text = |query: &str| store.query_row(query, [], |row| row.get::<_, String>(0));
    for (query, wanted) in [
        // Files come behind log groups since version 5.
        (
            "SELECT group_concat(source) FROM (SELECT source FROM days ORDER BY day)",
            "1099511627776,0",
        ),
        (
            "SELECT newest_mb || ' ' || started_mb || ' ' || started_ms || ' ' || self_kib
             FROM functions",
            "1024 1024 1767225600000 4300",
        ),
        (
            "SELECT group_concat(id || ' ' || coalesce(applied_ms, '-')) FROM
                (SELECT id, applied_ms FROM recommendations ORDER BY id)",
            "aa 1767225650000,bb -",
        ),
    ] {
        assert_eq!(text(query).unwrap(), wanted, "version {version}: {query}");
    }
}
