//! The clients of a tuning run, and the calls that only read.

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_lambda::error::ProvideErrorMetadata as _;
use aws_sdk_lambda::types::AccountLimit;

use rightsizer_records::FunctionArn;
use rightsizer_records::tags::ALIAS_TAG;

use super::original::{Original, S3Code, Unsuitable};
use super::wanted::Wanted;
use crate::config::without_retries;
use crate::fleet::{CallError, EDGE_REGION, Edge, EdgeRoles, call_error};
use crate::iam::Iam;
use crate::tagging::Tagging;
use crate::throttle::Throttle;

/// Calls a second to the control plane: all tools of the account share 15.
const CHANGES_PER_SECOND: f64 = 5.0;
/// `GetFunction` has a limit of its own, 100 a second.
const READS_PER_SECOND: f64 = 20.0;
/// An invocation takes at most 15 minutes.
const LONGEST_INVOCATION: Duration = Duration::from_mins(16);
/// A package of 50 MB has to be sent.
const LONGEST_CHANGE: Duration = Duration::from_mins(5);

/// The clients of a tuning run, of one account and region.
#[derive(Debug, Clone)]
pub struct TuneCalls {
    pub(super) lambda: aws_sdk_lambda::Client,
    pub(super) invoker: aws_sdk_lambda::Client,
    pub(super) logs: aws_sdk_cloudwatchlogs::Client,
    pub(super) tagging: Arc<Tagging>,
    iam: Arc<Iam>,
    edge: Arc<EdgeRoles>,
    region: String,
    reads: Arc<Throttle>,
    changes: Arc<Throttle>,
}

impl TuneCalls {
    /// With this configuration's credentials and region. The SDK repeats no call: an invocation must never be repeated
    /// without being counted.
    pub fn new(config: &SdkConfig) -> Self {
        let once = without_retries(config);
        let lambda = |within: Duration| {
            let timeouts = TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(3))
                .operation_attempt_timeout(within);
            let config = aws_sdk_lambda::config::Builder::from(&once);
            aws_sdk_lambda::Client::from_conf(config.timeout_config(timeouts.build()).build())
        };
        Self {
            lambda: lambda(LONGEST_CHANGE),
            invoker: lambda(LONGEST_INVOCATION),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            tagging: Arc::new(Tagging::new(config)),
            iam: Arc::new(Iam::new(config)),
            edge: Arc::default(),
            region: config
                .region()
                .map_or_else(String::new, ToString::to_string),
            reads: Arc::new(Throttle::per_second(READS_PER_SECOND)),
            changes: Arc::new(Throttle::per_second(CHANGES_PER_SECOND)),
        }
    }

    /// Makes a call that reads, at the limited rate.
    pub(super) async fn reading<T, F>(&self, make: impl Fn() -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        self.reads.call(make).await
    }

    /// Makes a call that changes something, at the limited rate.
    pub(super) async fn changing<T, F>(&self, make: impl Fn() -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        self.changes.call(make).await
    }

    /// Reads a function and checks that it can be tuned.
    ///
    /// # Errors
    /// The reason for which it cannot be.
    pub async fn original(
        &self,
        wanted: &Wanted,
        code_at: Option<S3Code>,
    ) -> Result<Original, Unsuitable> {
        if let Some(arn) = wanted
            .arn
            .as_ref()
            .filter(|arn| arn.region() != self.region)
        {
            return Err(Unsuitable::OtherRegion {
                function: arn.clone(),
                region: self.region.clone(),
            });
        }
        // By its name, which is looked up in the account of the credentials.
        let answer = self.reading(|| async {
            let request = self.lambda.get_function().function_name(&wanted.name);
            let answer = request.set_qualifier(wanted.qualifier.clone()).send().await;
            match answer {
                Err(e) if e.code() == Some("ResourceNotFoundException") => Ok(None),
                answer => answer.map(Some).map_err(|e| call_error(&e)),
            }
        });
        let answer = answer.await.map_err(Unsuitable::Call)?;
        let answer = answer.ok_or_else(|| Unsuitable::Missing(wanted.clone()))?;
        let original = Original::of(wanted, answer, code_at)?;
        if self.region == EDGE_REGION && self.edge.of(&self.iam, original.role()).await == Edge::Yes
        {
            return Err(Unsuitable::Edge);
        }
        Ok(original)
    }

    /// Returns the hash of the function's code now; `None` if it does not exist any more.
    pub async fn code_sha256(&self, wanted: &Wanted) -> Result<Option<String>, CallError> {
        self.reading(|| async {
            let request = self.lambda.get_function().function_name(&wanted.name);
            let answer = request.set_qualifier(wanted.qualifier.clone()).send().await;
            match answer {
                Err(e) if e.code() == Some("ResourceNotFoundException") => Ok(None),
                Err(e) => Err(call_error(&e)),
                Ok(answer) => Ok(answer
                    .configuration()
                    .and_then(|now| now.code_sha256())
                    .map(str::to_owned)),
            }
        })
        .await
    }

    /// Returns the alias that the function's owner lets the updater move; `None` without the tag.
    pub async fn alias_of_updater(
        &self,
        function: &FunctionArn,
    ) -> Result<Option<String>, CallError> {
        self.reading(|| async {
            let request = self.lambda.list_tags().resource(function.as_str());
            let answer = request.send().await.map_err(|e| call_error(&e))?;
            let tags = answer.tags();
            Ok(tags.and_then(|tags| tags.get(ALIAS_TAG).cloned()))
        })
        .await
    }

    /// Returns how many invocations the account may run at once beside those of functions with a reservation.
    pub async fn unreserved_concurrency(&self) -> Result<Option<u32>, CallError> {
        self.reading(|| async {
            let answer = self.lambda.get_account_settings().send().await;
            let answer = answer.map_err(|e| call_error(&e))?;
            let limit = answer.account_limit();
            let limit = limit.and_then(AccountLimit::unreserved_concurrent_executions);
            Ok(limit.and_then(|limit| u32::try_from(limit).ok()))
        })
        .await
    }
}
