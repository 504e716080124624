//! Converts column values to units and back. A value outside the range of a column is clamped: a count above 2^63
//! cannot be real.

use rightsizer_records::{Megabytes, Timestamp};
use rusqlite::Row;
use rusqlite::types::FromSql;
use serde::de::DeserializeOwned;

use super::error::StoreError;

pub(super) fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub(super) fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

pub(super) fn megabytes(n: i64) -> Megabytes {
    Megabytes(u32::try_from(n.max(0)).unwrap_or(u32::MAX))
}

pub(super) fn timestamp(ms: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_ms(ms).ok_or_else(|| StoreError::Damaged(format!("{ms} is not a time")))
}

/// The columns of a row, one after another.
pub(super) struct Columns<'a> {
    row: &'a Row<'a>,
    next: usize,
}

impl<'a> Columns<'a> {
    pub(super) const fn of(row: &'a Row<'a>) -> Self {
        Self { row, next: 0 }
    }

    pub(super) fn take<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        self.next += 1;
        self.row.get(self.next - 1)
    }

    pub(super) fn mb(&mut self) -> rusqlite::Result<Option<u32>> {
        Ok(self.take::<Option<i64>>()?.map(|n| megabytes(n).0))
    }

    pub(super) fn number(&mut self) -> rusqlite::Result<u64> {
        Ok(self.take::<Option<i64>>()?.map_or(0, count))
    }

    /// A value that is stored as JSON; the default if there is none.
    pub(super) fn json<T: DeserializeOwned + Default>(
        &mut self,
        what: &str,
    ) -> Result<T, StoreError> {
        let value = self.row.get_ref(self.next)?.as_str_or_null();
        self.next += 1;
        let Some(text) = value.map_err(rusqlite::Error::from)? else {
            return Ok(T::default());
        };
        serde_json::from_str(text).map_err(|e| StoreError::Damaged(format!("{what}: {e}")))
    }
}
