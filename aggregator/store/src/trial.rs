//! The invocations before and after a change, for its verdict.

use std::sync::LazyLock;

use rightsizer_records::{Day, Timestamp};
use rightsizer_rules::lifecycle::Status;
use rightsizer_rules::outcome::{
    OUTCOME_WITHIN_MS, ObservedDay, OpenTrial, Reverted, Trial, TrialFacts,
};
use rightsizer_rules::window::{DaySource, Distribution, Hours, WINDOW_DAYS};
use rusqlite::{Connection, Row, params};

use super::columns::{count, megabytes, timestamp};
use super::error::StoreError;
use super::transitions::{any_of, status};
use super::unit::FunctionId;

/// The last change of a function's size.
static LAST_CHANGE: LazyLock<String> = LazyLock::new(|| {
    let changed = Status::ALL.into_iter().filter(|s| s.has_changed_size());
    format!(
        "SELECT id, from_mb, to_mb, applied_ms, status FROM recommendations
         WHERE function_id = ? AND applied_ms IS NOT NULL AND {}
         ORDER BY applied_ms DESC, id DESC LIMIT 1",
        any_of(changed)
    )
});

fn read(row: &Row<'_>) -> Result<ObservedDay, StoreError> {
    let number = |n: usize| -> rusqlite::Result<u64> { Ok(count(row.get(n)?)) };
    let bytes = |n: usize| row.get_ref(n)?.as_blob().map_err(rusqlite::Error::from);
    Ok(ObservedDay {
        day: Day::from_number(row.get(0)?),
        kind: DaySource::kind(row.get(1)?),
        size: megabytes(row.get(2)?),
        invocations: number(3)?,
        environments: number(10)?,
        errors: number(4)?,
        timeouts: number(5)?,
        ooms: number(6)?,
        censored: row.get(7)?,
        billed_ms: number(8)?,
        durations: Distribution::from_bytes(bytes(9)?)?,
        hours: Hours::from_bytes(bytes(11)?)?,
    })
}

/// Changes without a verdict.
#[derive(Debug)]
pub struct Trials<'u> {
    pub(super) tx: &'u Connection,
}

impl Trials<'_> {
    /// Returns the last change of a function, if it has no verdict yet.
    pub fn open(&self, id: FunctionId) -> Result<Option<OpenTrial>, StoreError> {
        let mut statement = self.tx.prepare_cached(&LAST_CHANGE)?;
        let mut rows = statement.query([id])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        if status(row.get_ref(4)?)? != Status::Applied {
            return Ok(None);
        }
        Ok(Some(OpenTrial {
            id: row.get(0)?,
            from_mb: megabytes(row.get(1)?),
            to_mb: megabytes(row.get(2)?),
            applied_at: timestamp(row.get(3)?)?,
        }))
    }

    /// Returns the evidence on a change at `now`, by the window's clock.
    pub fn evidence(
        &self,
        id: FunctionId,
        open: &OpenTrial,
        now: Timestamp,
        p95_tolerance: f64,
    ) -> Result<Trial, StoreError> {
        let from = open.applied_at.day().plus(-WINDOW_DAYS);
        let days = self.days_of(id, from, now.day())?;
        let last: i64 = self
            .tx
            .prepare_cached("SELECT last_ms FROM functions WHERE id = ?")?
            .query_row([id], |row| row.get(0))?;
        let facts = TrialFacts {
            now,
            last: timestamp(last)?,
            begun: self.environments_since(id, open)?,
            reverted: self.reverted(id, open)?,
            p95_tolerance,
        };
        Ok(open.evidence(days, facts))
    }

    /// The days' rows, by day and by source.
    fn days_of(&self, id: FunctionId, from: Day, to: Day) -> Result<Vec<ObservedDay>, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT day, source, memory_mb, invocations, errors, timeouts, ooms, censored, billed_ms,
                    durations, environments, hours
             FROM days WHERE day = ? AND function_id = ? ORDER BY source",
        )?;
        let mut days = Vec::new();
        for day in from.number()..=to.number() {
            let mut rows = statement.query(params![day, id])?;
            while let Some(row) = rows.next()? {
                days.push(read(row)?);
            }
        }
        Ok(days)
    }

    /// Environments that began at the new size since the change.
    fn environments_since(&self, id: FunctionId, open: &OpenTrial) -> Result<u32, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT count(DISTINCT env) FROM environments
             WHERE function_id = ? AND memory_mb = ? AND first_ms >= ? AND days <> ''",
        )?;
        let since = open.applied_at.as_ms() - OUTCOME_WITHIN_MS;
        let key = params![id, open.to_mb.0, since];
        Ok(statement.query_row(key, |row| row.get(0))?)
    }

    /// Environments that began at the old size after every one that began at the new. Those from
    /// logs have no numbered records, and count with the required number of invocations.
    fn reverted(&self, id: FunctionId, open: &OpenTrial) -> Result<Reverted, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT count(DISTINCT env), coalesce(sum(CASE WHEN marks = '' THEN 5 ELSE seen END), 0)
             FROM environments WHERE function_id = ?1 AND memory_mb = ?2 AND days <> ''
                AND first_ms > (SELECT max(first_ms) FROM environments
                    WHERE function_id = ?1 AND memory_mb = ?3 AND first_ms >= ?4)",
        )?;
        let key = params![id, open.from_mb.0, open.to_mb.0, open.applied_at.as_ms()];
        let (environments, invocations): (u32, i64) =
            statement.query_row(key, |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut account = self.tx.prepare_cached(
            "SELECT coalesce(told_ms + 86400000 >= last_ms AND account_mb <> ?2, 0)
             FROM functions_now WHERE id = ?1",
        )?;
        Ok(Reverted {
            environments,
            invocations: count(invocations),
            contradicted: account.query_row(params![id, open.from_mb.0], |row| row.get(0))?,
        })
    }
}
