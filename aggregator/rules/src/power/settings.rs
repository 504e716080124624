//! The settings of power: `[power]` in `rightsizer.toml`.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::objective::Objective;
use super::prior::Prior;

/// `[power]` in `rightsizer.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PowerSettings {
    /// The objective of functions without the tag `rightsizer:objective`. If it is not set, sizes above the safe one
    /// are only recommended.
    pub objective: Option<Objective>,
    /// Weight of the cost in `balanced`; the rest is the weight of the duration.
    pub weight: f64,
    /// The budget of `speed`, as a share of the cost before the first remembered change.
    pub speed_budget: f64,
    /// The file with the prior. The caller reads it after the settings, and calls [`PowerSettings::learnt`].
    #[serde(rename = "prior")]
    pub prior_file: Option<PathBuf>,
    /// The prior, as the text of such a file.
    #[serde(rename = "prior_csv", deserialize_with = "prior_of_text")]
    pub own_prior: Option<Arc<Prior>>,
}

/// Reads the text of a prior, so that an error names the line of the settings file too.
fn prior_of_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Arc<Prior>>, D::Error> {
    let text = String::deserialize(from)?;
    let prior = Prior::from_csv(text.trim_start()).map_err(D::Error::custom)?;
    Ok(Some(Arc::new(prior)))
}

impl Default for PowerSettings {
    fn default() -> Self {
        Self {
            objective: None,
            weight: 0.5,
            speed_budget: 1.0,
            prior_file: None,
            own_prior: None,
        }
    }
}

/// A setting of `[power]` that cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PowerSettingsError {
    /// A number outside its range.
    #[error("power.{name} must be {:?} to {:?}, not {value}", range.start(), range.end())]
    Range {
        /// The setting.
        name: &'static str,
        /// What it may be.
        range: RangeInclusive<f64>,
        /// The value given.
        value: f64,
    },
    /// A file, and a text beside it.
    #[error("power.prior and power.prior_csv are both set; keep one of them")]
    TwoPriors,
}

impl PowerSettings {
    /// Returns the prior of all curves: the one that is set, else the one that is shipped.
    pub fn prior(&self) -> &Prior {
        self.own_prior
            .as_deref()
            .unwrap_or_else(|| Prior::shipped())
    }

    /// Sets what `prior_file` contains.
    pub fn learnt(&mut self, prior: Prior) {
        self.own_prior = Some(Arc::new(prior));
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// If a setting is outside its range, or if two settings name a prior.
    pub fn check(&self) -> Result<(), PowerSettingsError> {
        for (name, value, range) in [
            ("weight", self.weight, 0.0..=1.0),
            ("speed_budget", self.speed_budget, 0.1..=10.0),
        ] {
            if !range.contains(&value) {
                return Err(PowerSettingsError::Range { name, range, value });
            }
        }
        if self.prior_file.is_some() && self.own_prior.is_some() {
            return Err(PowerSettingsError::TwoPriors);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_absurd_ones_refused() {
        let read: PowerSettings =
            toml::from_str("objective = \"speed\"\nspeed_budget = 1.2").unwrap();
        assert_eq!(
            (read.objective, read.speed_budget, read.check()),
            (Some(Objective::Speed), 1.2, Ok(()))
        );
        for bad in ["weight = 1.1", "speed_budget = 0.0", "weight = nan"] {
            let read: PowerSettings = toml::from_str(bad).unwrap();
            assert!(read.check().is_err(), "{bad}");
        }
        assert!(toml::from_str::<PowerSettings>("objective = \"fast\"").is_err());
    }

    #[test]
    fn a_prior_is_a_file_or_a_text_and_else_the_shipped_one() {
        let read = |text: &str| toml::from_str::<PowerSettings>(text);
        assert_eq!(PowerSettings::default().prior(), Prior::shipped());
        let row = "1,1,1,0,0.05,0.05,0.9";
        let text = read(&format!("prior_csv = \"\"\"\n{row}\n\"\"\"")).unwrap();
        assert_eq!(text.prior(), &Prior::from_csv(row).unwrap());
        assert_ne!(text.prior(), Prior::shipped());
        let file = read("prior = \"fleet.csv\"").unwrap();
        assert_eq!(file.prior_file, Some("fleet.csv".into()));
        let both = read(&format!("prior = \"f.csv\"\nprior_csv = \"{row}\"")).unwrap();
        assert_eq!(both.check(), Err(PowerSettingsError::TwoPriors));
        let bad = read("prior_csv = \"9,1,1,0,0.05,0.05,0.9\"").unwrap_err();
        let bad = bad.to_string();
        assert!(bad.contains("line 1 of the prior"), "{bad}");
    }
}
