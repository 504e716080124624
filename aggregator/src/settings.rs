//! Every setting with its default: `rightsizer.toml`, overridden by flags. Unknown keys are
//! refused, so that a misspelt guard is not silently absent.

use std::path::Path;

use anyhow::Context;
use rightsizer_aws::inventory::InventorySettings;
use rightsizer_aws::pause_tag::UpdaterSettings;
use rightsizer_rules::limits::LimitSettings;
use rightsizer_rules::policy::PolicySettings;
use rightsizer_rules::power::PowerSettings;
use rightsizer_rules::price::PriceTable;
use rightsizer_rules::window::WindowSettings;
use serde::Deserialize;

use crate::notify::NotifySettings;
use crate::snapshot::SnapshotSettings;

/// The file, as `rightsizer.toml` spells it.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `[window]`
    pub window: WindowSettings,
    /// `[policy]`
    pub policy: PolicySettings,
    /// `[power]`
    pub power: PowerSettings,
    /// `[price]`
    pub price: PriceTable,
    /// `[snapshot]`
    pub snapshot: SnapshotSettings,
    /// `[inventory]`
    pub inventory: InventorySettings,
    /// `[limits]`
    pub limits: LimitSettings,
    /// `[updater]`
    pub updater: UpdaterSettings,
    /// `[notify]`
    pub notify: NotifySettings,
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
        let mut settings: Self = toml::from_str(text)?;
        settings.policy.power = settings.power;
        settings.inventory.check()?;
        settings.policy.check()?;
        settings.snapshot.check()?;
        settings.power.check()?;
        settings.price.check().map_err(anyhow::Error::msg)?;
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use rightsizer_records::Megabytes;

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
            "[price.region.eu-south-1]\nx86_gb_second = -1.0",
            "[policy]\nrecurring_headroom = 0.9",
            "[policy]\nname = \"guess\"",
            "[inventory]\nrefresh_minutes = 0",
            "[snapshot]\nkeep = 0",
            "[inventory]\ncalls_per_second = 100.0",
            "[policy]\nmax_step_down = 1.0",
            "[policy]\nstrategy = \"fast\"",
            "[policy.p95_tolerance]\nspeed = 0.5",
            "[power]\nweight = 1.5",
            "[power]\nobjective = \"fast\"",
            "[limits]\ndecreases_per_day = 0",
            "[limits]\nunverified_percent = 101",
            "[limits]\nunverified_least = 0",
            "[limits]\nrollbacks_to_pause = -1",
            "[limits]\nchange_windows = [\"weekdays\"]",
            "[limits]\ntimezone = \"CEST?\"",
            "[limits]\nper_day = 5",
            "[updater]\nfunction = \"rightsizer-updater\"",
        ] {
            assert!(Settings::parse(text).is_err(), "{text}");
        }
        let settings = Settings::parse("[policy]\nbuffer_mb = 64\nmax_mb = 3008").unwrap();
        assert_eq!(settings.policy.buffer_mb, Megabytes(64));
    }
}
