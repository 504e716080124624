//! `gaps`: records that a stream dropped before they were read. They are kept forever, because a person may ask
//! for them long after the process that found them has ended.

use rightsizer_records::Timestamp;
use rightsizer_rules::gap::Gap;
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::columns::{int, timestamp};
use super::error::StoreError;

/// A stored gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotedGap {
    /// The records that may be missing.
    #[serde(flatten)]
    pub gap: Gap,
    /// When it was found.
    pub noted_at: Timestamp,
}

/// Records that streams dropped before they were read.
#[derive(Debug)]
pub struct Gaps<'u> {
    pub(super) tx: &'u Connection,
}

impl Gaps<'_> {
    /// Stores a gap of a stream.
    pub fn note(&self, gap: &Gap, now: Timestamp) -> Result<(), StoreError> {
        // A gap with the same beginning is the same one, found again after the stream dropped more.
        self.tx.execute(
            "INSERT INTO gaps (source, from_ms, to_ms, why, noted_ms) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (source, from_ms) DO UPDATE SET to_ms = max(to_ms, excluded.to_ms),
                    why = excluded.why, noted_ms = excluded.noted_ms",
            params![
                gap.source,
                gap.from.map_or(0, Timestamp::as_ms),
                gap.to.as_ms(),
                gap.why,
                now.as_ms()
            ],
        )?;
        Ok(())
    }
}

/// Returns at most `most` of the newest gaps, the oldest of them first.
pub(crate) fn newest_gaps(
    connection: &Connection,
    most: usize,
) -> Result<Vec<NotedGap>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT source, from_ms, to_ms, why, noted_ms FROM gaps
         ORDER BY noted_ms DESC, to_ms DESC, source LIMIT ?",
    )?;
    let rows = statement.query_map([int(most as u64)], |row| Ok(read(row)))?;
    let mut gaps = rows
        .map(|row| row?)
        .collect::<Result<Vec<_>, StoreError>>()?;
    gaps.reverse();
    Ok(gaps)
}

fn read(row: &Row<'_>) -> Result<NotedGap, StoreError> {
    let from: i64 = row.get(1)?;
    Ok(NotedGap {
        gap: Gap {
            source: row.get(0)?,
            from: (from > 0).then(|| timestamp(from)).transpose()?,
            to: timestamp(row.get(2)?)?,
            why: row.get(3)?,
        },
        noted_at: timestamp(row.get(4)?)?,
    })
}
