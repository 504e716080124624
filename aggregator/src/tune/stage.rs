//! The interface of a run to what it invokes.

use std::future::Future;

use rightsizer_aws::tune::Reported;
use rightsizer_records::Megabytes;

/// Why an invocation has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StageError {
    /// Too many invocations at once, at every attempt. Nothing ran.
    #[error(
        "the account's or the function's limit of concurrent invocations was reached at every attempt ({0})"
    )]
    Concurrency(String),
    /// It is not possible; nothing ran.
    #[error("{0}")]
    Refused(String),
    /// No clear answer: it may have run.
    #[error("unclear response: {0}")]
    Unclear(String),
    /// The processor before or after it failed.
    #[error("the {which} {function} failed: {why}")]
    Processor {
        /// `pre-processor` or `post-processor`.
        which: &'static str,
        /// Its name.
        function: String,
        /// The reason.
        why: String,
    },
}

/// Invokes a function at any size.
pub trait Stage {
    /// Invokes it once at `size`; `cold` requires an environment that never ran.
    fn invoke(
        &self,
        size: Megabytes,
        payload: &str,
        cold: bool,
    ) -> impl Future<Output = Result<Reported, StageError>>;
}
