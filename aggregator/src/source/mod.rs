//! Where evidence comes from: files, and (in the shells beside) streams.
//!
//! Bytes in, [`Item`]s out. Nothing here knows the clock, the store or the policy.

mod evidence;

pub use evidence::{
    Evidence, FunctionKey, FunctionKeyError, Item, LATEST, Observation, environment_of_stream,
    function_of_stream, version_of_stream,
};
