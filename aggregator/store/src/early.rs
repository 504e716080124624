//! Records whose time is more than a day ahead of the machine's clock. They are kept in `state` until the clock
//! reaches that time, because the clock may be behind, and the stream does not deliver them again.

use rightsizer_records::Timestamp;
use rusqlite::{Connection, params};

use super::columns::int;
use super::error::StoreError;
use super::quarantine::Quarantine;
use super::state::State;

/// Most records that are kept.
const MOST_RECORDS: i64 = 10_000;
/// Most bytes that are kept.
const MOST_BYTES: i64 = 64 << 20;
/// After this time, a record with a time still in the future is wrong.
const KEPT_MS: i64 = 7 * 86_400_000;
/// Prefix of the keys; the claimed time follows in a form that sorts.
const PREFIX: &str = "early/";
/// Sorts after every key that begins with [`PREFIX`].
const END: &str = "early0";
const COUNT: &str = "early_records";
const BYTES: &str = "early_bytes";

/// A record as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlyRecord {
    /// Its source, for the quarantine.
    pub origin: String,
    /// Whether it is from the decisions stream.
    pub decisions: bool,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The key of a record, its arrival time, and the record.
type Found = (String, (i64, EarlyRecord));

impl EarlyRecord {
    fn pack(&self, now: Timestamp) -> Vec<u8> {
        let origin = self.origin.as_bytes();
        let mut packed = now.as_ms().to_be_bytes().to_vec();
        packed.push(self.decisions.into());
        packed.extend(u32::try_from(origin.len()).unwrap_or(0).to_be_bytes());
        packed.extend(origin);
        packed.extend(&self.bytes);
        packed
    }

    /// Returns the record and its arrival time.
    fn unpack(packed: &[u8]) -> Option<(i64, Self)> {
        let (came, rest) = packed.split_first_chunk::<8>()?;
        let (decisions, rest) = rest.split_first()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (origin, bytes) = rest.split_at_checked(length)?;
        let kept = Self {
            origin: String::from_utf8_lossy(origin).into_owned(),
            decisions: *decisions != 0,
            bytes: bytes.to_vec(),
        };
        Some((i64::from_be_bytes(*came), kept))
    }
}

/// Records that are ahead of the clock.
#[derive(Debug)]
pub struct Early<'u> {
    pub(super) tx: &'u Connection,
}

impl Early<'_> {
    /// Keeps a record until `at`. Returns whether there was room for it.
    pub fn keep(
        &self,
        at: Timestamp,
        kept: &EarlyRecord,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let packed = kept.pack(now);
        let count = self.number_in_state(COUNT)? + 1;
        let bytes = self.number_in_state(BYTES)? + int(packed.len() as u64);
        if count > MOST_RECORDS || bytes > MOST_BYTES {
            return Ok(false);
        }
        self.tx
            .prepare_cached(
                "INSERT INTO state (key, value)
                 VALUES (?1 || printf('%015d', ?2) || '/' || hex(randomblob(8)), ?3)",
            )?
            .execute(params![PREFIX, at.as_ms(), packed])?;
        self.state().set(COUNT, Some(&count.to_string()))?;
        self.state().set(BYTES, Some(&bytes.to_string()))?;
        Ok(true)
    }

    /// Returns at most `most` records that claim a time up to `until`, with their keys, the earliest first.
    pub fn until(
        &self,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<(String, EarlyRecord)>, StoreError> {
        let end = format!("{PREFIX}{:015}0", until.as_ms());
        let found = self.between(PREFIX, &end, most)?;
        Ok(found
            .into_iter()
            .map(|(key, (_, kept))| (key, kept))
            .collect())
    }

    /// Deletes these records.
    pub fn forget(&self, keys: &[String]) -> Result<(), StoreError> {
        let (mut count, mut bytes) = (0, 0);
        for key in keys {
            let size: i64 = self
                .tx
                .prepare_cached("DELETE FROM state WHERE key = ? RETURNING length(value)")?
                .query_row([key], |row| row.get(0))?;
            count += 1;
            bytes += size;
        }
        if count > 0 {
            let left = |counted: i64, gone: i64| (counted - gone).max(0).to_string();
            self.state()
                .set(COUNT, Some(&left(self.number_in_state(COUNT)?, count)))?;
            self.state()
                .set(BYTES, Some(&left(self.number_in_state(BYTES)?, bytes)))?;
        }
        Ok(())
    }

    /// Quarantines records that have waited for a week and still claim a time after `until`.
    pub fn give_up(&self, until: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        let from = format!("{PREFIX}{:015}0", until.as_ms());
        let waiting = self.between(&from, END, usize::MAX)?;
        let before = now.as_ms() - KEPT_MS;
        let mut keys = Vec::new();
        for (key, (_, kept)) in waiting.into_iter().filter(|(_, (came, _))| *came < before) {
            let why = "its time is far in the future, and still is after a week";
            Quarantine { tx: self.tx }.add_whole(&kept.origin, why, &kept.bytes, now)?;
            keys.push(key);
        }
        self.forget(&keys)?;
        Ok(keys.len() as u64)
    }

    fn between(&self, from: &str, to: &str, most: usize) -> Result<Vec<Found>, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT key, value FROM state WHERE key >= ? AND key < ? ORDER BY key LIMIT ?",
        )?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![from, to, most])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let key: String = row.get(0)?;
            let packed: Vec<u8> = row.get(1)?;
            let kept = EarlyRecord::unpack(&packed)
                .ok_or_else(|| StoreError::Damaged(format!("{key} is not a record")))?;
            found.push((key, kept));
        }
        Ok(found)
    }

    const fn state(&self) -> State<'_> {
        State { tx: self.tx }
    }

    fn number_in_state(&self, key: &str) -> Result<i64, StoreError> {
        let text = self.state().get(key)?;
        Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
    }
}

/// Key in `state` of the last effect of a wrong clock.
pub(crate) const CLOCK_FAULT: &str = "clock_fault";
/// Key in `state` of the number of early records.
pub(crate) const EARLY: &str = COUNT;

impl Early<'_> {
    /// Records that the closes made under a wrong clock were undone, back to `day`.
    pub fn note_clock_fault(
        &self,
        day: rightsizer_records::Day,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let what = format!(
            "at {now} days after {day} were closed too early, by a clock that was ahead; they \
             were reopened"
        );
        self.state().set(CLOCK_FAULT, Some(&what))
    }
}
