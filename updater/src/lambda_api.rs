//! The control plane that is Lambda's own API.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::http::HttpResponse;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use rightsizer_records::{ApiFault, FunctionArn, Megabytes};

use crate::aws::in_words;
use crate::configuration::{live, megabytes, published, update};
use crate::control_plane::CALL_WITHIN;
use crate::rate::RateLimiter;
use crate::{
    Alias, ApiError, ControlPlane, LastUpdate, LiveFunction, PublishFrom, PublishedVersion,
};

/// Lambda's own API.
#[derive(Debug, Clone)]
pub struct LambdaApi {
    client: Client,
    limiter: Arc<RateLimiter>,
}

/// Control-plane calls share 15 a second per account and region: others need some too. Ten, and
/// nine and a half because they do not arrive as evenly as they are sent.
const GAP: Duration = Duration::from_millis(105);
/// For all callers, after one got a 429. That caller waits as long as the response requests.
const BREATH: Duration = Duration::from_secs(1);

impl LambdaApi {
    /// Over a client. Clones share one limit of 10 calls a second; the client's own retries are
    /// turned off, since they would know neither the limit nor the invocation's deadline.
    pub fn new(client: &Client) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CALL_WITHIN / 2)
            .operation_timeout(CALL_WITHIN)
            .build();
        let config = client.config().to_builder();
        let config = config
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts);
        Self {
            client: Client::from_conf(config.build()),
            limiter: Arc::new(RateLimiter::with_gap(GAP)),
        }
    }

    /// The tags of a function, with nothing else about it.
    pub(crate) async fn tags(
        &self,
        function: &FunctionArn,
    ) -> Result<BTreeMap<String, String>, ApiError> {
        self.limiter.turn().await;
        let request = self.client.list_tags().resource(function.as_str());
        let answer = request.send().await.map_err(|e| self.api_error(&e))?;
        Ok(answer.tags.unwrap_or_default().into_iter().collect())
    }

    /// Returns what an unsuccessful call means. If a limit was hit, all callers slow down.
    fn api_error<E>(&self, error: &SdkError<E, HttpResponse>) -> ApiError
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let error = api_error(error);
        if error.fault == ApiFault::Throttled {
            self.limiter.hold(BREATH);
        }
        error
    }
}

impl ControlPlane for LambdaApi {
    async fn get(&self, function: &FunctionArn) -> Result<LiveFunction, ApiError> {
        self.limiter.turn().await;
        let request = self.client.get_function().function_name(function.as_str());
        let answer = request.send().await.map_err(|e| self.api_error(&e))?;
        live(&answer).ok_or_else(no_size)
    }

    async fn set_memory(
        &self,
        function: &FunctionArn,
        memory: Megabytes,
        revision: Option<&str>,
    ) -> Result<(Megabytes, LastUpdate), ApiError> {
        self.limiter.turn().await;
        let size = i32::try_from(memory.0).unwrap_or(i32::MAX);
        // Nothing else is sent: what is absent stays as it is, and what is sent replaces.
        let request = self.client.update_function_configuration();
        let request = request.function_name(function.as_str()).memory_size(size);
        let request = request.set_revision_id(revision.map(str::to_owned));
        let answer = request.send().await.map_err(|e| self.api_error(&e))?;
        let size = answer.memory_size().and_then(megabytes).unwrap_or(memory);
        let reason = answer.last_update_status_reason();
        Ok((size, update(answer.last_update_status(), reason)))
    }

    async fn get_version(
        &self,
        function: &FunctionArn,
        version: &str,
    ) -> Result<PublishedVersion, ApiError> {
        self.limiter.turn().await;
        let request = self.client.get_function().function_name(function.as_str());
        let request = request.qualifier(version);
        let answer = request.send().await.map_err(|e| self.api_error(&e))?;
        let config = answer.configuration.as_ref();
        config.and_then(published).ok_or_else(no_size)
    }

    async fn get_alias(&self, function: &FunctionArn, alias: &str) -> Result<Alias, ApiError> {
        self.limiter.turn().await;
        let request = self.client.get_alias().function_name(function.as_str());
        let answer = request.name(alias).send().await;
        let answer = answer.map_err(|e| self.api_error(&e))?;
        let routing = answer.routing_config();
        let weights = routing.and_then(|routing| routing.additional_version_weights());
        Ok(Alias {
            version: answer.function_version().unwrap_or_default().to_owned(),
            revision_id: answer.revision_id().map(str::to_owned),
            weighted: weights.is_some_and(|weights| !weights.is_empty()),
        })
    }

    async fn provisioned(&self, function: &FunctionArn) -> Result<Vec<String>, ApiError> {
        let mut qualifiers = Vec::new();
        let mut marker = None;
        loop {
            self.limiter.turn().await;
            let request = self.client.list_provisioned_concurrency_configs();
            let request = request.function_name(function.as_str());
            let answer = request.set_marker(marker).send().await;
            let answer = answer.map_err(|e| self.api_error(&e))?;
            let arns = answer.provisioned_concurrency_configs().iter();
            let arns = arns.filter_map(|config| config.function_arn());
            qualifiers.extend(arns.filter_map(|arn| Some(arn.rsplit_once(':')?.1.to_owned())));
            marker = answer.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(qualifiers);
            }
        }
    }

    async fn publish(
        &self,
        function: &FunctionArn,
        from: PublishFrom<'_>,
    ) -> Result<String, ApiError> {
        self.limiter.turn().await;
        let request = self.client.publish_version();
        let answer = request
            .function_name(function.as_str())
            .code_sha256(from.code_sha256)
            .set_revision_id(from.revision_id.map(str::to_owned))
            .set_description(from.description.map(str::to_owned))
            .send()
            .await
            .map_err(|e| self.api_error(&e))?;
        answer
            .version
            .ok_or_else(|| refused("Lambda's response names no version"))
    }

    async fn move_alias(
        &self,
        function: &FunctionArn,
        alias: &str,
        version: &str,
        revision: Option<&str>,
    ) -> Result<(), ApiError> {
        self.limiter.turn().await;
        let request = self.client.update_alias().function_name(function.as_str());
        let request = request.name(alias).function_version(version);
        let request = request.set_revision_id(revision.map(str::to_owned));
        request.send().await.map_err(|e| self.api_error(&e))?;
        Ok(())
    }
}

fn no_size() -> ApiError {
    refused("Lambda's response has no memory size")
}

fn refused(why: &str) -> ApiError {
    ApiError {
        fault: ApiFault::Refused,
        message: why.to_owned(),
        retry_after: None,
    }
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
        None => in_words(error),
    };
    let retry_after = error
        .raw_response()
        .and_then(|r| r.headers().get("retry-after"))
        .and_then(|seconds| seconds.trim().parse().ok())
        .map(Duration::from_secs);
    let fault = match error {
        // The request was not even made: signing it needs credentials.
        SdkError::ConstructionFailure(_) => ApiFault::Credentials,
        _ => fault(status, code, &message),
    };
    ApiError {
        fault,
        message,
        retry_after,
    }
}

/// Returns what a response means, by its code if it has one, because proxies and local servers use
/// statuses of their own.
fn fault(status: Option<u16>, code: &str, message: &str) -> ApiFault {
    match (code, status) {
        ("ResourceConflictException", _) => ApiFault::Conflict,
        ("PreconditionFailedException", _) => ApiFault::RevisionChanged,
        ("TooManyRequestsException" | "ThrottlingException" | "Throttling", _) => {
            ApiFault::Throttled
        }
        ("ResourceNotFoundException", _) => ApiFault::NotFound,
        (
            "ExpiredTokenException"
            | "ExpiredToken"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "RequestExpired"
            | "UnrecognizedClientException",
            _,
        ) => ApiFault::Credentials,
        ("InvalidParameterValueException", _) if message.contains("CodeSHA256") => {
            ApiFault::OtherCode
        }
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
            (
                400,
                "InvalidParameterValueException",
                "CodeSHA256 (x) is different from current CodeSHA256 in $LATEST (y)",
                ApiFault::OtherCode,
            ),
            (
                403,
                "ExpiredTokenException",
                "The security token included in the request is expired",
                ApiFault::Credentials,
            ),
            (500, "ServiceException", "oops", ApiFault::Unavailable),
        ] {
            assert_eq!(
                fault(Some(status), code, message),
                want,
                "{status} {code} {message}"
            );
        }
        assert_eq!(fault(Some(409), "", ""), ApiFault::Conflict);
        assert_eq!(fault(Some(404), "", ""), ApiFault::NotFound);
        assert_eq!(fault(None, "", "timed out"), ApiFault::Unavailable);
    }
}
