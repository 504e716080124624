//! The whole product over real parts: functions live weeks in emulated environments with the real
//! extension; Kinesis, the aggregator, the decisions stream and the updater's own Lambda binary do
//! the rest, until the Lambda API server has the new sizes, and their results are known.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod outcomes;
mod sizes;
mod stage;
