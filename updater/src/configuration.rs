//! Lambda's own description of a function, as far as the updater looks at it.

use std::collections::BTreeMap;
use std::fmt::Debug;

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::types::{FunctionConfiguration, LastUpdateStatus};
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
