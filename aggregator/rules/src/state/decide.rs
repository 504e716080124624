//! A decision on a state, and the close of a day.

use rightsizer_records::{Day, Megabytes, Timestamp};

use super::{FunctionState, LastDecision};
use crate::assess::{Assessment, Drafter, Proposal, Rollback, Ruling, Viewpoint, rule};
use crate::lifecycle::ClosedCode;
use crate::outcome::{OUTCOME_WITHIN_MS, ObservedDay, OpenTrial, Reverted, Trial, TrialFacts};
use crate::policy::PolicySettings;
use crate::price::PriceTable;
use crate::window::{Cadence, DayClock, WINDOW_DAYS};

/// What decisions go by.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The settings of the policies.
    pub policy: &'a PolicySettings,
    /// The prices.
    pub price: &'a PriceTable,
    /// How often a function is decided.
    pub cadence: Cadence,
}

/// A recommendation that ended by a verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// Its id.
    pub id: String,
    /// Why, for programs; `None` if it is to be rolled back, and ends when that is applied.
    pub code: Option<ClosedCode>,
    /// Why, in words.
    pub why: String,
    /// Whether decreases are held for [`crate::outcome::HOLD_DAYS`].
    pub holds: bool,
}

/// A function that was looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// What was seen.
    pub seen: Assessment,
    /// The decision; `None` if only the verdict on the last change was due.
    pub proposal: Option<Proposal>,
    /// The verdict on the last change, if it is out.
    pub ended: Option<Ended>,
}

/// The result of a day's close.
#[derive(Debug, Clone, PartialEq)]
pub enum Closed {
    /// It has no reports in the window; whether a decision stood until now.
    Idle {
        /// Whether a decision ends by it.
        had_decision: bool,
    },
    /// Nothing was due.
    NotDue,
    /// It was decided or judged.
    Decided(Box<Decided>),
}

/// Invocations that an environment of the logs counts for: those have no numbered records.
const OF_UNNUMBERED: u64 = 5;
/// The account contradicts a restored size if it was read within this time of the newest report.
const CONTRADICTS_MS: i64 = 86_400_000;

impl FunctionState {
    /// Decides the function now, and judges its last change. `None` if no day of the window or after it has a memory
    /// figure.
    pub fn decide(
        &mut self,
        clock: &DayClock,
        now: Timestamp,
        terms: &Terms<'_>,
    ) -> Option<Decided> {
        self.give_up_lost_increases(now);
        let view = Viewpoint {
            clock,
            now,
            settings: terms.policy,
        };
        let seen = self.assess(view)?;
        Some(self.settle(seen, view, terms, true))
    }

    /// The close of a day: decides the function if it is due (W4), judges its last change in any case, and drops what
    /// is too old.
    pub fn close(&mut self, clock: &DayClock, now: Timestamp, terms: &Terms<'_>) -> Closed {
        self.give_up_lost_increases(now);
        let view = Viewpoint {
            clock,
            now,
            settings: terms.policy,
        };
        let closed = self.closing(view, terms);
        if let Some(day) = clock.certainly_closed() {
            self.drop_old(day, terms.policy);
        }
        closed
    }

    fn closing(&mut self, view: Viewpoint<'_>, terms: &Terms<'_>) -> Closed {
        let Some(seen) = self.assess(view) else {
            let had_decision = self.last.is_some_and(|last| last.stands);
            if let Some(last) = &mut self.last {
                (last.stands, last.decrease_to) = (false, None);
            }
            return Closed::Idle { had_decision };
        };
        let today = view.present().day();
        let decided_by = terms.cadence.due_if_decided_by(today);
        // A decision of the future was made by a clock that was wrong.
        let due = self
            .last
            .is_none_or(|last| last.day <= decided_by || last.day > today);
        if !due && !seen.is_on_trial() {
            return Closed::NotDue;
        }
        let decided = self.settle(seen, view, terms, due);
        if decided.proposal.is_none() && decided.ended.is_none() {
            return Closed::NotDue;
        }
        Closed::Decided(Box::new(decided))
    }

    fn settle(
        &mut self,
        mut seen: Assessment,
        view: Viewpoint<'_>,
        terms: &Terms<'_>,
        due: bool,
    ) -> Decided {
        let (ended, rollback) = if seen.is_on_trial() {
            self.judge(&mut seen, view)
        } else {
            (None, None)
        };
        let drafter = Drafter {
            now: view.now,
            policy: terms.policy,
            price: terms.price,
            cadence: terms.cadence,
        };
        let proposal = if due || rollback.is_some() {
            drafter.propose_with(&seen, rollback)
        } else {
            None
        };
        if let Some(proposal) = &proposal {
            self.note(&seen, proposal, view.now);
        }
        Decided {
            seen,
            proposal,
            ended,
        }
    }

    fn note(&mut self, seen: &Assessment, proposal: &Proposal, now: Timestamp) {
        let new = proposal.recommendation.as_ref();
        let change = new.map(|new| (new.from_mb, new.to_mb));
        let ended = new.is_some_and(|new| self.has_ended(&new.id));
        let day = seen.evidence.present.day();
        let same_day = self.last.filter(|last| last.day == day);
        let withdrawn_to = same_day.and_then(|last| last.withdrawn_to);
        self.last = Some(LastDecision {
            day,
            peak_mb: seen.peak_mb,
            decrease_to: change
                .filter(|(from, to)| to < from && !ended && withdrawn_to != Some(*to))
                .map(|(_, to)| to),
            withdrawn_to,
            stands: true,
        });
        if let Some(new) = new {
            self.supersede(&new.id, (new.from_mb, new.to_mb), now);
        }
    }

    fn judge(
        &mut self,
        seen: &mut Assessment,
        view: Viewpoint<'_>,
    ) -> (Option<Ended>, Option<Rollback>) {
        let Some(open) = self.open_trial() else {
            return (None, None);
        };
        let objective = seen.evidence.objective(view.settings);
        let tolerance = view.settings.p95_tolerance.of(objective);
        let trial = self.trial(&open, view.present(), tolerance);
        match rule(&open.id, &trial, seen) {
            Ruling::Wait => (None, None),
            Ruling::Close { code, why, holds } => {
                self.end(&open.id, code);
                let ended = Ended {
                    id: open.id,
                    code: Some(code),
                    why,
                    holds,
                };
                (Some(ended), None)
            }
            Ruling::Harm { why, rollback } => {
                let ended = Ended {
                    id: open.id,
                    code: None,
                    why,
                    holds: true,
                };
                (Some(ended), rollback)
            }
        }
    }

    fn trial(&self, open: &OpenTrial, now: Timestamp, p95_tolerance: f64) -> Trial {
        let from = open.applied_at.day().plus(-WINDOW_DAYS);
        let days = self
            .days
            .range(super::apply::first_of(from)..)
            .take_while(|(key, _)| key.day <= now.day())
            .map(|(key, stats)| ObservedDay::of(key, stats));
        let facts = TrialFacts {
            now,
            last: self.newest().unwrap_or(open.applied_at),
            begun: self.begun(open),
            reverted: self.reverted(open),
            p95_tolerance,
        };
        open.evidence(days, facts)
    }

    /// Environments that began at the new size since the change.
    fn begun(&self, open: &OpenTrial) -> u32 {
        let since = open.applied_at.plus_ms(-OUTCOME_WITHIN_MS);
        self.distinct(open.to_mb, |first| first >= since).0
    }

    /// Environments that began at the old size after every one that began at the new.
    fn reverted(&self, open: &OpenTrial) -> Reverted {
        let begun = self
            .environments
            .iter()
            .filter(|(key, e)| key.memory_mb == open.to_mb && e.first >= open.applied_at);
        let newest = begun.map(|(_, e)| e.first).max();
        let (environments, invocations) = newest.map_or((0, 0), |newest| {
            self.distinct(open.from_mb, |first| first > newest)
        });
        Reverted {
            environments,
            invocations,
            contradicted: self.account_contradicts(open.from_mb),
        }
    }

    /// The number of environments at `size` that reported and began when `wanted`, and their invocations.
    fn distinct(&self, size: Megabytes, wanted: impl Fn(Timestamp) -> bool) -> (u32, u64) {
        let its = self
            .environments
            .iter()
            .filter(|(key, e)| key.memory_mb == size && !e.days.is_empty() && wanted(e.first));
        let (mut count, mut invocations, mut last) = (0_u32, 0_u64, None);
        for (key, e) in its {
            // Keys ascend by environment.
            count += u32::from(last != Some(key.env));
            last = Some(key.env);
            invocations = invocations.saturating_add(if e.marks.ranges().is_empty() {
                OF_UNNUMBERED
            } else {
                e.seen
            });
        }
        (count, invocations)
    }

    /// Whether the account has another size for the function than `old`.
    fn account_contradicts(&self, old: Megabytes) -> bool {
        let (Some(listed), Some(seen)) = (&self.listed, &self.seen) else {
            return false;
        };
        let latest = self
            .current()
            .is_some_and(|(version, _)| version == crate::evidence::LATEST);
        let Some(listed_at) = listed.listed_at().filter(|_| latest) else {
            return false;
        };
        let applied = self.applied.filter(|(at, _)| *at > listed_at);
        let account = applied.map_or(listed.memory_mb, |(_, mb)| mb);
        listed_at.plus_ms(CONTRADICTS_MS) >= seen.sighting.newest.at && account != old
    }

    /// The day of its last decision.
    pub fn decided_on(&self) -> Option<Day> {
        self.last.map(|last| last.day)
    }
}
