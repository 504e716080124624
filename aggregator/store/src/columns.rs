//! Converts column values to units and back. A value outside the range of a column is clamped: a count above 2^63
//! cannot be real.

use rightsizer_records::{Megabytes, Timestamp};

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
