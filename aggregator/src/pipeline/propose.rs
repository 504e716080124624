//! Decides what functions' windows require, without writing: it only reads, so that many functions
//! can be considered at once, on any thread.

use std::ops::RangeInclusive;

use rightsizer_records::Timestamp;
use rightsizer_rules::assess::{Assessment, Drafter, Proposal, Viewpoint};
use rightsizer_rules::window::DayClock;
use rightsizer_store::{Earlier, FunctionId, StoreError, Unit};

use super::settings::PipelineSettings;

/// From where functions are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outlook<'a> {
    pub(super) clock: DayClock,
    /// The caller's clock.
    pub(super) now: Timestamp,
    pub(super) settings: &'a PipelineSettings,
}

/// A function that was looked at.
#[derive(Debug)]
pub(super) struct Considered {
    pub(super) id: FunctionId,
    /// Whether a decision still stands in the store.
    pub(super) has_decision: bool,
    /// Whether it should be decided now.
    pub(super) due: bool,
    /// `None` if no day of the window or after it has a memory figure.
    pub(super) seen: Option<Assessment>,
    pub(super) earlier: Vec<Earlier>,
    /// What to do; of a function whose last change is on trial the verdict comes first.
    pub(super) proposal: Option<Proposal>,
}

impl<'a> Outlook<'a> {
    /// How windows look from here.
    pub(super) const fn view(&'a self) -> Viewpoint<'a> {
        Viewpoint {
            clock: &self.clock,
            now: self.now,
            settings: &self.settings.policy,
        }
    }

    /// Looks at the functions `ids`, ascending.
    pub(super) fn look(
        &self,
        unit: &Unit<'_>,
        ids: RangeInclusive<FunctionId>,
    ) -> Result<Vec<Considered>, StoreError> {
        let today = self.clock.present(self.now).day();
        let decided_by = self.settings.window.cadence.due_if_decided_by(today);
        let mut earlier = unit.recommendations().earlier(&ids)?.into_iter().peekable();
        let mut considered = Vec::new();
        for one in unit.evidence().assess(ids, self.view())? {
            let mut its = Vec::new();
            while let Some(next) = earlier.next_if(|s| s.function <= one.id) {
                its.push(next);
            }
            // A decision of the future was made by a clock that was wrong.
            let due = one
                .decided
                .is_none_or(|day| day <= decided_by || day > today);
            let settled = one.seen.as_ref().filter(|seen| due && !seen.is_on_trial());
            considered.push(Considered {
                id: one.id,
                has_decision: one.has_decision,
                due,
                proposal: settled.and_then(|seen| self.propose(seen)),
                seen: one.seen,
                earlier: its,
            });
        }
        Ok(considered)
    }

    /// The decision of the policies.
    pub(super) fn propose(&self, seen: &Assessment) -> Option<Proposal> {
        self.drafter().propose(seen)
    }

    /// What makes proposals of decisions.
    pub(super) const fn drafter(&self) -> Drafter<'a> {
        Drafter {
            now: self.now,
            policy: &self.settings.policy,
            price: &self.settings.price,
            cadence: self.settings.window.cadence,
        }
    }
}
