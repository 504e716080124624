//! The updater over real parts: two Lambda API servers, a Kinesis API server, its own Lambda binary,
//! and a Lambda API that goes wrong on order.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod batches;
mod contract;
mod faults;
mod lambda_binary;
mod policies;
mod published;
mod scale;
mod stage;
mod template;
