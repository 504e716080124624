//! Cold starts that were forced: their figures by package, size and time since the deployment, and what can be
//! concluded from them.
//!
//! [`bench()`] turns [`ColdSample`]s into [`Cell`]s and [`Finding`]s. A finding compares two groups by the ratio of their
//! durations with its interval, so a difference within the noise is never reported as one. This module must not invoke
//! anything.

mod cell;
mod compare;
mod findings;
mod median;
mod words;

use std::collections::BTreeMap;

use rightsizer_records::Megabytes;
use serde::{Deserialize, Serialize};

pub use cell::Cell;
pub use compare::Ratio;
pub use findings::{About, Finding, Verdict};

use crate::price::PriceTable;

/// How the code of a function is packaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Package {
    /// A zip archive.
    Zip,
    /// A zip archive with layers.
    Layers,
    /// A container image.
    Image,
    /// A snapshot of an initialized environment.
    SnapStart,
}

/// The time since the deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The first round of starts.
    First,
    /// The rounds after it.
    Later,
}

/// The function that started.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tested {
    /// Its name.
    pub function: String,
    /// Its region, for the price.
    pub region: Option<String>,
    /// Whether it runs on arm64.
    pub arm64: bool,
    /// Its runtime, such as `python3.13`; unknown for an image.
    pub runtime: Option<String>,
    /// Its package.
    pub package: Package,
}

/// One cold start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColdSample {
    /// The function.
    #[serde(flatten)]
    pub tested: Tested,
    /// The size.
    pub memory_mb: Megabytes,
    /// The round of starts, from 0, which follows the deployment.
    pub round: u32,
    /// Duration of init or restore, in milliseconds.
    pub start_ms: f64,
    /// Duration of the invocation that waited for it, in milliseconds.
    pub handler_ms: f64,
}

impl ColdSample {
    const fn stage(&self) -> Stage {
        if self.round == 0 {
            Stage::First
        } else {
            Stage::Later
        }
    }
}

/// What a run of cold starts showed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bench {
    /// By function, time since the deployment, and size.
    pub cells: Vec<Cell>,
    /// The comparisons.
    pub findings: Vec<Finding>,
}

/// Returns the figures of the samples, and their comparison.
pub fn bench(samples: &[ColdSample], prices: &PriceTable) -> Bench {
    let mut groups: BTreeMap<(&Tested, Stage, Megabytes), Vec<&ColdSample>> = BTreeMap::new();
    for sample in samples {
        let key = (&sample.tested, sample.stage(), sample.memory_mb);
        groups.entry(key).or_default().push(sample);
    }
    let cells = groups.into_iter();
    Bench {
        cells: cells
            .filter_map(|((tested, stage, size), group)| {
                Cell::of(tested, stage, size, &group, prices)
            })
            .collect(),
        findings: findings::findings(samples),
    }
}

#[cfg(test)]
mod tests;
