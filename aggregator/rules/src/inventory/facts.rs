//! One function by the control plane.

use std::collections::BTreeMap;

use rightsizer_records::{Arch, FunctionArn, Listing, Megabytes, Timestamp};

/// Tags of a function.
pub type Tags = BTreeMap<String, String>;

/// What its code is packed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Package {
    /// An archive.
    Zip,
    /// A container image: layers cannot be attached to it.
    Image,
}

/// Which reports a function's logs hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoggedReports {
    /// All of them.
    All,
    /// Those of failures: JSON with a system log level of WARN.
    Failures,
}

/// One function: its `$LATEST`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionFacts {
    /// Its unqualified ARN.
    pub function: FunctionArn,
    /// Configured memory.
    pub memory_mb: Megabytes,
    /// The seconds after which an invocation is ended.
    pub timeout_s: u32,
    /// Its processor.
    pub arch: Arch,
    /// Such as `python3.13`; `None` for a container image.
    pub runtime: Option<String>,
    /// Base64 of the SHA-256 of its code.
    pub code_sha256: Option<String>,
    /// What its code is packed in.
    pub package: Package,
    /// ARNs of its layers' versions, in their order.
    pub layers: Vec<String>,
    /// Its log group.
    pub log_group: String,
    /// Which reports its logs hold.
    pub logged: LoggedReports,
    /// Its tags; `None` if they could not be read.
    pub tags: Option<Tags>,
    /// A copy of an edge function of another region: not to be changed.
    pub edge_replica: bool,
    /// Runs on managed instances: its memory is not chosen alone.
    pub managed_instances: bool,
    /// Restored from a snapshot: only published versions carry traffic.
    pub snap_start: bool,
    /// When its code or configuration was last changed.
    pub modified: Option<Timestamp>,
    /// A CloudWatch alarm on it that is in `ALARM`; `None` if there is none, or alarms could not be
    /// read.
    pub alarm: Option<String>,
}

impl FunctionFacts {
    /// What decisions need of it. `alarms_read` is whether its alarms were asked for.
    pub fn listing(&self, alarms_read: bool) -> Listing {
        Listing {
            memory_mb: self.memory_mb,
            timeout_s: self.timeout_s,
            arch: self.arch,
            code_sha256: self.code_sha256.clone(),
            tags: self.tags.clone(),
            failures_only: self.logged == LoggedReports::Failures,
            snap_start: self.snap_start,
            modified: self.modified,
            alarm: self.alarm.clone(),
            alarms_read,
        }
    }
}
