//! The calls of the Kinesis API that reading needs, and what their errors mean to a reader.

use std::time::Duration;

use anyhow::Context;
use aws_config::{Region, SdkConfig};
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::operation::get_records::GetRecordsOutput;
use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::{Shard, ShardIteratorType};
use rightsizer_records::Timestamp;

use super::position::Begin;
use crate::errors::words;

/// Returns the configuration of a client for this stream, given as a name or an ARN. Kinesis accepts an ARN only at the
/// endpoint of its own region.
pub(crate) fn client_config(config: &SdkConfig, stream: &str) -> aws_sdk_kinesis::config::Builder {
    let builder = aws_sdk_kinesis::config::Builder::from(config);
    let region = stream
        .strip_prefix("arn:")
        .and_then(|arn| arn.split(':').nth(2));
    match region.filter(|region| !region.is_empty()) {
        Some(region) => builder.region(Region::new(region.to_owned())),
        None => builder,
    }
}

/// Returns a client for this stream, in its own region.
pub fn client(config: &SdkConfig, stream: &str) -> Client {
    Client::from_conf(client_config(config, stream).build())
}

/// A stream by name or ARN; from another account only the ARN will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamName(String);

impl StreamName {
    /// Takes either form.
    pub fn parse(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The name, unless it is an ARN.
    pub fn name(&self) -> Option<String> {
        (!self.0.starts_with("arn:")).then(|| self.0.clone())
    }

    /// The ARN, if it is one.
    pub fn arn(&self) -> Option<String> {
        self.0.starts_with("arn:").then(|| self.0.clone())
    }
}

/// What an error of a call means to a reader.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// Too long since the last read: make another iterator.
    #[error("{0}")]
    Expired(String),
    /// More calls or bytes than the shard gives: wait.
    #[error("{0}")]
    Throttled(String),
    /// The stream does not know this position, or no longer.
    #[error("{0}")]
    BadPosition(String),
    /// Stream or shard are not there.
    #[error("{0}")]
    Missing(String),
    /// Denied, unreachable, or out of order.
    #[error("{0}")]
    Other(String),
}

impl<E, R> From<SdkError<E, R>> for Fault
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug,
{
    fn from(error: SdkError<E, R>) -> Self {
        let shown = words(&error);
        match error.code() {
            Some("ExpiredIteratorException") => Self::Expired(shown),
            Some(
                "ProvisionedThroughputExceededException"
                | "LimitExceededException"
                | "KMSThrottlingException",
            ) => Self::Throttled(shown),
            Some("InvalidArgumentException") => Self::BadPosition(shown),
            Some("ResourceNotFoundException") => Self::Missing(shown),
            _ => Self::Other(shown),
        }
    }
}

/// The description of a stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct StreamFacts {
    /// When it was made, in milliseconds: tells its lives apart.
    pub(super) created: i64,
    /// How long it keeps records.
    pub(super) retention: Duration,
}

/// One stream's API.
#[derive(Debug, Clone)]
pub(super) struct StreamApi {
    client: Client,
    stream: StreamName,
}

impl StreamApi {
    /// Calls are not repeated by the SDK: the readers have their own pauses, and count.
    pub(super) fn new(client: &Client, stream: &str) -> Self {
        let once = client.config().to_builder();
        let once = once.retry_config(RetryConfig::disabled()).build();
        Self {
            client: Client::from_conf(once),
            stream: StreamName::parse(stream),
        }
    }

    pub(super) async fn describe(&self) -> Result<StreamFacts, Fault> {
        let request = self.client.describe_stream_summary();
        let request = request.set_stream_name(self.stream.name());
        let answer = request.set_stream_arn(self.stream.arn()).send().await?;
        let summary = answer.stream_description_summary();
        let facts = summary.context("the stream has no description");
        let facts = facts.and_then(|summary| {
            let hours = u64::try_from(summary.retention_period_hours()).unwrap_or(24);
            Ok(StreamFacts {
                created: summary.stream_creation_timestamp().to_millis()?,
                retention: Duration::from_hours(hours),
            })
        });
        facts.map_err(|e| Fault::Other(format!("{e:#}")))
    }

    pub(super) async fn shards(&self) -> Result<Vec<Shard>, Fault> {
        let mut shards = Vec::new();
        let mut next: Option<String> = None;
        loop {
            // A page token stands for the stream: the two must not be given together.
            let first = next.is_none();
            let request = self.client.list_shards().set_next_token(next);
            let request = request
                .set_stream_name(self.stream.name().filter(|_| first))
                .set_stream_arn(self.stream.arn().filter(|_| first));
            let page = request.send().await?;
            shards.extend(page.shards().iter().cloned());
            next = page.next_token().map(str::to_owned);
            if next.is_none() {
                return Ok(shards);
            }
        }
    }

    pub(super) async fn iterator(&self, shard: &str, begin: &Begin) -> Result<String, Fault> {
        let request = self.client.get_shard_iterator().shard_id(shard);
        let request = match begin {
            Begin::Oldest => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
            Begin::After(sequence) => request
                .shard_iterator_type(ShardIteratorType::AfterSequenceNumber)
                .starting_sequence_number(sequence),
            Begin::At(time) => request
                .shard_iterator_type(ShardIteratorType::AtTimestamp)
                .timestamp(DateTime::from_millis(time.as_ms())),
        };
        let request = request.set_stream_name(self.stream.name());
        let answer = request.set_stream_arn(self.stream.arn()).send().await?;
        let iterator = answer.shard_iterator;
        iterator.ok_or_else(|| Fault::Other("the stream returned no iterator".to_owned()))
    }

    pub(super) async fn records(&self, iterator: String) -> Result<GetRecordsOutput, Fault> {
        let request = self.client.get_records().shard_iterator(iterator);
        Ok(request.set_stream_arn(self.stream.arn()).send().await?)
    }
}

/// A time of the service; `None` if it is out of our range.
pub(super) fn timestamp(time: &DateTime) -> Option<Timestamp> {
    time.to_millis().ok().and_then(Timestamp::from_ms)
}
