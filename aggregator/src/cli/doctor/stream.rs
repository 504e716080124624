//! A stream: each call that `serve` makes, once.

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{ShardIteratorType, StreamDescriptionSummary};
use rightsizer_aws::errors::words;
use rightsizer_aws::kinesis::StreamName;

use super::finding::Finding;
use crate::cli::text::counted;

/// A hash key that no shard has: 2^128, one above the highest. The stream refuses a put with it
/// only after permissions were checked, so nothing is written.
const NO_SHARDS_KEY: &str = "340282366920938463463374607431768211456";

/// Reads `stream` as `serve` would; stops at the first call that fails.
pub(super) async fn examine(client: &Client, what: &str, stream: &str) -> Vec<Finding> {
    match read(client, what, &StreamName::parse(stream)).await {
        Ok(findings) => findings,
        Err(finding) => vec![finding],
    }
}

async fn read(client: &Client, what: &str, name: &StreamName) -> Result<Vec<Finding>, Finding> {
    let described = client
        .describe_stream_summary()
        .set_stream_name(name.name())
        .set_stream_arn(name.arn())
        .send()
        .await
        .map_err(|e| refused(what, "kinesis:DescribeStreamSummary", &e))?;
    let hours = described
        .stream_description_summary()
        .map_or(24, StreamDescriptionSummary::retention_period_hours);
    let listed = client
        .list_shards()
        .set_stream_name(name.name())
        .set_stream_arn(name.arn())
        .send()
        .await
        .map_err(|e| refused(what, "kinesis:ListShards", &e))?;
    let shards = listed.shards();
    if let Some(shard) = shards.first() {
        let iterator = client
            .get_shard_iterator()
            .set_stream_name(name.name())
            .set_stream_arn(name.arn())
            .shard_id(shard.shard_id())
            .shard_iterator_type(ShardIteratorType::Latest)
            .send()
            .await
            .map_err(|e| refused(what, "kinesis:GetShardIterator", &e))?;
        client
            .get_records()
            .set_shard_iterator(iterator.shard_iterator)
            .set_stream_arn(name.arn())
            .limit(1)
            .send()
            .await
            .map_err(|e| refused(what, "kinesis:GetRecords", &e))?;
    }
    let found = format!(
        "readable: {}, records are kept for {hours} hours",
        counted(shards.len(), "shard")
    );
    Ok(vec![Finding::ok(what, found)])
}

/// Checks that recommendations may be put, without putting one.
pub(super) async fn may_put(client: &Client, stream: &str) -> Finding {
    let check = "decisions stream, writing";
    let name = StreamName::parse(stream);
    let put = client
        .put_record()
        .set_stream_name(name.name())
        .set_stream_arn(name.arn())
        .partition_key("doctor")
        .explicit_hash_key(NO_SHARDS_KEY)
        .data(Blob::new("{}"))
        .send()
        .await;
    match put {
        Ok(_) => Finding::ok(check, "allowed"),
        Err(error) => match error.code() {
            Some("InvalidArgumentException" | "ValidationException") => Finding::ok(
                check,
                "not denied (tried with a record that no stream accepts, so nothing was written)",
            ),
            _ => refused(check, "kinesis:PutRecords", &error),
        },
    }
}

fn refused<E, R>(check: &str, action: &str, error: &SdkError<E, R>) -> Finding
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug,
{
    let found = format!("{action} fails: {}", words(error));
    Finding::wrong(check, found, advice(action, error.code()))
}

/// What to do about an error of this code.
pub(super) fn advice(action: &str, code: Option<&str>) -> String {
    match code {
        Some("AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation") => {
            format!("allow {action} to the user or role of these credentials")
        }
        Some("ResourceNotFoundException") => {
            "check the name, AWS_REGION and the account; name a stream of another account by its \
             ARN"
            .to_owned()
        }
        Some(code) if code.contains("Throughput") || code.contains("Throttl") => {
            "wait and try again: other callers use up the limits".to_owned()
        }
        Some(_) => "the message comes from the service".to_owned(),
        // There are credentials and a region: without them no check gets here.
        None => "check that this machine reaches AWS, and the region".to_owned(),
    }
}
