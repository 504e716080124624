//! The lifecycle of a recommendation: its statuses, the events that change them, and the single transition table.
//! `docs/ALGORITHM.md` has the diagram.
//!
//! It must not know how a recommendation is stored; the store generates the conditions of its updates from
//! [`Event::sources`].

mod closed;
mod decided;

pub use closed::ClosedCode;
pub use decided::decision_day;
use rightsizer_records::OutcomeStatus;
use serde::{Deserialize, Serialize};

/// The status of a recommendation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Waits for a person, or to be sent.
    Open,
    /// Approved; waits to be sent.
    Approved,
    /// Rejected by a person.
    Rejected,
    /// A later decision took its place.
    Superseded,
    /// Its evidence no longer holds.
    Withdrawn,
    /// Not reviewed in time.
    Expired,
    /// On the decisions stream, without an outcome yet.
    Sent,
    /// The function has the new size.
    Applied,
    /// The updater skipped it on purpose.
    Skipped,
    /// The updater could not apply it, or its outcome was lost.
    Failed,
    /// The new size was verified.
    Verified,
    /// The old size was restored by the product.
    RolledBack,
    /// Someone else restored the old size, and it is left there.
    Reverted,
}

/// Something that happens to a recommendation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// The same decision was made again on its day (P8). It does not renew what was withdrawn for a peak
    /// ([`ClosedCode::bars_the_same_decision`]).
    DecidedAgain,
    /// The same decision was made again after a skip or failure that was temporary and whose wait is over, or
    /// because memory ran out again five minutes later.
    DecidedWhenDue,
    /// A person approved it.
    Approved,
    /// The wait after a temporary skip or failure is over, and its approval is still valid.
    ApprovalDue,
    /// A person took the approval back before it was sent.
    Unapproved,
    /// A person rejected it.
    Rejected,
    /// A later decision takes its place.
    Superseded,
    /// It is no longer wanted. A sent one stays sent, because its outcome will come.
    Withdrawn,
    /// W9: a peak came near its target size. This also applies to sent ones.
    WithdrawnForPeak,
    /// It was not reviewed, or had no outcome, in time.
    Expired,
    /// It is on the decisions stream.
    Sent,
    /// The updater reported this outcome.
    Outcome(OutcomeStatus),
    /// The updater skipped it because it needs a person's approval, which it does not have yet.
    LeftToAPerson,
    /// It is an increase whose outcome was lost.
    OutcomeLost,
    /// The change did no harm.
    Verified,
    /// Someone else restored the old size.
    Reverted,
    /// The recommendation that rolls it back was applied.
    TakenBack,
}

/// Returns the status that `event` gives a recommendation of this status; `None` if it changes nothing.
///
/// An outcome counts for every status after sending, because it reports the function's size. Only an applied
/// recommendation keeps its status, because a repeated delivery finds the new size and is skipped.
#[expect(clippy::match_same_arms, reason = "a line for each event")]
pub const fn next(status: Status, event: Event) -> Option<Status> {
    use Status::{
        Applied, Approved, Expired, Failed, Open, Rejected, Reverted, RolledBack, Sent, Skipped,
        Superseded, Verified, Withdrawn,
    };
    Some(match (event, status) {
        (Event::DecidedAgain, Open | Superseded | Withdrawn) => Open,
        (Event::DecidedWhenDue, Skipped | Failed) => Open,
        (Event::Approved, Open) => Approved,
        (Event::ApprovalDue, Skipped | Failed) => Approved,
        (Event::Unapproved, Approved) => Open,
        (Event::Rejected, Open) => Rejected,
        (Event::Superseded, Open | Approved | Sent) => Superseded,
        (Event::Withdrawn, Open | Approved) => Withdrawn,
        (Event::WithdrawnForPeak, Open | Approved | Sent) => Withdrawn,
        (Event::Expired, Open | Approved | Sent) => Expired,
        (Event::Sent, Open | Approved) => Sent,
        (Event::LeftToAPerson, Sent | Failed) => Open,
        (Event::OutcomeLost, Sent) => Failed,
        (Event::Verified, Applied) => Verified,
        (Event::Reverted, Applied) => Reverted,
        (Event::TakenBack, Applied) => RolledBack,
        (Event::Outcome(OutcomeStatus::RolledBack), _) => RolledBack,
        (Event::Outcome(_), Applied) => return None,
        (Event::Outcome(OutcomeStatus::Applied), _) => Applied,
        (Event::Outcome(_), Verified | RolledBack | Reverted) => return None,
        (Event::Outcome(OutcomeStatus::Skipped), _) => Skipped,
        (Event::Outcome(OutcomeStatus::Failed), _) => Failed,
        _ => return None,
    })
}

impl Status {
    /// Returns every status.
    pub const ALL: [Self; 13] = [
        Self::Open,
        Self::Approved,
        Self::Rejected,
        Self::Superseded,
        Self::Withdrawn,
        Self::Expired,
        Self::Sent,
        Self::Applied,
        Self::Skipped,
        Self::Failed,
        Self::Verified,
        Self::RolledBack,
        Self::Reverted,
    ];

    /// Returns its name in the store and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Superseded => "superseded",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
            Self::Sent => "sent",
            Self::Applied => "applied",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Verified => "verified",
            Self::RolledBack => "rolled-back",
            Self::Reverted => "reverted",
        }
    }

    /// Returns the status of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Returns whether it may still be sent or applied.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Open | Self::Approved | Self::Sent)
    }

    /// Returns whether the function's size was changed, even if it was changed back.
    pub const fn has_changed_size(self) -> bool {
        matches!(
            self,
            Self::Applied | Self::Verified | Self::RolledBack | Self::Reverted
        )
    }
}

impl Event {
    /// Returns every event.
    pub const ALL: [Self; 20] = [
        Self::DecidedAgain,
        Self::DecidedWhenDue,
        Self::Approved,
        Self::ApprovalDue,
        Self::Unapproved,
        Self::Rejected,
        Self::Superseded,
        Self::Withdrawn,
        Self::WithdrawnForPeak,
        Self::Expired,
        Self::Sent,
        Self::Outcome(OutcomeStatus::Applied),
        Self::Outcome(OutcomeStatus::Skipped),
        Self::Outcome(OutcomeStatus::Failed),
        Self::Outcome(OutcomeStatus::RolledBack),
        Self::LeftToAPerson,
        Self::OutcomeLost,
        Self::Verified,
        Self::Reverted,
        Self::TakenBack,
    ];

    /// Returns the statuses that it changes.
    pub fn sources(self) -> impl Iterator<Item = Status> {
        Status::ALL
            .into_iter()
            .filter(move |status| next(*status, self).is_some())
    }

    /// Returns the status that it leads to, which is the same for all its sources.
    pub const fn target(self) -> Status {
        match self {
            Self::DecidedAgain | Self::DecidedWhenDue | Self::LeftToAPerson | Self::Unapproved => {
                Status::Open
            }
            Self::Approved | Self::ApprovalDue => Status::Approved,
            Self::Rejected => Status::Rejected,
            Self::Superseded => Status::Superseded,
            Self::Withdrawn | Self::WithdrawnForPeak => Status::Withdrawn,
            Self::Expired => Status::Expired,
            Self::Sent => Status::Sent,
            Self::Outcome(OutcomeStatus::Applied) => Status::Applied,
            Self::Outcome(OutcomeStatus::Skipped) => Status::Skipped,
            Self::Outcome(OutcomeStatus::Failed) | Self::OutcomeLost => Status::Failed,
            Self::Outcome(OutcomeStatus::RolledBack) | Self::TakenBack => Status::RolledBack,
            Self::Verified => Status::Verified,
            Self::Reverted => Status::Reverted,
        }
    }
}

#[cfg(test)]
mod tests;
