//! What the fleet is.
mod facts;
mod map;

pub use facts::{FunctionFacts, Package, Tags};
pub use map::{Change, Inventory, InventoryUpdate};
