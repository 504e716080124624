//! The function that a person names: a name or an ARN, with a version or an alias. Pure.

use std::fmt;
use std::str::FromStr;

use rightsizer_records::{ArnError, FunctionArn};

/// A function to tune.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// Its ARN, if it was given.
    pub arn: Option<FunctionArn>,
    /// The version or alias whose code and settings are tuned; `$LATEST` without one.
    pub qualifier: Option<String>,
}

/// A text that names no function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WantedError {
    /// It begins like an ARN, but is none.
    #[error(transparent)]
    Arn(#[from] ArnError),
    /// A name of an edge replica.
    #[error(
        "{0} is a replica at the edge; tune a function of its own with the same code in us-east-1"
    )]
    EdgeReplica(String),
    /// No name.
    #[error(
        "{0:?} names no function: expected NAME, NAME:ALIAS, or arn:aws:lambda:REGION:ACCOUNT:function:NAME"
    )]
    Name(String),
}

impl FromStr for Wanted {
    type Err = WantedError;

    fn from_str(text: &str) -> Result<Self, WantedError> {
        let bad = || WantedError::Name(text.chars().take(200).collect());
        let text = text.strip_prefix("local:").unwrap_or(text);
        let (function, qualifier) = if text.starts_with("arn:") {
            match text.match_indices(':').nth(6) {
                Some((at, _)) => (&text[..at], Some(&text[at + 1..])),
                None => (text, None),
            }
        } else {
            match text.split_once(':') {
                Some((name, qualifier)) => (name, Some(qualifier)),
                None => (text, None),
            }
        };
        let plain = |text: &str, extra: &str| {
            !text.is_empty()
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
        };
        if qualifier.is_some_and(|qualifier| !plain(qualifier, "-_$") || qualifier.len() > 128) {
            return Err(bad());
        }
        let qualifier = qualifier.filter(|qualifier| *qualifier != "$LATEST");
        let arn = function
            .starts_with("arn:")
            .then(|| FunctionArn::parse(function))
            .transpose()?;
        let name = arn.as_ref().map_or(function, FunctionArn::name);
        if name.starts_with("us-east-1.") {
            return Err(WantedError::EdgeReplica(name.to_owned()));
        }
        if !plain(name, "-_") || name.len() > 64 {
            return Err(bad());
        }
        Ok(Self {
            name: name.to_owned(),
            arn: arn.clone(),
            qualifier: qualifier.map(str::to_owned),
        })
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.qualifier {
            Some(qualifier) => write!(f, ":{qualifier}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_named_in_several_ways() {
        let arn = "arn:aws:lambda:eu-central-1:123456789012:function:checkout";
        for (text, shown, has_arn) in [
            ("checkout", "checkout", false),
            ("local:checkout", "checkout", false),
            ("checkout:live", "checkout:live", false),
            ("checkout:7", "checkout:7", false),
            ("checkout:$LATEST", "checkout", false),
            (arn, "checkout", true),
            (&format!("{arn}:live"), "checkout:live", true),
        ] {
            let wanted: Wanted = text.parse().unwrap();
            assert_eq!(
                (wanted.to_string().as_str(), wanted.arn.is_some()),
                (shown, has_arn)
            );
        }
    }

    #[test]
    fn what_names_no_function_is_refused() {
        for text in [
            "",
            "a b",
            "checkout:",
            "checkout:a:b",
            "arn:aws:s3:::bucket",
            "x/y",
        ] {
            assert!(text.parse::<Wanted>().is_err(), "{text}");
        }
        let replica = "us-east-1.checkout".parse::<Wanted>().unwrap_err();
        assert_eq!(
            replica,
            WantedError::EdgeReplica("us-east-1.checkout".to_owned())
        );
    }
}
