//! Whose records are believed: `--accept ACCOUNT/REGION`.

use std::str::FromStr;

use rightsizer_records::{ArnError, FunctionArn};

/// Accounts and regions whose functions may be reported; empty takes all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accept(Vec<AcceptRule>);

/// One `ACCOUNT/REGION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptRule {
    account: String,
    region: String,
}

impl Accept {
    /// Takes the functions that one of `rules` names.
    pub const fn new(rules: Vec<AcceptRule>) -> Self {
        Self(rules)
    }

    /// Whether records of this function are taken.
    pub(crate) fn takes(&self, function: &FunctionArn) -> bool {
        self.0.is_empty()
            || self
                .0
                .iter()
                .any(|rule| rule.account == function.account() && rule.region == function.region())
    }
}

/// A text that is not a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRule {
    /// Not two parts.
    #[error("{0:?} is not ACCOUNT/REGION, such as 123456789012/eu-west-1")]
    Form(String),
    /// The parts are not an account and a region.
    #[error(transparent)]
    Arn(#[from] ArnError),
}

impl FromStr for AcceptRule {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, BadRule> {
        let (account, region) = text
            .split_once('/')
            .ok_or_else(|| BadRule::Form(text.to_owned()))?;
        // A function ARN is what the two must fit into.
        FunctionArn::new("aws", region, account, "f")?;
        Ok(Self {
            account: account.to_owned(),
            region: region.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_accounts_and_regions_are_taken() {
        let arn = |region| FunctionArn::new("aws", region, "123456789012", "f").unwrap();
        let accept = Accept::new(vec!["123456789012/eu-west-1".parse().unwrap()]);
        assert!(accept.takes(&arn("eu-west-1")) && !accept.takes(&arn("eu-west-2")));
        assert!(Accept::default().takes(&arn("eu-west-2")));
        assert!("123/eu-west-1".parse::<AcceptRule>().is_err());
        assert!("123456789012".parse::<AcceptRule>().is_err());
    }
}
