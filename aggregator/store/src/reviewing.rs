//! Applies review commands to the store.

use std::sync::LazyLock;

use rightsizer_records::{Mode, Recommendation, Record, Timestamp, decode, encode};
use rightsizer_rules::commands::{Action, Done, Refused, ReviewCommand};
use rightsizer_rules::lifecycle::{ClosedCode, Event};
use rusqlite::{Connection, OptionalExtension, params};

use super::decisions::Decisions;
use super::error::StoreError;
use super::holds::Holds;
use super::recommendations::Recommendations;
use super::retention::Retention;
use super::stops::Stops;
use super::transitions::changed_by;
use super::unit::{FunctionId, WorkingSet};

/// The time for which a rejected decrease is not proposed again.
pub(super) const REJECTED_FOR_MS: i64 = 14 * DAY_MS;
/// The time for which an approval is valid, also during a pause, because the updater reads the function again
/// anyway.
const APPROVED_FOR_MS: i64 = 14 * DAY_MS;
const DAY_MS: i64 = 86_400_000;

/// Finds recommendations that wait for a person, by id or by function.
const BY_ID: &str = "r.id = ?1";
const BY_FUNCTION: &str = "f.function = ?1";

/// Approves a recommendation; the function is known from then on.
static APPROVE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE recommendations SET status = '{}', known = 1, record = ?, expires_ms = ?,
            reviewed_by = ?, reviewed_why = ?, reviewed_ms = ?
         WHERE function_id = ? AND id = ? AND {}",
        Event::Approved.target().name(),
        changed_by(Event::Approved)
    )
});

/// Takes an approval back: it waits for a person again.
static UNAPPROVE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE recommendations SET status = '{}', auto = 0, record = ?, reviewed_by = NULL,
            reviewed_why = NULL, reviewed_ms = NULL
         WHERE function_id = ? AND id = ? AND {}",
        Event::Unapproved.target().name(),
        changed_by(Event::Unapproved)
    )
});

type Answer = Result<Result<Done, Refused>, StoreError>;

/// A recommendation that waits for a person.
struct Waiting {
    owner: FunctionId,
    id: String,
    function: String,
    from_mb: i64,
    to_mb: i64,
    record: Option<String>,
}

/// Review commands.
#[derive(Debug)]
pub struct ReviewCommands<'u> {
    pub(super) tx: &'u Connection,
    pub(super) rows: &'u mut WorkingSet,
}

impl ReviewCommands<'_> {
    /// Applies a review command, or returns the reason for which it cannot be applied.
    pub fn carry_out(&mut self, command: &ReviewCommand, now: Timestamp) -> Answer {
        if let Err(refused) = command.check() {
            return Ok(Err(refused));
        }
        match &command.action {
            Action::Approve { what } => self.on_open(what, |open| self.approve(open, command, now)),
            Action::Unapprove { what } => self.unapprove(what),
            Action::Reject { what } => self.on_open(what, |open| self.reject(open, command, now)),
            Action::Hold { what, days } => {
                self.on_function(what, |id, name| self.hold(id, name, *days, command, now))
            }
            Action::Release { what } => self.on_function(what, |id, name| self.release(id, name)),
            Action::Clear { what } => self.on_function(what, |id, name| self.clear(id, name, now)),
            Action::Forget { what } => self.forget(what),
            Action::Pause => self.pause(command, now),
            Action::Resume => self.resume(now),
        }
    }

    fn approve(&self, open: &Waiting, command: &ReviewCommand, now: Timestamp) -> Answer {
        let Some(record) = &open.record else {
            return Ok(Err(Refused::OnlyAName(open.function.clone())));
        };
        let mut record = decoded(&open.id, record)?;
        record.mode = Mode::Approved;
        record.by = Some(command.by.clone());
        record.expires_at = now.plus_ms(APPROVED_FOR_MS);
        let expires = record.expires_at.as_ms();
        let record = encoded(record)?;
        self.tx.execute(
            &APPROVE,
            params![
                record,
                expires,
                command.by,
                command.why,
                now.as_ms(),
                open.owner,
                open.id
            ],
        )?;
        done(format!(
            "approved: {} from {} to {} MB ({}); `serve` with --emit sends it, or run `rightsizer \
             apply`",
            open.function, open.from_mb, open.to_mb, open.id
        ))
    }

    fn unapprove(&self, what: &str) -> Answer {
        let approved = match self.waiting(BY_ID, what, Event::Unapproved)? {
            Some(approved) => approved,
            None => match self.functions_named(what)?.as_slice() {
                [] => return Ok(Err(Refused::NotFound(what.to_owned()))),
                [(_, name)] => match self.waiting(BY_FUNCTION, name, Event::Unapproved)? {
                    Some(approved) => approved,
                    None => {
                        return Ok(Err(Refused::NothingApproved {
                            what: name.clone(),
                            status: self.last_status(name)?,
                        }));
                    }
                },
                several => return Ok(Err(ambiguous(what, several))),
            },
        };
        let record = approved.record.as_deref();
        let record = record.map(|record| unreviewed(&approved.id, record));
        let record = record.transpose()?;
        self.tx
            .execute(&UNAPPROVE, params![record, approved.owner, approved.id])?;
        done(format!(
            "approval taken back: {} from {} to {} MB ({}); it waits for a review",
            approved.function, approved.from_mb, approved.to_mb, approved.id
        ))
    }

    fn reject(&self, open: &Waiting, command: &ReviewCommand, now: Timestamp) -> Answer {
        Recommendations { tx: self.tx }.close(
            (open.owner, &open.id),
            ClosedCode::Rejected,
            &command.why,
            now,
        )?;
        self.tx.execute(
            "UPDATE recommendations SET reviewed_by = ?, reviewed_why = ?, reviewed_ms = ?
             WHERE function_id = ? AND id = ?",
            params![command.by, command.why, now.as_ms(), open.owner, open.id],
        )?;
        done(format!(
            "rejected: {} from {} to {} MB ({})",
            open.function, open.from_mb, open.to_mb, open.id
        ))
    }

    fn hold(
        &self,
        id: FunctionId,
        name: &str,
        days: u32,
        command: &ReviewCommand,
        now: Timestamp,
    ) -> Answer {
        let until = now.plus_ms(i64::from(days) * DAY_MS);
        let by = (command.by.as_str(), command.why.as_str());
        Holds { tx: self.tx }.set(id, until, by, now)?;
        let minute = until.to_string().replace('T', " ");
        let minute = minute.get(..16).unwrap_or(&minute);
        done(format!(
            "held: no decrease of {name} is sent before {minute} UTC; increases still are"
        ))
    }

    fn release(&self, id: FunctionId, name: &str) -> Answer {
        let released = Holds { tx: self.tx }.release(id)?;
        done(if released {
            format!("released: {name}")
        } else {
            format!("{name} was not held")
        })
    }

    fn clear(&self, id: FunctionId, name: &str, now: Timestamp) -> Answer {
        if !(Decisions { tx: self.tx }).ran_out(id)? {
            return done(format!(
                "nothing to clear: {name} did not run out of memory since its last change"
            ));
        }
        Decisions { tx: self.tx }.clear_sizes(id, now.day())?;
        done(format!(
            "cleared: {name} may go below the sizes at which it ran out of memory until today; its \
             recent peaks still count, and its power curve starts again"
        ))
    }

    fn forget(&mut self, what: &str) -> Answer {
        let mut found = None;
        let answer = self.on_function(what, |id, name| {
            found = Some(id);
            done(format!(
                "forgotten: {name}, with its days, peaks and recommendations; if it reports again, \
                 it starts as a new function"
            ))
        })?;
        if let Some(id) = found {
            let mut retention = Retention {
                tx: self.tx,
                rows: &mut *self.rows,
            };
            retention.forget_functions(&[id])?;
        }
        Ok(answer)
    }

    fn pause(&self, command: &ReviewCommand, now: Timestamp) -> Answer {
        let mut paused = format!("by {} at {now}", command.by);
        if !command.why.is_empty() {
            paused.push_str(&format!(": {}", command.why));
        }
        Stops { tx: self.tx }.set_paused(&paused)?;
        done("paused: nothing is sent until `rightsizer resume`".to_owned())
    }

    fn resume(&self, now: Timestamp) -> Answer {
        Recommendations { tx: self.tx }.end_waiting_for_pause(now)?;
        let [by_person, by_itself] = Stops { tx: self.tx }.end_pauses()?;
        let by_person = by_person.map(|was| format!("it was paused {was}"));
        let by_itself = by_itself.map(|was| format!("automatic decreases were paused {was}"));
        let were: Vec<String> = by_person.into_iter().chain(by_itself).collect();
        done(if were.is_empty() {
            "it was not paused".to_owned()
        } else {
            format!("resumed; {}", were.join("; "))
        })
    }

    /// Returns the id of the open recommendation that `what` names, if there is exactly one.
    pub(super) fn open_recommendation(&self, what: &str) -> Result<Option<String>, StoreError> {
        if let Some(open) = self.waiting(BY_ID, what, Event::Approved)? {
            return Ok(Some(open.id));
        }
        match self.functions_named(what)?.as_slice() {
            [(_, name)] => Ok(self
                .waiting(BY_FUNCTION, name, Event::Approved)?
                .map(|open| open.id)),
            _ => Ok(None),
        }
    }

    /// Returns the id of the approved recommendation that `what` names, if there is exactly one.
    pub(super) fn approved_recommendation(&self, what: &str) -> Result<Option<String>, StoreError> {
        if let Some(approved) = self.waiting(BY_ID, what, Event::Unapproved)? {
            return Ok(Some(approved.id));
        }
        match self.functions_named(what)?.as_slice() {
            [(_, name)] => {
                let approved = self.waiting(BY_FUNCTION, name, Event::Unapproved)?;
                Ok(approved.map(|approved| approved.id))
            }
            _ => Ok(None),
        }
    }

    /// Returns the functions that `what` may name.
    pub(super) fn functions_named(
        &self,
        what: &str,
    ) -> Result<Vec<(FunctionId, String)>, StoreError> {
        let query = format!(
            "SELECT id, function FROM functions WHERE {}",
            super::review::NAMED
        );
        let mut statement = self.tx.prepare(&query)?;
        let found = statement.query_map([what], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    fn on_open(&self, what: &str, carry_out: impl FnOnce(&Waiting) -> Answer) -> Answer {
        let by_id = self.waiting(BY_ID, what, Event::Approved)?;
        if let Some(open) = by_id {
            return carry_out(&open);
        }
        self.on_function(what, |_, name| {
            match self.waiting(BY_FUNCTION, name, Event::Approved)? {
                Some(open) => carry_out(&open),
                None => Ok(Err(Refused::NothingOpen {
                    what: name.to_owned(),
                    status: self.last_status(name)?,
                })),
            }
        })
    }

    /// Returns the newest one that `event` would change.
    fn waiting(
        &self,
        condition: &str,
        value: &str,
        event: Event,
    ) -> Result<Option<Waiting>, StoreError> {
        let query = format!(
            "SELECT r.function_id, r.id, f.function, r.from_mb, r.to_mb, r.record FROM recommendations r
             JOIN functions f ON f.id = r.function_id
             WHERE {condition} AND {} ORDER BY r.issued_ms DESC, r.id LIMIT 1",
            changed_by(event)
        );
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Waiting {
                owner: row.get(0)?,
                id: row.get(1)?,
                function: row.get(2)?,
                from_mb: row.get(3)?,
                to_mb: row.get(4)?,
                record: row.get(5)?,
            })
        };
        Ok(self.tx.query_row(&query, [value], read).optional()?)
    }

    fn last_status(&self, function: &str) -> Result<String, StoreError> {
        let query = "SELECT r.status FROM recommendations r
             JOIN functions f ON f.id = r.function_id WHERE f.function = ?
             ORDER BY r.issued_ms DESC, r.id LIMIT 1";
        let status = self
            .tx
            .query_row(query, [function], |row| row.get(0))
            .optional()?;
        Ok(status.unwrap_or_else(|| "none".to_owned()))
    }

    fn on_function(
        &self,
        what: &str,
        carry_out: impl FnOnce(FunctionId, &str) -> Answer,
    ) -> Answer {
        match self.functions_named(what)?.as_slice() {
            [] => Ok(Err(Refused::NotFound(what.to_owned()))),
            [(id, name)] => carry_out(*id, name),
            several => Ok(Err(ambiguous(what, several))),
        }
    }
}

fn ambiguous(what: &str, several: &[(FunctionId, String)]) -> Refused {
    Refused::Ambiguous {
        what: what.to_owned(),
        names: several.iter().map(|(_, name)| name.clone()).collect(),
    }
}

/// A record as it was before it was approved.
fn unreviewed(id: &str, record: &str) -> Result<String, StoreError> {
    let mut record = decoded(id, record)?;
    record.mode = Mode::Auto;
    record.by = None;
    encoded(record)
}

fn decoded(id: &str, record: &str) -> Result<Recommendation, StoreError> {
    let damaged = |why: String| StoreError::Damaged(format!("recommendation {id}: {why}"));
    match decode(record.as_bytes()) {
        Ok(Record::Recommendation(record)) => Ok(record),
        Ok(_) => Err(damaged("it is of another kind".to_owned())),
        Err(error) => Err(damaged(error.to_string())),
    }
}

fn encoded(record: Recommendation) -> Result<String, StoreError> {
    let text = String::from_utf8(encode(&Record::Recommendation(record)));
    text.map_err(|e| StoreError::Damaged(e.to_string()))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the last expression of every way to be applied"
)]
fn done(message: String) -> Answer {
    Ok(Ok(Done {
        message,
        updater: None,
    }))
}
