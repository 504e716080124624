//! What `attach` wants, and what is to happen to one function.

use std::collections::{BTreeMap, HashMap};

use rightsizer_records::{FunctionArn, Megabytes};

use super::configuration::Change;
use super::layer::LayerFacts;
use super::skip::{Skip, SkipCode};

/// What `attach` is to bring about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The layer.
    pub layer: LayerFacts,
    /// The variables that the extension needs.
    pub variables: BTreeMap<String, String>,
    /// Every VPC has a route to the stream.
    pub vpc_ok: bool,
    /// The layer runs on runtimes that are not known here too.
    pub any_runtime: bool,
    /// No function is CloudFront's, whatever its role allows.
    pub edge_ok: bool,
    /// ARN of the stream, for the words that propose a log subscription.
    pub stream: String,
    /// Highest memory used by function, if known.
    pub used: HashMap<FunctionArn, Megabytes>,
}

/// What is to happen to one function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// This.
    Change(Change),
    /// Nothing, for this reason.
    Skip(Skip),
}

impl Plan {
    pub(super) fn skip(code: SkipCode, words: impl Into<String>) -> Self {
        Self::Skip(Skip::new(code, words))
    }
}
