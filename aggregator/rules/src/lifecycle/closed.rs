//! The codes of the reasons for which recommendations end. Programs may compare them; the texts are for people.

use rightsizer_records::{Outcome, OutcomeCode, OutcomeStatus};

use super::Event;

/// The reason for which a recommendation ended. Names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClosedCode {
    /// A person rejected it.
    Rejected,
    /// A later decision took its place.
    LaterDecision,
    /// The function's present size is right again.
    SizeRightAgain,
    /// The next step waits, for example until the last one is judged.
    NextStepWaits,
    /// The function has no reports in the window.
    NoReports,
    /// W9: a peak came near its target size.
    PeakNear,
    /// It was not reviewed in time.
    NotReviewed,
    /// The updater applied it.
    Applied,
    /// The updater restored the size.
    RolledBack,
    /// The updater skipped it; `None` if this version does not know the reason.
    Skipped(Option<OutcomeCode>),
    /// The updater could not apply it; `None` if this version does not know the reason.
    Failed(Option<OutcomeCode>),
    /// Its outcome was lost.
    NoOutcome,
    /// The change did no harm.
    NoHarm,
    /// Someone else restored the old size.
    RestoredElsewhere,
    /// The recommendation that rolls it back was applied.
    TakenBack,
}

impl ClosedCode {
    /// Returns every code.
    pub fn all() -> impl Iterator<Item = Self> {
        let reasons = || std::iter::once(None).chain(OutcomeCode::all().map(Some));
        let ours = [
            Self::Rejected,
            Self::LaterDecision,
            Self::SizeRightAgain,
            Self::NextStepWaits,
            Self::NoReports,
            Self::PeakNear,
            Self::NotReviewed,
            Self::Applied,
            Self::RolledBack,
            Self::NoOutcome,
            Self::NoHarm,
            Self::RestoredElsewhere,
            Self::TakenBack,
        ];
        ours.into_iter()
            .chain(reasons().map(Self::Skipped))
            .chain(reasons().map(Self::Failed))
    }

    /// Returns the code of an outcome.
    pub fn of(outcome: &Outcome) -> Self {
        let reason = OutcomeCode::from_name(&outcome.reason);
        match outcome.status {
            OutcomeStatus::Applied => Self::Applied,
            OutcomeStatus::RolledBack => Self::RolledBack,
            OutcomeStatus::Skipped => Self::Skipped(reason),
            OutcomeStatus::Failed => Self::Failed(reason),
        }
    }

    /// Returns its name in the store and in tables. Skips and failures have the name of the updater's code.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::LaterDecision => "later-decision",
            Self::SizeRightAgain => "size-right-again",
            Self::NextStepWaits => "next-step-waits",
            Self::NoReports => "no-reports",
            Self::PeakNear => "peak-near",
            Self::NotReviewed => "not-reviewed",
            Self::Applied => "applied",
            Self::RolledBack => "rolled-back",
            Self::Skipped(Some(code)) | Self::Failed(Some(code)) => code.name(),
            Self::Skipped(None) => "skipped",
            Self::Failed(None) => "failed",
            Self::NoOutcome => "no-outcome",
            Self::NoHarm => "no-harm",
            Self::RestoredElsewhere => "restored-elsewhere",
            Self::TakenBack => "taken-back",
        }
    }

    /// Returns the event that ends a recommendation with this code.
    pub const fn event(self) -> Event {
        match self {
            Self::Rejected => Event::Rejected,
            Self::LaterDecision => Event::Superseded,
            Self::SizeRightAgain | Self::NextStepWaits | Self::NoReports => Event::Withdrawn,
            Self::PeakNear => Event::WithdrawnForPeak,
            Self::NotReviewed => Event::Expired,
            Self::Applied => Event::Outcome(OutcomeStatus::Applied),
            Self::RolledBack => Event::Outcome(OutcomeStatus::RolledBack),
            Self::Skipped(_) => Event::Outcome(OutcomeStatus::Skipped),
            Self::Failed(_) => Event::Outcome(OutcomeStatus::Failed),
            Self::NoOutcome => Event::OutcomeLost,
            Self::NoHarm => Event::Verified,
            Self::RestoredElsewhere => Event::Reverted,
            Self::TakenBack => Event::TakenBack,
        }
    }

    /// Returns whether the same decision of the same day must not reopen it (W9), because the evidence of that
    /// decision may lack the peak.
    pub const fn bars_the_same_decision(self) -> bool {
        matches!(self, Self::PeakNear)
    }

    /// Returns whether it is temporary, so that the recommendation is decided again after a wait.
    pub fn passes_by_itself(self) -> bool {
        match self {
            Self::Skipped(reason) | Self::Failed(reason) => {
                reason.is_some_and(OutcomeCode::passes_by_itself)
            }
            _ => false,
        }
    }

    /// Returns whether the updater skipped it because it needs a person's approval.
    pub fn asks_a_person(self) -> bool {
        matches!(self, Self::Skipped(Some(reason)) if reason.asks_a_person())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::lifecycle::Status;

    /// Names are a contract (docs/STORE.md), and kebab-case. Only skips and failures share some, which their
    /// status tells apart.
    #[test]
    fn names_are_stable_and_name_one_code_of_a_status() {
        let mut seen: HashMap<(Status, &str), Vec<ClosedCode>> = HashMap::new();
        for code in ClosedCode::all() {
            let name = code.name();
            let plain = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(name.chars().all(plain), "{name}");
            seen.entry((code.event().target(), name))
                .or_default()
                .push(code);
        }
        for ((status, name), codes) in seen {
            let same = codes.iter().map(|c| c.passes_by_itself());
            assert!(
                same.collect::<std::collections::HashSet<_>>().len() == 1,
                "{status:?} {name}"
            );
        }
        let ours: Vec<&str> = ClosedCode::all().take(13).map(ClosedCode::name).collect();
        insta::assert_snapshot!(ours.join(" "), @"rejected later-decision size-right-again next-step-waits no-reports peak-near not-reviewed applied rolled-back no-outcome no-harm restored-elsewhere taken-back");
    }

    #[test]
    fn w9_only_a_peak_bars_the_same_decision() {
        let barring: Vec<ClosedCode> = ClosedCode::all()
            .filter(|c| c.bars_the_same_decision())
            .collect();
        assert_eq!(barring, [ClosedCode::PeakNear]);
    }
}
