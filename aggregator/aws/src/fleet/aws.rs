//! Functions, layers, roles and streams by AWS's APIs. `GetFunction` is used, not
//! `GetFunctionConfiguration`: it returns the tags too and does not share the control plane's 15
//! calls a second.

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_lambda::config::http::HttpResponse;
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::types::{Environment, LastUpdateStatus, LayerVersionContentOutput};
use rightsizer_records::{Arch, FunctionArn};

use super::access::{ACTION, Access, StreamArn, stream_allows};
use super::configuration::{
    Change, Configuration, Edge, Encrypted, LastUpdate, UsedLayer, Variables,
};
use super::edge::{self, EdgeRoles};
use super::layer::{LayerFacts, LayerVersion};
use super::walk::{CallError, LayersApi};
use crate::config::without_retries;
use crate::errors::{self, is_throttled, words};
use crate::iam::{Decision, Iam};
use crate::kinesis;

/// One account's functions in one region, those of the clients.
#[derive(Debug, Clone)]
pub struct AwsLayers {
    lambda: aws_sdk_lambda::Client,
    iam: Arc<Iam>,
    edge: Arc<EdgeRoles>,
    /// For streams, which may be in another region.
    config: SdkConfig,
}

impl AwsLayers {
    /// With this configuration's credentials and region. The SDK does not repeat calls of Lambda:
    /// that is paced with all others.
    pub fn new(config: &SdkConfig) -> Self {
        let once = without_retries(config);
        Self {
            lambda: aws_sdk_lambda::Client::new(&once),
            iam: Arc::new(Iam::new(config)),
            edge: Arc::default(),
            config: config.clone(),
        }
    }

    /// What a version of a layer runs on.
    pub async fn layer(&self, version: LayerVersion) -> Result<LayerFacts, CallError> {
        let number = i64::from(version.version());
        let request = self.lambda.get_layer_version().layer_name(version.layer());
        let answer = request.version_number(number).send().await;
        let answer = answer.map_err(|e| call_error(&e))?;
        let runs_on = answer.compatible_architectures().iter();
        Ok(LayerFacts {
            runs_on: runs_on.map(|arch| Arch::from_name(arch.as_str())).collect(),
            bytes: bytes(answer.content().map(LayerVersionContentOutput::code_size)),
            version,
        })
    }

    /// Returns the newest version of a layer of the account and region, by its name; none if there is no such layer.
    pub async fn newest(&self, name: &str) -> Result<Option<LayerVersion>, CallError> {
        let request = self.lambda.list_layer_versions().layer_name(name);
        let mut pages = request.into_paginator().items().send();
        let mut newest: Option<LayerVersion> = None;
        while let Some(version) = pages.next().await {
            let version = version.map_err(|e| call_error(&e))?;
            let arn = version.layer_version_arn().unwrap_or_default();
            let version = arn.parse::<LayerVersion>().ok();
            newest = newest
                .into_iter()
                .chain(version)
                .max_by_key(LayerVersion::version);
        }
        Ok(newest)
    }

    /// Whether a stream exists, in its own region. The error is why that could not be found out.
    pub async fn stream_exists(&self, stream: &StreamArn) -> Result<bool, CallError> {
        let client = kinesis::client(&self.config, stream.as_str());
        let request = client.describe_stream_summary().stream_arn(stream.as_str());
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(false),
            Err(error) => Err(call_error(&error)),
        }
    }

    /// Whether a role may put records on a stream.
    pub async fn may_put(&self, role: &str, stream: &StreamArn) -> Access {
        let decision = self
            .iam
            .simulate_principal_policy(role, ACTION, stream.as_str());
        let decision = match decision.await {
            Ok(Some(decision)) => decision,
            Ok(None) => return Access::NotChecked("IAM returned no result".to_owned()),
            Err(e) => {
                let why: String = e.to_string().chars().take(300).collect();
                return Access::NotChecked(format!("iam:SimulatePrincipalPolicy fails: {why}"));
            }
        };
        match decision {
            Decision::Allowed => Access::ByRole,
            // No policy of the stream outweighs a denial.
            Decision::ExplicitDeny => Access::Denied,
            Decision::ImplicitDeny => self.stream_lets(role, stream).await,
        }
    }

    async fn stream_lets(&self, role: &str, stream: &StreamArn) -> Access {
        let same_account = role.split(':').nth(4) == Some(stream.account());
        let client = kinesis::client(&self.config, stream.as_str());
        let request = client.get_resource_policy().resource_arn(stream.as_str());
        match request.send().await {
            Ok(answer) if same_account && stream_allows(answer.policy(), role) => Access::ByStream,
            _ => Access::Denied,
        }
    }
}

impl LayersApi for AwsLayers {
    async fn read(&self, function: &FunctionArn) -> Result<Configuration, CallError> {
        let request = self.lambda.get_function().function_name(function.as_str());
        let answer = request.send().await.map_err(|e| call_error(&e))?;
        let mut now = configuration(&answer).ok_or_else(|| {
            CallError::Refused("Lambda's response has no configuration".to_owned())
        })?;
        if function.region() == edge::REGION {
            now.edge = self.edge.of(&self.iam, &now.role).await;
        }
        Ok(now)
    }

    async fn write(
        &self,
        function: &FunctionArn,
        change: &Change,
        revision: Option<&str>,
    ) -> Result<(), CallError> {
        let environment = change.variables.as_ref().map(|variables| {
            let variables = variables.0.clone().into_iter().collect();
            Environment::builder()
                .set_variables(Some(variables))
                .build()
        });
        // Nothing else is sent: what is absent stays as it is, and what is sent replaces.
        let request = self.lambda.update_function_configuration();
        request
            .function_name(function.as_str())
            .set_layers(change.layers.clone())
            .set_environment(environment)
            .set_revision_id(revision.map(str::to_owned))
            .send()
            .await
            .map_err(|e| call_error(&e))?;
        Ok(())
    }
}

fn configuration(answer: &GetFunctionOutput) -> Option<Configuration> {
    let now = answer.configuration()?;
    let tags = answer.tags().cloned().unwrap_or_default();
    let environment = now.environment();
    let variables = environment.and_then(|environment| environment.variables());
    let variables = variables.cloned().unwrap_or_default();
    let error = environment.and_then(|environment| environment.error());
    let variables = error.map_or_else(
        || Ok(Variables(variables.into_iter().collect())),
        |error| {
            let reason = error.message().unwrap_or("no reason given");
            Err(Encrypted(reason.to_owned()))
        },
    );
    let layers = now.layers().iter().map(|layer| UsedLayer {
        arn: layer.arn().unwrap_or_default().to_owned(),
        bytes: bytes(Some(layer.code_size())),
    });
    let reason = now.last_update_status_reason().unwrap_or("no reason given");
    Some(Configuration {
        layers: layers.collect(),
        variables,
        in_vpc: now
            .vpc_config()
            .is_some_and(|vpc| !vpc.subnet_ids().is_empty()),
        role: now.role()?.to_owned(),
        edge: Edge::No,
        code_bytes: bytes(Some(now.code_size())),
        revision: now.revision_id().map(str::to_owned),
        tags: answer
            .tags_error()
            .is_none()
            .then(|| tags.into_iter().collect()),
        last_update: match now.last_update_status() {
            Some(LastUpdateStatus::InProgress) => LastUpdate::InProgress,
            Some(LastUpdateStatus::Failed) => LastUpdate::Failed(reason.to_owned()),
            _ => LastUpdate::Done,
        },
    })
}

fn bytes(size: Option<i64>) -> u64 {
    size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0)
}

/// Sorts an error of Lambda's control plane by what it means for the caller.
pub(crate) fn call_error<E>(error: &SdkError<E, HttpResponse>) -> CallError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let why = words(error);
    match error.code() {
        Some(code) if is_throttled(code) => CallError::Throttled {
            retry_after: retry_after(error),
        },
        Some("ResourceConflictException" | "PreconditionFailedException") => CallError::Busy(why),
        Some("ServiceException" | "InternalFailure" | "ServiceUnavailable") | None => {
            CallError::Unclear(why)
        }
        Some("CodeVerificationFailedException" | "InvalidCodeSignatureException") => {
            CallError::NotSigned(why)
        }
        // Lambda names the limit in bytes; there is no code for it.
        Some("InvalidParameterValueException") if why.contains("262144000") => {
            CallError::TooLarge(why)
        }
        Some(_) => CallError::Refused(why),
    }
}

fn retry_after<E>(error: &SdkError<E, HttpResponse>) -> Option<Duration> {
    errors::retry_after(error.raw_response()?.headers().get("retry-after"))
}
