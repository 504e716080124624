//! One unit of work: merges what was folded, remembers which functions it touched, decides those.

mod evidence;
mod moved;
mod notices;
mod outcomes;

use std::collections::{HashMap, HashSet};

use rightsizer_formats::Channel;
use rightsizer_records::{Day, Megabytes, Timestamp};
use rightsizer_rules::inventory::{Home, InventoryUpdate, Owners};
use rightsizer_rules::window::{DayClock, Delta};
use rightsizer_store::{Adopted, EarlyRecord, FunctionId, LogDay, Quarantined, StoreError, Unit};

use super::close::Closing;
use super::prepare::{Early, Prepared};
use super::settings::PipelineSettings;
use super::{Digest, save_clock};

/// Log lines arrive so much later at most, but for rare ones.
const LATE_LOGS_MS: i64 = 3_600_000;

/// Those days that were read after they could change.
pub(super) fn finished(days: Vec<(Day, LogDay)>) -> Vec<Day> {
    let finished =
        |(day, read): &(Day, LogDay)| read.read_at >= day.plus(1).start().plus_ms(LATE_LOGS_MS);
    let days = days.into_iter().filter(finished);
    days.map(|(day, _)| day).collect()
}

/// A day of a log group that was read as a whole.
#[derive(Debug)]
pub struct LogGroupDay {
    /// ARN of the log group.
    pub log_group: String,
    /// The day.
    pub day: Day,
    /// When the reading began.
    pub read_at: Timestamp,
    /// Its evidence of this day, by function.
    pub deltas: Vec<Delta>,
}

/// A unit of work on a pipeline.
#[derive(Debug)]
pub struct Session<'p> {
    pub(super) unit: Unit<'p>,
    pub(super) clock: DayClock,
    /// The clock as it is in the store.
    stored_clock: DayClock,
    pub(super) closing: Option<Closing>,
    /// The close as it is in the store.
    stored_closing: Option<Closing>,
    pub(super) settings: &'p PipelineSettings,
    pub(super) now: Timestamp,
    /// Functions to decide at once (W4, W5, W9).
    touched: HashSet<FunctionId>,
    /// Highest raised peak by function, to hold open decreases against (W9).
    raised: HashMap<FunctionId, Megabytes>,
    /// Days of functions that this unit of work has added to from a file.
    filed: HashSet<(FunctionId, Day)>,
    pub(super) digest: Digest,
    /// Whether another engine decides.
    pub(super) elsewhere: bool,
}

impl<'p> Session<'p> {
    pub(super) fn new(
        unit: Unit<'p>,
        (clock, closing): (DayClock, Option<Closing>),
        settings: &'p PipelineSettings,
        now: Timestamp,
    ) -> Self {
        Self {
            unit,
            clock,
            stored_clock: clock,
            closing,
            stored_closing: closing,
            settings,
            now,
            touched: HashSet::new(),
            raised: HashMap::new(),
            filed: HashSet::new(),
            digest: Digest::default(),
            elsewhere: false,
        }
    }

    /// Merges one delivery, keeps what cannot be used in the quarantine, and notes its checkpoint.
    pub fn deliver(&mut self, delivery: Prepared) -> Result<(), StoreError> {
        for poison in &delivery.poison {
            self.digest.quarantined += 1;
            let what = Quarantined {
                origin: &delivery.origin,
                reason: &poison.why,
                bytes: poison.bytes,
                sample: &poison.sample,
            };
            self.unit.quarantine().add(&what, self.now)?;
        }
        for early in &delivery.early {
            self.keep_for_later(&delivery.origin, delivery.channel, early)?;
        }
        self.merge(delivery.batch)?;
        for gap in &delivery.gaps {
            self.unit.gaps().note(gap, self.now)?;
        }
        if let Some((source, position)) = &delivery.checkpoint {
            self.unit.checkpoints().set(source, position, self.now)?;
        }
        Ok(())
    }

    /// Keeps a record whose time has not come until it has: if the clock is behind, it is good evidence.
    /// What there is no room for is quarantined.
    fn keep_for_later(
        &mut self,
        origin: &str,
        channel: Channel,
        early: &Early,
    ) -> Result<(), StoreError> {
        let record = EarlyRecord {
            origin: origin.to_owned(),
            decisions: channel == Channel::Decisions,
            bytes: early.bytes.clone(),
        };
        if self.clock.is_live() && self.unit.early().keep(early.at, &record, self.now)? {
            self.digest.early += 1;
            return Ok(());
        }
        self.digest.quarantined += 1;
        self.unit
            .quarantine()
            .add_whole(origin, &early.why, &early.bytes, self.now)
    }

    /// Gives functions that are known by name only their account and region, and decides them again.
    pub fn adopt(&mut self, names: &[String], home: &Home) -> Result<Adopted, StoreError> {
        let adopted = self.unit.retention().adopt(names, home)?;
        self.touched.extend(adopted.done.iter().map(|(id, _)| *id));
        self.decide_touched()?;
        Ok(adopted)
    }

    /// All that was reported up to `at` is in: under the event clock it is as late as that.
    pub(crate) fn seen_until(&mut self, at: Timestamp) {
        self.clock.observe(0, at, self.now);
    }

    /// Notes that a file was taken in, so that it is not taken in twice.
    pub(crate) fn remember_file(&self, source: &str, name: &str) -> Result<(), StoreError> {
        self.unit.checkpoints().set(source, name, self.now)
    }

    /// Under which name a file of this content was taken in before.
    pub(crate) fn known_file(&self, source: &str) -> Result<Option<String>, StoreError> {
        self.unit.checkpoints().get(source)
    }

    /// Closes the days whose time has come, which begins a close of the functions active in the
    /// window, and decides what this unit touched.
    pub(crate) fn close_days(&mut self) -> Result<(), StoreError> {
        if let Some(day) = self.clock.undo(self.now) {
            self.unit.early().note_clock_fault(day, self.now)?;
            self.begin_close(day)?;
            self.digest.undone = Some(day);
        }
        if let Some(day) = self.clock.advance(self.now) {
            self.begin_close(day)?;
            self.digest.closed = Some(day);
        }
        self.decide_touched()
    }

    /// At the end of the input every function active in the window or after it is decided, whether
    /// or not a day closes: a file may hold one day alone.
    pub fn end_of_input(&mut self) -> Result<(), StoreError> {
        self.digest.closed = self.clock.end_of_input();
        let newest = self.clock.newest_event().map(Timestamp::day);
        if let Some(day) = self.clock.last_closed().or(newest) {
            self.begin_close(day)?;
        }
        self.decide_touched()
    }

    /// Merges a refresh of the inventory, and decides functions whose size changed, if that should
    /// happen at once. Returns which function logs to which group.
    pub(super) fn take_inventory(
        &mut self,
        update: &InventoryUpdate,
        at_once: bool,
    ) -> Result<Owners, StoreError> {
        if self.elsewhere {
            self.notice_listed(update)?;
        }
        let resized = self.unit.inventory().take(update)?;
        if self.elsewhere && update.complete {
            self.unit.notices().add_gone(update.seen_at)?;
        }
        if at_once {
            self.touched.extend(resized);
            self.decide_touched()?;
        }
        self.unit.inventory().owners()
    }

    /// Decides what this unit touched.
    pub(crate) fn decide_touched(&mut self) -> Result<(), StoreError> {
        self.unit.flush()?;
        let raised: Vec<_> = self.raised.drain().collect();
        for (id, peak) in raised {
            if self.withdraw_decreases_near(id, peak)? {
                self.touched.insert(id);
            }
        }
        let again = self.unit.recommendations().due_again(self.now)?;
        self.touched.extend(&again);
        let mut due: Vec<FunctionId> = self.touched.drain().collect();
        due.sort_unstable();
        if self.elsewhere {
            due.clear();
            self.notice_due(&again)?;
        }
        for id in due {
            self.decide(id)?;
        }
        for id in again {
            if self.elsewhere {
                self.unit.recommendations().was_asked(id, self.now)?;
            } else {
                self.unit.recommendations().was_due(id, self.now)?;
            }
        }
        Ok(())
    }

    pub(super) fn commit(self) -> Result<(DayClock, Option<Closing>, Digest), StoreError> {
        // An idle second commits nothing, and so costs no write to the disk.
        if self.clock != self.stored_clock {
            save_clock(&self.unit, &self.clock)?;
        }
        if self.closing != self.stored_closing {
            Closing::save(self.closing, &self.unit)?;
        }
        self.unit.commit()?;
        Ok((self.clock, self.closing, self.digest))
    }
}
