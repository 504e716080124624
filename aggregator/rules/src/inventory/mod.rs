//! What the functions of a fleet are, as the control plane describes them: plain facts, and what
//! changed between two refreshes. Who reads them from AWS is in `rightsizer-aws`.

mod facts;
mod map;
mod owners;

pub use facts::{FunctionFacts, LoggedReports, Package, Tags};
pub use map::{Change, Inventory, InventoryUpdate};
pub use owners::{Home, Owners};
