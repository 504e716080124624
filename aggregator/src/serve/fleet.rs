//! What the fleet is, as this process last saw it.

use std::sync::{Arc, PoisonError, RwLock};

use tracing::info;

use crate::inventory::{Change, Inventory, InventorySink, InventoryUpdate};

/// Shared by whoever refreshes the inventory and whoever asks it.
#[derive(Debug, Clone, Default)]
pub struct Fleet(Arc<RwLock<Inventory>>);

impl Fleet {
    /// Asks the inventory.
    pub fn with<T>(&self, ask: impl FnOnce(&Inventory) -> T) -> T {
        // Nothing that holds it can panic half-way.
        ask(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl InventorySink for Fleet {
    async fn refreshed(&self, update: InventoryUpdate) -> anyhow::Result<()> {
        let first = self.with(Inventory::is_empty);
        let mut fleet = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for change in fleet.apply(update) {
            match change {
                // The whole fleet appears at the first refresh.
                Change::Appeared(_) if first => {}
                change => info!(?change, "the fleet changed"),
            }
        }
        Ok(())
    }
}
