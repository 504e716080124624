//! Evidence of a function, merged as the store merges it (W1–W9).

use rightsizer_records::{Day, Megabytes, Timestamp};

use super::{FunctionState, Seen};
use crate::lifecycle::{self, ClosedCode};
use crate::window::{
    Crowding, DayClock, DayDelta, DayKey, DaySource, Delta, EnvironmentState, Mark, PeakOfDay,
    WINDOW_DAYS,
};

/// What a piece of evidence did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    /// Reports that were merged.
    pub accepted: u64,
    /// Whether the function has to be decided at once: it is new (W4), it ran out of memory or came near the target
    /// of a decrease (W9), or a closed day's peak has risen (W5).
    pub decide: bool,
    /// The peak that came near the target of a decrease (W9).
    pub near: Option<Megabytes>,
}

impl FunctionState {
    /// Merges evidence that arrives at `now`. In any order, split or repetition the same evidence gives the same days
    /// and peaks (W7).
    pub fn apply(&mut self, mut delta: Delta, clock: &DayClock, now: Timestamp) -> Applied {
        let mut applied = Applied::default();
        if self.is_known_event(&delta) {
            // It may be known from before this function was forgotten, so it begins nothing.
            self.repeated(delta.reports);
            return applied;
        }
        let env = delta.only_environment();
        let Some(new) = self.sight(&delta, clock, now) else {
            return applied;
        };
        if !self.add_environments(&mut delta) {
            self.repeated(delta.reports);
            return applied;
        }
        applied.decide = new;
        let closed = clock.last_closed();
        self.closed = self.closed.max(closed);
        let (mut arrived, mut late) = (0_u64, 0_u64);
        let mut raised = None;
        for day in delta.days {
            let (date, count) = (day.key.day, day.stats.invocations);
            arrived = arrived.saturating_add(count);
            if closed.is_some_and(|closed| date <= closed.plus(-WINDOW_DAYS)) {
                late = late.saturating_add(count);
            }
            let peak = PeakOfDay::of(&day.stats, day.key.memory_mb, env);
            let before = self.peaks.entry(date).or_default();
            let after = before.join(peak);
            let has_risen = after.peak_mb > before.peak_mb;
            *before = after;
            let censored = peak.censored_mb > Megabytes(0);
            let day_was_closed = closed.is_some_and(|closed| date <= closed);
            applied.decide |= censored || (has_risen && day_was_closed);
            if has_risen {
                raised = raised.max(Some(after.peak_mb));
            }
            self.merge_day(day);
            if censored && self.cleared >= Some(date) {
                self.cleared = Some(date.plus(-1));
            }
        }
        applied.accepted = arrived;
        self.count(arrived, late, delta.source);
        applied.near = raised.filter(|peak| self.withdraw_decreases_near(*peak));
        applied.decide |= applied.near.is_some();
        applied
    }

    /// Joins what `delta` shows of the function itself, and returns whether it is new; `None` if the delta has no
    /// reports, because it adds nothing. Reports without figures do not change the size of an existing function.
    fn sight(&mut self, delta: &Delta, clock: &DayClock, now: Timestamp) -> Option<bool> {
        if delta.reports == 0 && delta.days.is_empty() {
            return None;
        }
        // W4 counts from the arrival for streams, because the times in their records are chosen by their writer.
        let first_arrival = match delta.source {
            DaySource::Layer | DaySource::Subscription => clock.arrival(delta.sighting.oldest, now),
            DaySource::LogGroup(_) | DaySource::Import | DaySource::Wrapped => {
                delta.sighting.oldest
            }
        };
        let Some(seen) = &mut self.seen else {
            self.seen = Some(Seen {
                sighting: delta.sighting.clone(),
                first_arrival,
                counts: super::Counts::default(),
            });
            return Some(true);
        };
        if delta.is_evidence() {
            seen.sighting.join(&delta.sighting);
            seen.first_arrival = seen.first_arrival.min(first_arrival);
        }
        Some(false)
    }

    /// Returns whether `delta` is a log event that was merged before (W7); notes it otherwise.
    fn is_known_event(&mut self, delta: &Delta) -> bool {
        let Some(Mark::Event(event)) = delta.mark else {
            return false;
        };
        !self.events.insert((delta.sighting.newest.at.day(), event))
    }

    /// Counts reports that came again.
    fn repeated(&mut self, reports: u64) {
        if let Some(seen) = &mut self.seen {
            seen.counts.duplicates = seen.counts.duplicates.saturating_add(reports);
        }
    }

    /// Merges the environments of `delta`, and counts each on the days that are new to it; `false` when
    /// all of it came before (W7).
    fn add_environments(&mut self, delta: &mut Delta) -> bool {
        let seq = match delta.mark {
            Some(Mark::Record(seq)) => Some(seq),
            Some(Mark::Event(_)) | None => None,
        };
        for (key, view) in std::mem::take(&mut delta.environments) {
            let state = self
                .environments
                .entry(key.clone())
                .or_insert_with(|| EnvironmentState::starting(view.first));
            let before = state.lost();
            let Some(new_days) = state.absorb(&view, seq) else {
                return false;
            };
            let lost = state.lost().cast_signed() - before.cast_signed();
            delta.count_environment(&key, &new_days);
            if let Some(seen) = &mut self.seen {
                seen.counts.lost = seen.counts.lost.saturating_add(lost);
                seen.counts.self_kib = seen.counts.self_kib.max(view.self_kib);
            }
        }
        true
    }

    /// Adds the details of a day that the window or an open trial may still need.
    fn merge_day(&mut self, day: DayDelta) {
        let DayDelta { mut key, stats } = day;
        if self.details_from().is_some_and(|from| key.day < from) {
            return;
        }
        self.admit(&mut key);
        self.days.entry(key).or_default().merge(&stats);
    }

    /// W2: changes `key` to the key under which it is kept.
    fn admit(&mut self, key: &mut DayKey) {
        if self.days.contains_key(key) {
            return;
        }
        let mut crowding = Crowding::default();
        for (other, _) in self.on(key.day) {
            crowding.note(other.memory_mb, &other.version);
        }
        let own = crowding.has_room_for_size(key) || self.is_its_own(key.memory_mb);
        crowding.admit(key, own);
    }

    fn is_its_own(&self, size: Megabytes) -> bool {
        let changed = self.sent.iter().filter(|sent| sent.applied_at.is_some());
        self.current().is_some_and(|(_, current)| current == size)
            || changed
                .into_iter()
                .any(|sent| sent.from_mb == size || sent.to_mb == size)
    }

    /// The rows of a day.
    pub(super) fn on(&self, day: Day) -> impl Iterator<Item = (&DayKey, &crate::window::DayStats)> {
        self.days
            .range(first_of(day)..)
            .take_while(move |(key, _)| key.day == day)
    }

    fn count(&mut self, arrived: u64, late: u64, source: DaySource) {
        let Some(seen) = &mut self.seen else { return };
        let counts = &mut seen.counts;
        counts.seen = counts.seen.saturating_add(arrived);
        counts.late = counts.late.saturating_add(late);
        counts.imported |= matches!(
            source,
            DaySource::LogGroup(_) | DaySource::Import | DaySource::Wrapped
        );
    }

    /// W9: whether a peak is above 90 % of a decrease that stands, unless the decrease was decided knowing a peak as
    /// high. A sent one is withdrawn.
    fn withdraw_decreases_near(&mut self, peak: Megabytes) -> bool {
        let known = self.last.map_or(Megabytes(0), |last| last.peak_mb);
        let is_near = |to: Megabytes| u64::from(peak.0) * 10 > u64::from(to.0) * 9 && peak > known;
        let decrease = self.last.and_then(|last| last.decrease_to);
        let withdrawn = decrease.filter(|to| is_near(*to));
        let mut near = withdrawn.is_some();
        for sent in &mut self.sent {
            let decreases = sent.status.is_active() && sent.to_mb < sent.from_mb;
            if decreases && is_near(sent.to_mb) {
                near = true;
                let event = ClosedCode::PeakNear.event();
                sent.status = lifecycle::next(sent.status, event).unwrap_or(sent.status);
            }
        }
        if near && let Some(last) = &mut self.last {
            last.decrease_to = None;
            last.withdrawn_to = withdrawn.or(last.withdrawn_to);
        }
        near
    }
}

/// The least key of a day.
pub(super) const fn first_of(day: Day) -> DayKey {
    DayKey {
        day,
        source: DaySource::Layer,
        memory_mb: Megabytes(0),
        version: String::new(),
    }
}
