//! Lists the functions of an account and region, with their tags, again and again. `refresh` decides
//! when to make which call; `aws` makes it.

mod aws;
mod refresh;

pub use aws::AwsFleet;
pub use refresh::{FleetApi, FleetError, InventorySink, collect, collect_with_alarms, keep_fresh};

use serde::Deserialize;

/// `[inventory]` in `rightsizer.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InventorySettings {
    /// Minutes between the beginnings of two refreshes.
    pub refresh_minutes: u32,
    /// Calls a second at most. The account's other tools share its control plane's 15.
    pub calls_per_second: f64,
}

impl Default for InventorySettings {
    fn default() -> Self {
        Self {
            refresh_minutes: 60,
            calls_per_second: 2.0,
        }
    }
}

/// A setting of `[inventory]` that cannot be meant.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum BadSetting {
    /// Minutes between two refreshes.
    #[error("inventory.refresh_minutes must be 1 to 10080, not {0}")]
    RefreshMinutes(u32),
    /// Calls a second.
    #[error("inventory.calls_per_second must be 0.1 to 10, not {0}")]
    CallsPerSecond(f64),
}

impl InventorySettings {
    /// Returns an error if one of them cannot be meant.
    pub fn check(&self) -> Result<(), BadSetting> {
        if !(1..=10_080).contains(&self.refresh_minutes) {
            return Err(BadSetting::RefreshMinutes(self.refresh_minutes));
        }
        if !(0.1..=10.0).contains(&self.calls_per_second) {
            return Err(BadSetting::CallsPerSecond(self.calls_per_second));
        }
        Ok(())
    }
}
