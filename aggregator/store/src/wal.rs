//! The write-ahead log (WAL) of SQLite. It is written back to the database as it grows, but not past the snapshot
//! of the oldest reader, so it grows while that reader is active.

use std::path::Path;
use std::time::Duration;

use super::error::StoreError;
use super::files::{beside, real};
use super::open::{BUSY, Store};

/// The size that the log may keep on the disk once it has no reader.
pub const WAL_KEPT: u64 = 64 << 20;
/// Above this size a reader has held the log for a long time, which is worth a warning.
pub const WAL_LARGE: u64 = 512 << 20;
/// How long the writer waits for readers to release the log; every sender waits as long.
const FOR_READERS: Duration = Duration::from_millis(200);

/// Returns the bytes of the log of `store`; 0 without a log.
pub fn wal_bytes(store: &Path) -> u64 {
    std::fs::metadata(beside(&real(store), "-wal")).map_or(0, |facts| facts.len())
}

impl Store {
    /// Returns the bytes of the log.
    pub(crate) fn wal_bytes(&self) -> u64 {
        wal_bytes(self.files().store())
    }

    /// Writes the log back and empties it, if it is larger than [`WAL_KEPT`]. Commits alone never
    /// do that if some reader is always active, and a log without writes does not shrink. Returns
    /// its bytes afterwards: unchanged if a reader holds it.
    pub fn trim_wal(&mut self) -> Result<u64, StoreError> {
        if self.wal_bytes() <= WAL_KEPT {
            return Ok(self.wal_bytes());
        }
        let connection = self.connection();
        connection.busy_timeout(FOR_READERS)?;
        let trimmed = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        connection.busy_timeout(BUSY)?;
        match trimmed {
            // A reader holds it, or another program writes it back just now.
            Err(e) if e.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {}
            trimmed => trimmed?,
        }
        Ok(self.wal_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use rusqlite::Connection;

    use super::*;

    /// Writes and deletes some 20 MB, in commits of 1 MB.
    fn write(store: &Store) {
        let connection = store.connection();
        connection
            .execute_batch("CREATE TABLE IF NOT EXISTS ballast (bytes)")
            .unwrap();
        for _ in 0..20 {
            connection
                .execute_batch("BEGIN; INSERT INTO ballast VALUES (randomblob(1000000)); COMMIT;")
                .unwrap();
        }
        connection.execute_batch("DELETE FROM ballast").unwrap();
    }

    /// `sqlite3 … | less`: a statement that is not stepped to its end.
    #[test]
    fn the_log_that_a_long_reader_held_is_given_back_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        let mut store = Store::open(&path, "a test").unwrap();
        let reader = Connection::open(&path).unwrap();
        reader
            .execute_batch("BEGIN; SELECT count(*) FROM functions;")
            .unwrap();
        for _ in 0..4 {
            write(&store);
        }
        assert!(store.trim_wal().unwrap() > WAL_KEPT, "it is held");
        reader.execute_batch("COMMIT").unwrap();
        assert!(store.trim_wal().unwrap() <= WAL_KEPT);
    }

    /// Readers that overlap, so that one is always active.
    #[test]
    fn the_log_is_bounded_beside_readers_without_a_gap() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        let mut store = Store::open(&path, "a test").unwrap();
        let done = AtomicBool::new(false);
        let read = || {
            let reader = Connection::open(&path).unwrap();
            while !done.load(Ordering::Relaxed) {
                reader
                    .execute_batch("BEGIN; SELECT count(*) FROM functions;")
                    .unwrap();
                std::thread::sleep(Duration::from_millis(10));
                reader.execute_batch("COMMIT").unwrap();
            }
        };
        let largest = std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(read);
            }
            let mut largest = 0;
            for _ in 0..20 {
                write(&store);
                largest = largest.max(store.trim_wal().unwrap());
            }
            done.store(true, Ordering::Relaxed);
            largest
        });
        // 400 MB were written. On a busy machine a reader may hold it for some writes of 20 MB.
        assert!(largest <= 3 * WAL_KEPT, "{} MB", largest >> 20);
    }
}
