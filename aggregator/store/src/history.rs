//! The history of each recommendation of a function: its events, with their times and authors.

use rightsizer_records::Timestamp;
use rightsizer_rules::lifecycle::Status;
use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::columns::timestamp;
use super::error::StoreError;
use super::open::Reader;
use super::transitions::status;

/// Something that happened to a recommendation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEvent {
    /// When.
    pub at: Timestamp,
    /// `decided`, `sent`, or its status from then on.
    pub what: String,
    /// The author: a person's name, `rightsizer`, or `updater`.
    pub by: String,
    /// The reason, if one was given.
    pub why: String,
}

impl HistoryEvent {
    fn new(at: Timestamp, what: &str, by: &str, why: String) -> Self {
        Self {
            at,
            what: what.to_owned(),
            by: by.to_owned(),
            why,
        }
    }
}

/// The columns of `recommendations` that describe its history.
struct HistoryRow {
    id: String,
    status: Status,
    issued: Option<Timestamp>,
    sent: Option<Timestamp>,
    closed: Option<Timestamp>,
    closed_reason: String,
    reviewed: Option<Timestamp>,
    reviewed_by: Option<String>,
    reviewed_why: String,
    /// The row itself, as JSON.
    row: Value,
}

impl HistoryRow {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let time = |name: &str| -> Result<Option<Timestamp>, StoreError> {
            let ms: Option<i64> = row.get(name)?;
            ms.map(timestamp).transpose()
        };
        let text = |name: &str| -> rusqlite::Result<String> {
            Ok(row.get::<_, Option<String>>(name)?.unwrap_or_default())
        };
        Ok(Self {
            id: text("id")?,
            status: status(row.get_ref("status")?)?,
            issued: time("issued_ms")?,
            sent: time("sent_ms")?,
            closed: time("closed_ms")?,
            closed_reason: text("closed_reason")?,
            reviewed: time("reviewed_ms")?,
            reviewed_by: row.get("reviewed_by")?,
            reviewed_why: text("reviewed_why")?,
            row: serde_json::from_str(&text("row")?)
                .map_err(|e| StoreError::Damaged(e.to_string()))?,
        })
    }

    /// Returns its events in order, with the updater's `answers`.
    fn events(&self, answers: Vec<HistoryEvent>) -> Vec<HistoryEvent> {
        let ours = "rightsizer";
        let rejected = self.status == Status::Rejected;
        let mut events = Vec::new();
        if let Some(at) = self.issued {
            events.push(HistoryEvent::new(at, "decided", ours, String::new()));
        }
        if let (Some(at), Some(by)) = (self.reviewed, &self.reviewed_by) {
            let what = if rejected {
                Status::Rejected
            } else {
                Status::Approved
            };
            events.push(HistoryEvent::new(
                at,
                what.name(),
                by,
                self.reviewed_why.clone(),
            ));
        }
        if let Some(at) = self.sent {
            events.push(HistoryEvent::new(at, "sent", ours, String::new()));
        }
        let answered = answers
            .iter()
            .any(|answer| answer.what == self.status.name());
        events.extend(answers);
        if let Some(at) = self.closed.filter(|_| !rejected && !answered) {
            let why = self.closed_reason.clone();
            events.push(HistoryEvent::new(at, self.status.name(), ours, why));
        }
        events.sort_by_key(|event| event.at);
        events
    }
}

impl Reader {
    /// Returns a function's recommendations with their events, newest first.
    pub(super) fn history(&self, id: i64) -> Result<Vec<Value>, StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT *, json_object('id', id, 'status', status, 'from_mb', from_mb, 'to_mb', to_mb,
                'decided_on', date(day * 86400, 'unixepoch'), 'code', closed_code,
                'reason', closed_reason,
                'rollback_of', rollback_of,
                'issued_at', strftime('%Y-%m-%dT%H:%M:%SZ', issued_ms / 1000, 'unixepoch'),
                'sent_at', strftime('%Y-%m-%dT%H:%M:%SZ', sent_ms / 1000, 'unixepoch'),
                'closed_at', strftime('%Y-%m-%dT%H:%M:%SZ', closed_ms / 1000, 'unixepoch')) AS row
             FROM recommendations WHERE function_id = ?
             ORDER BY issued_ms DESC, day DESC, id LIMIT 20",
        )?;
        let mut rows = statement.query([id])?;
        let mut history = Vec::new();
        while let Some(row) = rows.next()? {
            let mut entry = HistoryRow::read(row)?;
            let events = entry.events(self.answers(id, &entry.id)?);
            entry.row["life"] =
                serde_json::to_value(events).map_err(|e| StoreError::Damaged(e.to_string()))?;
            history.push(entry.row);
        }
        Ok(history)
    }

    /// Returns the updater's outcome of a recommendation.
    fn answers(&self, function: i64, id: &str) -> Result<Vec<HistoryEvent>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT at_ms, status, reason, detail FROM outcomes
             WHERE id = ? AND function = (SELECT function FROM functions WHERE id = ?)
             ORDER BY at_ms",
        )?;
        let mut rows = statement.query(params![id, function])?;
        let mut answers = Vec::new();
        while let Some(row) = rows.next()? {
            let (status, reason, detail): (String, String, String) =
                (row.get(1)?, row.get(2)?, row.get(3)?);
            let parts: Vec<String> = [reason, detail]
                .into_iter()
                .filter(|text| !text.is_empty())
                .collect();
            let at = timestamp(row.get(0)?)?;
            answers.push(HistoryEvent::new(at, &status, "updater", parts.join(": ")));
        }
        Ok(answers)
    }
}
