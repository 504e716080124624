//! The layer that is attached: its ARN and what it runs on. Pure.

use std::fmt;
use std::str::FromStr;

use rightsizer_records::Arch;

/// One version of a layer: `arn:PARTITION:lambda:REGION:ACCOUNT:layer:NAME:VERSION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerVersion {
    /// The ARN without the version.
    name: String,
    version: u32,
}

/// A text that is not a layer version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a layer version: expected arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION")]
pub struct LayerVersionError(String);

impl FromStr for LayerVersion {
    type Err = LayerVersionError;

    fn from_str(text: &str) -> Result<Self, LayerVersionError> {
        let bad = || LayerVersionError(text.chars().take(200).collect());
        let (name, version) = text.rsplit_once(':').ok_or_else(bad)?;
        let parts: Vec<&str> = name.split(':').collect();
        let &["arn", _, "lambda", region, account, "layer", layer] = parts.as_slice() else {
            return Err(bad());
        };
        let digits = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        let version = version.parse().ok().filter(|version| *version > 0);
        match version {
            Some(version) if digits && !region.is_empty() && !layer.is_empty() => Ok(Self {
                name: name.to_owned(),
                version,
            }),
            _ => Err(bad()),
        }
    }
}

impl LayerVersion {
    /// The ARN without the version.
    pub(crate) fn layer(&self) -> &str {
        &self.name
    }

    /// The version's number.
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Its region: a function takes layers of its own region only.
    pub fn region(&self) -> &str {
        self.name.split(':').nth(3).unwrap_or_default()
    }

    /// Whether `arn` is a version of the same layer, this one or another.
    pub(crate) fn is_version_of_same(&self, arn: &str) -> bool {
        arn.rsplit_once(':')
            .is_some_and(|(name, _)| name == self.name)
    }
}

impl fmt::Display for LayerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.version)
    }
}

/// A layer version as Lambda returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerFacts {
    /// Which.
    pub version: LayerVersion,
    /// The architectures it supports; empty if it names none.
    pub runs_on: Vec<Arch>,
    /// Size of its archive.
    pub bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_and_written_and_known_by_its_layer() {
        let text = "arn:aws:lambda:eu-west-1:123456789012:layer:rightsizer:7";
        let layer: LayerVersion = text.parse().unwrap();
        assert_eq!(layer.to_string(), text);
        assert_eq!((layer.version(), layer.region()), (7, "eu-west-1"));
        assert!(layer.is_version_of_same(&text.replace(":7", ":12")));
        assert!(!layer.is_version_of_same(&text.replace("rightsizer:7", "rightsizer-arm:7")));
    }

    #[test]
    fn what_names_no_version_is_refused() {
        for text in [
            "",
            "rightsizer:7",
            "arn:aws:lambda:eu-west-1:123456789012:layer:rightsizer",
            "arn:aws:lambda:eu-west-1:123456789012:layer:rightsizer:0",
            "arn:aws:lambda:eu-west-1:123456789012:layer:rightsizer:new",
            "arn:aws:lambda:eu-west-1:12345:layer:rightsizer:7",
            "arn:aws:lambda:eu-west-1:123456789012:function:rightsizer:7",
        ] {
            assert!(text.parse::<LayerVersion>().is_err(), "{text}");
        }
    }
}
