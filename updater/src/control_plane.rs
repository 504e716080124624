//! The seam to the Lambda API: the two calls the updater makes and every way they can end.
//!
//! Plain data and a trait: a test puts any fault behind it that the real service knows.

use std::collections::BTreeMap;
use std::future::Future;

use rightsizer_records::{FunctionArn, Megabytes, Millis};

/// A function as it is now, as far as the updater looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveFunction {
    /// Its memory size.
    pub memory_mb: Megabytes,
    /// How long one invocation may take.
    pub timeout: Option<Millis>,
    /// Names this state of its configuration: an update with it fails when somebody was faster.
    pub revision_id: Option<String>,
    /// Hash of its code.
    pub code_sha256: Option<String>,
    /// Its tags; `None` when they could not be read, which is not the same as having none.
    pub tags: Option<BTreeMap<String, String>>,
    /// `Active`, `Pending`, …; older answers have none.
    pub state: Option<String>,
    /// `Successful`, `InProgress` or `Failed`.
    pub last_update_status: Option<String>,
    /// Whether it is a replica of an edge function (`MasterArn` set).
    pub edge_replica: bool,
    /// Whether it runs on managed instances (`CapacityProviderConfig` set).
    pub managed_instances: bool,
}

/// What went wrong with a call, as far as the answer to it differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApiFault {
    /// 409: another update of the function is under way. Nothing was written.
    Conflict,
    /// 412: the function changed after it was read. Nothing was written.
    RevisionChanged,
    /// 429: too many calls. Nothing was written.
    Throttled,
    /// No answer, or one of the service's own faults: an update may or may not have been made.
    Unavailable,
    /// No permission, or credentials that are not accepted. Nothing was written.
    AccessDenied,
    /// No such function.
    NotFound,
    /// Lambda does not update functions of this runtime any more.
    BlockedRuntime,
    /// The request was refused for another reason. Nothing was written.
    Refused,
}

impl ApiFault {
    /// Its name as the reason of an outcome.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::RevisionChanged => "revision-changed",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::AccessDenied => "access-denied",
            Self::NotFound => "not-found",
            Self::BlockedRuntime => "blocked-runtime",
            Self::Refused => "refused",
        }
    }
}

/// A call that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What kind of failure.
    pub fault: ApiFault,
    /// The service's own words.
    pub message: String,
    /// How long the service asked to wait, in seconds, where it did.
    pub retry_after_s: Option<u32>,
}

/// The calls the updater makes.
pub trait ControlPlane {
    /// Reads a function.
    fn get(
        &self,
        function: &FunctionArn,
    ) -> impl Future<Output = Result<LiveFunction, ApiError>> + Send;

    /// Sets a function's memory size and nothing else, if it is still at `revision`; answers the
    /// size it has then.
    fn set_memory(
        &self,
        function: &FunctionArn,
        memory: Megabytes,
        revision: Option<&str>,
    ) -> impl Future<Output = Result<Megabytes, ApiError>> + Send;
}
