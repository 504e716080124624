//! The lifecycle's table as SQL: every update that changes a status has its condition from here.

use std::collections::HashMap;
use std::sync::LazyLock;

use rightsizer_records::Timestamp;
use rightsizer_rules::lifecycle::{ClosedCode, Event, Status};
use rusqlite::params;
use rusqlite::types::ValueRef;

use super::error::StoreError;
use super::recommendations::Recommendations;
use super::unit::FunctionId;

/// Returns the condition that a row has one of these statuses. Comparisons, because SQLite would look up a
/// list of three or more in a table that it builds for every statement.
pub(super) fn any_of(statuses: impl Iterator<Item = Status>) -> String {
    let one = |status: Status| format!("status = '{}'", status.name());
    let all: Vec<String> = statuses.map(one).collect();
    format!("({})", all.join(" OR "))
}

/// Returns the condition of the index `recommendations_considered`: the statuses that the next decision of a
/// function considers.
pub(super) fn considered() -> String {
    let rejected = std::iter::once(Status::Rejected);
    let active = [Status::Open, Status::Approved, Status::Sent];
    any_of(active.into_iter().chain(rejected))
}

/// Returns the condition that `event` changes a row.
pub(super) fn changed_by(event: Event) -> String {
    any_of(event.sources())
}

/// Returns the status that `event` gives a row that it changes; another row keeps its status.
pub(super) fn status_after(event: Event) -> String {
    let (condition, target) = (changed_by(event), event.target().name());
    format!("CASE WHEN {condition} THEN '{target}' ELSE status END")
}

/// Reads a status.
pub(super) fn status(value: ValueRef<'_>) -> Result<Status, StoreError> {
    let name = value.as_str().map_err(rusqlite::Error::from)?;
    Status::from_name(name).ok_or_else(|| StoreError::Damaged(format!("a status {name:?}")))
}

/// The update that closes a recommendation, for each event.
static CLOSE: LazyLock<HashMap<Event, String>> = LazyLock::new(|| {
    let close = |event: Event| {
        format!(
            "UPDATE recommendations SET status = '{}', closed_ms = ?, closed_code = ?,
                closed_reason = ?
             WHERE function_id = ? AND id = ? AND {}",
            event.target().name(),
            changed_by(event)
        )
    };
    Event::ALL
        .into_iter()
        .map(|event| (event, close(event)))
        .collect()
});

impl Recommendations<'_> {
    /// Closes a recommendation with `code` and with `reason` for people, if the code's event changes its
    /// status.
    pub fn close(
        &self,
        (function, id): (FunctionId, &str),
        code: ClosedCode,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.tx
            .prepare_cached(&CLOSE[&code.event()])?
            .execute(params![now.as_ms(), code.name(), reason, function, id])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rightsizer_records::Megabytes;
    use rightsizer_rules::lifecycle::next;
    use rusqlite::Connection;

    use super::*;
    use rightsizer_rules::assess::NewRecommendation;

    use crate::Store;

    fn now() -> Timestamp {
        Timestamp::parse("2026-05-01T10:00:00Z").unwrap()
    }

    /// A store with a function and a recommendation of each status, whose id is the status.
    fn store_with_each_status(dir: &tempfile::TempDir) -> Store {
        let mut store = Store::open(&dir.path().join("store.db"), "test").unwrap();
        let unit = store.begin().unwrap();
        unit.tx
            .execute_batch(
                "INSERT INTO functions (id, function, version, first_ms, heard_ms, last_ms)
                 VALUES (7, 'local:f', '$LATEST', 0, 0, 0)",
            )
            .unwrap();
        for status in Status::ALL {
            unit.tx
                .execute(
                    "INSERT INTO recommendations (function_id, id, day, status, from_mb, to_mb, urgent,
                        auto, issued_ms, expires_ms) VALUES (7, ?1, 1, ?1, 1024, 512, 0, 0, 0, 0)",
                    [status.name()],
                )
                .unwrap();
        }
        unit.commit().unwrap();
        store
    }

    fn statuses(tx: &Connection) -> Vec<(Status, Status)> {
        let mut statement = tx
            .prepare("SELECT id, status FROM recommendations")
            .unwrap();
        let rows = statement.query_map([], |row| {
            let read = |n| Ok::<_, rusqlite::Error>(status(row.get_ref(n)?).unwrap());
            Ok((read(0)?, read(1)?))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn closing_changes_just_the_statuses_of_the_table() {
        for code in ClosedCode::all() {
            let dir = tempfile::tempdir().unwrap();
            let mut store = store_with_each_status(&dir);
            let unit = store.begin().unwrap();
            for status in Status::ALL {
                unit.recommendations()
                    .close((7, status.name()), code, "why", now())
                    .unwrap();
            }
            for (before, after) in statuses(&unit.tx) {
                let wanted = next(before, code.event());
                assert_eq!(after, wanted.unwrap_or(before), "{before:?} {code:?}");
            }
            let coded = "SELECT count(*) FROM recommendations WHERE closed_code = ?";
            let coded: u32 = unit
                .tx
                .query_row(coded, [code.name()], |row| row.get(0))
                .unwrap();
            assert_eq!(coded as usize, code.event().sources().count(), "{code:?}");
        }
    }

    /// The same decision again, of a row of each status that was closed for `code`, whose wait is over or not.
    fn decided_again(code: ClosedCode, due: bool) -> Vec<(Status, Status)> {
        let dir = tempfile::tempdir().unwrap();
        let mut store = store_with_each_status(&dir);
        let unit = store.begin().unwrap();
        let closed = "UPDATE recommendations SET closed_ms = ?1, closed_code = ?2, again_ms = ?3";
        let again = due.then_some(now().as_ms());
        unit.tx
            .execute(closed, params![now().as_ms(), code.name(), again])
            .unwrap();
        for status in Status::ALL {
            let new = NewRecommendation {
                id: status.name().to_owned(),
                day: now().day(),
                from_mb: Megabytes(1024),
                to_mb: Megabytes(512),
                urgent: false,
                auto: false,
                record: None,
                issued_at: now(),
                expires_at: now().plus_ms(1000),
                rollback_of: None,
                known: true,
                added_usd: 0.0,
            };
            unit.recommendations().recommend(7, &new).unwrap();
        }
        statuses(&unit.tx)
    }

    #[test]
    fn the_same_decision_again_opens_the_statuses_of_the_table() {
        for due in [false, true] {
            for (before, after) in decided_again(ClosedCode::NextStepWaits, due) {
                let again = next(before, Event::DecidedAgain);
                let when_due = next(before, Event::DecidedWhenDue).filter(|_| due);
                let wanted = again.or(when_due).unwrap_or(before);
                assert_eq!(after, wanted, "{before:?}, {due}");
            }
        }
    }

    #[test]
    fn w9_what_a_peak_withdrew_is_not_opened_by_the_same_decision() {
        let after = decided_again(ClosedCode::PeakNear, true);
        assert!(
            after.contains(&(Status::Withdrawn, Status::Withdrawn)),
            "{after:?}"
        );
    }

    /// What the partial indexes hold, by the text of their conditions in the schema.
    #[test]
    fn the_indexes_of_the_schema_hold_the_statuses_of_the_table() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = store_with_each_status(&dir);
        let unit = store.begin().unwrap();
        let held = |index: &str| -> Vec<Status> {
            let sql = "SELECT sql FROM sqlite_schema WHERE name = ?";
            let sql: String = unit.tx.query_row(sql, [index], |row| row.get(0)).unwrap();
            let condition = sql.rsplit_once("WHERE").unwrap().1;
            let held = format!(
                "SELECT status FROM (SELECT status, 1 AS auto, from_mb, to_mb FROM recommendations)
                 WHERE {condition}"
            );
            let mut held = unit.tx.prepare(&held).unwrap();
            let held = held.query_map([], |row| Ok(status(row.get_ref(0)?).unwrap()));
            let mut held: Vec<Status> = held.unwrap().map(Result::unwrap).collect();
            held.sort();
            held
        };
        let all = |wanted: &dyn Fn(Status) -> bool| -> Vec<Status> {
            let mut all: Vec<Status> = Status::ALL.into_iter().filter(|s| wanted(*s)).collect();
            all.sort();
            all
        };
        assert_eq!(
            held("recommendations_considered"),
            all(&|s| s.is_active() || s == Status::Rejected)
        );
        let to_be_sent: Vec<Status> = Event::Sent.sources().collect();
        assert_eq!(held("recommendations_outbox"), to_be_sent);
        assert_eq!(held("recommendations_sent"), [Status::Sent]);
        let unverified = [Status::Sent, Status::Applied];
        assert_eq!(held("recommendations_unverified"), unverified);
    }
}
