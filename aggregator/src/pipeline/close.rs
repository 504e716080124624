//! The close of a day: every function active in the window is decided again (W4), a slice of them at
//! a time, each in a commit of its own, so that a million functions do not hold up what is arriving. A
//! process that ends in between goes on where it was.

use rightsizer_records::Day;

use super::session::Session;
use crate::store::{FunctionId, StoreError, Unit};

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
        let Some(text) = unit.state(CLOSING)? else {
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

    pub(super) fn save(closing: Option<Self>, unit: &Unit<'_>) -> Result<(), StoreError> {
        let text = closing.map(|c| format!("{} {} {}", c.day.number(), c.done, c.last));
        unit.set_state(CLOSING, text.as_deref())
    }
}

impl Session<'_> {
    pub(super) fn begin_close(&mut self, day: Day) -> Result<(), StoreError> {
        self.unit.flush()?;
        self.unit.retain_logs(day)?;
        self.closing = Some(Closing {
            day,
            done: 0,
            last: self.unit.last_function()?,
        });
        Ok(())
    }

    /// Decides the next slice of the close that is under way, if one is.
    pub(super) fn close_slice(&mut self) -> Result<(), StoreError> {
        let Some(closing) = self.closing else {
            return Ok(());
        };
        let to = closing.last.min(closing.done.saturating_add(SLICE));
        let ids = closing.done + 1..=to;
        self.unit.retain(ids.clone(), closing.day)?;
        let today = self.clock.present(self.now).day();
        let decided_by = self.settings.window.cadence.due_if_decided_by(today);
        for one in self.unit.assess(ids, self.view())? {
            let due = one.decided.is_none_or(|day| day <= decided_by);
            match one.seen {
                Some(seen) if due => self.decide_on(one.id, seen)?,
                None if one.has_decision => self.unit.forget_decision(one.id, self.now)?,
                _ => {}
            }
        }
        self.closing = (to < closing.last).then_some(Closing {
            done: to,
            ..closing
        });
        Ok(())
    }
}
