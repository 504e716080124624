//! What the verdict on a change calls for.

use rightsizer_records::{Megabytes, Reason};

use super::assessment::Assessment;
use crate::lifecycle::ClosedCode;
use crate::outcome::{Cause, Trial, Verdict, judge, rollback_size};
use crate::policy::Decision;

/// An old size that should be restored.
#[derive(Debug, Clone)]
pub struct Rollback {
    /// The size.
    pub to: Megabytes,
    /// The recommendation that is rolled back.
    pub of: String,
    /// Why.
    pub reason: Reason,
}

impl Rollback {
    /// Makes a decision one that rolls a change back: at once, and at least that far. Returns
    /// whose.
    pub(crate) fn shape(self, decision: &mut Decision) -> String {
        let to = decision.to_mb.map_or(self.to, |to| to.max(self.to));
        decision.policy_mb = decision.policy_mb.max(to);
        decision.target_mb = decision.target_mb.max(to);
        decision.to_mb = Some(to);
        decision.reasons.push(self.reason);
        (decision.urgent, decision.auto) = (true, true);
        // That it was faster there is what was measured, not what is projected.
        decision.projection = None;
        self.of
    }
}

/// What is to be done about a change that was judged.
#[derive(Debug, Clone)]
pub enum Ruling {
    /// Nothing yet.
    Wait,
    /// The change ends with this code and these words. `holds` is whether decreases are held for
    /// [`crate::outcome::HOLD_DAYS`].
    Close {
        /// Why it ends.
        code: ClosedCode,
        /// The same in words.
        why: String,
        /// Whether decreases are held.
        holds: bool,
    },
    /// It harms: decreases are held for [`crate::outcome::HOLD_DAYS`].
    Harm {
        /// The harm in words.
        why: String,
        /// `None` if the function has at least that size already.
        rollback: Option<Rollback>,
    },
}

/// Judges the change of the recommendation `id`. What proved good counts as that in `seen`, so that the next step
/// can follow at once.
pub fn rule(id: &str, trial: &Trial, seen: &mut Assessment) -> Ruling {
    match judge(trial) {
        Verdict::Wait => Ruling::Wait,
        Verdict::Verified(saving) => {
            let why = saving.map_or_else(|| "no harm seen".to_owned(), |saving| saving.in_words());
            let changes = &mut seen.evidence.changes;
            changes.verify(trial.to_mb);
            if let Some(last) = &mut changes.last {
                last.verified = true;
            }
            Ruling::Close {
                code: ClosedCode::NoHarm,
                why,
                holds: false,
            }
        }
        Verdict::Reverted => Ruling::Close {
            code: ClosedCode::RestoredElsewhere,
            why: "someone else restored the old size".to_owned(),
            holds: true,
        },
        Verdict::Rollback(cause) => Ruling::Harm {
            why: format!("rolled back: {cause}"),
            rollback: rollback(id, trial, seen, cause),
        },
    }
}

fn rollback(id: &str, trial: &Trial, seen: &Assessment, cause: Cause) -> Option<Rollback> {
    let ran_out = seen.evidence.censored.map(|(_, size)| size);
    let verified = seen.evidence.changes.verified_mb;
    let to = rollback_size(trial, verified, ran_out);
    (to > seen.evidence.current_mb).then(|| Rollback {
        to,
        of: id.to_owned(),
        reason: cause.reason(),
    })
}
