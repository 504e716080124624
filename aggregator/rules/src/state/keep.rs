//! What a day's close may drop: what neither the window nor an open trial can need again.

use rightsizer_records::Day;

use super::FunctionState;
use crate::evidence::LATEST;
use crate::policy::PolicySettings;
use crate::window::{DETAIL_DAYS, OTHER_VERSIONS, PEAK_MEMORY_DAYS, WINDOW_DAYS, Witnesses};

/// Repeated deliveries of a log event arrive within hours.
const LOG_EVENT_DAYS: i32 = 3;

impl FunctionState {
    /// Takes the starts of published versions for restores if the function is restored from snapshots: before they
    /// were kept apart, nothing else distinguished them. The store does the same when it is moved to schema 15.
    pub(super) fn part_restores(&mut self) {
        if !self.listed.as_ref().is_some_and(|listed| listed.snap_start) {
            return;
        }
        for (key, day) in &mut self.days {
            if key.version != LATEST && key.version != OTHER_VERSIONS {
                day.restores.merge(&std::mem::take(&mut day.inits));
            }
        }
    }

    /// The first day whose details are kept: the window's; with an open trial, those before the change too.
    pub(super) fn details_from(&self) -> Option<Day> {
        let closed = self.closed?;
        let window = closed.plus(1 - WINDOW_DAYS);
        let trial = self.open_trial();
        let trial = trial.map(|open| open.applied_at.day().plus(-WINDOW_DAYS));
        let from = trial.map_or(window, |day| day.min(window));
        Some(from.max(closed.plus(-DETAIL_DAYS)))
    }

    /// Drops what is too old. The records of an environment that is dropped lie before every day that is kept, so
    /// one that comes again only shows a peak that is known (W7).
    pub fn drop_old(&mut self, closed: Day, settings: &PolicySettings) {
        self.closed = self.closed.max(Some(closed));
        let Some(details) = self.details_from() else {
            return;
        };
        self.days = self.days.split_off(&super::apply::first_of(details));
        self.environments
            .retain(|_, environment| environment.last >= details.start());
        self.peaks = self.peaks.split_off(&closed.plus(-PEAK_MEMORY_DAYS));
        let floor = closed.plus(1 - settings.floor_days.max(WINDOW_DAYS));
        for (_, peak) in self.peaks.range_mut(..floor) {
            peak.seen_by = Witnesses::default();
        }
        self.events = self.events.split_off(&(closed.plus(-LOG_EVENT_DAYS), 0));
        let ended = closed.plus(-PEAK_MEMORY_DAYS).start();
        self.sent
            .retain(|sent| sent.status.is_active() || sent.noted_at >= ended);
    }
}
