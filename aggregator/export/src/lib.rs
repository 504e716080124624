//! Recommended sizes for teams that deploy by their own pipeline: values that the pipeline reads, or a
//! patch of the template that it deploys.
//!
//! Sizes and text in, text out. This crate must not know files or the store. A patch changes bytes in
//! place and never rewrites a template, so comments, order, quotes, line endings and intrinsic functions
//! stay as they are. There is one file for each format; `matching` finds which declaration belongs to
//! which function, `patch` applies the sizes and reads the result back.

mod cdk;
mod choice;
mod cloudformation;
mod declared;
mod document;
mod edit;
mod error;
mod insertion;
mod json;
mod matching;
mod node;
mod patch;
mod pattern;
mod program;
mod sam;
mod serverless;
mod site;
mod terraform;
mod values;
mod yaml;

pub use choice::{LeftOut, choose};
pub use edit::{Became, ModuleFile, Row};
pub use error::Refused;
pub use matching::Rules;
pub use patch::{ModulePatch, Patch, diff, patch, patch_module};
pub use values::{Raised, carried_over, read_values, values, write_values};

use rightsizer_records::Megabytes;

/// What the pipeline is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Terraform or `OpenTofu`.
    Terraform,
    /// `CloudFormation`.
    CloudFormation,
    /// AWS SAM.
    Sam,
    /// The Serverless Framework.
    Serverless,
    /// AWS CDK.
    Cdk,
}

/// The name in an ARN or a `local:` key, which may have an account or a region before the name.
fn name_of(function: &str) -> &str {
    let Some(local) = function.strip_prefix("local:") else {
        return function.rsplit(':').next().unwrap_or(function);
    };
    match local.split_once('/') {
        Some((place, name)) if !place.is_empty() => name,
        _ => local,
    }
}

/// The size that one function should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    /// Its ARN, or `local:NAME` if only its name is known.
    pub function: String,
    /// Its name.
    pub name: String,
    /// The size it has.
    pub from_mb: Megabytes,
    /// The size it should have.
    pub to_mb: Megabytes,
    /// The size that the policy aims for.
    pub target_mb: Option<Megabytes>,
    /// The recommendation.
    pub id: String,
    /// Its status.
    pub status: String,
    /// It ran out of memory.
    pub urgent: bool,
    /// The stack that made it, by its tags.
    pub stack: Option<String>,
    /// What it is called in that stack's template, by its tags.
    pub logical_id: Option<String>,
}

impl Size {
    /// The part of an ARN: 3 is the region, 4 the account.
    fn part_of_arn(&self, n: usize) -> Option<&str> {
        let arn = self.function.strip_prefix("arn:")?;
        arn.split(':').nth(n - 1)
    }

    /// Its region, if known.
    pub(crate) fn region(&self) -> Option<&str> {
        self.part_of_arn(3)
    }

    /// Its account, if known.
    pub(crate) fn account(&self) -> Option<&str> {
        self.part_of_arn(4)
    }

    /// Its name, with whatever distinguishes it from others of that name.
    fn distinct_name(&self) -> String {
        let stack = self.stack.as_ref();
        let stack = stack.map_or_else(String::new, |stack| format!(", stack {stack}"));
        match (self.region(), self.account()) {
            (Some(region), Some(account)) => format!("{} in {account}/{region}{stack}", self.name),
            _ => format!("{}{stack}", self.function),
        }
    }
}

#[cfg(test)]
mod tests;
