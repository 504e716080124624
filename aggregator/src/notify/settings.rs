//! `[notify]`: the channels of notices. An address is a secret, because anyone with it can write to the channel. It
//! appears in no log, error or output.

use std::fmt;

use serde::{Deserialize, Deserializer};

/// Receivers of notices; none by default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotifySettings {
    /// An incoming webhook of Slack.
    pub(crate) slack: Option<Address>,
    /// A webhook of a Microsoft Teams workflow.
    pub(crate) teams: Option<Address>,
    /// Any address that takes JSON.
    pub(crate) webhook: Option<Address>,
    /// ARN of an SNS topic.
    pub(crate) sns: Option<String>,
    /// The address of the page, for a link in each notice.
    pub(crate) page: Option<String>,
}

impl NotifySettings {
    /// Returns whether any channel is set.
    pub(crate) const fn is_on(&self) -> bool {
        self.slack.is_some() || self.teams.is_some() || self.webhook.is_some() || self.sns.is_some()
    }
}

/// An address that is not shown. `env:NAME` takes it from the environment, so that it is in no file.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address(String);

impl Address {
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(…)")
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let address = match text.strip_prefix("env:") {
            Some(name) => std::env::var(name).map_err(|_| {
                serde::de::Error::custom(format!("the environment variable {name} is not set"))
            })?,
            None => text,
        };
        let local = ["http://127.0.0.1", "http://localhost"];
        if address.starts_with("https://") || local.iter().any(|begin| address.starts_with(begin)) {
            return Ok(Self(address));
        }
        Err(serde::de::Error::custom("expected https://… or env:NAME"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_never_shown() {
        let settings: NotifySettings =
            toml::from_str("slack = \"https://hooks.example/T0/secret\"").unwrap();
        assert!(settings.is_on() && !format!("{settings:?}").contains("secret"));
        for wrong in [
            "slack = \"http://hooks.example/secret\"",
            "teams = \"env:NO_SUCH_VARIABLE\"",
            "slak = \"https://x\"",
        ] {
            let error = toml::from_str::<NotifySettings>(wrong).unwrap_err();
            assert!(!error.message().contains("secret"), "{error}");
        }
        assert!(!NotifySettings::default().is_on());
    }
}
