//! The earlier recommendations that the next decision of a function considers: the active and the rejected
//! ones.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

use rightsizer_records::{Megabytes, Timestamp};
use rightsizer_rules::assess::NewRecommendation;
use rightsizer_rules::lifecycle::{ClosedCode, Status};
use rusqlite::params;

use super::columns::megabytes;
use super::error::StoreError;
use super::recommendations::{PARAMETERS, Recommendations, WRITTEN, values};
use super::reviewing::REJECTED_FOR_MS;
use super::transitions::{considered, status};
use super::unit::FunctionId;

static REPLACE: LazyLock<String> = LazyLock::new(|| {
    format!("UPDATE OR IGNORE recommendations SET ({WRITTEN}) = ({PARAMETERS}) WHERE rowid = ?")
});

static EARLIER: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT function_id, rowid, id, status, from_mb, to_mb, expires_ms, auto,
                coalesce(closed_ms, 0), sent_ms IS NOT NULL
         FROM recommendations INDEXED BY recommendations_considered
         WHERE function_id BETWEEN ? AND ? AND {}
         ORDER BY function_id",
        considered()
    )
});

/// An earlier recommendation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// The function.
    pub function: FunctionId,
    /// Its id.
    pub id: String,
    /// Open, approved, sent or rejected.
    pub status: Status,
    /// The size it was decided for.
    pub from_mb: Megabytes,
    /// The size it wants.
    pub to_mb: Megabytes,
    /// When it expires, in milliseconds since 1970.
    pub expires_at: i64,
    /// Whether it needs no approval, so that it may already be on its way to the stream.
    pub auto: bool,
    was_sent: bool,
    closed_ms: i64,
    row: i64,
}

impl Earlier {
    /// Returns whether it may still be applied.
    pub const fn is_active(&self) -> bool {
        self.status.is_active()
    }

    /// Returns whether it only waits for a review, so that it was not and will not be sent.
    pub fn only_waits(&self) -> bool {
        self.status == Status::Open && !self.auto && !self.was_sent
    }

    /// Returns whether this decrease, or one up to 32 MB smaller, was rejected recently.
    pub fn rejects(&self, (from, to): (Megabytes, Megabytes), now: Timestamp) -> bool {
        self.status == Status::Rejected
            && self.from_mb == from
            && self.to_mb < from
            && self.to_mb.0.saturating_add(32) >= to.0
            && self.closed_ms > now.as_ms() - REJECTED_FOR_MS
    }
}

impl Recommendations<'_> {
    /// Returns whether a rollback of a change has been recommended before.
    pub fn is_taken_back(&self, id: FunctionId, change: &str) -> Result<bool, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM recommendations WHERE function_id = ? AND rollback_of = ?)",
        )?;
        Ok(statement.query_row(params![id, change], |row| row.get(0))?)
    }

    /// Returns the earlier recommendations of the functions `ids`, by function.
    pub fn earlier(&self, ids: &RangeInclusive<FunctionId>) -> Result<Vec<Earlier>, StoreError> {
        let mut statement = self.tx.prepare_cached(&EARLIER)?;
        let mut rows = statement.query(params![ids.start(), ids.end()])?;
        let mut earlier = Vec::new();
        while let Some(row) = rows.next()? {
            earlier.push(Earlier {
                function: row.get(0)?,
                row: row.get(1)?,
                id: row.get(2)?,
                status: status(row.get_ref(3)?)?,
                from_mb: megabytes(row.get(4)?),
                to_mb: megabytes(row.get(5)?),
                expires_at: row.get(6)?,
                auto: row.get(7)?,
                closed_ms: row.get(8)?,
                was_sent: row.get(9)?,
            });
        }
        Ok(earlier)
    }

    /// Replaces a recommendation that only waited by `new`. If the id of `new` already has a row, that row is
    /// used, because it has a history, and the other is removed.
    pub fn replace(
        &self,
        old: &Earlier,
        new: &NewRecommendation,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let replaced = self
            .tx
            .prepare_cached(&REPLACE)?
            .execute(values(new, old.row))?;
        if replaced == 0 {
            let why = format!("by {}", new.id);
            self.close(
                (old.function, &old.id),
                ClosedCode::LaterDecision,
                &why,
                now,
            )?;
            self.recommend(old.function, new)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;

    fn new(id: &str, to_mb: u32) -> NewRecommendation {
        let issued_at = Timestamp::parse("2026-05-01T10:00:00Z").unwrap();
        NewRecommendation {
            id: id.to_owned(),
            day: issued_at.day(),
            from_mb: Megabytes(1024),
            to_mb: Megabytes(to_mb),
            urgent: false,
            auto: false,
            record: None,
            issued_at,
            expires_at: issued_at.plus_ms(1000),
            rollback_of: None,
            known: true,
            added_usd: 0.0,
        }
    }

    #[test]
    fn what_only_waited_gives_way_to_a_row_that_its_successor_has_already() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(&dir.path().join("store.db"), "test").unwrap();
        let unit = store.begin().unwrap();
        let now = new("", 0).issued_at;
        unit.tx
            .execute(
                "INSERT INTO functions (id, function, version, first_ms, heard_ms, last_ms)
                 VALUES (7, 'local:f', '$LATEST', 0, 0, 0)",
                [],
            )
            .unwrap();
        unit.recommendations()
            .recommend(7, &new("first", 300))
            .unwrap();
        unit.recommendations()
            .close((7, "first"), ClosedCode::NextStepWaits, "why", now)
            .unwrap();
        unit.recommendations()
            .recommend(7, &new("second", 310))
            .unwrap();
        let earlier = unit.recommendations().earlier(&(1..=9)).unwrap();
        assert_eq!(earlier.len(), 1);
        unit.recommendations()
            .replace(&earlier[0], &new("third", 320), now)
            .unwrap();
        let earlier = unit.recommendations().earlier(&(1..=9)).unwrap();
        assert_eq!((earlier.len(), earlier[0].id.as_str()), (1, "third"));
        unit.recommendations()
            .replace(&earlier[0], &new("first", 300), now)
            .unwrap();
        let earlier = unit.recommendations().earlier(&(1..=9)).unwrap();
        assert_eq!((earlier.len(), earlier[0].id.as_str()), (1, "first"));
        assert_eq!(earlier[0].to_mb, Megabytes(300));
    }
}
