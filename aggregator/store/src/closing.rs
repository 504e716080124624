//! Closes a store, also if its files are no longer at their paths.

use std::time::Duration;

use rusqlite::config::DbConfig;

use super::copy;
use super::files::rescue_path;
use super::open::Store;

impl Drop for Store {
    /// Closes the store. Closing the last connection writes the WAL back and removes it by their paths, so the
    /// files there must be this store's. If they are not, the committed data is copied to another file.
    fn drop(&mut self) {
        let files = self.files();
        if files.check().is_ok() {
            return;
        }
        let _ = self.connection().busy_timeout(Duration::from_millis(200));
        let mut checkpoint = "PRAGMA wal_checkpoint(PASSIVE)";
        if files.lacks_the_store() {
            let rescued = copy::copy(self.connection(), &rescue_path(files.store()));
            // A remaining WAL would be used for the next file at this path.
            if rescued.is_ok() {
                checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
            }
        }
        if files.shares_locks() {
            let _ = self.connection().query_row(checkpoint, [], |_| Ok(()));
        }
        if !files.has_its_log() {
            let leave_it = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            let _ = self.connection().set_db_config(leave_it, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    /// A unit reads before it writes, so a commit of another program in between would stop the server.
    #[test]
    fn another_program_that_writes_does_not_stop_the_writer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        let mut store = Store::open(&path, "a test").unwrap();
        let outside = Connection::open(&path).unwrap();
        outside.busy_timeout(Duration::ZERO).unwrap();
        let now = rightsizer_records::Timestamp::MIN;
        let unit = store.begin().unwrap();
        assert!(unit.checkpoints().beginning_with("").unwrap().is_empty());
        let refused = outside.execute_batch("CREATE TABLE notes (text)");
        unit.checkpoints().set("source", "1", now).unwrap();
        unit.commit().unwrap();
        assert!(refused.is_err(), "it has to wait");
        outside.execute_batch("CREATE TABLE notes (text)").unwrap();
    }

    #[test]
    fn a_store_that_was_removed_is_copied_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        let mut store = Store::open(&path, "a test").unwrap();
        let now = rightsizer_records::Timestamp::MIN;
        let unit = store.begin().unwrap();
        unit.checkpoints().set("source", "1", now).unwrap();
        unit.commit().unwrap();
        std::fs::remove_file(&path).unwrap();
        let gone = store.begin().map(|_| ()).unwrap_err();
        assert!(gone.is_gone(), "{gone}");
        drop(store);
        let rescued = Connection::open(rescue_path(&path)).unwrap();
        let sql = "SELECT position FROM checkpoints";
        let position: String = rescued.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(position, "1");
    }
}
