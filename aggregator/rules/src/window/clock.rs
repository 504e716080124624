//! Which days are closed (W3): by the wall clock in live use, by event time in replays.

use rightsizer_records::{Day, Timestamp};

/// A day closes this long after its midnight UTC.
const CLOSE_DELAY_MS: i64 = 3_600_000;

/// Reports further in the future than this are not believed (W5).
pub const FUTURE_TOLERANCE_MS: i64 = 86_400_000;

/// A single function may move the newest evidence on by so much; a longer leap needs a second one.
const LEAP_MS: i64 = 86_400_000;
/// A single function's longer leap counts once the machine's clock has agreed with it for this
/// long.
const LEAP_PROVEN_MS: i64 = 3_600_000;
/// How far the machine's clock may lie behind what is known before it is called wrong.
const BEHIND_MS: i64 = 300_000;

/// What makes time pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockMode {
    /// The caller's clock: live use.
    Wall,
    /// The newest event seen: imports, demos, replays.
    Event,
}

/// Evidence of one function that is far newer than all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Leap {
    function: i64,
    event: Timestamp,
    /// When the first of it came.
    since: Timestamp,
}

/// Why the machine's clock is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClockDoubt {
    /// A second source, or the evidence, is newer than the clock.
    #[error(
        "this machine's clock is at {now}, but {known} has certainly passed. Days close by the \
         later time. Set the clock by NTP"
    )]
    Behind {
        /// The machine's clock.
        now: Timestamp,
        /// What is known.
        known: Timestamp,
    },
    /// The clock is days ahead of every other source of time.
    #[error(
        "this machine's clock is at {now}, but the newest evidence is from {known}. Days close \
         when several functions report, or AWS confirms the time. If the clock is wrong, set it by \
         NTP"
    )]
    Unconfirmed {
        /// The machine's clock.
        now: Timestamp,
        /// What is known.
        known: Timestamp,
    },
}

/// Time as the window sees it. The caller passes the times of its clock, its events and other
/// sources.
///
/// The machine's clock alone closes at most one day past the newest evidence. Beyond that a second
/// source has to agree: AWS ([`DayClock::confirm`]), or evidence of several functions. So a clock
/// that jumps closes nothing that cannot be undone, and nothing is deleted because of it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayClock {
    mode: ClockMode,
    newest_event: Option<Timestamp>,
    last_closed: Option<Day>,
    /// The last time of a second source.
    confirmed: Option<Timestamp>,
    leap: Option<Leap>,
}

impl DayClock {
    /// A clock that continues from the state of a store.
    pub const fn new(
        mode: ClockMode,
        newest_event: Option<Timestamp>,
        last_closed: Option<Day>,
    ) -> Self {
        Self {
            mode,
            newest_event,
            last_closed,
            confirmed: None,
            leap: None,
        }
    }

    /// Takes note of evidence of `function` (any number that names it) that came at `now`. Order does
    /// not matter: only the newest counts.
    pub fn observe(&mut self, function: i64, event: Timestamp, now: Timestamp) {
        if self.mode == ClockMode::Event {
            self.newest_event = self.newest_event.max(Some(event));
            return;
        }
        // What is claimed of the future has not passed yet.
        let event = event.min(now);
        let Some(newest) = self.newest_event else {
            self.newest_event = Some(event);
            return;
        };
        if event <= newest.plus_ms(LEAP_MS) {
            self.newest_event = Some(newest.max(event));
            return;
        }
        match &mut self.leap {
            Some(leap) if leap.function == function => leap.event = leap.event.max(event),
            Some(leap) => {
                self.newest_event = Some(newest.max(leap.event.min(event)));
                self.leap = None;
            }
            None => {
                self.leap = Some(Leap {
                    function,
                    event,
                    since: now,
                });
            }
        }
    }

    /// Records the time of a second source, such as AWS: it is at least `at`.
    pub const fn confirm(&mut self, at: Timestamp) {
        self.confirmed = Some(at);
    }

    /// Whether the caller's clock makes time pass.
    pub fn is_live(&self) -> bool {
        self.mode == ClockMode::Wall
    }

    /// The newest event seen so far.
    pub const fn newest_event(&self) -> Option<Timestamp> {
        self.newest_event
    }

    /// The last day that is closed.
    pub const fn last_closed(&self) -> Option<Day> {
        self.last_closed
    }

    /// The present, as this clock sees it: `now` live, the newest event in a replay.
    pub fn present(&self, now: Timestamp) -> Timestamp {
        match self.mode {
            ClockMode::Wall => now,
            ClockMode::Event => self.newest_event.unwrap_or(now),
        }
    }

    /// When evidence of an event arrived: `now` live, the event's own time in a replay. A clock that is
    /// days ahead of everything else counts as one day ahead.
    pub fn arrival(&self, event: Timestamp, now: Timestamp) -> Timestamp {
        match self.mode {
            ClockMode::Wall => self
                .known()
                .map_or(now, |known| now.min(known.plus_ms(LEAP_MS))),
            ClockMode::Event => event,
        }
    }

    /// Closes every day whose time has come; returns the last one closed by this call.
    pub fn advance(&mut self, now: Timestamp) -> Option<Day> {
        self.newest_event?;
        match self.mode {
            ClockMode::Event => self.close_through(over_at(self.present(now))),
            ClockMode::Wall => {
                self.settle_leap(now);
                let known = self.known()?;
                let by_clock = over_at(now);
                let day = if by_clock <= known.day().plus(1) {
                    by_clock.max(over_at(known))
                } else {
                    over_at(known)
                };
                self.close_through(day)
            }
        }
    }

    /// Takes back the closes of days that are not over by any clock; returns the last day that
    /// stays closed. A clock that was ahead closed them.
    pub fn undo(&mut self, now: Timestamp) -> Option<Day> {
        let closed = self.last_closed.filter(|_| self.is_live())?;
        let last = over_at(self.known().map_or(now, |known| known.max(now)));
        if closed <= last {
            return None;
        }
        self.last_closed = Some(last);
        Some(last)
    }

    /// The last day that is closed and over by more than the machine's clock: what is deleted is
    /// counted back from here.
    pub fn certainly_closed(&self) -> Option<Day> {
        match self.mode {
            ClockMode::Event => self.last_closed,
            ClockMode::Wall => {
                let known = over_at(self.known()?);
                self.last_closed.map(|closed| closed.min(known))
            }
        }
    }

    /// Why the machine's clock is not believed, if it is not.
    pub fn doubt(&self, now: Timestamp) -> Option<ClockDoubt> {
        let known = self.known().filter(|_| self.is_live())?;
        if known > now.plus_ms(BEHIND_MS) {
            return Some(ClockDoubt::Behind { now, known });
        }
        (over_at(now) > known.day().plus(1)).then_some(ClockDoubt::Unconfirmed { now, known })
    }

    /// The input has ended: closes every day before the newest event's own.
    pub fn end_of_input(&mut self) -> Option<Day> {
        let newest = self.newest_event?;
        self.close_through(newest.day().plus(-1))
    }

    /// The latest time that certainly has passed.
    fn known(&self) -> Option<Timestamp> {
        self.newest_event.max(self.confirmed)
    }

    /// Believes a single function's leap once the clock has agreed with it for an hour, and forgets it
    /// if the clock went back meanwhile.
    fn settle_leap(&mut self, now: Timestamp) {
        let Some(leap) = self.leap else {
            return;
        };
        if now < leap.since || now < leap.event {
            self.leap = None;
        } else if now.as_ms() - leap.since.as_ms() >= LEAP_PROVEN_MS {
            self.newest_event = self.newest_event.max(Some(leap.event));
            self.leap = None;
        }
    }

    fn close_through(&mut self, day: Day) -> Option<Day> {
        if self.last_closed.is_some_and(|closed| closed >= day) {
            return None;
        }
        self.last_closed = Some(day);
        Some(day)
    }
}

/// The last day that may be closed at `time`.
fn over_at(time: Timestamp) -> Day {
    time.plus_ms(-CLOSE_DELAY_MS).day().plus(-1)
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
        clock.observe(1, at("2026-01-31T23:00:00Z"), wall);
        clock.observe(1, at("2026-02-01T00:30:00Z"), wall);
        assert_eq!(clock.advance(wall), Some(Day::parse("2026-01-30").unwrap()));
        clock.observe(1, at("2026-02-01T01:00:00.001Z"), wall);
        assert_eq!(clock.advance(wall), Some(Day::parse("2026-01-31").unwrap()));
    }

    #[test]
    fn w3_the_end_of_input_closes_every_day_before_the_newest_events_own() {
        let mut clock = DayClock::new(ClockMode::Event, None, None);
        let wall = at("2026-11-01T00:00:00Z");
        clock.observe(1, at("2026-02-01T00:00:01Z"), wall);
        clock.observe(1, at("2026-01-15T00:00:01Z"), wall);
        assert_eq!(
            clock.end_of_input(),
            Some(Day::parse("2026-01-31").unwrap())
        );
        assert_eq!(clock.end_of_input(), None);
    }

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    /// Evidence of 31 January, and the 30th closed.
    fn live() -> DayClock {
        let newest = Some(at("2026-01-31T20:00:00Z"));
        DayClock::new(ClockMode::Wall, newest, Some(day("2026-01-30")))
    }

    #[test]
    fn a_clock_closes_one_day_past_the_newest_evidence_alone_and_more_only_with_a_second_source() {
        let mut clock = live();
        assert_eq!(
            clock.advance(at("2026-02-02T02:00:00Z")),
            Some(day("2026-02-01"))
        );
        let ahead = at("2026-04-12T02:00:00Z");
        assert_eq!(clock.advance(ahead), None, "70 days ahead of everything");
        assert!(matches!(
            clock.doubt(ahead),
            Some(ClockDoubt::Unconfirmed { .. })
        ));
        clock.confirm(ahead);
        assert_eq!(
            (clock.doubt(ahead), clock.advance(ahead)),
            (None, Some(day("2026-04-11")))
        );
    }

    #[test]
    fn evidence_of_two_functions_is_a_second_source_and_of_one_after_an_hour() {
        let now = at("2026-02-20T02:00:00Z");
        let mut clock = live();
        clock.observe(1, now, now);
        clock.observe(1, now, now);
        assert_eq!(clock.advance(now), None);
        let mut two = clock;
        two.observe(2, now.plus_ms(-60_000), now);
        assert_eq!(two.advance(now), Some(day("2026-02-19")));
        assert_eq!(clock.advance(now.plus_ms(3_599_999)), None);
        assert_eq!(
            clock.advance(now.plus_ms(3_600_000)),
            Some(day("2026-02-19"))
        );
    }

    #[test]
    fn a_leap_that_the_clock_took_back_is_forgotten() {
        let (mut clock, ahead) = (live(), at("2026-04-12T02:00:00Z"));
        clock.observe(1, ahead, ahead);
        let right = at("2026-01-31T20:01:00Z");
        assert_eq!(clock.advance(right), None);
        assert_eq!(clock, live());
    }

    #[test]
    fn a_close_that_is_not_over_by_any_clock_is_undone() {
        let newest = Some(at("2026-01-31T20:00:00Z"));
        let mut clock = DayClock::new(ClockMode::Wall, newest, Some(day("2026-04-11")));
        let now = at("2026-01-31T21:00:00Z");
        assert_eq!(clock.certainly_closed(), Some(day("2026-01-30")));
        assert_eq!(clock.undo(now), Some(day("2026-01-30")));
        assert_eq!((clock.undo(now), clock.advance(now)), (None, None));
    }

    #[test]
    fn a_clock_that_is_behind_undoes_nothing_and_is_reported() {
        let mut clock = live();
        let behind = at("2026-01-28T20:00:00Z");
        assert_eq!((clock.undo(behind), clock.advance(behind)), (None, None));
        assert!(matches!(
            clock.doubt(behind),
            Some(ClockDoubt::Behind { .. })
        ));
        assert_eq!(
            clock.doubt(at("2026-01-31T19:59:57Z")),
            None,
            "three seconds"
        );
        clock.confirm(at("2026-02-01T02:00:00Z"));
        assert_eq!(
            clock.advance(behind),
            Some(day("2026-01-31")),
            "by the second source"
        );
    }

    #[test]
    fn no_function_moves_the_evidence_past_the_clock() {
        let mut clock = live();
        let now = at("2026-01-31T20:00:00Z");
        clock.observe(1, now.plus_ms(86_000_000), now);
        assert_eq!(clock.newest_event(), Some(now));
    }
}
