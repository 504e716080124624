//! The definition of a scratch copy: what it has of the original, its name and its tags. Pure.

use std::collections::HashMap;

use aws_sdk_lambda::operation::create_function::builders::CreateFunctionInputBuilder;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Environment, FunctionCode, ImageConfig, LogFormat, LoggingConfig, PackageType, SnapStart,
    SnapStartApplyOn, SystemLogLevel, TracingConfig, VpcConfig,
};
use rightsizer_records::tags::{MODE_TAG, TUNE_OF_TAG, TUNE_RUN_TAG, TUNE_UNTIL_TAG};
use rightsizer_records::{ApplyMode, Megabytes, Timestamp};

use super::original::Original;

/// How the name of every scratch copy begins.
pub const PREFIX: &str = "rightsizer-tune-";
/// The longest name of a function.
const LONGEST_NAME: usize = 64;
/// The variables of the reports extension begin so.
const OUR_VARIABLES: &str = "RIGHTSIZER_";

/// What marks a scratch copy as one, so that it is found again whatever happens to the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    /// The id of the run: some lowercase letters and digits.
    pub run: String,
    /// The time from which no run can need it any more.
    pub until: Timestamp,
    /// Whether snapshots of its versions are taken, as `SnapStart` does.
    pub snap_start: bool,
}

impl Marks {
    /// Returns the name of the copy: the prefix, as much of the original's name as fits, and the run.
    pub(crate) fn name(&self, of: &str) -> String {
        let room = LONGEST_NAME - PREFIX.len() - self.run.len() - 1;
        let of: String = of.chars().take(room).collect();
        format!("{PREFIX}{of}-{}", self.run)
    }

    fn tags(&self, original: &Original) -> HashMap<String, String> {
        let of = original.function.to_string();
        let off = ApplyMode::Off.name().to_owned();
        let tags = [
            (TUNE_RUN_TAG, self.run.clone()),
            (TUNE_OF_TAG, of),
            (TUNE_UNTIL_TAG, self.until.to_string()),
            (MODE_TAG, off),
        ];
        tags.map(|(key, value)| (key.to_owned(), value)).into()
    }
}

/// Returns the copy's code: the package itself, or its address in a registry or in S3.
pub(super) fn code(original: &Original, package: Option<Vec<u8>>) -> FunctionCode {
    let code = FunctionCode::builder();
    let code = if original.is_image() {
        code.set_image_uri(original.image().map(str::to_owned))
    } else if let Some(at) = &original.code_at {
        code.s3_bucket(&at.bucket).s3_key(&at.key)
    } else {
        code.set_zip_file(package.map(Blob::new))
    };
    let key = original.code.source_kms_key_arn().map(str::to_owned);
    code.set_source_kms_key_arn(key).build()
}

/// Returns what creates the copy at `size`.
pub(super) fn definition(
    original: &Original,
    marks: &Marks,
    size: Megabytes,
    code: FunctionCode,
) -> CreateFunctionInputBuilder {
    let now = &original.configuration;
    let layers: Vec<String> = layers(original).map(str::to_owned).collect();
    let own = variables(original).filter(|(name, _)| !name.starts_with(OUR_VARIABLES));
    let own: HashMap<String, String> = own.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    let environment = Environment::builder().set_variables(Some(own)).build();
    let size = i32::try_from(size.0).unwrap_or(i32::MAX);
    CreateFunctionInputBuilder::default()
        .function_name(marks.name(original.function.name()))
        .description(format!(
            "Copy of {} for a run of rightsizer tune",
            original.function.name()
        ))
        .set_tags(Some(marks.tags(original)))
        .code(code)
        .package_type(now.package_type().cloned().unwrap_or(PackageType::Zip))
        .set_runtime(now.runtime().cloned())
        .set_handler(now.handler().map(str::to_owned))
        .set_role(now.role().map(str::to_owned))
        .set_architectures(now.architectures.clone())
        .set_timeout(now.timeout())
        .memory_size(size)
        .set_ephemeral_storage(now.ephemeral_storage().cloned())
        .set_layers(Some(layers).filter(|layers| !layers.is_empty()))
        .environment(environment)
        .set_kms_key_arn(now.kms_key_arn().map(str::to_owned))
        .set_vpc_config(vpc(original))
        .set_file_system_configs(now.file_system_configs.clone())
        .set_image_config(image_config(original))
        .set_tracing_config(tracing(original))
        .set_logging_config(logging(original))
        .set_snap_start(marks.snap_start.then(|| {
            let on = SnapStartApplyOn::PublishedVersions;
            SnapStart::builder().apply_on(on).build()
        }))
}

fn variables(original: &Original) -> impl Iterator<Item = (&str, &str)> {
    let environment = original.configuration.environment();
    let variables = environment.and_then(|environment| environment.variables());
    let variables = variables.into_iter().flatten();
    variables.map(|(name, value)| (name.as_str(), value.as_str()))
}

/// The layers that the copy has: those of the original without the reports extension.
pub(super) fn layers(original: &Original) -> impl Iterator<Item = &str> {
    let reports = variables(original).any(|(name, _)| name == "RIGHTSIZER_STREAM");
    let all = original.configuration.layers().iter();
    let all = all.filter_map(|layer| layer.arn());
    all.filter(move |arn| !(reports && is_ours(arn)))
}

/// Whether a layer is the reports extension: `STACK-extension-ARCHITECTURE`, or a name of its own with ours in it.
fn is_ours(layer: &str) -> bool {
    let name = layer.split(':').nth(6).unwrap_or_default();
    name.contains("rightsizer")
        || name.ends_with("-extension-x86_64")
        || name.ends_with("-extension-arm64")
}

fn vpc(original: &Original) -> Option<VpcConfig> {
    let now = original.configuration.vpc_config()?;
    (!now.subnet_ids().is_empty()).then(|| {
        VpcConfig::builder()
            .set_subnet_ids(now.subnet_ids.clone())
            .set_security_group_ids(now.security_group_ids.clone())
            .set_ipv6_allowed_for_dual_stack(now.ipv6_allowed_for_dual_stack)
            .build()
    })
}

fn image_config(original: &Original) -> Option<ImageConfig> {
    let now = original
        .configuration
        .image_config_response()?
        .image_config()?;
    Some(now.clone())
}

fn tracing(original: &Original) -> Option<TracingConfig> {
    let mode = original.configuration.tracing_config()?.mode()?;
    Some(TracingConfig::builder().mode(mode.clone()).build())
}

/// The same format of logs, but never the original's log group: its reports would become evidence of the original.
/// Reports are at level INFO of the system's logs.
fn logging(original: &Original) -> Option<LoggingConfig> {
    let now = original.configuration.logging_config()?;
    let json = now.log_format() == Some(&LogFormat::Json);
    json.then(|| {
        LoggingConfig::builder()
            .log_format(LogFormat::Json)
            .set_application_log_level(now.application_log_level().cloned())
            .system_log_level(SystemLogLevel::Info)
            .build()
    })
}
