//! Moves a store of an earlier release to the schema of this one. A step only adds, and reads no more than it must.

use rusqlite::Transaction;

use super::identity::FIRST_RELEASED;

/// The steps, each from one version to the next; the first begins at [`FIRST_RELEASED`].
const STEPS: [&[&str]; 2] = [&[TO_15], &[TO_16_PRICES, TO_16_HOURS, TO_16_CODE, VIEWS]];

/// Restores from a snapshot get a column of their own. Before, only the configuration distinguished them: the starts of
/// published versions are taken for restores if the function has SnapStart, and all others for init, for which the
/// limits are stricter. `FunctionState` does the same with a state of an earlier version.
const TO_15: &str = "
ALTER TABLE days ADD COLUMN restores BLOB NOT NULL DEFAULT x'';
ALTER TABLE days ADD COLUMN failed_inits BLOB NOT NULL DEFAULT x'';
ALTER TABLE days ADD COLUMN failed_restores BLOB NOT NULL DEFAULT x'';
ALTER TABLE environments ADD COLUMN start_ms INTEGER;
UPDATE days SET restores = inits, inits = x''
    WHERE version NOT IN ('$LATEST', 'other') AND inits <> x'' AND function_id IN
        (SELECT f.id FROM functions f JOIN inventory i ON i.function = f.function WHERE i.snap_start);
";

/// What dollars are made of gets columns of its own; the next decision of each function fills them.
const TO_16_PRICES: &str = "
ALTER TABLE functions ADD COLUMN decided_mb INTEGER;
ALTER TABLE functions ADD COLUMN decided_arch TEXT;
ALTER TABLE functions ADD COLUMN billed_days INTEGER;
ALTER TABLE functions ADD COLUMN billed_ms INTEGER;
ALTER TABLE functions ADD COLUMN billed_ms_after INTEGER;
ALTER TABLE functions ADD COLUMN gb_second_usd REAL;
DROP VIEW review;
DROP VIEW review_wide;
DROP VIEW functions_now;
";

/// Days get their durations by the time of the day. Those that are stored already have none.
const TO_16_HOURS: &str = "
ALTER TABLE days ADD COLUMN hours BLOB NOT NULL DEFAULT x'';
";

/// The time at which code changed was not kept, so of the earlier changes it stays unknown.
const TO_16_CODE: &str = "ALTER TABLE inventory ADD COLUMN code_ms INTEGER;";

/// The views after they were dropped.
const VIEWS: &str = include_str!("views.sql");

/// Applies all steps after version `found`.
pub(super) fn migrate(tx: &Transaction<'_>, found: i64) -> rusqlite::Result<()> {
    let done = usize::try_from(found - FIRST_RELEASED).unwrap_or(usize::MAX);
    STEPS
        .iter()
        .skip(done)
        .copied()
        .flatten()
        .try_for_each(|step| tx.execute_batch(step))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rightsizer_rules::price::PriceTable;
    use rusqlite::Connection;

    use super::super::error::StoreError;
    use super::super::identity::SCHEMA_VERSION;
    use super::super::open::{Reader, Store};
    use super::*;

    /// Takes away what version 16 added, and leaves other views.
    const WITHOUT_16: &str = "
        ALTER TABLE days DROP COLUMN hours;
        ALTER TABLE inventory DROP COLUMN code_ms;
        DROP VIEW review;
        DROP VIEW review_wide;
        DROP VIEW functions_now;
        ALTER TABLE functions DROP COLUMN decided_mb;
        ALTER TABLE functions DROP COLUMN decided_arch;
        ALTER TABLE functions DROP COLUMN billed_days;
        ALTER TABLE functions DROP COLUMN billed_ms;
        ALTER TABLE functions DROP COLUMN billed_ms_after;
        ALTER TABLE functions DROP COLUMN gb_second_usd;
        CREATE VIEW functions_now AS SELECT function, usd_before FROM functions;
        CREATE VIEW review_wide AS SELECT * FROM functions_now;
        CREATE VIEW review AS SELECT * FROM review_wide;
    ";

    /// Makes an empty store of version 15.
    fn of_version_15(path: &Path) -> Connection {
        drop(Store::open(path, "test").unwrap());
        let old = Connection::open(path).unwrap();
        old.execute_batch(WITHOUT_16).unwrap();
        old.pragma_update(None, "user_version", 15).unwrap();
        old
    }

    /// Makes a store as the first release left it: without the columns that came later.
    fn of_the_first_release(path: &Path) {
        let old = of_version_15(path);
        old.execute_batch(
            "ALTER TABLE days DROP COLUMN restores;
             ALTER TABLE days DROP COLUMN failed_inits;
             ALTER TABLE days DROP COLUMN failed_restores;
             ALTER TABLE environments DROP COLUMN start_ms;
             INSERT INTO functions (id, function, first_ms, heard_ms, last_ms, version, decided_day, policy_mb, to_mb,
                invocations, usd_before, usd_after) VALUES
                (1, 'local:restored', 0, 0, 86400000, '7', 1, 256, 256, 9, 4.0, 2.0),
                (2, 'local:plain', 0, 0, 86400000, '7', NULL, NULL, NULL, NULL, NULL, NULL);
             INSERT INTO days (day, function_id, source, memory_mb, version, peak_mb, invocations, errors, timeouts,
                ooms, at_limit, censored, environments, billed_ms, durations, inits, used)
             SELECT 1, f.id, 0, 512, v.version, 90, 1, 0, 0, 0, 0, 0, 1, 5, x'', x'0102', x''
             FROM functions f, (SELECT '7' AS version UNION SELECT '$LATEST' UNION SELECT 'other') v;
             INSERT INTO inventory (function, memory_mb, timeout_s, arch, package, layers, log_group, edge_replica,
                managed_instances, snap_start, seen_ms)
             SELECT function, 512, 3, 'arm64', 'zip', '', '', 0, 0, id = 1, 0 FROM functions;",
        )
        .unwrap();
        old.pragma_update(None, "user_version", FIRST_RELEASED)
            .unwrap();
    }

    /// The rows that have starts: function, version, and whether they are restores.
    fn starts(path: &Path) -> Vec<(i64, String, bool)> {
        let store = Connection::open(path).unwrap();
        let version: i64 = store
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap();
        assert_eq!(version, SCHEMA_VERSION);
        let query = "SELECT function_id, version, restores = x'0102' FROM days
             WHERE x'0102' IN (inits, restores) ORDER BY 1, 2";
        let mut statement = store.prepare(query).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        rows.unwrap().collect::<Result<_, _>>().unwrap()
    }

    /// Of the function with SnapStart, published versions are restored; `$LATEST` never is.
    #[test]
    fn starts_of_the_first_release_are_parted_by_the_configuration() {
        let wanted = [
            (1, "$LATEST", false),
            (1, "7", true),
            (1, "other", false),
            (2, "$LATEST", false),
            (2, "7", false),
            (2, "other", false),
        ];
        let wanted = wanted.map(|(id, version, restored)| (id, version.to_owned(), restored));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        of_the_first_release(&path);
        drop(Store::open(&path, "test").unwrap());
        assert_eq!(starts(&path), wanted);
        // A second time there is nothing to do.
        drop(Store::open(&path, "test").unwrap());
        assert_eq!(starts(&path), wanted);
    }

    /// A store of version 15 did not keep the time of the day of durations: its days have none, and new days do.
    #[test]
    fn days_of_version_15_have_no_hours() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        let old = of_version_15(&path);
        old.execute_batch(
            "INSERT INTO functions (id, function, first_ms, heard_ms, last_ms, version)
                VALUES (1, 'local:f', 0, 0, 86400000, '7');
             INSERT INTO days (day, function_id, source, memory_mb, version, peak_mb, invocations, errors, timeouts,
                ooms, at_limit, censored, environments, billed_ms, durations, used)
                VALUES (1, 1, 0, 512, '7', 90, 1, 0, 0, 0, 0, 0, 1, 5, x'0501', x'')",
        )
        .unwrap();
        drop(Store::open(&path, "test").unwrap());
        let moved = Connection::open(&path).unwrap();
        let hours: Vec<u8> = moved
            .query_row("SELECT hours FROM days", [], |row| row.get(0))
            .unwrap();
        assert_eq!(hours, [0; 0]);
        let [size] = Reader::open(&path)
            .unwrap()
            .sizes("local:f")
            .unwrap()
            .try_into()
            .unwrap();
        assert_eq!((size.invocations, size.hours_factor), (1, None));
    }

    #[test]
    fn a_store_of_the_first_release_is_moved_to_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        of_the_first_release(&path);
        drop(Reader::open(&path).unwrap());
        assert_eq!(starts(&path).len(), 6);
    }

    /// The names and definitions of the views, and the columns of functions.
    fn layout(path: &Path) -> Vec<String> {
        let store = Connection::open(path).unwrap();
        let query = "SELECT sql FROM sqlite_schema WHERE type = 'view'
             UNION SELECT name FROM pragma_table_info('functions') ORDER BY 1";
        let mut statement = store.prepare(query).unwrap();
        let rows = statement.query_map([], |row| row.get(0));
        rows.unwrap().collect::<Result<_, _>>().unwrap()
    }

    /// What the dollars of its decisions are made of is unknown, so they stay until the next ones.
    #[test]
    fn a_store_of_the_first_release_gets_the_views_and_keeps_its_dollars() {
        let dir = tempfile::tempdir().unwrap();
        let (path, new) = (dir.path().join("store.db"), dir.path().join("new.db"));
        of_the_first_release(&path);
        drop(Store::open(&new, "test").unwrap());
        let prices: PriceTable = serde_json::from_str(r#"{"x86_gb_second":1.0}"#).unwrap();
        let reader = Reader::open(&path).unwrap().with_prices(&prices);
        assert_eq!(layout(&path), layout(&new));
        let row = reader.exactly("local:restored").unwrap().unwrap();
        let dollars = (row.monthly_usd_before, row.monthly_usd_after);
        assert_eq!(dollars, (Some(4.0), Some(2.0)));
    }

    #[test]
    fn a_store_of_the_first_release_that_is_in_use_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        let _writer = Store::open(&path, "rightsizer serve").unwrap();
        let old = Connection::open(&path).unwrap();
        old.pragma_update(None, "user_version", FIRST_RELEASED)
            .unwrap();
        let error = Reader::open(&path).unwrap_err();
        assert!(matches!(error, StoreError::Older { .. }), "{error}");
        assert!(error.to_string().contains("rightsizer serve"), "{error}");
    }
}
