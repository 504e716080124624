//! One invocation of a scratch copy.

use std::time::Duration;

use aws_sdk_lambda::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_lambda::operation::invoke::{InvokeError as SdkInvokeError, InvokeOutput};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::LogType;
use aws_smithy_types::base64;

use super::calls::TuneCalls;
use crate::errors::{is_throttled, words};
use crate::throttle::MayBeThrottled;

/// Codes of `Invoke` that mean that nothing ran and that a later call may succeed.
/// Source: the errors of `Invoke` in the Lambda API reference.
const LATER: [&str; 5] = [
    "EC2ThrottledException",
    "ENILimitReachedException",
    "ResourceConflictException",
    "ResourceNotReadyException",
    "SnapStartNotReadyException",
];

/// What an invocation returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The response of the function, or its error as JSON.
    pub payload: Vec<u8>,
    /// Whether the function failed.
    pub failed: bool,
    /// The end of its log, at most 4 KB.
    pub log: String,
}

/// Why an invocation was not accepted for the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throttled {
    /// The service's reason, such as `ConcurrentInvocationLimitExceeded`, or its code.
    pub reason: String,
    /// How long to wait, if the service requests it.
    pub retry_after: Option<Duration>,
}

/// Why an invocation returned nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// Too many at once; nothing ran.
    #[error("not accepted at any attempt: {}", .0.reason)]
    Throttled(Throttled),
    /// It is not allowed or not possible; nothing ran.
    #[error("{0}")]
    Refused(String),
    /// No clear answer: it may have run.
    #[error("{0}")]
    Unclear(String),
}

impl MayBeThrottled for InvokeError {
    fn throttled(&self) -> Option<Duration> {
        match self {
            Self::Throttled(by) => Some(by.retry_after.unwrap_or_default()),
            _ => None,
        }
    }
}

impl TuneCalls {
    /// Invokes a function once and waits for its response. Nothing is repeated.
    pub async fn invoke(
        &self,
        function: &str,
        version: Option<&str>,
        payload: &[u8],
    ) -> Result<Invocation, InvokeError> {
        let request = self.invoker.invoke().function_name(function);
        let request = request.set_qualifier(version.map(str::to_owned));
        let request = request.payload(Blob::new(payload)).log_type(LogType::Tail);
        match request.send().await {
            Ok(answer) => Ok(invocation(answer)),
            Err(error) => Err(invoke_error(&error)),
        }
    }
}

fn invocation(answer: InvokeOutput) -> Invocation {
    let log = answer.log_result().map(base64::decode).and_then(Result::ok);
    let log = log.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Invocation {
        failed: answer.function_error().is_some(),
        log: log.unwrap_or_default(),
        payload: answer.payload.map(Blob::into_inner).unwrap_or_default(),
    }
}

fn invoke_error(
    error: &SdkError<SdkInvokeError, aws_sdk_lambda::config::http::HttpResponse>,
) -> InvokeError {
    let why = words(error);
    if let Some(SdkInvokeError::TooManyRequestsException(by)) = error.as_service_error() {
        let reason = by
            .reason()
            .map_or("TooManyRequestsException", |reason| reason.as_str());
        return InvokeError::Throttled(Throttled {
            reason: reason.to_owned(),
            retry_after: crate::errors::retry_after(by.retry_after_seconds()),
        });
    }
    match error.code() {
        Some(code) if is_throttled(code) || LATER.contains(&code) => {
            InvokeError::Throttled(Throttled {
                reason: code.to_owned(),
                retry_after: None,
            })
        }
        Some("ServiceException" | "InternalFailure" | "ServiceUnavailable") | None => {
            InvokeError::Unclear(why)
        }
        Some(_) => InvokeError::Refused(why),
    }
}
