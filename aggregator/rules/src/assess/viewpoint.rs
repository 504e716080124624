//! The time from which windows are seen, and the days that a decision uses.

use rightsizer_records::{Day, Megabytes, Timestamp};

use super::usage::DaySet;
use crate::policy::{DayPeak, PolicySettings};
use crate::window::{DayClock, PEAK_MEMORY_DAYS, WINDOW_DAYS};

/// The time and the settings with which windows are read.
#[derive(Debug, Clone, Copy)]
pub struct Viewpoint<'a> {
    /// The closed days.
    pub clock: &'a DayClock,
    /// The caller's clock.
    pub now: Timestamp,
    /// The settings of the policies.
    pub settings: &'a PolicySettings,
}

impl Viewpoint<'_> {
    /// Returns the present for the window.
    pub(crate) fn present(&self) -> Timestamp {
        self.clock.present(self.now)
    }

    /// Returns the last closed day, or today if none is closed yet. Also today if a wrong clock closed future
    /// days, which would exclude the open days from the window.
    pub fn last_closed(&self) -> Day {
        let today = self.present().day();
        let closed = self.clock.last_closed();
        closed.map_or(today, |closed| closed.min(today))
    }

    /// Returns the first day whose peak counts for the floor (P2).
    pub fn floor_from(&self) -> Day {
        let days = self.settings.floor_days.max(WINDOW_DAYS);
        self.last_closed().plus(1 - days)
    }

    /// Returns the first day whose peak the policies read.
    pub fn history_from(&self) -> Day {
        if self.settings.looks_back_all_the_way() {
            self.last_closed().plus(-PEAK_MEMORY_DAYS)
        } else {
            self.floor_from()
        }
    }
}

/// The days that a decision uses: the closed days of the window with a memory figure, or the open days if there
/// are none yet (W4).
#[derive(Debug, Clone)]
pub struct Span {
    /// First day of the window.
    pub from: Day,
    /// Last day of the window.
    pub to: Day,
    /// Its days with a memory figure, oldest first.
    pub decided: Vec<DayPeak>,
    /// Highest peak of the window and the open days.
    pub peak_mb: Megabytes,
    /// Calendar days of the usage since the function was first seen, including idle ones.
    pub calendar_days: u32,
}

impl Span {
    /// Returns the days that a decision uses; `None` if no day of the window or after it has a memory figure.
    /// `peaks` ascend.
    pub fn new(peaks: &[DayPeak], last_closed: Day, first_report: Day) -> Option<Self> {
        let from = last_closed.plus(1 - WINDOW_DAYS);
        let seen = peaks.iter().filter(|p| p.day >= from);
        let (closed, open): (Vec<DayPeak>, Vec<DayPeak>) = seen.partition(|p| p.day <= last_closed);
        let peak_mb = closed.iter().chain(&open).map(|p| p.peak).max()?;
        let (from, to, decided, used_from) = if closed.is_empty() {
            let (oldest, newest) = (open.first()?.day, open.last()?.day);
            (oldest, newest, open, oldest)
        } else {
            (from, last_closed, closed, from.max(first_report))
        };
        let calendar_days = u32::try_from(to.number() - used_from.number() + 1).unwrap_or(1);
        Some(Self {
            from,
            to,
            decided,
            peak_mb,
            calendar_days,
        })
    }

    /// Returns its days with a memory figure.
    pub fn days(&self) -> DaySet {
        let mut days = DaySet::starting(self.from);
        self.decided.iter().for_each(|p| days.insert(p.day));
        days
    }
}
