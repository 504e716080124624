//! The close of a day: every function active in the window is decided again (W4), a slice of them
//! at a time, each in a commit of its own, so that a million functions do not delay arriving
//! records. An interrupted close continues where it stopped.

use std::ops::RangeInclusive;

use rightsizer_records::{Day, Timestamp};
use rightsizer_rules::window::FUTURE_TOLERANCE_MS;
use rightsizer_store::{FunctionId, StoreError, Unit};

use super::Pipeline;
use super::propose::{Considered, Outlook};
use super::session::Session;

/// Functions of a slice: a few hundredths of a second.
const SLICE: i64 = 2_000;
/// Under this key of `state` stands the close that is under way.
const CLOSING: &str = "closing";

/// A close that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closing {
    /// The day that closed last.
    day: Day,
    /// Functions up to this one are done.
    done: FunctionId,
    /// The last function that there was when it began: later ones are decided when they come.
    last: FunctionId,
}

impl Closing {
    /// The close that a store is in the middle of.
    pub(super) fn load(unit: &Unit<'_>) -> Result<Option<Self>, StoreError> {
        let Some(text) = unit.state().get(CLOSING)? else {
            return Ok(None);
        };
        let numbers: Vec<i64> = text.split(' ').filter_map(|n| n.parse().ok()).collect();
        let &[day, done, last] = numbers.as_slice() else {
            return Err(StoreError::Damaged(format!("{CLOSING} is {text:?}")));
        };
        let day = i32::try_from(day).map_err(|e| StoreError::Damaged(e.to_string()))?;
        Ok(Some(Self {
            day: Day::from_number(day),
            done,
            last,
        }))
    }

    /// The functions whose turn it is.
    fn slice(self) -> RangeInclusive<FunctionId> {
        self.done + 1..=self.last.min(self.done.saturating_add(SLICE))
    }

    /// Whether it is worth being looked at by several threads.
    const fn is_large(self) -> bool {
        self.last - self.done > SLICE
    }

    pub(super) fn save(closing: Option<Self>, unit: &Unit<'_>) -> Result<(), StoreError> {
        let text = closing.map(|c| format!("{} {} {}", c.day.number(), c.done, c.last));
        unit.state().set(CLOSING, text.as_deref())
    }
}

impl Session<'_> {
    pub(super) fn begin_close(&mut self, day: Day) -> Result<(), StoreError> {
        if self.clock.is_live() {
            let until = self.now.plus_ms(FUTURE_TOLERANCE_MS);
            self.digest.quarantined += self.unit.early().give_up(until, self.now)?;
        }
        self.unit.flush()?;
        if let Some(certain) = self.clock.certainly_closed() {
            self.unit.retention().delete_old_logs(certain)?;
        }
        self.closing = Some(Closing {
            day,
            done: 0,
            last: self.unit.decisions().last_function()?,
        });
        Ok(())
    }

    /// Does what the next slice of the close that is under way calls for.
    pub(super) fn close_slice(&mut self, slice: Vec<Considered>) -> Result<(), StoreError> {
        let Some(closing) = self.closing else {
            return Ok(());
        };
        // Never by the word of one clock alone: what is deleted stays deleted.
        if let Some(certain) = self.clock.certainly_closed() {
            let live = self.clock.is_live();
            self.unit
                .retention()
                .delete_old(closing.slice(), certain.min(closing.day), live)?;
        }
        for one in slice {
            self.carry_out(one)?;
        }
        let done = *closing.slice().end();
        self.closing = (done < closing.last).then_some(Closing { done, ..closing });
        Ok(())
    }
}

impl Pipeline {
    /// Looks at the next slice of a close, on every processor: nothing is written meanwhile.
    pub(super) fn look_at_slice(&mut self, now: Timestamp) -> Result<Vec<Considered>, StoreError> {
        let Some(closing) = self.closing else {
            return Ok(Vec::new());
        };
        if closing.is_large() && self.readers.is_empty() {
            self.readers = self.store.readers(processors() - 1);
        }
        let outlook = Outlook {
            clock: self.clock,
            now,
            settings: &self.settings,
        };
        let mut parts = parts(closing.slice(), self.readers.len() + 1).into_iter();
        let own = parts.next();
        std::thread::scope(|scope| {
            let others: Vec<_> = self
                .readers
                .iter_mut()
                .zip(parts)
                .map(|(reader, part)| {
                    scope.spawn(move || reader.look(|unit| outlook.look(unit, part)))
                })
                .collect();
            let mut considered = Vec::new();
            if let Some(part) = own {
                let unit = self.store.begin()?;
                considered = outlook.look(&unit, part)?;
                // A unit that is dropped takes the rows in memory with it.
                unit.commit()?;
            }
            for other in others {
                match other.join() {
                    Ok(found) => considered.extend(found?),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            Ok(considered)
        })
    }
}

/// Processors to look with; more than four would wait for the one that writes.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(4))
}

/// Cuts `ids` into at most `count` parts of about the same length, in order.
fn parts(ids: RangeInclusive<FunctionId>, count: usize) -> Vec<RangeInclusive<FunctionId>> {
    let count = FunctionId::try_from(count).unwrap_or(1);
    let length = (ids.end() - ids.start() + count) / count;
    let starts = (0..count).map(|n| ids.start() + n * length);
    starts
        .map(|start| start..=*ids.end().min(&(start + length - 1)))
        .filter(|part| !part.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_the_whole_in_order() {
        for (ids, count) in [(1..=2000, 2), (5..=7, 4), (9..=9, 3), (1..=10, 1)] {
            let parts = parts(ids.clone(), count);
            assert!(parts.len() <= count);
            let joined: Vec<_> = parts.into_iter().flatten().collect();
            assert_eq!(joined, ids.collect::<Vec<_>>());
        }
    }
}
