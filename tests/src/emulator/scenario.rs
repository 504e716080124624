//! A scenario: the function, its environment, and each invocation.

use std::path::PathBuf;
use std::time::Duration;

use rightsizer_records::Timestamp;

/// The function whose environment is played.
#[derive(Debug, Clone)]
pub struct FunctionSpec {
    /// Region, such as `eu-central-1`.
    pub region: String,
    /// Account, twelve digits; `None` if the platform does not send it.
    pub account: Option<String>,
    /// The function's name.
    pub name: String,
    /// `$LATEST` or a number.
    pub version: String,
    /// Configured size.
    pub memory_mb: u32,
    /// `x86_64` or `arm64`, for the events only.
    pub arch: String,
    /// As `platform.initStart` names it.
    pub runtime: String,
    /// `AWS_LAMBDA_INITIALIZATION_TYPE`.
    pub init_type: String,
}

impl FunctionSpec {
    /// A Node function of this name and size in `eu-central-1`, account 123456789012.
    pub fn new(name: &str, memory_mb: u32) -> Self {
        Self {
            region: "eu-central-1".to_owned(),
            account: Some("123456789012".to_owned()),
            name: name.to_owned(),
            version: "$LATEST".to_owned(),
            memory_mb,
            arch: "x86_64".to_owned(),
            runtime: "nodejs:20.v22".to_owned(),
            init_type: "on-demand".to_owned(),
        }
    }

    /// Its unqualified ARN.
    pub fn arn(&self) -> String {
        let account = self.account.as_deref().unwrap_or("000000000000");
        format!(
            "arn:aws:lambda:{}:{account}:function:{}",
            self.region, self.name
        )
    }
}

/// How the extension is run, and what its surroundings do.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The extension; that of [`super::extension_binary`] if `None`.
    pub binary: Option<PathBuf>,
    /// A command that is given the extension to run, such as one that enters a namespace. It must
    /// become the extension, not its parent: signals go to it.
    pub wrapped_by: Vec<String>,
    /// `RIGHTSIZER_STREAM`.
    pub stream: Option<String>,
    /// `RIGHTSIZER_ENDPOINT`.
    pub endpoint: Option<String>,
    /// More variables.
    pub env: Vec<(String, String)>,
    /// What goes wrong.
    pub faults: Faults,
}

impl Options {
    /// Reports go to this stream behind this endpoint.
    pub fn to(stream: &str, endpoint: &str) -> Self {
        Self {
            stream: Some(stream.to_owned()),
            endpoint: Some(endpoint.to_owned()),
            ..Self::default()
        }
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// What the subscription is answered.
    pub subscribe: SubscribeAnswer,
    /// Every batch comes twice.
    pub deliver_twice: bool,
    /// When the last telemetry comes.
    pub last_telemetry: LastTelemetry,
    /// When the report of an invocation that ended in a reset comes.
    pub report_at_reset: ReportAtReset,
}

/// When the telemetry that is left at the end comes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LastTelemetry {
    /// It was delivered before SHUTDOWN.
    #[default]
    Before,
    /// So long after SHUTDOWN; zero is together with it.
    After(Duration),
    /// All of it but the report is there before; the report comes so long after SHUTDOWN.
    ReportAfter(Duration),
}

/// When the report of an invocation that ended in a reset comes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReportAtReset {
    /// Never.
    #[default]
    Never,
    /// In the same environment, as in [`LastTelemetry`].
    InTime,
    /// With the first telemetry of the next life.
    NextLife,
}

/// What the Telemetry API answers a valid subscription.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SubscribeAnswer {
    /// 200.
    #[default]
    Accept,
    /// 400 unless it is this schema.
    Only(&'static str),
    /// 202, as local emulators do.
    NotSupported,
    /// 403, as after init.
    Closed,
}

/// One invocation, as the platform will report it.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// When it starts, by the platform's clock.
    pub at: Timestamp,
    /// Its id; random if `None`. A retry keeps its id.
    pub request_id: Option<String>,
    /// High-water mark of the environment, as in the report.
    pub used_mb: u32,
    /// Duration of the handler.
    pub duration_ms: f64,
    /// Billed duration; the duration rounded up if `None`.
    pub billed_ms: Option<u64>,
    /// How it ends.
    pub end: End,
    /// Init duration, if this one starts the environment.
    pub init_ms: Option<f64>,
    /// Restore duration, if this one restores it from a snapshot.
    pub restore_ms: Option<f64>,
}

impl Invocation {
    /// One that succeeds.
    pub fn ok(at: Timestamp, used_mb: u32, duration_ms: f64) -> Self {
        Self {
            at,
            request_id: None,
            used_mb,
            duration_ms,
            billed_ms: None,
            end: End::Success,
            init_ms: None,
            restore_ms: None,
        }
    }

    /// The same, ending in another way.
    #[must_use]
    pub fn ending(self, end: End) -> Self {
        Self { end, ..self }
    }
}

/// How an invocation ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It returns.
    Success,
    /// The handler throws: the environment continues.
    Error(String),
    /// It runs into the function's timeout: the environment is reset.
    Timeout,
    /// The runtime is killed for want of memory: the environment is reset.
    OutOfMemory,
    /// The runtime ends, with this error type: the environment is reset.
    Crash(String),
}

impl End {
    /// `status` and `errorType` of `runtimeDone`.
    pub(super) fn words(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Success => ("success", None),
            Self::Error(error) => ("error", Some(error)),
            Self::Timeout => ("timeout", None),
            Self::OutOfMemory => ("failure", Some("Runtime.OutOfMemory")),
            Self::Crash(error) => ("failure", Some(error)),
        }
    }

    /// Why the environment is reset after it, if it is.
    pub(super) const fn reset(&self) -> Option<Reason> {
        match self {
            Self::Success | Self::Error(_) => None,
            Self::Timeout => Some(Reason::Timeout),
            Self::OutOfMemory | Self::Crash(_) => Some(Reason::Failure),
        }
    }
}

/// Why an environment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Idle for long enough.
    Spindown,
    /// An invocation ran into its timeout.
    Timeout,
    /// The runtime ended.
    Failure,
}

impl Reason {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Spindown => "SPINDOWN",
            Self::Timeout => "TIMEOUT",
            Self::Failure => "FAILURE",
        }
    }
}
