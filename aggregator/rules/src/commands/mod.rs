//! The review commands. Plain data: they cross the review API as JSON, and the same type is applied
//! whether the store is opened here or by a server.

mod applied;

pub use applied::AppliedCommand;
use rightsizer_records::FunctionArn;
use rightsizer_records::shown::has_hidden;
use serde::{Deserialize, Serialize};

/// A review command, with who and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewCommand {
    /// What is to happen.
    #[serde(flatten)]
    pub action: Action,
    /// Who gives the command.
    pub by: String,
    /// Why; may be empty.
    #[serde(default)]
    pub why: String,
}

/// What is to happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Action {
    /// Send the open recommendation of a function, or of this id.
    Approve {
        /// Name, `local:NAME`, ARN, or a recommendation's id.
        what: String,
    },
    /// Take back an approval that was not sent yet: the recommendation is open again, and is sent only if
    /// it is approved again.
    Unapprove {
        /// Name, `local:NAME`, ARN, or a recommendation's id.
        what: String,
    },
    /// Drop it, and do not propose the same decrease again for 14 days.
    Reject {
        /// Name, `local:NAME`, ARN, or a recommendation's id.
        what: String,
    },
    /// Send no decrease of a function for this number of days. Increases are never held back (P5).
    Hold {
        /// Name, `local:NAME` or ARN.
        what: String,
        /// For how long.
        days: u32,
    },
    /// End a hold.
    Release {
        /// Name, `local:NAME` or ARN.
        what: String,
    },
    /// Let a function go below the sizes again at which it ran out of memory (P3): its need has changed.
    Clear {
        /// Name, `local:NAME` or ARN.
        what: String,
    },
    /// Delete all that is known of a function.
    Forget {
        /// Name, `local:NAME` or ARN.
        what: String,
    },
    /// Send nothing at all.
    Pause,
    /// Send again.
    Resume,
}

/// The result of an applied command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// In words, with the figures.
    pub message: String,
    /// Whether the updater followed a pause or resume that a server applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updater: Option<Switched>,
}

/// Whether the updater followed when everything was paused or resumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Switched {
    /// It pauses, or resumes, within seconds.
    Done(FunctionArn),
    /// The updater's function is not known.
    NotNamed,
    /// It could not be paused or resumed.
    Failed {
        /// Which function it is.
        updater: FunctionArn,
        /// The service's own words.
        why: String,
        /// The command for someone with the permission.
        by_hand: String,
    },
}

/// Why a review command was not applied. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nothing of that name.
    #[error("no function or recommendation {0:?}\nhint: `rightsizer list` shows all functions")]
    NotFound(String),
    /// Several functions of that name.
    #[error("{what:?} is the name of several functions\nhint: use one of the full names: {}", names.join(", "))]
    Ambiguous {
        /// The name given.
        what: String,
        /// The functions it fits.
        names: Vec<String>,
    },
    /// No recommendation waits for a review.
    #[error(
        "{what} has no open recommendation (its last one is {status}){}",
        unapprove(status)
    )]
    NothingOpen {
        /// The function.
        what: String,
        /// The status of its last recommendation.
        status: String,
    },
    /// No approval that could be taken back.
    #[error(
        "{what} has no approved recommendation that waits to be sent (its last one is {status})"
    )]
    NothingApproved {
        /// The function.
        what: String,
        /// The status of its last recommendation.
        status: String,
    },
    /// No ARN is known, so it could not be applied.
    #[error(
        "only the name of {0} is known, so no change of it can be sent\nhint: `rightsizer \
         adopt --account ACCOUNT --region REGION` names where it is"
    )]
    OnlyAName(String),
    /// The name of the person is part of the record.
    #[error(
        "the name of the person is missing or too long\nhint: --by NAME (1 to 128 characters; \
             --why at most 1024)"
    )]
    Nobody,
    /// A hold of no length, or for longer than peaks are remembered.
    #[error("a hold lasts 1 to 400 days, not {0}")]
    BadDays(u32),
}

/// An approval is taken back before anything else.
fn unapprove(status: &str) -> &'static str {
    if status == "approved" {
        "\nhint: `rightsizer unapprove` takes the approval back"
    } else {
        ""
    }
}

impl Action {
    /// Whether it is the global stop, or the end of it.
    pub const fn is_stop(&self) -> bool {
        matches!(self, Self::Pause | Self::Resume)
    }
}

impl ReviewCommand {
    /// Whether it can be applied at all, before anything is looked up.
    pub fn check(&self) -> Result<(), Refused> {
        let named = (1..=128).contains(&self.by.trim().len()) && self.why.len() <= 1024;
        if !named || has_hidden(&self.by) || has_hidden(&self.why) {
            return Err(Refused::Nobody);
        }
        match self.action {
            Action::Hold { days, .. } if !(1..=400).contains(&days) => Err(Refused::BadDays(days)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_reviewed() {
        let what = || "checkout".to_owned();
        let all = [
            Refused::NotFound(what()),
            Refused::Ambiguous {
                what: what(),
                names: vec![
                    "local:checkout".to_owned(),
                    "local:shop/checkout".to_owned(),
                ],
            },
            Refused::NothingOpen {
                what: what(),
                status: "approved".to_owned(),
            },
            Refused::NothingApproved {
                what: what(),
                status: "sent".to_owned(),
            },
            Refused::OnlyAName(what()),
            Refused::Nobody,
            Refused::BadDays(0),
        ];
        let text: Vec<String> = all.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(text.join("\n\n"));
    }
}
