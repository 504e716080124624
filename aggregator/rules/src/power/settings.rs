//! The settings of power: `[power]` in `rightsizer.toml`.

use std::ops::RangeInclusive;

use serde::Deserialize;

use super::objective::Objective;

/// `[power]` in `rightsizer.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PowerSettings {
    /// The objective of functions without the tag `rightsizer:objective`. If it is not set, sizes above the safe one
    /// are only recommended.
    pub objective: Option<Objective>,
    /// Weight of the cost in `balanced`; the rest is the weight of the duration.
    pub weight: f64,
    /// The budget of `speed`, as a share of the cost before the first remembered change.
    pub speed_budget: f64,
}

impl Default for PowerSettings {
    fn default() -> Self {
        Self {
            objective: None,
            weight: 0.5,
            speed_budget: 1.0,
        }
    }
}

/// A setting of `[power]` outside its range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("power.{name} must be {:?} to {:?}, not {value}", range.start(), range.end())]
pub struct PowerSettingsError {
    name: &'static str,
    range: RangeInclusive<f64>,
    value: f64,
}

impl PowerSettings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// If a setting is outside its range.
    pub fn check(&self) -> Result<(), PowerSettingsError> {
        for (name, value, range) in [
            ("weight", self.weight, 0.0..=1.0),
            ("speed_budget", self.speed_budget, 0.1..=10.0),
        ] {
            if !range.contains(&value) {
                return Err(PowerSettingsError { name, range, value });
            }
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
}
