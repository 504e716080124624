//! The calls that the aggregator makes to AWS, except those of snapshots, the outbox and `doctor`.
//!
//! One folder for each task: [`kinesis`] reads streams, [`logs`] reads log groups, [`inventory`] lists
//! functions, [`fleet`] attaches the layer and subscribes log groups, [`pause_tag`] stops the updater, [`tune`] invokes
//! scratch copies of functions.
//! In each, plain rules decide, a trait names the calls, and one file makes them with the SDK. This
//! crate must not know the store, the command line or what a decision is.

pub mod alarms;
pub mod clock;
pub mod condition;
pub mod config;
pub mod errors;
pub mod fleet;
mod iam;
pub mod inventory;
pub mod kinesis;
pub mod logs;
pub mod metrics;
mod mfa;
mod paging;
pub mod pause_tag;
mod profiles;
pub mod provisioned;
pub mod regions;
mod sign_in;
mod signed;
pub mod sns;
pub mod tagging;
pub mod throttle;
pub mod tune;

pub use paging::Page;
pub use signed::CallFailure;
