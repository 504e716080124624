//! What is put on an account: built, deployed into an account that is played by `moto`, found through
//! its APIs, held to its policies, and taken off again. Nothing here reaches AWS.

mod alarms;
mod cost;
mod deploy;
mod fresh;
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
