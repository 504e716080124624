//! The past and pending changes of functions' sizes.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use rightsizer_records::{Megabytes, Timestamp};
use rightsizer_rules::assess::{AppliedChange, History};
use rightsizer_rules::lifecycle::Status;
use rusqlite::{Row, params};

use super::columns::{megabytes, timestamp};
use super::error::StoreError;
use super::evidence::Evidence;
use super::open::Reader;
use super::transitions::{any_of, considered, status};
use super::unit::FunctionId;

/// The largest size in flight of each function.
static PENDING: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT function_id, max(to_mb) FROM recommendations INDEXED BY recommendations_considered
         WHERE function_id BETWEEN ? AND ? AND status = '{}' AND expires_ms > ? AND {}
         GROUP BY function_id",
        Status::Sent.name(),
        considered()
    )
});

/// Returns the changes of some functions' sizes, the oldest of each first.
static CHANGES: LazyLock<String> = LazyLock::new(|| {
    let changed = Status::ALL.into_iter().filter(|s| s.has_changed_size());
    format!(
        "SELECT function_id, applied_ms, from_mb, to_mb, status, auto AND reviewed_by IS NULL
         FROM recommendations INDEXED BY recommendations_changes
         WHERE function_id BETWEEN ? AND ? AND applied_ms IS NOT NULL AND {}
         ORDER BY function_id, applied_ms, id",
        any_of(changed)
    )
});

impl Evidence<'_> {
    /// Returns the history of each function of `ids` that has one, without the invocations since a change,
    /// which are counted from the days.
    pub(super) fn histories(
        &self,
        ids: &RangeInclusive<FunctionId>,
        now: Timestamp,
    ) -> Result<HashMap<FunctionId, History>, StoreError> {
        let mut histories: HashMap<FunctionId, History> = HashMap::new();
        let mut changed = self.tx.prepare_cached(&CHANGES)?;
        let mut rows = changed.query(params![ids.start(), ids.end()])?;
        while let Some(row) = rows.next()? {
            let history = histories.entry(row.get(0)?).or_default();
            history.apply(applied(row)?);
        }
        let mut sent = self.tx.prepare_cached(&PENDING)?;
        let mut rows = sent.query(params![ids.start(), ids.end(), now.as_ms()])?;
        while let Some(row) = rows.next()? {
            let history = histories.entry(row.get(0)?).or_default();
            history.pending_mb = Some(megabytes(row.get(1)?));
        }
        Ok(histories)
    }
}

impl Reader {
    /// Returns the size of a function before its first remembered change; `None` if none changed it.
    pub(super) fn before_the_first_change(
        &self,
        id: FunctionId,
    ) -> Result<Option<Megabytes>, StoreError> {
        let mut changed = self.connection.prepare_cached(&CHANGES)?;
        let mut rows = changed.query(params![id, id])?;
        let mut history = History::default();
        if let Some(row) = rows.next()? {
            history.apply(applied(row)?);
        }
        Ok(history.changes.before_mb)
    }
}

/// Reads a row of [`CHANGES`].
fn applied(row: &Row<'_>) -> Result<AppliedChange, StoreError> {
    Ok(AppliedChange {
        at: timestamp(row.get(1)?)?,
        from_mb: megabytes(row.get(2)?),
        to_mb: megabytes(row.get(3)?),
        status: status(row.get_ref(4)?)?,
        automatic: row.get(5)?,
    })
}
