//! What the end-to-end tests and the demo run on: an emulated Lambda environment around the real
//! extension binary, real API servers, the real aggregator as a child process, and small fleets
//! whose lives are given day by day. It must not know the aggregator's code: that is started as a program.

pub mod aggregator;
pub mod dice;
pub mod emulator;
pub mod fleet;
mod identity;
pub mod sample;
pub mod scene;
pub mod servers;
pub mod snapshot;
pub mod weigh;
