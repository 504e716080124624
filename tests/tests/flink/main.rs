//! `rightsizer serve --engine flink` beside the job on a real Flink: its store has the decisions that `serve` makes by
//! itself, for the same reasons.
//!
//! `make flink` builds the job first.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot set its scene has failed"
)]

mod beside;
mod due;
mod fleet;
mod job;
mod stage;
mod streams;
