//! The logs that an account has: read by `import cloudwatch`, and subscribed to.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod contract;
mod faults;
mod live;
mod mistakes;
mod old_patterns;
#[path = "../put_records/mod.rs"]
mod put_records;
mod reading;
mod regions;
mod stage;
mod subscribing;
