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

impl InventorySettings {
    /// Whether they can be meant, else in words why not.
    pub fn check(&self) -> Result<(), String> {
        if !(1..=10_080).contains(&self.refresh_minutes) {
            return Err(format!(
                "inventory.refresh_minutes must be 1 to 10080, not {}",
                self.refresh_minutes
            ));
        }
        if !(0.1..=10.0).contains(&self.calls_per_second) {
            return Err(format!(
                "inventory.calls_per_second must be 0.1 to 10, not {}",
                self.calls_per_second
            ));
        }
        Ok(())
    }
}
