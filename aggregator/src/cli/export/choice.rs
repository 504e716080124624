//! Which recommendations to export.

use std::collections::{BTreeMap, HashSet};

use clap::{Args, ValueEnum};
use rightsizer_export::{LeftOut, Size, choose};
use rightsizer_records::{FunctionArn, Timestamp};
use rightsizer_rules::candidates::{Candidate, Present};
use serde_json::{Value, json};

use crate::cli::flags;

#[derive(Debug, Args)]
pub(super) struct ChoiceArgs {
    /// Recommendations with these statuses; the newest of each function counts
    #[arg(
        long,
        value_name = "STATUS",
        value_delimiter = ',',
        default_value = "approved",
        conflicts_with = "all"
    )]
    status: Vec<Status>,
    /// All of these statuses, including open and applied
    #[arg(long)]
    all: bool,
    /// Functions of this account only
    #[arg(long, value_parser = flags::account)]
    account: Option<String>,
    /// Functions of this region only
    #[arg(long, value_parser = flags::region)]
    region: Option<String>,
    /// Functions of this stack only; with --template, match its logical ids
    #[arg(long, value_name = "NAME")]
    pub(super) stack: Option<String>,
}

/// States that can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum)]
enum Status {
    /// Waits for a review
    Open,
    /// Approved by a person
    Approved,
    /// On its way to the updater
    Sent,
    /// Applied to the function
    Applied,
    /// Verified
    Verified,
}

impl Status {
    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Sent => "sent",
            Self::Applied => "applied",
            Self::Verified => "verified",
        }
    }
}

/// What is exported, what is not and why, and what else exists.
pub(super) struct Chosen {
    pub(super) sizes: Vec<Size>,
    pub(super) left_out: Vec<LeftOut>,
    /// How many functions have one with each other status.
    pub(super) others: BTreeMap<&'static str, usize>,
    /// How many are of another account, region or stack.
    pub(super) elsewhere: usize,
    /// The selected statuses.
    pub(super) wanted: Vec<&'static str>,
}

impl ChoiceArgs {
    /// Chooses among recommendations, of which the newest of each function comes first. A template may
    /// name functions whose stack is not known; values go by the stack alone.
    pub(super) fn choose(
        &self,
        candidates: &[Candidate],
        for_template: bool,
        now: Timestamp,
    ) -> Chosen {
        let wanted: Vec<&'static str> = if self.all {
            let all = Status::value_variants().iter();
            all.map(|status| status.name()).collect()
        } else {
            self.status.iter().map(|status| status.name()).collect()
        };
        let mut chosen = Chosen {
            sizes: Vec::new(),
            left_out: Vec::new(),
            others: BTreeMap::new(),
            elsewhere: 0,
            wanted,
        };
        let mut seen = HashSet::new();
        for of in candidates {
            if !chosen.wanted.contains(&of.status.name()) {
                *chosen.others.entry(of.status.name()).or_default() += 1;
                continue;
            }
            if !seen.insert(&of.function) {
                continue;
            }
            match choose(of, now) {
                Ok(size) if self.is_meant(&size, for_template) => chosen.sizes.push(size),
                Ok(_) => chosen.elsewhere += 1,
                Err(left) => chosen.left_out.push(left),
            }
        }
        chosen
    }

    fn is_meant(&self, size: &Size, for_template: bool) -> bool {
        let unknown = for_template && size.stack.is_none();
        self.is_there(&size.function) && (unknown || is(self.stack.as_ref(), size.stack.as_deref()))
    }

    /// Whether a function is in the account, the region and the stack that are meant.
    pub(super) fn means(&self, of: &Present) -> bool {
        self.is_there(&of.function) && is(self.stack.as_ref(), of.stack.as_deref())
    }

    fn is_there(&self, function: &str) -> bool {
        let arn = FunctionArn::parse(function).ok();
        let arn = arn.as_ref();
        is(self.account.as_ref(), arn.map(FunctionArn::account))
            && is(self.region.as_ref(), arn.map(FunctionArn::region))
    }
}

fn is(wanted: Option<&String>, found: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| found == Some(wanted))
}

impl Chosen {
    pub(super) fn json(&self) -> Value {
        let functions: Vec<Value> = self.sizes.iter().map(function).collect();
        let left_out: Vec<Value> = self
            .left_out
            .iter()
            .map(
                |left| json!({ "function": left.function, "code": left.code, "words": left.words }),
            )
            .collect();
        json!({ "functions": functions, "left_out": left_out })
    }
}

fn function(size: &Size) -> Value {
    json!({
        "function": size.function,
        "name": size.name,
        "from_mb": size.from_mb,
        "to_mb": size.to_mb,
        "target_mb": size.target_mb,
        "recommendation": size.id,
        "status": size.status,
        "urgent": size.urgent,
        "stack": size.stack,
        "logical_id": size.logical_id,
    })
}
