//! The fleet by AWS's APIs: `ListFunctions`, 50 a page, has everything but tags; tags come from the
//! Resource Groups Tagging API, 100 a page, because `ListTags` would take a call for every function; alarms
//! that ring come from CloudWatch, 100 a page.

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::operation::list_functions::ListFunctionsError;
use aws_sdk_lambda::types::{
    FunctionConfiguration, LogFormat, PackageType, SnapStartApplyOn, SystemLogLevel,
};
use rightsizer_records::{Arch, FunctionArn, Megabytes, Timestamp};
use rightsizer_rules::inventory::{FunctionFacts, LoggedReports, Package, Tags};
use tracing::warn;

use super::refresh::{FleetApi, FleetError};
use crate::Page;
use crate::alarms::{Alarms, Ringing};
use crate::config::without_retries;
use crate::errors::{is_throttled, retry_after, words};
use crate::signed::CallFailure;
use crate::tagging::{LARGEST_PAGE, Tagging};

/// One account's functions in one region, those of the clients.
#[derive(Debug, Clone)]
pub struct AwsFleet {
    lambda: aws_sdk_lambda::Client,
    tagging: Arc<Tagging>,
    alarms: Arc<Alarms>,
}

impl AwsFleet {
    /// With this configuration's credentials and region. The SDK does not repeat calls: that is
    /// paced with all others.
    pub fn new(config: &SdkConfig) -> Self {
        let once = without_retries(config);
        Self {
            lambda: aws_sdk_lambda::Client::new(&once),
            tagging: Arc::new(Tagging::new(config)),
            alarms: Arc::new(Alarms::new(config)),
        }
    }
}

impl FleetApi for AwsFleet {
    async fn functions(&self, page: Option<String>) -> Result<Page<FunctionFacts>, FleetError> {
        let request = self.lambda.list_functions().set_marker(page);
        let answer = request.send().await.map_err(|error| {
            let wait = match error.as_service_error() {
                Some(ListFunctionsError::TooManyRequestsException(e)) => e.retry_after_seconds(),
                _ => None,
            };
            refusal(&error, retry_after(wait))
        })?;
        Ok(Page {
            items: answer.functions().iter().filter_map(facts).collect(),
            next: answer.next_marker.filter(|next| !next.is_empty()),
        })
    }

    async fn tags(&self, page: Option<String>) -> Result<Page<(FunctionArn, Tags)>, FleetError> {
        let answer = self.tagging.get_resources(page, LARGEST_PAGE).await;
        answer.map_err(|error| refused(&error))
    }

    async fn ringing(&self, page: Option<String>) -> Result<Page<Ringing>, FleetError> {
        let answer = self.alarms.describe_alarms(page).await;
        answer.map_err(|error| refused(&error))
    }
}

fn refused(error: &CallFailure) -> FleetError {
    match error.code() {
        Some(code) if is_throttled(code) => FleetError::Throttled { retry_after: None },
        _ => FleetError::Other(error.to_string()),
    }
}

fn refusal<E, R>(error: &SdkError<E, R>, retry_after: Option<Duration>) -> FleetError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug,
{
    match error.code() {
        Some(code) if is_throttled(code) => FleetError::Throttled { retry_after },
        _ => FleetError::Other(words(error)),
    }
}

/// The facts of a configuration; `None` if it names no function with a size.
fn facts(listed: &FunctionConfiguration) -> Option<FunctionFacts> {
    let function = unqualified(listed.function_arn()?)?;
    let log_group = listed
        .logging_config()
        .and_then(|config| config.log_group());
    let log_group =
        log_group.map_or_else(|| format!("/aws/lambda/{}", function.name()), str::to_owned);
    let layers = listed.layers().iter();
    Some(FunctionFacts {
        memory_mb: Megabytes(u32::try_from(listed.memory_size()?).ok()?),
        timeout_s: u32::try_from(listed.timeout().unwrap_or(3)).ok()?,
        arch: listed
            .architectures()
            .first()
            .map_or(Arch::X86_64, |arch| Arch::from_name(arch.as_str())),
        runtime: listed.runtime().map(|runtime| runtime.as_str().to_owned()),
        code_sha256: listed.code_sha256().map(str::to_owned),
        package: match listed.package_type() {
            Some(PackageType::Zip) | None => Package::Zip,
            Some(PackageType::Image) => Package::Image,
            Some(other) => {
                // Of a kind that is not known here, no more is assumed than of an image: it takes no layers.
                warn!(%function, kind = other.as_str(), "unknown package type; no layer is attached");
                Package::Image
            }
        },
        layers: layers
            .filter_map(|layer| layer.arn().map(str::to_owned))
            .collect(),
        log_group,
        logged: logged(listed),
        tags: None,
        edge_replica: listed.master_arn().is_some(),
        managed_instances: listed.capacity_provider_config().is_some(),
        snap_start: listed
            .snap_start()
            .and_then(|snap| snap.apply_on())
            .is_some_and(|on| *on == SnapStartApplyOn::PublishedVersions),
        modified: listed
            .last_modified()
            .and_then(|at| Timestamp::parse(at).ok()),
        alarm: None,
        function,
    })
}

fn logged(listed: &FunctionConfiguration) -> LoggedReports {
    let failures = listed.logging_config().is_some_and(|config| {
        config.log_format() == Some(&LogFormat::Json)
            && config.system_log_level() == Some(&SystemLogLevel::Warn)
    });
    if failures {
        LoggedReports::Failures
    } else {
        LoggedReports::All
    }
}

/// `ListFunctions` lists `$LATEST`, and some servers add it to the ARN.
fn unqualified(arn: &str) -> Option<FunctionArn> {
    let whole = arn.strip_suffix(":$LATEST").unwrap_or(arn);
    FunctionArn::parse(whole).ok()
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::types::{Architecture, Layer, LoggingConfig};

    use super::*;

    const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:checkout";

    #[test]
    fn a_configuration_is_read_with_what_aws_leaves_out() {
        let plain = FunctionConfiguration::builder()
            .function_arn(format!("{ARN}:$LATEST"))
            .memory_size(512)
            .build();
        let plain = facts(&plain).unwrap();
        assert_eq!(plain.function.as_str(), ARN);
        assert_eq!(plain.log_group, "/aws/lambda/checkout");
        assert_eq!((plain.arch, plain.timeout_s), (Arch::X86_64, 3));
        let full = FunctionConfiguration::builder()
            .function_arn(ARN)
            .memory_size(512)
            .architectures(Architecture::Arm64)
            .logging_config(
                LoggingConfig::builder()
                    .log_group("/team/a")
                    .log_format(LogFormat::Json)
                    .system_log_level(SystemLogLevel::Warn)
                    .build(),
            )
            .layers(Layer::builder().arn("layer:1").build())
            .last_modified("2026-11-20T10:00:00.250+0000")
            .master_arn("elsewhere")
            .build();
        let full = facts(&full).unwrap();
        assert_eq!(
            (full.log_group.as_str(), full.arch),
            ("/team/a", Arch::Arm64)
        );
        assert_eq!(
            full.modified,
            Timestamp::parse("2026-11-20T10:00:00.250Z").ok()
        );
        let of_kind = |kind: &str| {
            let listed = FunctionConfiguration::builder().function_arn(ARN);
            let listed = listed.memory_size(512).package_type(kind.into());
            facts(&listed.build()).unwrap().package
        };
        let kinds = ["Zip", "Image", "WebFunction"].map(of_kind);
        assert_eq!(kinds, [Package::Zip, Package::Image, Package::Image]);
        assert!(full.edge_replica && full.layers == ["layer:1"]);
        let logged = (full.logged, plain.logged);
        assert_eq!(logged, (LoggedReports::Failures, LoggedReports::All));
        assert_eq!(facts(&FunctionConfiguration::builder().build()), None);
    }
}
