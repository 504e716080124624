//! Which days are closed (W3): by the wall clock in live use, by event time in replays.

use rightsizer_records::{Day, Timestamp};

/// A day closes this long after its midnight UTC.
const CLOSE_DELAY_MS: i64 = 3_600_000;

/// Reports further in the future than this are not believed (W5).
pub const FUTURE_TOLERANCE_MS: i64 = 86_400_000;

/// What makes time pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockMode {
    /// The caller's clock: live use.
    Wall,
    /// The newest event seen: imports, demos, replays.
    Event,
}

/// Time as the window sees it. The caller tells it what its clock and its events say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayClock {
    mode: ClockMode,
    newest_event: Option<Timestamp>,
    last_closed: Option<Day>,
}

impl DayClock {
    /// A clock that goes on where a store left off.
    pub const fn new(
        mode: ClockMode,
        newest_event: Option<Timestamp>,
        last_closed: Option<Day>,
    ) -> Self {
        Self {
            mode,
            newest_event,
            last_closed,
        }
    }

    /// Takes note of an event. Order does not matter: only the newest counts.
    pub fn observe(&mut self, event: Timestamp) {
        self.newest_event = self.newest_event.max(Some(event));
    }

    /// The newest event seen so far.
    pub const fn newest_event(&self) -> Option<Timestamp> {
        self.newest_event
    }

    /// The last day that is closed.
    pub const fn last_closed(&self) -> Option<Day> {
        self.last_closed
    }

    /// Whether the caller's clock makes time pass.
    pub fn is_live(&self) -> bool {
        self.mode == ClockMode::Wall
    }

    /// The present, as this clock sees it: `now` live, the newest event in a replay.
    pub fn present(&self, now: Timestamp) -> Timestamp {
        match self.mode {
            ClockMode::Wall => now,
            ClockMode::Event => self.newest_event.unwrap_or(now),
        }
    }

    /// When evidence of an event arrived: `now` live, the event's own time in a replay.
    pub fn arrival(&self, event: Timestamp, now: Timestamp) -> Timestamp {
        match self.mode {
            ClockMode::Wall => now,
            ClockMode::Event => event,
        }
    }

    /// Closes every day whose time has come; answers the last one closed by this call.
    pub fn advance(&mut self, now: Timestamp) -> Option<Day> {
        self.newest_event?;
        self.close_through(self.present(now).plus_ms(-CLOSE_DELAY_MS).day().plus(-1))
    }

    /// The input has ended: closes every day before the newest event's own.
    pub fn end_of_input(&mut self) -> Option<Day> {
        let newest = self.newest_event?;
        self.close_through(newest.day().plus(-1))
    }

    fn close_through(&mut self, day: Day) -> Option<Day> {
        if self.last_closed.is_some_and(|closed| closed >= day) {
            return None;
        }
        self.last_closed = Some(day);
        Some(day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn w3_live_a_day_closes_one_hour_after_its_midnight() {
        let mut clock = DayClock::new(ClockMode::Wall, Some(at("2026-01-31T20:00:00Z")), None);
        let before = clock.advance(at("2026-02-01T00:59:59.999Z"));
        assert_eq!(before, Some(Day::parse("2026-01-30").unwrap()));
        let after = clock.advance(at("2026-02-01T01:00:00Z"));
        assert_eq!(after, Some(Day::parse("2026-01-31").unwrap()));
        assert_eq!(
            clock.advance(at("2026-02-01T01:00:01Z")),
            None,
            "a day closes once"
        );
    }

    #[test]
    fn w3_a_replay_closes_days_by_event_time_alone() {
        let mut clock = DayClock::new(ClockMode::Event, None, None);
        let wall = at("2026-11-01T00:00:00Z");
        assert_eq!(clock.advance(wall), None, "nothing seen, nothing closed");
        clock.observe(at("2026-01-31T23:00:00Z"));
        clock.observe(at("2026-02-01T00:30:00Z"));
        assert_eq!(clock.advance(wall), Some(Day::parse("2026-01-30").unwrap()));
        clock.observe(at("2026-02-01T01:00:00.001Z"));
        assert_eq!(clock.advance(wall), Some(Day::parse("2026-01-31").unwrap()));
    }

    #[test]
    fn w3_the_end_of_input_closes_every_day_before_the_newest_events_own() {
        let mut clock = DayClock::new(ClockMode::Event, None, None);
        clock.observe(at("2026-02-01T00:00:01Z"));
        clock.observe(at("2026-01-15T00:00:01Z"));
        assert_eq!(
            clock.end_of_input(),
            Some(Day::parse("2026-01-31").unwrap())
        );
        assert_eq!(clock.end_of_input(), None);
    }
}
