//! One unit of work: merges what was folded, remembers which functions it touched, decides those.

mod outcomes;

use std::collections::{HashMap, HashSet};

use rightsizer_formats::Channel;
use rightsizer_formats::intake::Batch;
use rightsizer_records::{Day, Megabytes, Timestamp};
use rightsizer_rules::inventory::{Home, InventoryUpdate, Owners};
use rightsizer_rules::window::{DayClock, DaySource, Delta, Mark, WINDOW_DAYS};
use rightsizer_store::{
    Adopted, Arrived, EarlyRecord, FunctionId, LogDay, MergedDay, Quarantined, Sighted, StoreError,
    Unit,
};

use super::close::Closing;
use super::prepare::{Early, Prepared};
use super::{Digest, save_clock};
use crate::settings::Settings;

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
    pub(super) settings: &'p Settings,
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
        settings: &'p Settings,
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
        let kept = EarlyRecord {
            origin: origin.to_owned(),
            decisions: channel == Channel::Decisions,
            bytes: early.bytes.clone(),
        };
        if self.clock.is_live() && self.unit.early().keep(early.at, &kept, self.now)? {
            self.digest.early += 1;
            return Ok(());
        }
        self.digest.quarantined += 1;
        self.unit
            .quarantine()
            .add_whole(origin, &early.why, &early.bytes, self.now)
    }

    /// Merges what was folded.
    pub fn merge(&mut self, batch: Batch) -> Result<(), StoreError> {
        for delta in batch.keyed {
            self.add(delta)?;
        }
        for (_, delta) in batch.observed.into_iter().chain(batch.wrapped) {
            self.add(delta)?;
        }
        if !batch.sent.is_empty() || !batch.compared.is_empty() {
            self.unit.flush()?;
        }
        for found in &batch.compared {
            let known = self.unit.comparisons().take(found)?;
            self.digest.unplaced += u64::from(!known);
        }
        self.take_proposals(&batch.proposals)?;
        // An outcome comes after what it is about.
        for record in &batch.sent {
            self.unit.sending().saw_sent(record, self.now)?;
        }
        for outcome in &batch.outcomes {
            self.take_outcome(outcome)?;
        }
        Ok(())
    }

    fn add(&mut self, mut delta: Delta) -> Result<(), StoreError> {
        let Some(sighted) = self.sight(&delta)? else {
            return Ok(());
        };
        let id = sighted.id;
        let env = delta.only_environment();
        let Some(mut arrived) = self.add_environments(id, &mut delta)? else {
            self.digest.again = self.digest.again.saturating_add(delta.reports);
            let again = Arrived {
                duplicates: delta.reports,
                ..Arrived::default()
            };
            return self.unit.functions().tally(sighted, again);
        };
        if sighted.new {
            self.touched.insert(id);
        }
        arrived.imported = matches!(
            delta.source,
            DaySource::LogGroup(_) | DaySource::Import | DaySource::Wrapped
        );
        let of_a_file = matches!(delta.source, DaySource::Import | DaySource::Wrapped);
        let closed = self.clock.last_closed();
        for day in delta.days {
            if of_a_file {
                self.file(id, day.key.day, delta.mark.is_some())?;
            }
            let (date, count) = (day.key.day, day.stats.invocations);
            arrived.seen = arrived.seen.saturating_add(count);
            if closed.is_some_and(|closed| date <= closed.plus(-WINDOW_DAYS)) {
                arrived.late = arrived.late.saturating_add(count);
            }
            let merged = self.unit.days().merge(id, day, env)?;
            self.note(id, merged, closed.is_some_and(|closed| date <= closed));
            if merged.censored {
                self.unit.decisions().ran_out_again(id, date)?;
            }
        }
        self.digest.accepted = self.digest.accepted.saturating_add(arrived.seen);
        self.unit.functions().tally(sighted, arrived)?;
        self.clock.observe(id, delta.sighting.newest.at, self.now);
        self.unit.flush_if_large()
    }

    /// Gives functions that are known by name only their account and region, and decides them again.
    pub fn adopt(&mut self, names: &[String], home: &Home) -> Result<Adopted, StoreError> {
        let adopted = self.unit.retention().adopt(names, home)?;
        self.touched.extend(adopted.done.iter().map(|(id, _)| *id));
        self.decide_touched()?;
        Ok(adopted)
    }

    /// Notes a day of a function that a file adds to, and whether another file did so before: what names its events
    /// is counted once, other evidence would count twice if the files overlap.
    fn file(&mut self, id: FunctionId, day: Day, named: bool) -> Result<(), StoreError> {
        if !self.filed.insert((id, day)) || named || !self.unit.days().was_in_a_file(id, day)? {
            return Ok(());
        }
        let (first, last, days) = self.digest.overlapping.unwrap_or((day, day, 0));
        self.digest.overlapping = Some((first.min(day), last.max(day), days + 1));
        Ok(())
    }

    /// Finds or makes the function of `delta`; `None` if it has no reports, because it adds
    /// nothing. Reports without figures do not change the size of an existing function.
    fn sight(&mut self, delta: &Delta) -> Result<Option<Sighted>, StoreError> {
        if delta.reports == 0 && delta.days.is_empty() {
            return Ok(None);
        }
        if !delta.is_evidence()
            && let Some(known) = self.unit.functions().find(&delta.function)?
        {
            return Ok(Some(known));
        }
        let first_arrival = self.first_arrival(delta);
        let sighted =
            self.unit
                .functions()
                .sight(&delta.function, &delta.sighting, first_arrival)?;
        Ok(Some(sighted))
    }

    /// Merges the environments of `delta`, and counts each on the days that are new to it; `None` when
    /// all of it came before (W7).
    fn add_environments(
        &mut self,
        id: FunctionId,
        delta: &mut Delta,
    ) -> Result<Option<Arrived>, StoreError> {
        let mut arrived = Arrived::default();
        let seq = match delta.mark {
            Some(Mark::Event(event)) => {
                let day = delta.sighting.newest.at.day();
                if !self.unit.log_groups().is_new_event(day, event)? {
                    return Ok(None);
                }
                None
            }
            Some(Mark::Record(seq)) => Some(seq),
            None => None,
        };
        for (key, view) in std::mem::take(&mut delta.environments) {
            let Some(merged) = self.unit.environments().merge(id, &key, &view, seq)? else {
                return Ok(None);
            };
            delta.count_environment(&key, &merged.new_days);
            arrived.lost = arrived.lost.saturating_add(merged.lost);
            arrived.self_kib = arrived.self_kib.max(view.self_kib);
        }
        Ok(Some(arrived))
    }

    /// W4 counts from the arrival with the wall clock, because the times in a stream's records are
    /// chosen by their writer.
    fn first_arrival(&self, delta: &Delta) -> Timestamp {
        match delta.source {
            DaySource::Layer | DaySource::Subscription => {
                self.clock.arrival(delta.sighting.oldest, self.now)
            }
            DaySource::LogGroup(_) | DaySource::Import | DaySource::Wrapped => {
                delta.sighting.oldest
            }
        }
    }

    /// What must be looked at now instead of at the next close: demand that was hidden (W9), a
    /// closed day's peak that is higher than thought (W5), a peak near an open decrease (W9).
    fn note(&mut self, id: FunctionId, merged: MergedDay, day_was_closed: bool) {
        if merged.censored || (merged.raised && day_was_closed) {
            self.touched.insert(id);
        }
        if merged.raised {
            let peak = self.raised.entry(id).or_default();
            *peak = (*peak).max(merged.peak_mb);
        }
    }

    /// Merges a day of a log group that was read as a whole, in place of what that day gave when it was
    /// read before (W7). A reading that found fewer invocations than an earlier one is of a log that was
    /// deleted in between, and changes nothing. The answer is whether it was merged.
    pub fn replace_log_day(&mut self, read: LogGroupDay) -> Result<bool, StoreError> {
        let group = self.unit.log_groups().number(&read.log_group)?;
        let before = self.unit.log_groups().days(&read.log_group, read.day)?;
        let before = before.into_iter().find(|(day, _)| *day == read.day);
        let invocations = read.deltas.iter().map(|delta| delta.reports).sum();
        let kept = before.map(|(_, before)| before);
        let mut now = LogDay {
            read_at: read.read_at,
            invocations,
        };
        if let Some(kept) = kept.filter(|kept| kept.invocations > invocations) {
            now.invocations = kept.invocations;
            self.unit.log_groups().set_day(group, read.day, now)?;
            return Ok(false);
        }
        if kept.is_some_and(|kept| kept.invocations > 0) {
            self.unit.log_groups().take_back(group, read.day)?;
        }
        for delta in read.deltas {
            self.add(delta.counted_as(DaySource::LogGroup(group)))?;
        }
        self.unit.log_groups().set_day(group, read.day, now)?;
        Ok(true)
    }

    /// All that was reported up to `at` is in: under the event clock it is as late as that.
    pub fn seen_until(&mut self, at: Timestamp) {
        self.clock.observe(0, at, self.now);
    }

    /// Notes that a file was taken in, so that it is not taken in twice.
    pub fn remember_file(&self, source: &str, name: &str) -> Result<(), StoreError> {
        self.unit.checkpoints().set(source, name, self.now)
    }

    /// Under which name a file of this content was taken in before.
    pub fn known_file(&self, source: &str) -> Result<Option<String>, StoreError> {
        self.unit.checkpoints().get(source)
    }

    /// Closes the days whose time has come, which begins a close of the functions active in the
    /// window, and decides what this unit touched.
    pub fn close_days(&mut self) -> Result<(), StoreError> {
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
        let resized = self.unit.inventory().take(update)?;
        if at_once {
            self.touched.extend(resized);
            self.decide_touched()?;
        }
        self.unit.inventory().owners()
    }

    /// Decides what this unit touched.
    pub fn decide_touched(&mut self) -> Result<(), StoreError> {
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
        }
        for id in due {
            self.decide(id)?;
        }
        for id in again {
            self.unit.recommendations().was_due(id, self.now)?;
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
