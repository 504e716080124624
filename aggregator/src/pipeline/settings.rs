//! The settings that days and decisions depend on. Sources, snapshots and notices have others.

use rightsizer_rules::limits::LimitSettings;
use rightsizer_rules::policy::PolicySettings;
use rightsizer_rules::price::PriceTable;
use rightsizer_rules::window::WindowSettings;

/// What a pipeline is set up with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PipelineSettings {
    /// Which days decide, and when.
    pub window: WindowSettings,
    /// The size that a function should have.
    pub policy: PolicySettings,
    /// What a size costs.
    pub price: PriceTable,
    /// How much may change at once.
    pub limits: LimitSettings,
}
