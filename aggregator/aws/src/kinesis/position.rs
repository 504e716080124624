//! How far a shard is read, by its checkpoint, and the position to continue from. Pure: time and
//! the stream's retention are arguments.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rightsizer_records::{Day, Timestamp};

/// The start of a stream that was never read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StartAt {
    /// With the oldest record it still has.
    #[default]
    Oldest,
    /// With what is written from now on.
    Latest,
    /// With what was written at this time or later.
    Time(Timestamp),
}

/// A text that is not a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected oldest, latest, or a time such as 2026-03-01T10:00:00Z or 2026-03-01")]
pub struct BadStart;

impl FromStr for StartAt {
    type Err = BadStart;

    fn from_str(text: &str) -> Result<Self, BadStart> {
        match text {
            "oldest" => return Ok(Self::Oldest),
            "latest" => return Ok(Self::Latest),
            _ => {}
        }
        let time = Timestamp::parse(text).or_else(|_| Day::parse(text).map(Day::start));
        time.map(Self::Time).map_err(|_| BadStart)
    }
}

/// How far a shard is read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Position {
    /// The last record read.
    pub(super) last: Option<LastRecord>,
    /// Everything written before this is read.
    pub(super) complete_to: Option<Timestamp>,
    /// The shard was read to its end.
    pub(super) ended: bool,
}

/// The last record read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LastRecord {
    /// Its sequence number.
    pub(super) sequence: String,
    /// When it was written.
    pub(super) at: Option<Timestamp>,
}

/// Position of a shard that was read to its end.
const SHARD_END: &str = "SHARD_END";
/// A record this close to the end of its retention may be gone before it is asked for.
const NEARLY: Duration = Duration::from_mins(10);
/// Clocks may be so far apart, and trimming so early, before a gap is one.
const TOLERANCE: Duration = Duration::from_mins(1);

/// The position of the next iterator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Begin {
    /// At the oldest record that there is.
    Oldest,
    /// Behind this sequence number.
    After(String),
    /// At the first record of this time or later.
    At(Timestamp),
}

impl Position {
    /// Read to its end.
    pub(super) fn end() -> Self {
        Self {
            ended: true,
            ..Self::default()
        }
    }

    /// Returns the position to continue from. If the last sequence number is older than the stream's retention, that
    /// is the oldest record: nothing between the two is left, and not every stream accepts such an old number.
    pub(super) fn begin(
        &self,
        from: Option<Timestamp>,
        now: Timestamp,
        retention: Duration,
    ) -> Begin {
        let kept_since = before(now, retention.saturating_sub(NEARLY));
        match (&self.last, from) {
            (Some(last), _) if last.at.is_some_and(|at| at < kept_since) => Begin::Oldest,
            (Some(last), _) => Begin::After(last.sequence.clone()),
            (None, Some(from)) => Begin::At(from),
            (None, None) => Begin::Oldest,
        }
    }

    /// The end of what the stream may have dropped unread, if any: everything between `complete_to`
    /// and that is older than its retention.
    pub(super) fn dropped_to(&self, now: Timestamp, retention: Duration) -> Option<Timestamp> {
        let kept_since = before(now, retention);
        self.complete_to
            .is_some_and(|complete| complete < before(kept_since, TOLERANCE))
            .then_some(kept_since)
    }
}

fn before(time: Timestamp, by: Duration) -> Timestamp {
    time.plus_ms(-i64::try_from(by.as_millis()).unwrap_or(i64::MAX))
}

/// `SEQUENCE;at=MS;to=MS`; times that are not known are left out, `-` stands for no record yet.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ended {
            return f.write_str(SHARD_END);
        }
        let last = self.last.as_ref();
        f.write_str(last.map_or("-", |last| &last.sequence))?;
        if let Some(at) = last.and_then(|last| last.at) {
            write!(f, ";at={}", at.as_ms())?;
        }
        if let Some(to) = self.complete_to {
            write!(f, ";to={}", to.as_ms())?;
        }
        Ok(())
    }
}

/// Lenient: a bare sequence number is a position too, and an unreadable time is none.
impl From<&str> for Position {
    fn from(text: &str) -> Self {
        if text == SHARD_END {
            return Self::end();
        }
        let mut parts = text.split(';');
        let sequence = parts.next().unwrap_or_default();
        let time = |text: &str| text.parse().ok().and_then(Timestamp::from_ms);
        let (mut at, mut complete_to) = (None, None);
        for part in parts {
            match part.split_once('=') {
                Some(("at", ms)) => at = time(ms),
                Some(("to", ms)) => complete_to = time(ms),
                _ => {}
            }
        }
        let last = (sequence != "-" && !sequence.is_empty()).then(|| LastRecord {
            sequence: sequence.to_owned(),
            at,
        });
        Self {
            last,
            complete_to,
            ended: false,
        }
    }
}

/// Returns the time until which all shards are read, by their checkpoints; `None` if no shard was read. Shards that were
/// read to their end have nothing left.
pub fn read_until<'a>(positions: impl IntoIterator<Item = &'a str>) -> Option<Timestamp> {
    let positions = positions.into_iter().map(Position::from);
    positions.filter_map(|position| position.complete_to).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn position(last: &str, complete_to: &str) -> Position {
        Position {
            last: Some(LastRecord {
                sequence: "49".to_owned(),
                at: Some(at(last)),
            }),
            complete_to: Some(at(complete_to)),
            ended: false,
        }
    }

    #[test]
    fn reading_continues_behind_the_last_record_while_the_stream_has_it() {
        let now = at("2026-03-02T10:00:00Z");
        let position = position("2026-03-02T09:00:00Z", "2026-03-02T09:30:00Z");
        assert_eq!(position.begin(None, now, DAY), Begin::After("49".into()));
        assert_eq!(position.dropped_to(now, DAY), None);
    }

    /// Nothing was written for three days; it was read until a minute ago.
    #[test]
    fn a_quiet_shard_has_no_gap_though_its_last_record_is_gone() {
        let now = at("2026-03-04T10:00:00Z");
        let position = position("2026-03-01T10:00:00Z", "2026-03-04T09:59:00Z");
        assert_eq!(position.begin(None, now, DAY), Begin::Oldest);
        assert_eq!(position.dropped_to(now, DAY), None);
    }

    /// Not read since the 1st, 10:30; on the 4th at 10:00 records since the 3rd, 10:00 are there.
    #[test]
    fn what_was_dropped_unread_has_a_beginning_and_an_end() {
        let now = at("2026-03-04T10:00:00Z");
        let position = position("2026-03-01T10:00:00Z", "2026-03-01T10:30:00Z");
        assert_eq!(position.begin(None, now, DAY), Begin::Oldest);
        let end = at("2026-03-03T10:00:00Z");
        assert_eq!(position.dropped_to(now, DAY), Some(end));
        let read_since = Position {
            complete_to: Some(end),
            ..position
        };
        assert_eq!(
            read_since.dropped_to(now, DAY),
            None,
            "logged once, not at every read"
        );
    }

    #[test]
    fn a_shard_without_a_record_begins_with_the_stream() {
        let (now, from) = (at("2026-03-04T10:00:00Z"), at("2026-03-04T08:00:00Z"));
        let position = Position::from("-;to=1772616000000");
        assert_eq!(position.begin(Some(from), now, DAY), Begin::At(from));
        assert_eq!(position.begin(None, now, DAY), Begin::Oldest);
    }

    #[test]
    fn a_position_survives_its_text() {
        let full = position("2026-03-01T10:00:00Z", "2026-03-01T10:30:00Z");
        for position in [full, Position::end(), Position::default()] {
            assert_eq!(Position::from(position.to_string().as_str()), position);
        }
        let bare = Position::from("4959033827149025660855969253836157109592157598913");
        assert_eq!(bare.complete_to, None);
        assert_eq!(
            bare.begin(None, at("2026-03-04T10:00:00Z"), DAY),
            Begin::After("4959033827149025660855969253836157109592157598913".into())
        );
    }

    #[test]
    fn a_start_is_a_word_or_a_time() {
        assert_eq!("oldest".parse(), Ok(StartAt::Oldest));
        assert_eq!("latest".parse(), Ok(StartAt::Latest));
        let midnight = StartAt::Time(at("2026-03-01T00:00:00Z"));
        assert_eq!("2026-03-01".parse(), Ok(midnight));
        assert_eq!("2026-03-01T00:00:00Z".parse(), Ok(midnight));
        assert!("yesterday".parse::<StartAt>().is_err());
    }

    #[test]
    fn all_is_read_until_the_time_of_the_slowest_shard() {
        assert_eq!(read_until([]), None);
        assert_eq!(read_until(["SHARD_END", "49"]), None);
        let shards = ["SHARD_END", "49;at=7000;to=9000", "-;to=8000"];
        assert_eq!(read_until(shards), Timestamp::from_ms(8000));
    }
}
