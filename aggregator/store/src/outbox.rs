//! The outbox: the recommendations to send now, and those that were sent. Increases are first, and only a pause
//! delays them. Decreases follow within the limits, approved ones before automatic ones.

use std::sync::LazyLock;

use rightsizer_records::Timestamp;
use rightsizer_rules::lifecycle::Event;
use rightsizer_rules::limits::{
    Allowance, IncreaseAlarm, Limit, LimitSettings, MOST_UNKNOWN_UNDER_WAY,
};
use rusqlite::{Connection, params};

use super::columns::int;
use super::error::StoreError;
use super::state::State;
use super::stops::Stops;
use super::transitions::status_after;
use super::unit::FunctionId;

/// Key in `state` of the reason that holds back decreases.
const WAITS: &str = "waits";
/// Key of the reason that holds back increases of functions that are not known.
pub(super) const INCREASES: &str = "increases";

/// Marks a recommendation as sent.
static MARK_SENT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE recommendations SET sent_ms = ?, status = {} WHERE function_id = ? AND id = ?",
        status_after(Event::Sent)
    )
});

/// Names a recommendation in the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RecommendationKey {
    /// The function.
    pub function: FunctionId,
    /// Its id (P8).
    pub id: String,
}

/// A recommendation that waits to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxEntry {
    /// The recommendation.
    pub key: RecommendationKey,
    /// The record's bytes.
    pub record: Vec<u8>,
    /// The function, as partition key.
    pub function: String,
    /// Whether it is sent regardless of the number in flight.
    urgent: bool,
    /// Whether the inventory, history or an approval shows that the function exists.
    known: bool,
    /// Monthly dollars that it adds.
    added_usd: f64,
}

/// The recommendations to send.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outbox {
    /// The recommendations, in the order of sending.
    pub entries: Vec<OutboxEntry>,
    /// The reason that holds back further decreases, if any.
    pub limit: Option<Limit>,
    /// Set if today's increases add more dollars than allowed.
    pub alarm: Option<IncreaseAlarm>,
}

/// The requested part of the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outgoing {
    /// All of it.
    All,
    /// Only increases, which nothing may delay (P5).
    Increases,
    /// Only approved recommendations.
    Approved,
}

/// The ranks of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rank {
    Increase = 0,
    Approved = 1,
    Automatic = 2,
}

/// The sending of recommendations, within its limits.
#[derive(Debug)]
pub struct Sending<'u> {
    pub(super) tx: &'u Connection,
}

impl Sending<'_> {
    pub(super) const fn state(&self) -> State<'_> {
        State { tx: self.tx }
    }

    pub(super) const fn stops(&self) -> Stops<'_> {
        Stops { tx: self.tx }
    }

    /// Returns the recommendations to send now, up to the given number: none while everything is paused, no decrease
    /// of a held function, and no more decreases than `limits` allow.
    pub fn outbox(
        &self,
        which: Outgoing,
        most: usize,
        limits: &LimitSettings,
        now: Timestamp,
    ) -> Result<Outbox, StoreError> {
        if self.stops().is_paused()? {
            return Ok(Outbox::default());
        }
        let increases = self.of_rank(Rank::Increase, which, most, now)?;
        let decreases = self.any_decrease(which, now)?;
        if increases.is_empty() && !decreases {
            self.note_limit(which, None)?;
            let alarm = self.note_alarm(limits, (self.added(now)?, 0))?;
            return Ok(Outbox {
                alarm,
                ..Outbox::default()
            });
        }
        let allowed = limits.allowance(&self.taken(decreases, now)?, now);
        let mut outbox = Outbox::default();
        let room = self.add_increases(&mut outbox, increases, (limits, allowed.increases), now)?;
        let free = most.saturating_sub(outbox.entries.len());
        if decreases && free > 0 {
            let allowed = Allowance {
                decreases: allowed.decreases.min(room),
                ..allowed
            };
            self.add_decreases(&mut outbox, which, (free, allowed), now)?;
        }
        self.note_limit(which, outbox.limit)?;
        Ok(outbox)
    }

    /// Adds the increases that may be sent: all of known functions that ran out of memory, others within the room,
    /// and those of functions that are not known within their own limit and the dollars of the day. Returns the
    /// remaining room.
    fn add_increases(
        &self,
        outbox: &mut Outbox,
        increases: Vec<OutboxEntry>,
        (limits, mut room): (&LimitSettings, u64),
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut added = self.added(now)?;
        let under_way = self.unknown_under_way(now)?;
        let mut places = MOST_UNKNOWN_UNDER_WAY.saturating_sub(under_way);
        let most = limits.increase_usd_per_day.as_f64();
        let mut waiting = 0;
        for entry in increases {
            let dear = added + entry.added_usd > most;
            let goes = if entry.known {
                room > 0 || entry.urgent
            } else {
                waiting += u64::from(dear);
                room > 0 && places > 0 && !dear
            };
            if goes {
                places = places.saturating_sub(u64::from(!entry.known));
                room = room.saturating_sub(1);
                added += entry.added_usd;
                outbox.entries.push(entry);
            }
        }
        outbox.alarm = self.note_alarm(limits, (added, waiting))?;
        Ok(room)
    }

    fn note_alarm(
        &self,
        limits: &LimitSettings,
        (added_usd, waiting): (f64, u64),
    ) -> Result<Option<IncreaseAlarm>, StoreError> {
        let most = limits.increase_usd_per_day;
        let alarm = (added_usd > most.as_f64() || waiting > 0).then_some(IncreaseAlarm {
            added_usd,
            most,
            waiting,
        });
        let words = alarm.map(|alarm| alarm.to_string());
        if self.state().get(INCREASES)? != words {
            self.state().set(INCREASES, words.as_deref())?;
        }
        Ok(alarm)
    }

    fn add_decreases(
        &self,
        outbox: &mut Outbox,
        which: Outgoing,
        (free, allowed): (usize, Allowance),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let may = usize::try_from(allowed.decreases).unwrap_or(free);
        // Reads one more than allowed, to see whether one is held back.
        let most = free.min(may.saturating_add(1));
        let mut decreases = self.of_rank(Rank::Approved, which, most, now)?;
        let left = most - decreases.len();
        match which {
            Outgoing::All if allowed.automatic => {
                decreases.extend(self.of_rank(Rank::Automatic, which, left, now)?);
            }
            Outgoing::All if decreases.is_empty() => outbox.limit = Some(Limit::AutoPaused),
            _ => {}
        }
        if decreases.len() > may {
            outbox.limit = Some(allowed.limit);
            decreases.truncate(may);
        }
        outbox.entries.extend(decreases);
        Ok(())
    }

    /// Stores the reason that holds back decreases, for commands that report it.
    fn note_limit(&self, which: Outgoing, limit: Option<Limit>) -> Result<(), StoreError> {
        let words = limit.map(|limit| limit.to_string());
        if which == Outgoing::All && self.state().get(WAITS)? != words {
            self.state().set(WAITS, words.as_deref())?;
        }
        Ok(())
    }

    fn any_decrease(&self, which: Outgoing, now: Timestamp) -> Result<bool, StoreError> {
        if which == Outgoing::Increases {
            return Ok(false);
        }
        let any = |rank| Ok::<_, StoreError>(!self.of_rank(rank, which, 1, now)?.is_empty());
        Ok(any(Rank::Approved)? || (which == Outgoing::All && any(Rank::Automatic)?))
    }

    /// Returns the waiting recommendations of a rank, urgent ones first.
    fn of_rank(
        &self,
        rank: Rank,
        which: Outgoing,
        most: usize,
        now: Timestamp,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        let mut statement = self.tx.prepare_cached(
            "SELECT r.function_id, r.id, r.record, f.function, r.urgent, r.known, r.added_usd
             FROM recommendations r INDEXED BY recommendations_outbox
             JOIN functions f ON f.id = r.function_id
             WHERE (r.status = 'approved' OR (r.status = 'open' AND r.auto))
                AND CASE WHEN r.to_mb > r.from_mb THEN 0 WHEN r.status = 'approved' THEN 1 ELSE 2
                    END = ?1
                AND r.record IS NOT NULL AND r.expires_ms > ?2
                AND (?3 OR r.status = 'approved')
                AND (?1 = 0 OR NOT EXISTS (SELECT 1 FROM holds h
                    WHERE h.function_id = r.function_id AND h.until_ms > ?2))
             ORDER BY r.known DESC, r.urgent DESC, r.issued_ms, r.id LIMIT ?4",
        )?;
        let key = params![
            rank as i64,
            now.as_ms(),
            which != Outgoing::Approved,
            int(most as u64)
        ];
        let rows = statement.query_map(key, |row| {
            Ok(OutboxEntry {
                key: RecommendationKey {
                    function: row.get(0)?,
                    id: row.get(1)?,
                },
                record: row.get::<_, String>(2)?.into_bytes(),
                function: row.get(3)?,
                urgent: row.get(4)?,
                known: row.get(5)?,
                added_usd: row.get(6)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Marks recommendations as sent. One that was superseded between reading and sending keeps that status, but its
    /// outcome counts.
    pub fn mark_sent(&self, keys: &[RecommendationKey], now: Timestamp) -> Result<(), StoreError> {
        let mut statement = self.tx.prepare_cached(&MARK_SENT)?;
        let mut decreases = 0;
        let mut added = 0.0;
        for key in keys {
            added += self.unsent_usd(key.function, &key.id)?;
            decreases += u64::from(self.is_unsent_decrease(key.function, &key.id)?);
            statement.execute(params![now.as_ms(), key.function, key.id])?;
        }
        self.count_added(added, now)?;
        self.count_sent(decreases, now)
    }
}
