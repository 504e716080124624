//! The Kinesis source over a real Kinesis API server: shards that split and merge while they are
//! read, restarts from checkpoints, poison in the middle. Between the two stands a proxy that goes
//! wrong when it is told to, so every test is also one of the proxy.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod clock;
mod faults;
mod retention;
mod shards;
mod stage;
