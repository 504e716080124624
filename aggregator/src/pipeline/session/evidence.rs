//! Merges folded evidence into the store, and notes which functions to decide at once.

use rightsizer_formats::intake::Batch;
use rightsizer_records::{Day, Timestamp};
use rightsizer_rules::window::{DaySource, Delta, Mark, WINDOW_DAYS};
use rightsizer_store::{Arrived, FunctionId, LogDay, MergedDay, Sighted, StoreError};

use super::{LogGroupDay, Session};

impl Session<'_> {
    /// Merges the folded evidence of a delivery.
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
        if self.is_known_event(&delta)? {
            // The event may be known from another name, so this creates no function.
            let known = self.unit.functions().find(&delta.function)?;
            return self.repeated(&delta, known);
        }
        let Some(sighted) = self.sight(&delta)? else {
            return Ok(());
        };
        let id = sighted.id;
        let env = delta.only_environment();
        let Some(mut arrived) = self.add_environments(id, &mut delta)? else {
            return self.repeated(&delta, Some(sighted));
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

    /// Returns whether `delta` is a log event that was merged before (W7); notes it otherwise.
    fn is_known_event(&mut self, delta: &Delta) -> Result<bool, StoreError> {
        let Some(Mark::Event(event)) = delta.mark else {
            return Ok(false);
        };
        let day = delta.sighting.newest.at.day();
        let groups = self.unit.log_groups();
        Ok(!groups.is_new_event(&delta.function, day, event)?)
    }

    /// Counts reports that came again.
    fn repeated(&mut self, delta: &Delta, function: Option<Sighted>) -> Result<(), StoreError> {
        self.digest.again = self.digest.again.saturating_add(delta.reports);
        let again = Arrived {
            duplicates: delta.reports,
            ..Arrived::default()
        };
        match function {
            Some(sighted) => self.unit.functions().tally(sighted, again),
            None => Ok(()),
        }
    }

    /// Notes that a file adds to a day of a function, and whether another file did so before. If the files overlap,
    /// events with an id still count once, but other evidence counts twice.
    fn file(&mut self, id: FunctionId, day: Day, named: bool) -> Result<(), StoreError> {
        if !self.filed.insert((id, day)) || named || !self.unit.days().was_in_a_file(id, day)? {
            return Ok(());
        }
        let (first, last, days) = self.digest.overlapping.unwrap_or((day, day, 0));
        self.digest.overlapping = Some((first.min(day), last.max(day), days + 1));
        Ok(())
    }

    /// Finds or creates the function of `delta`; `None` if `delta` has no reports. Reports without figures do not
    /// change the size of an existing function.
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

    /// Merges the environments of `delta`, and counts each on the days that are new to it; `None` if all of `delta`
    /// was merged before (W7).
    fn add_environments(
        &mut self,
        id: FunctionId,
        delta: &mut Delta,
    ) -> Result<Option<Arrived>, StoreError> {
        let mut arrived = Arrived::default();
        let seq = match delta.mark {
            Some(Mark::Record(seq)) => Some(seq),
            Some(Mark::Event(_)) | None => None,
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

    /// Notes what must be decided before the next close: hidden demand (W9), a closed day whose peak has risen (W5),
    /// and a peak near an open decrease (W9).
    fn note(&mut self, id: FunctionId, merged: MergedDay, day_was_closed: bool) {
        if merged.censored || (merged.raised && day_was_closed) {
            self.touched.insert(id);
        }
        if merged.raised {
            let peak = self.raised.entry(id).or_default();
            *peak = (*peak).max(merged.peak_mb);
        }
    }

    /// Replaces the evidence of an earlier reading of the same log group and day (W7), and returns `true`. If this
    /// reading found fewer invocations, some of the log was deleted in between: it changes nothing and returns `false`.
    pub(crate) fn replace_log_day(&mut self, read: LogGroupDay) -> Result<bool, StoreError> {
        let group = self.unit.log_groups().number(&read.log_group)?;
        let before = self.unit.log_groups().days(&read.log_group, read.day)?;
        let before = before.into_iter().find(|(day, _)| *day == read.day);
        let invocations = read.deltas.iter().map(|delta| delta.reports).sum();
        let earlier = before.map(|(_, day)| day);
        let mut now = LogDay {
            read_at: read.read_at,
            invocations,
        };
        if let Some(earlier) = earlier.filter(|earlier| earlier.invocations > invocations) {
            now.invocations = earlier.invocations;
            self.unit.log_groups().set_day(group, read.day, now)?;
            return Ok(false);
        }
        if earlier.is_some_and(|earlier| earlier.invocations > 0) {
            self.unit.log_groups().take_back(group, read.day)?;
        }
        for delta in read.deltas {
            self.add(delta.counted_as(DaySource::LogGroup(group)))?;
        }
        self.unit.log_groups().set_day(group, read.day, now)?;
        Ok(true)
    }
}
