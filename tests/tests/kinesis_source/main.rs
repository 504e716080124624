//! The Kinesis source over a real Kinesis API server: shards that split and merge while they are
//! read, restarts from checkpoints, poison in the middle. Between the two is a proxy that injects
//! faults on request, so every test also tests the proxy.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod clock;
mod faults;
mod retention;
mod shards;
mod stage;
