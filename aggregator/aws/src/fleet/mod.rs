//! The layer on the whole fleet: `attach` and `detach`. What is to happen to a function is decided
//! by pure rules over what it is now; `walk` reads and changes function by function, no faster than
//! agreed; `aws` makes the calls.

mod access;
mod attach;
mod aws;
mod configuration;
mod detach;
mod edge;
mod intent;
mod layer;
mod plan;
mod runtimes;
mod select;
mod skip;
mod stream_role;
mod subscription;
mod subscription_calls;
#[cfg(test)]
mod tests;
mod walk;
mod waves;

pub use access::{Access, StreamArn, resource_policy, statement};
pub use aws::AwsLayers;
pub(crate) use aws::call_error;
pub use configuration::{
    Change, Configuration, Edge, Encrypted, Kind, LastUpdate, UsedLayer, Variables,
};
pub(crate) use edge::{EdgeRoles, REGION as EDGE_REGION};
pub use intent::Intent;
pub use layer::{LayerFacts, LayerVersion, LayerVersionError};
pub use plan::{Plan, Wish};
pub use select::{Selected, Selection, SelectionError};
pub use skip::{Skip, SkipCode};
pub use stream_role::{StreamKey, role_policies};
pub use subscription::{
    SUBSCRIPTION_NAME, Subscription, SubscriptionPlan, SubscriptionsApi, log_groups, own_logs,
    subscribe, subscribe_account, unsubscribe, wanted, wanted_of_account,
};
pub use walk::{CallError, Done, Entry, LayersApi, ReadError, carry_out, plan_all};
pub use waves::{Calls, Waves, WavesError, is_harmed};
