//! The control plane that is Lambda's own API.

use std::sync::Arc;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::http::HttpResponse;
use aws_sdk_lambda::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use rightsizer_records::{FunctionArn, Megabytes, Millis};

use crate::pace::Pace;
use crate::{ApiError, ApiFault, ControlPlane, LiveFunction};

/// Lambda's own API.
#[derive(Debug, Clone)]
pub struct LambdaApi {
    client: Client,
    pace: Arc<Pace>,
}

/// Control-plane calls share 15 a second per account and region: others need some too.
const CALLS_PER_SECOND: u32 = 10;

impl LambdaApi {
    /// Over a client; its retries are the SDK's. Clones share one limit of 10 calls a second.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            pace: Arc::new(Pace::per_second(CALLS_PER_SECOND)),
        }
    }
}

impl ControlPlane for LambdaApi {
    async fn get(&self, function: &FunctionArn) -> Result<LiveFunction, ApiError> {
        self.pace.turn().await;
        let request = self.client.get_function().function_name(function.as_str());
        let answer = request.send().await.map_err(|e| api_error(&e))?;
        live(&answer).ok_or_else(|| ApiError {
            fault: ApiFault::Refused,
            message: "Lambda's answer has no memory size".to_owned(),
            retry_after_s: None,
        })
    }

    async fn set_memory(
        &self,
        function: &FunctionArn,
        memory: Megabytes,
        revision: Option<&str>,
    ) -> Result<Megabytes, ApiError> {
        self.pace.turn().await;
        let size = i32::try_from(memory.0).unwrap_or(i32::MAX);
        // Nothing else is sent: what is absent stays as it is, and what is sent replaces.
        let request = self.client.update_function_configuration();
        let request = request.function_name(function.as_str()).memory_size(size);
        let request = request.set_revision_id(revision.map(str::to_owned));
        let answer = request.send().await.map_err(|e| api_error(&e))?;
        Ok(answer.memory_size().and_then(megabytes).unwrap_or(memory))
    }
}

fn megabytes(size: i32) -> Option<Megabytes> {
    u32::try_from(size).ok().map(Megabytes)
}

fn live(answer: &GetFunctionOutput) -> Option<LiveFunction> {
    let config = answer.configuration()?;
    let seconds = config.timeout().and_then(|s| u64::try_from(s).ok());
    let tags = answer.tags().cloned().unwrap_or_default();
    Some(LiveFunction {
        memory_mb: config.memory_size().and_then(megabytes)?,
        timeout: seconds.map(|s| Millis::from_ms(s * 1000)),
        revision_id: config.revision_id().map(str::to_owned),
        code_sha256: config.code_sha256().map(str::to_owned),
        tags: answer
            .tags_error()
            .is_none()
            .then(|| tags.into_iter().collect()),
        state: config.state().map(|s| s.as_str().to_owned()),
        last_update_status: config.last_update_status().map(|s| s.as_str().to_owned()),
        edge_replica: config.master_arn().is_some(),
        managed_instances: config.capacity_provider_config().is_some(),
    })
}

fn api_error<E>(error: &SdkError<E, HttpResponse>) -> ApiError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let status = error.raw_response().map(|r| r.status().as_u16());
    let service = error.as_service_error();
    let code = service
        .and_then(ProvideErrorMetadata::code)
        .unwrap_or_default();
    let words = service.and_then(ProvideErrorMetadata::message);
    let message = match words {
        Some(words) => format!("{code}: {words}"),
        None => DisplayErrorContext(error).to_string(),
    };
    let retry_after_s = error
        .raw_response()
        .and_then(|r| r.headers().get("retry-after"))
        .and_then(|seconds| seconds.trim().parse().ok());
    ApiError {
        fault: fault(status, code, &message),
        message,
        retry_after_s,
    }
}

/// What an answer means. By the code where there is one: proxies and local servers answer with
/// statuses of their own.
fn fault(status: Option<u16>, code: &str, message: &str) -> ApiFault {
    match (code, status) {
        ("ResourceConflictException", _) => ApiFault::Conflict,
        ("PreconditionFailedException", _) => ApiFault::RevisionChanged,
        ("TooManyRequestsException" | "ThrottlingException" | "Throttling", _) => {
            ApiFault::Throttled
        }
        ("ResourceNotFoundException", _) => ApiFault::NotFound,
        ("InvalidParameterValueException", _) if message.contains("no longer supported") => {
            ApiFault::BlockedRuntime
        }
        (_, Some(401 | 403)) => ApiFault::AccessDenied,
        (_, Some(404)) => ApiFault::NotFound,
        (_, Some(409)) => ApiFault::Conflict,
        (_, Some(412)) => ApiFault::RevisionChanged,
        (_, Some(429)) => ApiFault::Throttled,
        (_, Some(400..=499)) => ApiFault::Refused,
        _ => ApiFault::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_a_meaning() {
        for (status, code, message, want) in [
            (
                409,
                "ResourceConflictException",
                "in progress",
                ApiFault::Conflict,
            ),
            (
                412,
                "PreconditionFailedException",
                "revision",
                ApiFault::RevisionChanged,
            ),
            (429, "TooManyRequestsException", "rate", ApiFault::Throttled),
            (400, "ThrottlingException", "rate", ApiFault::Throttled),
            (
                404,
                "ResourceNotFoundException",
                "no function",
                ApiFault::NotFound,
            ),
            (
                403,
                "AccessDeniedException",
                "not authorized",
                ApiFault::AccessDenied,
            ),
            (
                400,
                "InvalidParameterValueException",
                "bad size",
                ApiFault::Refused,
            ),
            (
                400,
                "InvalidParameterValueException",
                "The runtime parameter of nodejs12.x is no longer supported",
                ApiFault::BlockedRuntime,
            ),
            (500, "ServiceException", "oops", ApiFault::Unavailable),
            (409, "", "", ApiFault::Conflict),
        ] {
            assert_eq!(
                fault(Some(status), code, message),
                want,
                "{status} {code} {message}"
            );
        }
        assert_eq!(fault(None, "", "timed out"), ApiFault::Unavailable);
    }
}
