//! The location of snapshots: `s3://BUCKET/PREFIX`.

use std::fmt;
use std::str::FromStr;

/// A bucket, and the prefix in it that one aggregator has for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The bucket's name.
    pub bucket: String,
    /// Without a slash at either end.
    pub prefix: String,
}

impl Location {
    /// The key of the head.
    pub fn head(&self) -> String {
        format!("{}/head.json", self.prefix)
    }

    /// The whole key of what a head names by `key`.
    pub fn object(&self, key: &str) -> String {
        format!("{}/{key}", self.prefix)
    }

    /// What the keys of snapshots begin with.
    pub fn snapshots(&self) -> String {
        format!("{}/snapshots/", self.prefix)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

/// A text that is not a location.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLocation {
    /// No bucket, or no prefix.
    #[error("expected s3://BUCKET/PREFIX, with a prefix that only this aggregator uses")]
    Form,
    /// Characters that would have to be escaped.
    #[error("{}; letters, digits, '-', '_', '.' and single slashes", Self::Form)]
    Characters,
}

impl FromStr for Location {
    type Err = BadLocation;

    fn from_str(text: &str) -> Result<Self, BadLocation> {
        let rest = text.strip_prefix("s3://").ok_or(BadLocation::Form)?;
        let (bucket, prefix) = rest.split_once('/').ok_or(BadLocation::Form)?;
        let prefix = prefix.trim_end_matches('/');
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let named = (3..=63).contains(&bucket.len()) && bucket.chars().all(plain);
        // What needs no escaping anywhere, a policy's condition included.
        let parts = prefix
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != ".." && part.chars().all(plain));
        if !named || !parts || prefix.len() > 512 {
            return Err(BadLocation::Characters);
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_and_a_prefix_are_required() {
        let location: Location = "s3://evidence-1/prod/eu/".parse().unwrap();
        assert_eq!(location.to_string(), "s3://evidence-1/prod/eu");
        assert_eq!(location.head(), "prod/eu/head.json");
        for text in [
            "evidence/prod",
            "s3://evidence",
            "s3://evidence/",
            "s3:///prod",
            "s3://evidence/a//b",
            "s3://evidence/../b",
            "s3://evidence/a b",
        ] {
            assert!(text.parse::<Location>().is_err(), "{text}");
        }
    }
}
