//! `gaps`: what a stream dropped before it was read. Kept for good, because the question what is
//! missing may come long after the process that saw it has ended.

use rightsizer_records::Timestamp;
use rightsizer_rules::gap::Gap;
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::columns::{int, timestamp};
use super::error::StoreError;

/// A gap as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotedGap {
    /// What may be missing.
    #[serde(flatten)]
    pub gap: Gap,
    /// When it was found.
    pub noted_at: Timestamp,
}

/// What streams dropped before it was read.
#[derive(Debug)]
pub struct Gaps<'u> {
    pub(super) tx: &'u Connection,
}

impl Gaps<'_> {
    /// Keeps what a stream forgot before it was read.
    pub fn note(&self, gap: &Gap, now: Timestamp) -> Result<(), StoreError> {
        // With the same beginning it is the same gap, found again when more was forgotten.
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

/// At most `most` gaps, the newest, oldest of these first.
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
