//! The used part of the limits: recommendations that were sent today, are in flight, or are not verified yet.

use rightsizer_records::Timestamp;
use rightsizer_rules::limits::{AddedOn, SentOn, Taken};
use rusqlite::{OptionalExtension, params};

use super::columns::count;
use super::decisions::Decisions;
use super::error::StoreError;
use super::outbox::Sending;
use super::unit::FunctionId;

/// Key in `state` of the number of decreases sent today.
const SENT: &str = "sent";
/// Key of the last count of functions with a decision.
const FLEET: &str = "fleet";
/// Key of the monthly dollars that the increases sent today add.
const ADDED: &str = "added_usd";
/// A recommendation without an outcome after this time was lost or has expired.
const UNDER_WAY_MS: i64 = 3_600_000;
/// A change without an outcome after this time was not made, because the updater discards a record after an hour.
const SENT_MS: i64 = 24 * 3_600_000;
/// A change without a verdict for this long no longer counts, so that an idle function does not block others.
const UNVERIFIED_MS: i64 = 14 * 86_400_000;

impl Sending<'_> {
    /// Monthly dollars that the increases sent on this UTC day add.
    pub(super) fn added(&self, now: Timestamp) -> Result<f64, StoreError> {
        Ok(AddedOn::on(now.day(), self.state().get(ADDED)?.as_deref()).usd)
    }

    /// Recommendations in flight of functions that are not known.
    pub(super) fn unknown_under_way(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.counted(
            "SELECT count(*) FROM recommendations INDEXED BY recommendations_sent
             WHERE status = 'sent' AND sent_ms > ? AND NOT known",
            params![now.as_ms() - UNDER_WAY_MS],
        )
    }

    /// Returns the used part of the limits, of decreases only if they matter.
    pub(super) fn taken(&self, decreases: bool, now: Timestamp) -> Result<Taken, StoreError> {
        let under_way = self.counted(
            "SELECT count(*) FROM recommendations INDEXED BY recommendations_sent
             WHERE status = 'sent' AND sent_ms > ?",
            params![now.as_ms() - UNDER_WAY_MS],
        )?;
        let taken = Taken {
            under_way,
            auto_paused: self.stops().is_auto_paused()?,
            ..Taken::default()
        };
        if !decreases {
            return Ok(taken);
        }
        Ok(Taken {
            sent_today: SentOn::on(now.day(), self.state().get(SENT)?.as_deref()).count,
            unverified: self.unverified(now)?,
            fleet: self.known_fleet(now)?,
            ..taken
        })
    }

    fn unverified(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.counted(
            "SELECT count(DISTINCT function_id) FROM recommendations
                INDEXED BY recommendations_unverified
             WHERE to_mb < from_mb AND ((status = 'sent' AND sent_ms > ?1)
                OR (status = 'applied' AND closed_ms > ?2))
                AND (status = 'sent' OR status = 'applied')",
            params![now.as_ms() - SENT_MS, now.as_ms() - UNVERIFIED_MS],
        )
    }

    /// Returns the number of known functions with a decision. It is counted again on a new day, and if the number
    /// of functions grew by 1 %.
    pub fn known_fleet(&self, now: Timestamp) -> Result<u64, StoreError> {
        let (day, last) = (
            i64::from(now.day().number()),
            Decisions { tx: self.tx }.last_function()?,
        );
        if let Some(text) = self.state().get(FLEET)? {
            let kept: Vec<i64> = text.split(' ').filter_map(|n| n.parse().ok()).collect();
            if let &[on, then, fleet] = kept.as_slice()
                && on == day
                && last - then <= then / 100
            {
                return Ok(count(fleet));
            }
        }
        let sql = "SELECT count(*) FROM functions_now WHERE policy_mb IS NOT NULL AND known";
        let fleet = self.counted(sql, params![])?;
        self.state()
            .set(FLEET, Some(&format!("{day} {last} {fleet}")))?;
        Ok(fleet)
    }

    fn counted(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<u64, StoreError> {
        let mut statement = self.tx.prepare_cached(sql)?;
        Ok(count(statement.query_row(values, |row| row.get(0))?))
    }

    /// Returns the monthly dollars that a recommendation adds if it does not count as sent yet.
    pub(super) fn unsent_usd(&self, function: FunctionId, id: &str) -> Result<f64, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT CASE WHEN status <> 'sent' THEN added_usd ELSE 0 END FROM recommendations
             WHERE function_id = ? AND id = ?",
        )?;
        let found = statement.query_row(params![function, id], |row| row.get(0));
        Ok(found.optional()?.unwrap_or(0.0))
    }

    /// Adds monthly dollars to today's increases.
    pub(super) fn count_added(&self, usd: f64, now: Timestamp) -> Result<(), StoreError> {
        if usd <= 0.0 {
            return Ok(());
        }
        let mut added = AddedOn::on(now.day(), self.state().get(ADDED)?.as_deref());
        added.usd += usd;
        self.state().set(ADDED, Some(&added.to_string()))
    }

    /// Returns whether this is a decrease that does not count as sent yet. A decrease whose record came back on
    /// the stream before it was marked counts.
    pub(super) fn is_unsent_decrease(
        &self,
        function: FunctionId,
        id: &str,
    ) -> Result<bool, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT to_mb < from_mb AND status <> 'sent' FROM recommendations
             WHERE function_id = ? AND id = ?",
        )?;
        let found = statement.query_row(params![function, id], |row| row.get(0));
        Ok(found.optional()?.unwrap_or(false))
    }

    /// Adds to the number of decreases sent today.
    pub(super) fn count_sent(&self, decreases: u64, now: Timestamp) -> Result<(), StoreError> {
        if decreases == 0 {
            return Ok(());
        }
        let mut sent = SentOn::on(now.day(), self.state().get(SENT)?.as_deref());
        sent.count += decreases;
        self.state().set(SENT, Some(&sent.to_string()))
    }
}
