//! The tags that the product reads on functions, and the values of the tags `rightsizer:mode`,
//! `rightsizer:objective` and `rightsizer:strategy`.
//!
//! The aggregator, the updater and `attach` read the same tags, so their names are defined once,
//! here.

use serde::{Deserialize, Serialize};

/// Who may change a function: [`ApplyMode`].
pub const MODE_TAG: &str = "rightsizer:mode";
/// What a function's size is chosen for: [`Objective`].
pub const OBJECTIVE_TAG: &str = "rightsizer:objective";
/// An alias of [`OBJECTIVE_TAG`], which takes precedence.
pub const STRATEGY_TAG: &str = "rightsizer:strategy";
/// The smallest size that a function may be given, in MB.
pub const MIN_TAG: &str = "rightsizer:min-mb";
/// The largest size that a function may be given, in MB.
pub const MAX_TAG: &str = "rightsizer:max-mb";
/// The alias that carries a function's traffic.
pub const ALIAS_TAG: &str = "rightsizer:alias";
/// `no` if CloudFront runs no version of the function.
pub const EDGE_TAG: &str = "rightsizer:edge";
/// Set on the updater's own function while everything is paused.
pub const PAUSED_TAG: &str = "rightsizer:paused";
/// On a function that `rightsizer tune` made for a run: the id of the run.
pub const TUNE_RUN_TAG: &str = "rightsizer:tune-run";
/// On a function that `rightsizer tune` made: the ARN of the function that it is a copy of.
pub const TUNE_OF_TAG: &str = "rightsizer:tune-of";
/// On a function that `rightsizer tune` made: the time from which no run can need it any more.
pub const TUNE_UNTIL_TAG: &str = "rightsizer:tune-until";
/// Set by `CloudFormation` on everything it creates, and by nothing else: the prefix is reserved.
pub const STACK_TAG: &str = "aws:cloudformation:stack-name";
/// Set by `CloudFormation`: the name of the function in its stack's template.
pub const LOGICAL_ID_TAG: &str = "aws:cloudformation:logical-id";

/// Who may change a function: the value of its tag `rightsizer:mode`, or the default for functions
/// without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApplyMode {
    /// Not changed, not even with an approval.
    Off,
    /// A person, by approving.
    Recommend,
    /// The updater, as the aggregator decides.
    Auto,
}

impl ApplyMode {
    /// Every mode.
    pub(crate) const ALL: [Self; 3] = [Self::Off, Self::Recommend, Self::Auto];

    /// Its name in tags and settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Recommend => "recommend",
            Self::Auto => "auto",
        }
    }

    /// Reads a name as [`ApplyMode::name`] gives it; `None` for any other text.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// What a function's size is chosen for: the value of its tag `rightsizer:objective`, or the default for
/// functions without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Objective {
    /// The smallest safe size.
    Memory,
    /// The cheapest size.
    Cost,
    /// The smallest weighted sum of cost and duration, each as a share of the highest.
    Balanced,
    /// The fastest size within a budget.
    Speed,
}

impl Objective {
    /// Every objective.
    pub const ALL: [Self; 4] = [Self::Memory, Self::Cost, Self::Balanced, Self::Speed];

    /// Returns its name in tags and settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cost => "cost",
            Self::Balanced => "balanced",
            Self::Speed => "speed",
        }
    }

    /// Reads a name as [`Objective::name`] gives it; `None` for any other text.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|objective| objective.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_read_back_by_its_name() {
        for mode in ApplyMode::ALL {
            assert_eq!(ApplyMode::from_name(mode.name()), Some(mode));
        }
        assert_eq!(ApplyMode::from_name("Auto"), None);
    }
}
