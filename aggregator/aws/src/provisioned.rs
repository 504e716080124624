//! Reads which provisioned concurrency a function has. It must not know what it costs, or whether it is used.

use aws_config::SdkConfig;
use rightsizer_records::{FunctionArn, Megabytes};
use rightsizer_rules::power::Configured;

use crate::config::without_retries;
use crate::fleet::{CallError, call_error};
use crate::throttle::Throttle;

/// Calls a second to the control plane: all tools of the account share 15.
const PER_SECOND: f64 = 5.0;

/// The client of one account and region.
#[derive(Debug)]
pub struct Provisioning {
    lambda: aws_sdk_lambda::Client,
    pace: Throttle,
}

impl Provisioning {
    /// With this configuration's credentials and region.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            lambda: aws_sdk_lambda::Client::new(&without_retries(config)),
            pace: Throttle::per_second(PER_SECOND),
        }
    }

    /// Returns the provisioned concurrency of the function's versions and aliases.
    ///
    /// # Errors
    /// If a call is refused, or the function does not exist.
    pub async fn of(&self, function: &FunctionArn) -> Result<Vec<Configured>, CallError> {
        let mut all = Vec::new();
        let mut marker = None;
        loop {
            let page = self.pace.call(|| async {
                let request = self.lambda.list_provisioned_concurrency_configs();
                let request = request.function_name(function.as_str());
                let answer = request.set_marker(marker.clone()).send().await;
                answer.map_err(|e| call_error(&e))
            });
            let page = page.await?;
            for listed in page.provisioned_concurrency_configs() {
                let requested = listed.requested_provisioned_concurrent_executions();
                let environments = requested.and_then(|n| u32::try_from(n).ok());
                let qualifier = listed.function_arn().and_then(|arn| arn.rsplit_once(':'));
                if let Some(((_, qualifier), environments)) = qualifier.zip(environments) {
                    all.extend(self.configured(function, qualifier, environments).await?);
                }
            }
            marker = page.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(all);
            }
        }
    }

    /// Reads the version that a qualifier names; `None` if Lambda does not show its size.
    async fn configured(
        &self,
        function: &FunctionArn,
        qualifier: &str,
        environments: u32,
    ) -> Result<Option<Configured>, CallError> {
        let answer = self.pace.call(|| async {
            let request = self.lambda.get_function().function_name(function.as_str());
            let answer = request.qualifier(qualifier).send().await;
            answer.map_err(|e| call_error(&e))
        });
        let answer = answer.await?;
        let described = answer.configuration();
        let memory_mb = described.and_then(|of| u32::try_from(of.memory_size()?).ok());
        let version = described.and_then(|of| of.version());
        Ok(memory_mb
            .zip(version)
            .map(|(memory_mb, version)| Configured {
                qualifier: qualifier.to_owned(),
                version: version.to_owned(),
                memory_mb: Megabytes(memory_mb),
                environments,
            }))
    }
}
