//! The seam to the Lambda API: the calls the updater makes and every way they can end.
//!
//! Plain data and a trait: a test puts any fault behind it that the real service knows.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use rightsizer_records::{ApiFault, FunctionArn, Megabytes, Millis};

/// The longest time of one call. Whoever makes it gives up then, and the updater plans with it.
pub(crate) const CALL_WITHIN: Duration = Duration::from_secs(5);

/// A function's `$LATEST` as it is now, as far as the updater looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveFunction {
    /// Its memory size.
    pub memory_mb: Megabytes,
    /// How long one invocation may take.
    pub timeout: Option<Millis>,
    /// Names this state of its configuration: an update with it fails if the configuration was
    /// changed meanwhile.
    pub revision_id: Option<String>,
    /// Hash of its code.
    pub code_sha256: Option<String>,
    /// Its tags; `None` when they could not be read, which is not the same as having none.
    pub tags: Option<BTreeMap<String, String>>,
    /// `Active`, `Pending`, …; older answers have none.
    pub state: Option<String>,
    /// How its last change is going.
    pub last_update: LastUpdate,
    /// Whether it is a replica of an edge function (`MasterArn` set).
    pub edge_replica: bool,
    /// Whether it has nothing that CloudFront refuses, so that versions of it may run at the edge.
    pub edge_ready: bool,
    /// Whether it runs on managed instances (`CapacityProviderConfig` set).
    pub managed_instances: bool,
    /// Everything else about it.
    pub other: OtherSettings,
}

/// How the last change of a function is going.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LastUpdate {
    /// It is done, or the status is absent.
    Successful,
    /// Lambda is still making it.
    InProgress,
    /// It came to nothing, for this reason.
    Failed(String),
}

/// A published version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedVersion {
    /// Its number.
    pub version: String,
    /// Its memory size.
    pub memory_mb: Megabytes,
    /// How long one invocation may take.
    pub timeout: Option<Millis>,
    /// Hash of its code.
    pub code_sha256: Option<String>,
    /// Its description, which a version is given when it is published.
    pub description: Option<String>,
    /// `Active`, `Pending`, …
    pub state: Option<String>,
    /// Everything else about it.
    pub other: OtherSettings,
}

/// An alias of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The version it points at.
    pub version: String,
    /// Names this state of it.
    pub revision_id: Option<String>,
    /// Whether part of its traffic goes to another version.
    pub weighted: bool,
}

/// Every setting of a function but its memory, by name, to be compared and not to be shown: the
/// values hold environment variables. A value that could not be read is equal to nothing.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct OtherSettings(pub BTreeMap<&'static str, Option<String>>);

impl OtherSettings {
    /// Names of the settings that differ or cannot be compared.
    pub(crate) fn differences(&self, other: &Self) -> Vec<&'static str> {
        let names = self.0.keys().chain(other.0.keys());
        let mut differ: Vec<_> = names
            .filter(|name| {
                let value = |settings: &Self| settings.0.get(*name).cloned().flatten();
                let (a, b) = (value(self), value(other));
                a.is_none() || a != b
            })
            .copied()
            .collect();
        differ.sort_unstable();
        differ.dedup();
        differ
    }
}

impl fmt::Debug for OtherSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What a new version is published from, and only from: Lambda refuses when `$LATEST` is not it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishFrom<'a> {
    /// Hash of the code.
    pub code_sha256: &'a str,
    /// The state of `$LATEST`, if the service returns it.
    pub revision_id: Option<&'a str>,
    /// For the new version.
    pub description: Option<&'a str>,
}

/// A call that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What kind of failure.
    pub fault: ApiFault,
    /// The service's own words.
    pub message: String,
    /// How long the service asked to wait, if it did.
    pub retry_after: Option<Duration>,
}

/// The calls the updater makes. Each is one request: who waits and tries again is the updater.
pub trait ControlPlane {
    /// Reads a function's `$LATEST`.
    fn get(
        &self,
        function: &FunctionArn,
    ) -> impl Future<Output = Result<LiveFunction, ApiError>> + Send;

    /// Sets the memory size of `$LATEST` and nothing else, if it is still at `revision`; answers
    /// the size it has then, and how the change is going.
    fn set_memory(
        &self,
        function: &FunctionArn,
        memory: Megabytes,
        revision: Option<&str>,
    ) -> impl Future<Output = Result<(Megabytes, LastUpdate), ApiError>> + Send;

    /// Reads a published version.
    fn get_version(
        &self,
        function: &FunctionArn,
        version: &str,
    ) -> impl Future<Output = Result<PublishedVersion, ApiError>> + Send;

    /// Reads an alias.
    fn get_alias(
        &self,
        function: &FunctionArn,
        alias: &str,
    ) -> impl Future<Output = Result<Alias, ApiError>> + Send;

    /// The versions and aliases that have provisioned concurrency.
    fn provisioned(
        &self,
        function: &FunctionArn,
    ) -> impl Future<Output = Result<Vec<String>, ApiError>> + Send;

    /// Publishes `$LATEST` and returns the number of the version. If nothing changed since the last
    /// one, returns that.
    fn publish(
        &self,
        function: &FunctionArn,
        from: PublishFrom<'_>,
    ) -> impl Future<Output = Result<String, ApiError>> + Send;

    /// Points an alias at a version, if it is still at `revision`.
    fn move_alias(
        &self,
        function: &FunctionArn,
        alias: &str,
        version: &str,
        revision: Option<&str>,
    ) -> impl Future<Output = Result<(), ApiError>> + Send;
}
