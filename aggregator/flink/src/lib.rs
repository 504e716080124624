//! The rules as a native library for Apache Flink: a few calls over bytes.
//!
//! Flink keeps each function's state and moves records to it; `rightsizer-formats` decides what a record means,
//! and `rightsizer-rules` what is kept and recommended, as in the aggregator. [`Engine::read`] makes inputs of stream
//! records, [`Engine::advance`] brings one function's state forward and returns proposals. The Java side
//! (`infra/flink`) is plumbing around them.
//!
//! It must not know a stream, a clock or Flink itself: time is an argument, and bytes are all that cross.

mod advance;
mod boundary;
mod engine;
mod frames;
mod moment;
mod proposal;
mod read;

pub use advance::Step;
pub use engine::{Engine, EngineError};
pub use frames::{Frames, Writer};
pub use moment::Moment;
