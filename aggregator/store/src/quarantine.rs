//! `quarantine`: records that cannot be used, with the reason.

use rightsizer_records::{Timestamp, printable};
use rusqlite::{Connection, params};

use super::columns::int;
use super::error::StoreError;

/// Number of entries that the quarantine keeps, the newest ones.
const QUARANTINE_ROWS: i64 = 10_000;
/// Bytes that are kept of a bad record, of its reason and of its origin, because a sender may control all of them.
const SAMPLE_CHARS: usize = 500;
const REASON_CHARS: usize = 500;
const ORIGIN_CHARS: usize = 128;

/// A record that cannot be used.
#[derive(Debug, Clone, Copy)]
pub struct Quarantined<'a> {
    /// Its origin.
    pub origin: &'a str,
    /// The reason for which it cannot be used.
    pub reason: &'a str,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its beginning.
    pub sample: &'a str,
}

/// The records that cannot be used.
#[derive(Debug)]
pub struct Quarantine<'u> {
    pub(super) tx: &'u Connection,
}

impl Quarantine<'_> {
    /// Stores a record of which nothing can be used, with the reason.
    pub fn add_whole(
        &self,
        origin: &str,
        reason: &str,
        bytes: &[u8],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let begin = bytes.get(..4 * SAMPLE_CHARS).unwrap_or(bytes);
        let what = Quarantined {
            origin,
            reason,
            bytes: bytes.len() as u64,
            sample: &String::from_utf8_lossy(begin),
        };
        self.add(&what, now)
    }

    /// Stores an invalid record with the reason; the newest 10,000 are kept.
    pub fn add(&self, record: &Quarantined<'_>, now: Timestamp) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(
                "INSERT INTO quarantine (at_ms, origin, reason, bytes, sample)
                 VALUES (?, ?, ?, ?, ?)",
            )?
            .execute(params![
                now.as_ms(),
                printable(record.origin, ORIGIN_CHARS),
                printable(record.reason, REASON_CHARS),
                int(record.bytes),
                printable(record.sample, SAMPLE_CHARS),
            ])?;
        let newest = self.tx.last_insert_rowid();
        self.tx
            .prepare_cached("DELETE FROM quarantine WHERE id <= ?")?
            .execute([newest - QUARANTINE_ROWS])?;
        Ok(())
    }
}
