//! Writes states as functions.

use rightsizer_rules::state::FunctionState;
use rightsizer_rules::window::{DayStats, EnvironmentState};
use rusqlite::{Connection, params};

use crate::days::DayRow;
use crate::error::StoreError;
use crate::functions::Functions;
use crate::log_groups::mark_event;
use crate::unit::WorkingSet;

/// What became of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateArrived {
    /// Its evidence is in the store.
    Taken,
    /// The store has as much evidence of the function or more.
    Known,
}

/// Functions that come back from an engine besides the store.
#[derive(Debug)]
pub struct Arrivals<'u> {
    pub(crate) tx: &'u Connection,
    pub(crate) rows: &'u mut WorkingSet,
}

impl Arrivals<'_> {
    /// Writes the evidence of a state. What the store has of the same days and environments is replaced, because the
    /// state began with it or saw the same; other days stay. Recommendations, decisions and the inventory are the
    /// store's own.
    ///
    /// Of several states of a function the one with the most evidence stays, in any order.
    pub fn take(&mut self, state: FunctionState) -> Result<StateArrived, StoreError> {
        if self.has_more(&state)? {
            return Ok(StateArrived::Known);
        }
        let Some(seen) = state.seen else {
            return Ok(StateArrived::Known);
        };
        let mut functions = Functions {
            tx: self.tx,
            rows: self.rows,
        };
        let sighted = functions.sight(&state.function, &seen.sighting, seen.first_arrival)?;
        functions.raise_counts(sighted, &seen.counts)?;
        let id = sighted.id;
        for (day, peak) in state.peaks {
            let stored = crate::days::select_peak(self.tx, id, day)?.unwrap_or_default();
            let peaks = &mut self.rows.peaks;
            let row = peaks.change((id, day), |_| Ok(stored))?;
            *row = row.join(peak);
        }
        for (key, stats) in state.days {
            let row = DayRow::new(id, key);
            *self.rows.days.change(row, |_| Ok(DayStats::default()))? = stats;
        }
        for (key, environment) in state.environments {
            let starting = EnvironmentState::starting(environment.first);
            let environments = &mut self.rows.environments;
            *environments.change((id, key), |_| Ok(starting))? = environment;
        }
        self.rows.flush(self.tx)?;
        self.rows.crowding.forget(|(function, _)| *function == id);
        for event in state.events {
            mark_event(self.tx, &state.function, event)?;
        }
        self.tx
            .prepare_cached(
                "UPDATE functions SET cleared_day = ?1, baseline_p95_ms = ?2 WHERE id = ?3",
            )?
            .execute(params![
                state.cleared.map(rightsizer_records::Day::number),
                state
                    .baseline_p95
                    .map(rightsizer_records::Millis::as_ms_f64),
                id
            ])?;
        Ok(StateArrived::Taken)
    }

    /// Whether the store has evidence of a later day than the state, or more of its last one.
    fn has_more(&self, state: &FunctionState) -> Result<bool, StoreError> {
        let Some(last) = state.days.keys().map(|key| key.day).max() else {
            return Ok(false);
        };
        let its = state.days.iter().filter(|(key, _)| key.day == last);
        let its: u64 = its.map(|(_, stats)| stats.invocations).sum();
        let stored: (Option<i32>, Option<i64>) = self
            .tx
            .prepare_cached(
                "SELECT max(d.day), sum(CASE WHEN d.day = ?2 THEN d.invocations END)
                 FROM days d JOIN functions f ON f.id = d.function_id
                 WHERE f.function = ?1 AND d.day >= ?2",
            )?
            .query_row(params![state.function.text(), last.number()], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        Ok(stored.0.is_some_and(|day| day > last.number())
            || stored
                .1
                .is_some_and(|count| crate::columns::count(count) > its))
    }
}
