//! Whether the reports stream exists: `attach` and `subscribe` stop before they change anything if it does not.

use anyhow::bail;
use aws_config::SdkConfig;
use aws_sdk_kinesis::error::ProvideErrorMetadata as _;
use aws_sdk_kinesis::types::StreamDescriptionSummary;
use rightsizer_aws::errors::words;
use rightsizer_aws::fleet::{AwsLayers, StreamArn, StreamKey};
use rightsizer_aws::kinesis;

use super::out;

/// Fails if the reports stream is missing: the functions would change, and their reports would be lost. Records for
/// `endpoint` go to another server. A stream of another region is named, because reports to it cost more.
pub(super) async fn ensure_it_exists(
    api: &AwsLayers,
    stream: &StreamArn,
    config: &SdkConfig,
    endpoint: Option<&str>,
) -> anyhow::Result<()> {
    if endpoint.is_some() {
        return Ok(());
    }
    note_another_region(
        stream,
        config,
        "AWS bills reports as data transfer between regions",
    );
    match api.stream_exists(stream).await {
        Ok(true) => {}
        Ok(false) => return Err(absent(stream)),
        Err(why) => out::note(format_args!(
            "rightsizer: it was not checked whether the stream exists (kinesis:DescribeStreamSummary fails: {why})"
        )),
    }
    Ok(())
}

/// Prints what follows if the functions are in another region than the stream.
pub(super) fn note_another_region(stream: &StreamArn, config: &SdkConfig, follows: &str) {
    let region = config.region().map_or("", AsRef::as_ref);
    let there = stream.region();
    if there != region {
        out::note(format_args!(
            "rightsizer: the functions are in {region} and the stream is in {there}: {follows}"
        ));
    }
}

/// Returns the key of the reports stream, which decides what the role that writes to it must be allowed. Asks in the
/// stream's own region.
///
/// # Errors
/// If the stream does not exist.
pub(super) async fn key_of(config: &SdkConfig, stream: &StreamArn) -> anyhow::Result<StreamKey> {
    let client = kinesis::client(config, stream.as_str());
    let asked = client.describe_stream_summary().stream_arn(stream.as_str());
    match asked.send().await {
        Ok(answer) => {
            let summary = answer.stream_description_summary();
            let key = summary.and_then(StreamDescriptionSummary::key_id);
            Ok(StreamKey::of(key))
        }
        Err(error) if error.code() == Some("ResourceNotFoundException") => bail!(absent(stream)),
        Err(error) => Ok(StreamKey::Unknown(words(&error))),
    }
}

fn absent(stream: &StreamArn) -> anyhow::Error {
    anyhow::anyhow!(
        "the stream {stream} does not exist, so no report would arrive; nothing was changed\nhint: check --stream, \
         --stack and --region, or deploy the system first"
    )
}
