//! Recommendations that come back on the decisions stream: whatever is there was sent, even if the
//! store that sent it was lost before that was saved.

use std::sync::LazyLock;

use rightsizer_records::{Day, Mode, Recommendation, Record, Timestamp, encode};
use rightsizer_rules::lifecycle::{self, Event};
use rusqlite::{OptionalExtension, params};

use super::error::StoreError;
use super::outbox::Sending;
use super::transitions::status_after;
use super::unit::FunctionId;

/// Marks a recommendation as sent.
static SAW: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE recommendations SET status = {}, sent_ms = coalesce(sent_ms, ?1),
            reviewed_by = coalesce(reviewed_by, ?2)
         WHERE function_id = ?3 AND id = ?4",
        status_after(Event::Sent)
    )
});

impl Sending<'_> {
    /// Records that `record` is on the decisions stream, so that its outcome counts and the change is verified. It
    /// has no effect if the recommendation is already marked as sent, or was not decided by this product.
    pub fn saw_sent(&self, record: &Recommendation, now: Timestamp) -> Result<(), StoreError> {
        let mut find = self
            .tx
            .prepare_cached("SELECT id FROM functions WHERE function = ?")?;
        let found = find.query_row([record.function.as_str()], |row| row.get(0));
        let Some(function): Option<FunctionId> = found.optional()? else {
            return Ok(());
        };
        let unsent = self.is_unsent_decrease(function, &record.id)?;
        self.count_sent(unsent.into(), now)?;
        self.count_added(self.unsent_usd(function, &record.id)?, now)?;
        let noted = self.tx.prepare_cached(&SAW)?.execute(params![
            now.as_ms(),
            record.by,
            function,
            record.id
        ])?;
        match lifecycle::decision_day(record) {
            Some(day) if noted == 0 => self.insert_sent(function, record, day, now),
            _ => Ok(()),
        }
    }

    fn insert_sent(
        &self,
        function: FunctionId,
        record: &Recommendation,
        day: Day,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.count_sent((record.to_mb < record.from_mb).into(), now)?;
        let text = String::from_utf8(encode(&Record::Recommendation(record.clone())));
        let text = text.map_err(|e| StoreError::Damaged(e.to_string()))?;
        self.tx
            .prepare_cached(
                "INSERT INTO recommendations (function_id, id, day, status, from_mb, to_mb, urgent,
                    auto, issued_ms, expires_ms, sent_ms, rollback_of, reviewed_by, record)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                function,
                record.id,
                day.number(),
                Event::Sent.target().name(),
                record.from_mb.0,
                record.to_mb.0,
                record.urgent,
                record.mode == Mode::Auto,
                record.issued_at.as_ms(),
                record.expires_at.as_ms(),
                now.as_ms(),
                record.rollback_of,
                record.by,
                text,
            ])?;
        Ok(())
    }
}
