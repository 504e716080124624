//! The deployed system: built, deployed to an account that `moto` emulates, inspected through its APIs, checked
//! against its policies, and removed again. Nothing here reaches AWS.

mod alarms;
mod cost;
mod deploy;
mod fresh;
mod given;
mod image;
mod metric_filter;
mod policies;
mod portable;
mod preflight;
mod readme;
mod registry;
mod release;
mod stage;
mod subscription;
mod template;
mod terraform;
mod undeploy;
