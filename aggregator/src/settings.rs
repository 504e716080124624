//! Every setting with its default: `rightsizer.toml`, overridden by flags. Unknown keys are
//! refused, so that a misspelt guard is not silently absent.

use std::path::Path;

use anyhow::Context;
use rightsizer_records::Megabytes;
use serde::Deserialize;

use crate::policy::PolicySettings;
use crate::price::PriceTable;
use crate::window::WindowSettings;

/// The file, as `rightsizer.toml` spells it.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `[window]`
    pub window: WindowSettings,
    /// `[policy]`
    pub policy: PolicySettings,
    /// `[price]`
    pub price: PriceTable,
}

impl Settings {
    /// Reads `file`; without one, `rightsizer.toml` in the working folder if it is there.
    pub fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        let default = Path::new("rightsizer.toml");
        let path = match file {
            Some(path) => path,
            None if default.exists() => default,
            None => return Ok(Self::default()),
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the settings file {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("the settings file {}", path.display()))
    }

    /// Reads the text of a settings file.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let settings: Self = toml::from_str(text)?;
        let p = &settings.policy;
        anyhow::ensure!(
            Megabytes(128) <= p.min_mb && p.min_mb <= p.max_mb && p.max_mb <= Megabytes(10_240),
            "policy.min_mb and policy.max_mb must be 128 to 10240 and in order, not {} and {}",
            p.min_mb.0,
            p.max_mb.0
        );
        anyhow::ensure!(
            (1.0..=10.0).contains(&p.floor_headroom),
            "policy.floor_headroom must be 1.0 to 10.0, not {}",
            p.floor_headroom
        );
        anyhow::ensure!(
            (1.0..=10.0).contains(&p.recurring_headroom),
            "policy.recurring_headroom must be 1.0 to 10.0, not {}",
            p.recurring_headroom
        );
        anyhow::ensure!(
            (1..=400).contains(&p.floor_days),
            "policy.floor_days must be 1 to 400, not {}",
            p.floor_days
        );
        let price = &settings.price;
        for (name, dollars) in [
            ("x86_gb_second", price.x86_gb_second),
            ("arm64_gb_second", price.arm64_gb_second),
            ("million_requests", price.million_requests),
        ] {
            anyhow::ensure!(
                (0.0..=1000.0).contains(&dollars),
                "price.{name} must be 0 to 1000 dollars, not {dollars}"
            );
        }
        anyhow::ensure!(
            p.buffer_mb <= Megabytes(10_240),
            "policy.buffer_mb must be at most 10240, not {}",
            p.buffer_mb.0
        );
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_gives_the_defaults() {
        assert_eq!(Settings::parse("").unwrap(), Settings::default());
    }

    #[test]
    fn a_misspelt_or_absurd_setting_is_refused() {
        for text in [
            "[policy]\nbufer_mb = 1",
            "[policy]\nmin_mb = 64",
            "[policy]\nfloor_headroom = 0.5",
            "[policy]\nfloor_days = 0",
            "[policy]\nbuffer_mb = 4000000000",
            "[price]\nx86_gb_second = -5.0",
            "[price]\nmillion_requests = nan",
            "[policy]\nrecurring_headroom = 0.9",
            "[policy]\nname = \"guess\"",
        ] {
            assert!(Settings::parse(text).is_err(), "{text}");
        }
        let settings = Settings::parse("[policy]\nbuffer_mb = 64\nmax_mb = 3008").unwrap();
        assert_eq!(settings.policy.buffer_mb, Megabytes(64));
    }
}
