//! What the functions of a fleet are, as the control plane describes them: plain facts. `rightsizer-aws` reads them
//! from AWS, and `rightsizer-store` finds what changed between two refreshes.

mod facts;
mod owners;
mod update;

pub use facts::{FunctionFacts, LoggedReports, Package, Tags};
pub use owners::{Home, Owners};
pub use update::InventoryUpdate;
