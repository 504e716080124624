//! The updater's settings. Plain data: the shell reads environment variables, through
//! [`Settings::read`].

use std::str::FromStr;

use rightsizer_records::limits::{LAMBDA_LEAST, LAMBDA_MOST};
use rightsizer_records::{ApplyMode, FunctionArn, Megabytes};

/// Reads a mode, in any case and with blanks around it.
pub(crate) fn read_mode(text: &str) -> Result<ApplyMode, SettingsError> {
    ApplyMode::from_name(&text.trim().to_ascii_lowercase())
        .ok_or_else(|| SettingsError::new("mode", text, "expected off, recommend or auto"))
}

/// An account and region whose functions may be changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// Twelve digits.
    pub account: String,
    /// Such as `eu-central-1`.
    pub region: String,
}

impl Place {
    /// The account and region of a function.
    pub fn of(function: &FunctionArn) -> Self {
        Self {
            account: function.account().to_owned(),
            region: function.region().to_owned(),
        }
    }
}

impl FromStr for Place {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let bad = || SettingsError::new("RIGHTSIZER_ACCEPT", text, "expected ACCOUNT/REGION");
        let (account, region) = text.trim().split_once('/').ok_or_else(bad)?;
        let twelve_digits = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        if !twelve_digits || region.is_empty() || region.contains('/') {
            return Err(bad());
        }
        Ok(Self {
            account: account.to_owned(),
            region: region.to_owned(),
        })
    }
}

/// The updater's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// For functions without a tag `rightsizer:mode`.
    pub default_mode: ApplyMode,
    /// The global stop.
    pub paused: bool,
    /// Places in which functions may be changed; none if empty.
    pub accept: Vec<Place>,
    /// The largest size the account allows.
    pub account_most: Megabytes,
}

impl Default for Settings {
    /// Recommend only, nowhere.
    fn default() -> Self {
        Self {
            default_mode: ApplyMode::Recommend,
            paused: false,
            accept: Vec::new(),
            account_most: LAMBDA_MOST,
        }
    }
}

/// A setting that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {value:?}: {wanted}")]
pub struct SettingsError {
    name: String,
    value: String,
    wanted: &'static str,
}

impl SettingsError {
    fn new(name: &str, value: &str, wanted: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            value: value.chars().take(200).collect(),
            wanted,
        }
    }
}

impl Settings {
    /// Reads `RIGHTSIZER_MODE`, `RIGHTSIZER_PAUSED`, `RIGHTSIZER_ACCEPT` (comma-separated
    /// `ACCOUNT/REGION`) and `RIGHTSIZER_MAX_MB`; an absent or empty one keeps its default.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let given = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let mut settings = Self::default();
        if let Some(mode) = given("RIGHTSIZER_MODE") {
            settings.default_mode = read_mode(&mode).map_err(|_| {
                SettingsError::new("RIGHTSIZER_MODE", &mode, "expected off, recommend or auto")
            })?;
        }
        if let Some(paused) = given("RIGHTSIZER_PAUSED") {
            settings.paused = match paused.trim().to_ascii_lowercase().as_str() {
                "true" | "1" => true,
                "false" | "0" => false,
                _ => {
                    let wanted = "expected true or false";
                    return Err(SettingsError::new("RIGHTSIZER_PAUSED", &paused, wanted));
                }
            };
        }
        if let Some(places) = given("RIGHTSIZER_ACCEPT") {
            settings.accept = places
                .split(',')
                .map(str::parse)
                .collect::<Result<_, _>>()?;
        }
        if let Some(most) = given("RIGHTSIZER_MAX_MB") {
            let mb = most.trim().parse().ok().map(Megabytes);
            settings.account_most = mb
                .filter(|mb| (LAMBDA_LEAST..=LAMBDA_MOST).contains(mb))
                .ok_or_else(|| {
                    SettingsError::new("RIGHTSIZER_MAX_MB", &most, "expected 128 to 10240")
                })?;
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::read(|name| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn nothing_set_means_recommend_only_and_nowhere() {
        let settings = read(&[("RIGHTSIZER_MODE", "")]).unwrap();
        assert_eq!(settings, Settings::default());
        assert_eq!(settings.default_mode, ApplyMode::Recommend);
        assert!(settings.accept.is_empty() && !settings.paused);
    }

    #[test]
    fn every_setting_is_read() {
        let settings = read(&[
            ("RIGHTSIZER_MODE", "auto"),
            ("RIGHTSIZER_PAUSED", "true"),
            (
                "RIGHTSIZER_ACCEPT",
                "123456789012/eu-central-1, 210987654321/us-east-1",
            ),
            ("RIGHTSIZER_MAX_MB", "3008"),
        ])
        .unwrap();
        assert_eq!(settings.default_mode, ApplyMode::Auto);
        assert!(settings.paused);
        assert_eq!(settings.accept[1].region, "us-east-1");
        assert_eq!(settings.account_most, Megabytes(3008));
    }

    #[test]
    fn what_cannot_be_understood_is_refused_by_name() {
        for (name, value) in [
            ("RIGHTSIZER_MODE", "on"),
            ("RIGHTSIZER_PAUSED", "maybe"),
            ("RIGHTSIZER_ACCEPT", "12345/eu-central-1"),
            ("RIGHTSIZER_ACCEPT", "123456789012"),
            ("RIGHTSIZER_MAX_MB", "64"),
            ("RIGHTSIZER_MAX_MB", "lots"),
        ] {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(error.starts_with(name), "{error}");
        }
    }
}
