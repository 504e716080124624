//! What `attach` wants, and what is to happen to one function.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rightsizer_records::{FunctionArn, Megabytes};
use rightsizer_rules::inventory::FunctionFacts;

use super::configuration::Change;
use super::layer::LayerFacts;
use super::skip::{Skip, SkipCode};

/// What `attach` is to bring about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The layer, once for each architecture and region.
    pub layers: Vec<LayerFacts>,
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

impl Wish {
    /// Returns the layer for a function: the one of its region and architecture.
    pub(super) fn layer(&self, facts: &FunctionFacts) -> Result<&LayerFacts, Skip> {
        let region = facts.function.region();
        let here = |layer: &&LayerFacts| layer.version.region() == region;
        let here: Vec<&LayerFacts> = self.layers.iter().filter(here).collect();
        if here.is_empty() {
            let there = self.layers.iter().map(|layer| layer.version.region());
            let there: BTreeSet<&str> = there.collect();
            let there = there.into_iter().collect::<Vec<_>>().join(" and ");
            return Err(Skip::new(
                SkipCode::OtherRegion,
                format!("the layer is in {there}: publish it in this region too"),
            ));
        }
        let runs =
            |layer: &&LayerFacts| layer.runs_on.is_empty() || layer.runs_on.contains(&facts.arch);
        here.iter().copied().find(runs).ok_or_else(|| {
            let on = here.iter().flat_map(|layer| &layer.runs_on);
            let on: BTreeSet<&str> = on.map(|arch| arch.name()).collect();
            Skip::new(
                SkipCode::OtherArchitecture,
                format!(
                    "it runs on {arch}, the layer on {}: add --layer with the layer for {arch}, or use --stack",
                    on.into_iter().collect::<Vec<_>>().join(" and "),
                    arch = facts.arch.name()
                ),
            )
        })
    }

    /// Whether `arn` is a version of one of the layers.
    pub(super) fn is_ours(&self, arn: &str) -> bool {
        let layers = &self.layers;
        layers
            .iter()
            .any(|layer| layer.version.is_version_of_same(arn))
    }
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
