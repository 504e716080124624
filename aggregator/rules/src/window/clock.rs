//! Which days are closed (W3): by the wall clock in live use, by event time in replays.

use rightsizer_records::{Day, Timestamp};

/// A day closes this long after its midnight UTC.
const CLOSE_DELAY_MS: i64 = 3_600_000;

/// Returns the time at which a day closes.
pub fn close_of(day: Day) -> Timestamp {
    day.plus(1).start().plus_ms(CLOSE_DELAY_MS)
}

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

/// The clock that closes days. The caller passes in the time of the machine's clock, of events and of other sources.
///
/// The machine's clock alone closes at most one day after the newest evidence. For more, a second source has to
/// agree: AWS ([`DayClock::confirm`]), or evidence of several functions. If the machine's clock jumps, every close
/// can therefore be undone, and nothing is deleted because of the jump alone.
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

    /// What makes time pass.
    pub const fn mode(&self) -> ClockMode {
        self.mode
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
mod tests;
