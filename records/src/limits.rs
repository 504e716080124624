//! Limits of Lambda that more than one part of the product must agree on.

use crate::Megabytes;

/// The smallest memory size that Lambda offers.
pub const LAMBDA_LEAST: Megabytes = Megabytes(128);
/// The largest memory size that Lambda offers.
pub const LAMBDA_MOST: Megabytes = Megabytes(10_240);
/// The size at which a function has the equivalent of one vCPU; CPU is proportional to memory.
/// Source: AWS, "Configure Lambda function memory".
pub const ONE_VCPU: Megabytes = Megabytes(1769);
/// The part of a function's timeout that its projected 99th percentile may take (P6).
pub const TIMEOUT_SHARE: f64 = 0.7;
