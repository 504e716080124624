//! What the end-to-end tests and the demo run on: an emulated Lambda environment around the real
//! extension binary, real API servers, the real aggregator as a child process, and small fleets
//! that are defined day by day. This library must not know the aggregator's code: it starts the program.

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
