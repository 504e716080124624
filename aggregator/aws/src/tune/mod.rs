//! Measured invocations of scratch copies of functions: the AWS part of `rightsizer tune`.
//!
//! A [`Scratch`] copy is a function of its own with the code, the role and the settings of the original, but without
//! triggers, tags, the reports extension and dead-letter queue. Production traffic never reaches it, and the original
//! is only read. Each size is a published version of the copy, so that sizes keep their warm environments and can run
//! side by side, and one `DeleteFunction` removes them all. The copy is tagged by the call that creates it;
//! [`leftovers`] finds what a killed run left. This module must not know which size is best.

mod calls;
mod code;
mod definition;
mod invoke;
mod leftovers;
mod original;
mod reported;
mod scratch;
mod wanted;

pub use calls::TuneCalls;
pub use definition::{Marks, PREFIX};
pub use invoke::{Invocation, InvokeError, Throttled};
pub use leftovers::{Leftover, leftovers, remove};
pub use original::{Original, S3Code, Unsuitable};
pub use reported::{Ending, Reported, reported};
pub use scratch::{Removed, Scratch, ScratchError};
pub use wanted::{Wanted, WantedError};
