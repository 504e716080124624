//! One unit of work: takes evidence in, remembers which functions it touched, decides those.

use std::collections::{HashMap, HashSet};

use rightsizer_records::{Megabytes, Outcome, Record, Reports, Timestamp};

use super::{Digest, accept::Accept, payload, save_clock};
use crate::settings::Settings;
use crate::source::{Channel, Delivery, Evidence, FunctionKey, Home, Item, Observation};
use crate::store::{FunctionId, Identity, MergedDay, StoreError, Unit};
use crate::window::{
    DayClock, DayDelta, DaySource, FUTURE_TOLERANCE_MS, WINDOW_DAYS, fold_observation,
    fold_reports, newest_event, oldest_event,
};

/// Why a record was not taken, in words for the quarantine or an import's report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub String);

/// A unit of work on a pipeline.
#[derive(Debug)]
pub struct Session<'p> {
    pub(super) unit: Unit<'p>,
    pub(super) clock: DayClock,
    /// The clock as it is in the store.
    stored_clock: DayClock,
    pub(super) settings: &'p Settings,
    pub(super) now: Timestamp,
    accept: &'p Accept,
    home: Option<&'p Home>,
    /// Functions to decide at once (W4, W5, W9).
    touched: HashSet<FunctionId>,
    /// Highest raised peak by function, to hold open decreases against (W9).
    raised: HashMap<FunctionId, Megabytes>,
    pub(super) digest: Digest,
}

impl<'p> Session<'p> {
    pub(super) fn new(
        unit: Unit<'p>,
        clock: DayClock,
        settings: &'p Settings,
        accept: &'p Accept,
        home: Option<&'p Home>,
        now: Timestamp,
    ) -> Self {
        Self {
            unit,
            clock,
            stored_clock: clock,
            settings,
            now,
            accept,
            home,
            touched: HashSet::new(),
            raised: HashMap::new(),
            digest: Digest::default(),
        }
    }

    /// Takes in one delivery; what cannot be used goes to the quarantine, and never stops the rest.
    pub fn deliver(&mut self, delivery: &Delivery) -> Result<(), StoreError> {
        for bytes in &delivery.payloads {
            for item in payload::items(bytes, self.home, self.now) {
                match item {
                    Item::Ignored => {}
                    Item::Refused { reason, .. } => self.poison(delivery, &reason, bytes)?,
                    Item::Evidence { evidence, .. } => {
                        let source = DaySource::Subscription;
                        if let Err(refusal) = self.take(evidence, source, delivery.channel)? {
                            self.poison(delivery, &refusal.0, bytes)?;
                        }
                    }
                }
            }
        }
        if let Some((source, position)) = &delivery.checkpoint {
            self.unit.set_checkpoint(source, position, self.now)?;
        }
        Ok(())
    }

    fn poison(&mut self, from: &Delivery, why: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.digest.quarantined += 1;
        self.unit.quarantine(&from.origin, why, bytes, self.now)
    }

    /// Takes in one piece of evidence. `source` is what observations count as.
    pub fn take(
        &mut self,
        evidence: Evidence,
        source: DaySource,
        channel: Channel,
    ) -> Result<Result<(), Refusal>, StoreError> {
        match evidence {
            Evidence::Observation(seen) => self.take_observation(&seen, source),
            Evidence::Record(record) => match *record {
                Record::Reports(reports) => self.take_reports(&reports),
                Record::Outcome(_) if channel == Channel::Reports => Ok(Err(Refusal(
                    "an outcome on the reports stream, where every function may write".into(),
                ))),
                Record::Outcome(outcome) => self.take_outcome(&outcome).map(Ok),
                Record::Recommendation(_) if channel == Channel::Reports => Ok(Err(Refusal(
                    "a recommendation on the reports stream, where every function may write".into(),
                ))),
                // Our own words come back on the decisions stream.
                Record::Recommendation(_) => Ok(Ok(())),
            },
        }
    }

    fn take_reports(&mut self, record: &Reports) -> Result<Result<(), Refusal>, StoreError> {
        if !self.accept.takes(&record.function) {
            let what = format!(
                "{} is not in an accepted account and region",
                record.function
            );
            return Ok(Err(Refusal(what)));
        }
        let newest = newest_event(record);
        if let Err(refusal) = self.not_from_the_future(newest) {
            return Ok(Err(refusal));
        }
        let key = FunctionKey::Arn(record.function.clone());
        let identity = Identity {
            version: &record.version,
            arch: record.arch,
            runtime: record.runtime.as_deref(),
            memory_mb: record.memory_mb,
            oldest: oldest_event(record).min(record.t0),
            newest,
            heard: self.heard(DaySource::Layer, record.t0),
            starts: record.seq == 0,
        };
        let (id, new) = self.unit.function(&key, &identity)?;
        let environment =
            self.unit
                .environment(id, record.env, record.memory_mb, &record.version, record.t0)?;
        let rows = record.reports.len() as u64 + record.folded.map_or(0, |f| f.count);
        let Some(deltas) = fold_reports(record, environment) else {
            self.unit.tally(&key, 0, rows, 0)?;
            return Ok(Ok(()));
        };
        self.merge(&key, id, new, deltas)?;
        self.clock.observe(newest);
        self.unit.flush_if_large()?;
        Ok(Ok(()))
    }

    fn take_observation(
        &mut self,
        seen: &Observation,
        source: DaySource,
    ) -> Result<Result<(), Refusal>, StoreError> {
        if let Some(arn) = seen.function.arn().filter(|arn| !self.accept.takes(arn)) {
            return Ok(Err(Refusal(format!(
                "{arn} is not in an accepted account and region"
            ))));
        }
        if let Err(refusal) = self.not_from_the_future(seen.at) {
            return Ok(Err(refusal));
        }
        let identity = Identity {
            version: &seen.version,
            arch: seen.arch,
            runtime: None,
            memory_mb: seen.memory_mb,
            oldest: seen.at,
            newest: seen.at,
            heard: self.heard(source, seen.at),
            starts: seen.init_ms.is_some(),
        };
        let (id, new) = self.unit.function(&seen.function, &identity)?;
        let mut delta = fold_observation(seen, source);
        if let Some(env) = seen.environment {
            let environment =
                self.unit
                    .environment(id, env, seen.memory_mb, &seen.version, seen.at)?;
            environment.first = environment.first.min(seen.at);
            environment.last = environment.last.max(seen.at);
            delta.stats.environments = u64::from(environment.days.insert(delta.key.day));
        }
        self.merge(&seen.function, id, new, vec![delta])?;
        self.clock.observe(seen.at);
        self.unit.flush_if_large()?;
        Ok(Ok(()))
    }

    /// W4 counts from the arrival where the wall clock rules: the times in a stream's records are
    /// whatever their writer says.
    fn heard(&self, source: DaySource, at: Timestamp) -> Timestamp {
        match source {
            DaySource::Layer | DaySource::Subscription => self.clock.arrival(at, self.now),
            DaySource::Import => at,
        }
    }

    /// W5: ones more than a day in the future are not believed.
    fn not_from_the_future(&self, newest: Timestamp) -> Result<(), Refusal> {
        if newest <= self.now.plus_ms(FUTURE_TOLERANCE_MS) {
            return Ok(());
        }
        Err(Refusal(format!(
            "its time {newest} is more than a day in the future of {}",
            self.now
        )))
    }

    fn merge(
        &mut self,
        key: &FunctionKey,
        id: FunctionId,
        new: bool,
        deltas: Vec<DayDelta>,
    ) -> Result<(), StoreError> {
        if new {
            self.touched.insert(id);
        }
        for delta in deltas {
            let (day, count) = (delta.key.day, delta.stats.invocations);
            let closed = self.clock.last_closed();
            let late = closed.is_some_and(|closed| day <= closed.plus(-WINDOW_DAYS));
            self.unit_tally(key, count, late)?;
            let merged = self.unit.merge_day(id, delta)?;
            self.note(id, merged, closed.is_some_and(|closed| day <= closed));
        }
        Ok(())
    }

    fn unit_tally(&mut self, key: &FunctionKey, n: u64, late: bool) -> Result<(), StoreError> {
        self.digest.accepted += n;
        self.unit.tally(key, n, 0, if late { n } else { 0 })
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

    fn take_outcome(&mut self, outcome: &Outcome) -> Result<(), StoreError> {
        if let Some((id, size)) = self.unit.take_outcome(outcome, self.now)? {
            let present = self.clock.present(self.now);
            self.unit.set_applied(id, size, present)?;
            self.touched.insert(id);
        }
        Ok(())
    }

    /// Notes that a file was taken in, so that it is not taken in twice.
    pub fn remember_file(&self, source: &str, name: &str) -> Result<(), StoreError> {
        self.unit.set_checkpoint(source, name, self.now)
    }

    /// Under which name a file of this content was taken in before.
    pub fn known_file(&self, source: &str) -> Result<Option<String>, StoreError> {
        self.unit.checkpoint(source)
    }

    /// Closes the days whose time has come and decides every function active in the window; else
    /// decides what this unit touched.
    pub fn close_days(&mut self) -> Result<(), StoreError> {
        let closed = self.clock.advance(self.now);
        self.decide_after(closed)
    }

    /// Decides what this unit touched; no day closes.
    pub fn decide_touched(&mut self) -> Result<(), StoreError> {
        self.decide_after(None)
    }

    /// At the end of the input every function active in the window or after it is decided, whether
    /// or not a day closes: a file may hold one day alone.
    pub fn end_of_input(&mut self) -> Result<(), StoreError> {
        let closed = self.clock.end_of_input();
        if let Some(newest) = self
            .clock
            .last_closed()
            .or(self.clock.newest_event().map(Timestamp::day))
        {
            self.unit.flush()?;
            self.touched
                .extend(self.unit.active_since(newest.plus(1 - WINDOW_DAYS))?);
        }
        self.decide_after(closed)
    }

    fn decide_after(&mut self, closed: Option<rightsizer_records::Day>) -> Result<(), StoreError> {
        self.unit.flush()?;
        let raised: Vec<_> = self.raised.drain().collect();
        for (id, peak) in raised {
            if self.withdraw_decreases_near(id, peak)? {
                self.touched.insert(id);
            }
        }
        let mut due: HashSet<FunctionId> = self.touched.drain().collect();
        if let Some(day) = closed {
            self.unit.retain(day)?;
            self.unit
                .forget_decisions_of_idle(day.plus(1 - WINDOW_DAYS), self.now)?;
            let today = self.clock.present(self.now).day();
            let decided = self.settings.window.cadence.due_if_decided_by(today);
            due.extend(self.unit.due_since(day.plus(1 - WINDOW_DAYS), decided)?);
            self.digest.closed = Some(day);
        }
        for id in due {
            self.decide(id)?;
        }
        Ok(())
    }

    pub(super) fn commit(self) -> Result<(DayClock, Digest), StoreError> {
        // An idle second commits nothing, and so costs no write to the disk.
        if self.clock != self.stored_clock {
            save_clock(&self.unit, &self.clock)?;
        }
        self.unit.commit()?;
        Ok((self.clock, self.digest))
    }
}
