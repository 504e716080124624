//! `PutRecords` as any program with an AWS SDK sends it to the embedded stream.

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kinesis::operation::put_records::PutRecordsOutput;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;

/// A client that reports failures at once.
pub(crate) fn client(endpoint: &str) -> Client {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = aws_sdk_kinesis::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("testing", "testing", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .http_client(http)
        .endpoint_url(endpoint)
        .build();
    Client::from_conf(config)
}

pub(crate) async fn put(
    client: &Client,
    data: Vec<Vec<u8>>,
) -> Result<PutRecordsOutput, aws_sdk_kinesis::Error> {
    let entry = |data| {
        let entry = PutRecordsRequestEntry::builder()
            .data(Blob::new(data))
            .partition_key("k");
        entry.build()
    };
    let records = data.into_iter().map(entry).collect::<Result<_, _>>();
    let records = records.map_err(aws_sdk_kinesis::Error::from)?;
    let request = client.put_records().stream_name("reports");
    Ok(request.set_records(Some(records)).send().await?)
}
