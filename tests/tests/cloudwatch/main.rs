//! The logs that an account has: read by `import cloudwatch`, and subscribed to.

mod contract;
mod faults;
mod reading;
mod stage;
