//! Layer extension of Lambda Rightsizer: reports what each invocation really used.
//!
//! It can only observe: registered for SHUTDOWN alone, it is never on an invocation's path, and
//! nothing it suffers may fail one.

pub mod buffer;
pub mod config;
pub mod invocations;
pub mod journal;
pub mod procfs;
pub mod seen;
pub mod telemetry;
