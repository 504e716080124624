//! Notices for an engine besides the store: they wait in `state`, in their order, until the decisions stream has them.

use rightsizer_records::{Listing, News, Notice, Record, Timestamp, encode};
use rusqlite::{Connection, OptionalExtension, params};

use super::error::StoreError;

/// Prefix of the keys; the number of the notice follows in a form that sorts.
const PREFIX: &str = "notice/";
/// Sorts after every key that begins with [`PREFIX`].
const END: &str = "notice0";
/// What is listed without a change is repeated this often, so that it does not grow old.
const REPEATED_MS: i64 = 12 * 3_600_000;

/// A notice that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noticed {
    /// Its key.
    pub key: String,
    /// The function, as partition key.
    pub function: String,
    /// The record's bytes.
    pub record: Vec<u8>,
}

/// Notices that wait to be sent.
#[derive(Debug)]
pub struct Notices<'u> {
    pub(super) tx: &'u Connection,
}

impl Notices<'_> {
    /// Adds one, behind those that wait.
    pub fn add(&self, notice: Notice) -> Result<(), StoreError> {
        let function = notice.function.clone();
        let record = encode(&Record::Notice(notice));
        let record = String::from_utf8(record).map_err(|e| StoreError::Damaged(e.to_string()))?;
        self.tx
            .prepare_cached(
                "INSERT INTO state (key, value)
                 SELECT ?1 || printf('%015d', coalesce(max(CAST(substr(key, 8, 15) AS INTEGER)), 0) + 1)
                    || '/' || ?3, ?4
                 FROM (SELECT max(key) AS key FROM state WHERE key > ?1 AND key < ?2)",
            )?
            .execute(params![PREFIX, END, function, record])?;
        Ok(())
    }

    /// Returns the oldest, up to the given number.
    pub fn waiting(&self, most: usize) -> Result<Vec<Noticed>, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT key, substr(key, 24), value FROM state WHERE key > ? AND key < ? ORDER BY key LIMIT ?",
        )?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![PREFIX, END, most], |row| {
            Ok(Noticed {
                key: row.get(0)?,
                function: row.get(1)?,
                record: row.get::<_, String>(2)?.into_bytes(),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Removes those that the stream has.
    pub fn sent(&self, keys: &[String]) -> Result<(), StoreError> {
        let mut statement = self.tx.prepare_cached("DELETE FROM state WHERE key = ?")?;
        for key in keys {
            statement.execute([key])?;
        }
        Ok(())
    }

    /// Whether what the inventory has of a function differs from `listing`, or is so old that it is to be repeated.
    /// It must be asked before the refresh of `at` is merged.
    pub fn is_news(
        &self,
        function: &str,
        listing: &Listing,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(before) = super::moved::listed(self.tx, function)? else {
            return Ok(true);
        };
        let part = |at: Timestamp| at.as_ms().div_euclid(REPEATED_MS);
        let same = before.gone_at.is_none()
            && (before.memory_mb, before.timeout_s) == (listing.memory_mb, listing.timeout_s)
            && before.arch == listing.arch
            && (listing.code_sha256.is_none() || before.code_sha256 == listing.code_sha256)
            && (listing.tags.is_none() || before.tags == listing.tags)
            && before.failures_only == listing.failures_only
            && before.snap_start == listing.snap_start
            && before.modified == listing.modified
            && (!listing.alarms_read || before.alarm == listing.alarm);
        Ok(!same || part(before.seen_at) != part(at))
    }

    /// Adds a notice for each function that the refresh of `at` did not find any more.
    pub fn add_gone(&self, at: Timestamp) -> Result<(), StoreError> {
        let mut statement = self
            .tx
            .prepare_cached("SELECT function FROM inventory WHERE gone_ms = ?")?;
        let gone = statement.query_map([at.as_ms()], |row| row.get::<_, String>(0))?;
        for function in gone.collect::<Result<Vec<_>, _>>()? {
            self.add(Notice {
                function,
                at,
                news: News::Gone,
            })?;
        }
        Ok(())
    }

    /// Returns the name of the function of a row.
    pub fn name(&self, id: super::FunctionId) -> Result<Option<String>, StoreError> {
        let mut statement = self
            .tx
            .prepare_cached("SELECT function FROM functions WHERE id = ?")?;
        Ok(statement.query_row([id], |row| row.get(0)).optional()?)
    }
}
