//! `reports`: many invocations of one execution environment in one small record.

use std::fmt;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{FunctionArn, Megabytes, Millis, Timestamp};

/// The most rows a record may carry; a 25 KB Kinesis payload unit holds about 800.
pub(crate) const MAX_ROWS: usize = 10_000;

/// From this share of the memory size on, a failure hides how much memory was wanted (P3):
/// thrashing functions time out at 252–254 of 256 MB, and 1023 of 1024 is an out-of-memory.
pub(crate) const AT_LIMIT_PERCENT: u32 = 97;

/// From this share of the memory size on, a process that was killed (`Runtime.ExitError`, "signal:
/// killed") was killed for want of memory: 2581 of 2688 MB was seen.
pub(crate) const KILLED_PERCENT: u32 = 90;

/// Whether a process that was killed with `used` of `size` in use ran out of memory.
pub const fn is_killed_for_memory(used: Megabytes, size: Megabytes) -> bool {
    used.0 as u64 * 100 >= size.0 as u64 * KILLED_PERCENT as u64
}

/// Whether `used` is so near to `size` that a failure there may be a shortage of memory.
pub const fn is_at_limit(used: Megabytes, size: Megabytes) -> bool {
    used.0 as u64 * 100 >= size.0 as u64 * AT_LIMIT_PERCENT as u64
}

/// What one execution environment saw: the extension's record on the `reports` stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reports {
    /// Unqualified ARN of the function.
    pub function: FunctionArn,
    /// `$LATEST` or the published version's number.
    pub version: String,
    /// This environment; drawn at random at its first report, again after a SnapStart restore.
    pub env: EnvId,
    /// 0, 1, 2… per `env`: the aggregator drops duplicates and counts gaps by it.
    pub seq: u64,
    /// Reports this environment has seen so far, this batch included.
    pub total: u64,
    /// Configured memory size of this environment.
    pub memory_mb: Megabytes,
    /// Processor architecture, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arch: Option<Arch>,
    /// Runtime as the platform names it, such as `nodejs:20.v22`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// How this environment came to be. With [`InitType::SnapStart`], a row's `init_ms` is a restore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<InitType>,
    /// Time of the first report; rows count from here.
    pub t0: Timestamp,
    /// One row an invocation.
    pub reports: Vec<ReportRow>,
    /// Sparse: row index and the platform's error type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<(usize, String)>,
    /// CPU time in ms that the sandbox spent while this batch was collected (`/proc/stat`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u64>,
    /// Processors the sandbox sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
    /// The extension's own resident size in KiB, so that its share of the peak is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_kib: Option<u64>,
    /// Rows lost to the buffer bound, as one summary; a record may hold nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folded: Option<Folded>,
    /// Platform events that were dropped before they reached the extension, as the platform
    /// reports.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub events_dropped: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if passes &T"
)]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// 64 random bits that name one execution environment; 16 hex digits on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvId(pub u64);

impl fmt::Display for EnvId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for EnvId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EnvId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let hex = (1..=16).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
        hex.then(|| u64::from_str_radix(&text, 16).ok())
            .flatten()
            .map(Self)
            .ok_or_else(|| de::Error::custom("env is not 1 to 16 hex digits"))
    }
}

/// Processor architecture of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Arch {
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit Arm (Graviton).
    #[serde(rename = "arm64")]
    Arm64,
    /// One this version does not know.
    #[serde(rename = "unknown")]
    Unknown,
}

impl<'de> Deserialize<'de> for Arch {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(word(d)?.map_or(Self::Unknown, |word| Self::from_name(&word)))
    }
}

impl Arch {
    /// The name AWS uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
            Self::Unknown => "unknown",
        }
    }

    /// From the name AWS uses; anything else is [`Arch::Unknown`].
    pub fn from_name(name: &str) -> Self {
        match name {
            "x86_64" => Self::X86_64,
            "arm64" => Self::Arm64,
            _ => Self::Unknown,
        }
    }
}

/// How an execution environment was initialised (`AWS_LAMBDA_INITIALIZATION_TYPE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InitType {
    /// Started for an invocation.
    OnDemand,
    /// Started beforehand.
    ProvisionedConcurrency,
    /// Restored from a snapshot.
    SnapStart,
    /// On instances of the account.
    LambdaManagedInstances,
    /// One this version does not know.
    Unknown,
}

impl<'de> Deserialize<'de> for InitType {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(match word(d)?.as_deref() {
            Some("on-demand") => Self::OnDemand,
            Some("provisioned-concurrency") => Self::ProvisionedConcurrency,
            Some("snap-start") => Self::SnapStart,
            Some("lambda-managed-instances") => Self::LambdaManagedInstances,
            _ => Self::Unknown,
        })
    }
}

/// A text, or `None` if something else stands there: a word that nothing depends on costs no record.
fn word<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Any {
        Word(String),
        Other(IgnoredAny),
    }
    Ok(match Any::deserialize(d)? {
        Any::Word(word) => Some(word),
        Any::Other(_) => None,
    })
}

/// How an invocation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Status {
    /// It returned.
    #[default]
    Ok,
    /// It failed, for a reason other than the next two.
    Error,
    /// It ran into the function's timeout.
    Timeout,
    /// It ran out of memory.
    OutOfMemory,
}

impl Status {
    /// The number it has on the wire.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Error => 1,
            Self::Timeout => 2,
            Self::OutOfMemory => 3,
        }
    }

    /// From the number it has on the wire.
    pub const fn from_code(code: u64) -> Option<Self> {
        match code {
            0 => Some(Self::Ok),
            1 => Some(Self::Error),
            2 => Some(Self::Timeout),
            3 => Some(Self::OutOfMemory),
            _ => None,
        }
    }

    /// Classifies the ending in a platform report.
    ///
    /// `status` is the platform's word (`success`, `failure`, `error`, `timeout`; absent in some
    /// documents), `error_type` its error type, `memory` the size used and the size given. An
    /// unknown word counts as a failure. `Runtime.ExitError` ("signal: killed") is an out-of-memory
    /// only from `KILLED_PERCENT` of the size on: a process that calls `exit(1)` gets the same
    /// type.
    pub fn classify(
        status: Option<&str>,
        error_type: Option<&str>,
        memory: Option<(Megabytes, Megabytes)>,
    ) -> Self {
        let killed = memory.is_some_and(|(used, size)| is_killed_for_memory(used, size));
        match (status, error_type) {
            (_, Some("Runtime.OutOfMemory")) => Self::OutOfMemory,
            (_, Some("Runtime.ExitError")) if killed => Self::OutOfMemory,
            (Some("timeout"), _) => Self::Timeout,
            (Some("success") | None, None) => Self::Ok,
            _ => Self::Error,
        }
    }

    /// Whether it did not return.
    pub const fn is_failure(self) -> bool {
        !matches!(self, Self::Ok)
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u8(self.code())
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let code = u64::deserialize(d)?;
        Self::from_code(code)
            .ok_or_else(|| de::Error::custom(format_args!("{code} is not a status (0 to 3)")))
    }
}

/// One invocation: `[ms since t0, max_used_mb, duration_ms, billed_ms, status, init_ms]`.
///
/// A number that the platform did not give is `null`. Elements past the sixth are ignored, so that
/// a later version can add some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReportRow {
    /// Milliseconds from the record's `t0`; negative if reports arrived out of order.
    pub at_ms: i64,
    /// High-water mark of the environment when the report was made.
    pub max_used_mb: Option<Megabytes>,
    /// Duration of the handler.
    pub duration_ms: Option<Millis>,
    /// Billed duration.
    pub billed_ms: Option<Millis>,
    /// How it ended.
    pub status: Status,
    /// Init duration of a cold start, or the restore duration under SnapStart.
    pub init_ms: Option<Millis>,
}

impl Serialize for ReportRow {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut row = s.serialize_tuple(6)?;
        row.serialize_element(&self.at_ms)?;
        row.serialize_element(&self.max_used_mb)?;
        row.serialize_element(&self.duration_ms)?;
        row.serialize_element(&self.billed_ms)?;
        row.serialize_element(&self.status)?;
        row.serialize_element(&self.init_ms)?;
        row.end()
    }
}

impl<'de> Deserialize<'de> for ReportRow {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_seq(RowVisitor)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = ReportRow;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row [ms since t0, max_used_mb, duration_ms, billed_ms, status, init_ms]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ReportRow, A::Error> {
        let missing = |n: usize| de::Error::invalid_length(n, &self);
        let row = ReportRow {
            at_ms: seq.next_element()?.ok_or_else(|| missing(0))?,
            max_used_mb: seq.next_element()?.ok_or_else(|| missing(1))?,
            duration_ms: seq.next_element()?.ok_or_else(|| missing(2))?,
            billed_ms: seq.next_element()?.ok_or_else(|| missing(3))?,
            status: seq.next_element()?.ok_or_else(|| missing(4))?,
            init_ms: seq.next_element()?.ok_or_else(|| missing(5))?,
        };
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(row)
    }
}

/// Rows that did not fit the extension's buffer, as one summary: the highest peak is never lost. All
/// of them are of the UTC day of the record's `t0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Folded {
    /// How many rows.
    pub count: u64,
    /// The highest `max_used` among them.
    #[serde(default)]
    pub max_used_mb: Option<Megabytes>,
    /// The longest duration among them.
    #[serde(default)]
    pub duration_ms: Option<Millis>,
    /// How many of them failed, timeouts and out-of-memories included.
    #[serde(default)]
    pub failures: u64,
    /// How many of them ran into the timeout.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub timeouts: u64,
    /// How many of them ran out of memory. One without a figure counts as the whole size in
    /// `max_used_mb`: all there was, was used.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ooms: u64,
    /// Sum of the billed durations in ms.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub billed_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classify(status: &str, error: Option<&str>, used: u32, size: u32) -> Status {
        let memory = Some((Megabytes(used), Megabytes(size)));
        Status::classify(Some(status), error, memory)
    }

    #[test]
    fn out_of_memory_is_separated_from_other_failures() {
        assert_eq!(
            classify("error", Some("Runtime.OutOfMemory"), 128, 128),
            Status::OutOfMemory
        );
        assert_eq!(
            classify("error", Some("Runtime.ExitError"), 1023, 1024),
            Status::OutOfMemory
        );
        assert_eq!(
            classify("error", Some("Runtime.ExitError"), 2581, 2688), // 96 %
            Status::OutOfMemory
        );
        assert_eq!(
            classify("error", Some("Runtime.ExitError"), 921, 1024), // 89.9 %
            Status::Error
        );
        assert_eq!(classify("timeout", None, 253, 256), Status::Timeout);
        assert_eq!(classify("success", None, 128, 128), Status::Ok);
        assert_eq!(classify("weird", None, 12, 128), Status::Error);
        assert_eq!(Status::classify(None, None, None), Status::Ok);
    }

    #[test]
    fn the_limit_begins_at_97_percent() {
        assert!(!is_at_limit(Megabytes(248), Megabytes(256))); // 96.9 %
        assert!(is_at_limit(Megabytes(249), Megabytes(256))); // 97.3 %
        assert!(is_at_limit(Megabytes(129), Megabytes(128)));
    }

    #[test]
    fn a_longer_row_of_a_later_version_is_read() {
        let row: ReportRow = serde_json::from_str("[5,90,1.5,2,0,null,\"new\",[1]]").unwrap();
        assert_eq!(row.max_used_mb, Some(Megabytes(90)));
        assert!(serde_json::from_str::<ReportRow>("[5,90,1.5,2,0]").is_err());
    }
}
