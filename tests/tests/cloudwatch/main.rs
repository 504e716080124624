//! The logs that an account has: read by `import cloudwatch`, and subscribed to.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod contract;
mod faults;
mod reading;
mod stage;
