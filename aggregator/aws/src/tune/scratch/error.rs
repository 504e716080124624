//! Why a scratch copy could not be made.

use crate::fleet::CallError;
use crate::tune::code::DownloadError;

/// Why a scratch copy could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScratchError {
    /// Its package cannot be read.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// The caller may not pass the function's role on.
    #[error("the role {role} may not be passed to the copy: {why}")]
    PassRole {
        /// The role.
        role: String,
        /// The service's message.
        why: String,
    },
    /// A call failed.
    #[error("cannot {what}: {error}")]
    Call {
        /// What the call was to do.
        what: &'static str,
        /// Its error.
        error: CallError,
    },
    /// Lambda could not make it ready.
    #[error("Lambda could not prepare {what}: {why}")]
    NotReady {
        /// The copy or a version of it.
        what: String,
        /// Lambda's reason.
        why: String,
    },
    /// The copy has other code.
    #[error(
        "the copy's code differs from the function's: the package that was uploaded is not \
             the function's"
    )]
    OtherCode,
}

pub(super) fn cannot(what: &'static str) -> impl Fn(CallError) -> ScratchError {
    move |error| ScratchError::Call { what, error }
}
