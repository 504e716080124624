//! Every setting with its default: `rightsizer.toml`, overridden by flags. Unknown keys are
//! refused, so that a misspelt guard is not silently absent.

use std::io::Read as _;
use std::path::Path;

use anyhow::Context;
use rightsizer_aws::inventory::InventorySettings;
use rightsizer_aws::pause_tag::UpdaterSettings;
use rightsizer_rules::limits::LimitSettings;
use rightsizer_rules::policy::PolicySettings;
use rightsizer_rules::power::{PowerSettings, Prior};
use rightsizer_rules::price::PriceTable;
use rightsizer_rules::window::WindowSettings;
use serde::Deserialize;

use crate::notify::NotifySettings;
use crate::pipeline::PipelineSettings;
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
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        Self::parse(&text)
            .and_then(|settings| settings.with_prior(folder))
            .with_context(|| format!("the settings file {}", path.display()))
    }

    /// Reads the file of `[power] prior`, whose path is relative to `folder`.
    fn with_prior(mut self, folder: &Path) -> anyhow::Result<Self> {
        if let Some(file) = &self.power.prior_file {
            let prior = prior_in(&folder.join(file)).context("power.prior")?;
            self.power.learnt(prior);
            self.policy.power = self.power.clone();
        }
        Ok(self)
    }

    /// Reads the text of a settings file.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let mut settings: Self = toml::from_str(text)?;
        settings.policy.power = settings.power.clone();
        settings.inventory.check()?;
        settings.policy.check()?;
        settings.snapshot.check()?;
        settings.power.check()?;
        settings.price.check().map_err(anyhow::Error::msg)?;
        Ok(settings)
    }
}

impl From<Settings> for PipelineSettings {
    fn from(settings: Settings) -> Self {
        Self {
            window: settings.window,
            policy: settings.policy,
            price: settings.price,
            limits: settings.limits,
        }
    }
}

/// A prior of all components is a tenth as long.
const LONGEST_PRIOR: u64 = 2 << 20;

/// Reads the prior in `file`, which `simulate --power RUNS --learn` has printed.
pub(crate) fn prior_in(file: &Path) -> anyhow::Result<Prior> {
    let shown = file.display();
    let mut text = String::new();
    std::fs::File::open(file)
        .and_then(|file| file.take(LONGEST_PRIOR).read_to_string(&mut text))
        .with_context(|| format!("cannot read {shown}"))?;
    Prior::from_csv(&text).with_context(|| {
        format!("cannot use {shown} as a prior\nhint: rightsizer simulate --power RUNS --learn prints one")
    })
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

    /// The path of the prior is relative to the settings file, wherever the command runs.
    #[test]
    fn a_prior_is_read_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let toml = folder.path().join("rightsizer.toml");
        std::fs::write(&toml, "[power]\nprior = \"fleet.csv\"").unwrap();
        let why = || format!("{:#}", Settings::load(Some(&toml)).unwrap_err());
        assert!(why().contains("power.prior: cannot read"), "{}", why());
        let row = "1,1,1,0,0.05,0.05,0.9";
        for (text, wanted) in [
            ("", "lines are missing"),
            ("1,1,1,0,0.05,0.05,0.2", "lines are missing"),
            ("2,1,1,0,0.05,0.05,0.9", "no component has these parameters"),
            ("SQLite format 3", "it has no weight"),
            ("1,1,1,0,0.05,0.05,much", "not between 0 and 1"),
        ] {
            std::fs::write(folder.path().join("fleet.csv"), text).unwrap();
            assert!(why().contains(wanted), "{text}: {}", why());
        }
        std::fs::write(folder.path().join("fleet.csv"), row).unwrap();
        let settings = Settings::load(Some(&toml)).unwrap();
        let wanted = Prior::from_csv(row).unwrap();
        assert_eq!(settings.power.prior(), &wanted);
        assert_eq!(settings.policy.power.prior(), &wanted);
    }
}
