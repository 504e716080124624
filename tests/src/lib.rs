//! Placeholder until the first slice lands.
pub mod emulator;
pub mod servers;
