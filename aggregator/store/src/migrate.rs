//! Moves a store of an earlier release to the schema of this one. A step only adds, and reads no more than it must.

use rusqlite::Transaction;

use super::identity::FIRST_RELEASED;

/// The steps, each from one version to the next; the first begins at [`FIRST_RELEASED`].
const STEPS: [&str; 2] = [TO_15, TO_16];

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

/// The time at which code changed was not kept, so of the earlier changes it stays unknown.
const TO_16: &str = "ALTER TABLE inventory ADD COLUMN code_ms INTEGER;";

/// Applies all steps after version `found`.
pub(super) fn migrate(tx: &Transaction<'_>, found: i64) -> rusqlite::Result<()> {
    let done = usize::try_from(found - FIRST_RELEASED).unwrap_or(usize::MAX);
    STEPS
        .iter()
        .skip(done)
        .try_for_each(|step| tx.execute_batch(step))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rusqlite::Connection;

    use super::super::error::StoreError;
    use super::super::identity::SCHEMA_VERSION;
    use super::super::open::{Reader, Store};
    use super::*;

    /// Makes a store as the first release left it: without the columns that came later.
    fn of_the_first_release(path: &Path) {
        drop(Store::open(path, "test").unwrap());
        let old = Connection::open(path).unwrap();
        old.execute_batch(
            "ALTER TABLE days DROP COLUMN restores;
             ALTER TABLE days DROP COLUMN failed_inits;
             ALTER TABLE days DROP COLUMN failed_restores;
             ALTER TABLE environments DROP COLUMN start_ms;
             ALTER TABLE inventory DROP COLUMN code_ms;
             INSERT INTO functions (id, function, first_ms, heard_ms, last_ms, version) VALUES
                (1, 'local:restored', 0, 0, 86400000, '7'), (2, 'local:plain', 0, 0, 86400000, '7');
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

    #[test]
    fn a_store_of_the_first_release_is_moved_to_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        of_the_first_release(&path);
        drop(Reader::open(&path).unwrap());
        assert_eq!(starts(&path).len(), 6);
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
