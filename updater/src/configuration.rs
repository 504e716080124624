//! Lambda's own description of a function, as far as the updater looks at it.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::types::{Architecture, FunctionConfiguration, LastUpdateStatus, PackageType};
use rightsizer_records::{Megabytes, Millis};

use crate::{LastUpdate, LiveFunction, OtherSettings, PublishedVersion};

pub(crate) fn megabytes(size: i32) -> Option<Megabytes> {
    u32::try_from(size).ok().map(Megabytes)
}

pub(crate) fn update(status: Option<&LastUpdateStatus>, reason: Option<&str>) -> LastUpdate {
    match status {
        Some(LastUpdateStatus::InProgress) => LastUpdate::InProgress,
        Some(LastUpdateStatus::Failed) => {
            LastUpdate::Failed(reason.unwrap_or("Lambda gives no reason").to_owned())
        }
        _ => LastUpdate::Successful,
    }
}

pub(crate) fn live(answer: &GetFunctionOutput) -> Option<LiveFunction> {
    let config = answer.configuration()?;
    let tags = answer.tags().cloned().unwrap_or_default();
    let reason = config.last_update_status_reason();
    Some(LiveFunction {
        memory_mb: config.memory_size().and_then(megabytes)?,
        timeout: timeout(config),
        revision_id: config.revision_id().map(str::to_owned),
        code_sha256: config.code_sha256().map(str::to_owned),
        tags: answer
            .tags_error()
            .is_none()
            .then(|| tags.into_iter().collect()),
        state: config.state().map(|s| s.as_str().to_owned()),
        last_update: update(config.last_update_status(), reason),
        edge_replica: config.master_arn().is_some(),
        edge_ready: edge_ready(config),
        managed_instances: config.capacity_provider_config().is_some(),
        other: other(config.clone()),
    })
}

pub(crate) fn published(config: &FunctionConfiguration) -> Option<PublishedVersion> {
    Some(PublishedVersion {
        version: config.version()?.to_owned(),
        memory_mb: config.memory_size().and_then(megabytes)?,
        timeout: timeout(config),
        code_sha256: config.code_sha256().map(str::to_owned),
        description: config.description().map(str::to_owned),
        state: config.state().map(|s| s.as_str().to_owned()),
        other: other(config.clone()),
    })
}

/// Whether CloudFront would accept versions of this configuration. It takes archives for Node.js and Python
/// on x86-64, without layers, variables or a VPC (CloudFront Developer Guide, "Restrictions on
/// Lambda@Edge").
fn edge_ready(config: &FunctionConfiguration) -> bool {
    let archive = config
        .package_type()
        .is_none_or(|kind| *kind == PackageType::Zip);
    let runtime = config.runtime().map_or("", |runtime| runtime.as_str());
    let vpc = config.vpc_config().and_then(|vpc| vpc.vpc_id());
    let variables = config.environment().is_some_and(|environment| {
        let names = environment.variables().map_or(0, HashMap::len);
        names > 0 || environment.error().is_some()
    });
    archive
        && (runtime.starts_with("nodejs") || runtime.starts_with("python"))
        && !config.architectures().contains(&Architecture::Arm64)
        && config.layers().is_empty()
        && vpc.unwrap_or_default().is_empty()
        && !variables
}

fn timeout(config: &FunctionConfiguration) -> Option<Millis> {
    let seconds = config.timeout().and_then(|s| u64::try_from(s).ok());
    seconds.map(|s| Millis::from_ms(s * 1000))
}

/// Every setting except memory and except what differs between `$LATEST` and a version published
/// from it at the same moment: names and times of this state, its description, the result of its
/// preparation.
///
/// Settings have names so that the detail can list those that differ. Settings without a name here,
/// now or in a later version of the service, are compared too.
fn other(mut c: FunctionConfiguration) -> OtherSettings {
    (c.memory_size, c.description) = (None, None);
    (c.function_arn, c.version, c.revision_id) = (None, None, None);
    (c.last_modified, c.config_sha256) = (None, None);
    (c.state, c.state_reason, c.state_reason_code) = (None, None, None);
    (c.last_update_status, c.last_update_status_reason) = (None, None);
    c.last_update_status_reason_code = None;
    if let Some(snap_start) = &mut c.snap_start {
        snap_start.optimization_status = None;
    }
    let environment = c.environment.take();
    let environment = match environment {
        // What cannot be read cannot be compared.
        Some(environment) if environment.error.is_some() => None,
        Some(environment) => {
            // The service's types hide these values in their debug output.
            let variables: BTreeMap<_, _> = environment
                .variables
                .unwrap_or_default()
                .into_iter()
                .collect();
            Some(format!("{variables:?}"))
        }
        None => Some(format!("{:?}", BTreeMap::<String, String>::new())),
    };
    let mut settings = BTreeMap::from([("environment", environment)]);
    let mut named = |name, value: &dyn Debug| settings.insert(name, Some(format!("{value:?}")));
    named(
        "code",
        &(c.code_sha256.take(), std::mem::take(&mut c.code_size)),
    );
    named(
        "runtime",
        &(c.runtime.take(), c.runtime_version_config.take()),
    );
    named("handler", &c.handler.take());
    named("role", &c.role.take());
    named("timeout", &c.timeout.take());
    named("layers", &c.layers.take().unwrap_or_default());
    named("VPC", &c.vpc_config.take());
    named("SnapStart", &c.snap_start.take());
    named("architecture", &c.architectures.take());
    named("temporary storage", &c.ephemeral_storage.take());
    named(
        "file systems",
        &c.file_system_configs.take().unwrap_or_default(),
    );
    named("logging", &c.logging_config.take());
    named("tracing", &c.tracing_config.take());
    named("key", &c.kms_key_arn.take());
    named("image", &c.image_config_response.take());
    named("other settings", &c);
    OtherSettings(settings)
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::types::builders::FunctionConfigurationBuilder;
    use aws_sdk_lambda::types::{EnvironmentResponse, Layer, Runtime, VpcConfigResponse};

    use super::*;

    #[test]
    fn what_cloudfront_refuses_shows_that_a_function_is_not_at_the_edge() {
        let plain = || {
            let runtime = Runtime::from("nodejs22.x");
            FunctionConfiguration::builder().runtime(runtime)
        };
        let ready = |config: FunctionConfigurationBuilder| edge_ready(&config.build());
        assert!(ready(plain()));
        assert!(ready(plain().architectures(Architecture::X8664)));
        // Lambda describes a function that left its VPC with an empty one.
        assert!(ready(
            plain().vpc_config(VpcConfigResponse::builder().vpc_id("").build())
        ));
        assert!(ready(
            plain().environment(EnvironmentResponse::builder().build())
        ));
        let variable = EnvironmentResponse::builder().variables("LEVEL", "info");
        let vpc = VpcConfigResponse::builder().vpc_id("vpc-1");
        for refused in [
            plain().architectures(Architecture::Arm64),
            plain().layers(Layer::builder().arn("layer:1").build()),
            plain().environment(variable.build()),
            plain().vpc_config(vpc.build()),
            plain().package_type(PackageType::Image),
            plain().runtime(Runtime::from("java21")),
        ] {
            assert!(!ready(refused.clone()), "{refused:?}");
        }
    }
}
