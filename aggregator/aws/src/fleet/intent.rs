//! What is wanted of every selected function, and what that comes to for one. Pure.

use std::collections::BTreeMap;

use rightsizer_rules::inventory::FunctionFacts;

use super::attach;
use super::configuration::{Configuration, LastUpdate};
use super::detach;
use super::layer::LayerVersion;
use super::plan::{Plan, Wish};
use super::skip::{Skip, SkipCode};

/// What is wanted of every selected function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// The layer and its variables.
    Attach(Wish),
    /// Neither.
    Detach {
        /// Any version of these layers goes.
        layers: Vec<LayerVersion>,
        /// These are removed if they have these values.
        variables: BTreeMap<String, String>,
    },
}

impl Intent {
    /// The decision before the function is read, if possible.
    pub(crate) fn prejudge(&self, facts: &FunctionFacts) -> Option<Skip> {
        match self {
            Self::Attach(wish) => attach::prejudge(wish, facts),
            Self::Detach { layers, .. } => detach::prejudge(layers, facts),
        }
    }

    /// What is to happen to the function as it is `now`.
    pub(crate) fn judge(&self, facts: &FunctionFacts, now: &Configuration) -> Plan {
        let plan = match self {
            Self::Attach(wish) => attach::judge(wish, facts, now),
            Self::Detach { layers, variables } => detach::judge(layers, variables, now),
        };
        match plan {
            Plan::Change(_) if now.last_update == LastUpdate::InProgress => Plan::skip(
                SkipCode::UpdateInProgress,
                "it is being changed by someone else: run the same command again later",
            ),
            plan => plan,
        }
    }
}
