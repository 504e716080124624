//! A Kinesis API server: the npm package `kinesis-local`.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kinesis::types::{ShardIteratorType, StreamStatus};
use rightsizer_records::{DecodeError, Record, decode};

use super::process::{Recipe, ServerProcess, installed, on_path, tools};
use super::{ACCESS_KEY, ACCOUNT, REGION};

/// A stream that is not ACTIVE after this never will be.
const ACTIVE_WITHIN: Duration = Duration::from_secs(30);

/// A running Kinesis API server; dropping it stops it.
#[derive(Debug)]
pub struct KinesisLocal {
    endpoint: String,
    client: Client,
    _process: ServerProcess,
}

/// One record as a consumer gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRecord {
    /// Id of the shard it was on.
    pub shard: String,
    /// Its sequence number: a decimal number, ascending within a shard.
    pub sequence: String,
    /// The key that chose its shard.
    pub partition_key: String,
    /// The payload.
    pub data: Vec<u8>,
}

impl StreamRecord {
    /// The payload as one of our records.
    pub fn decoded(&self) -> Result<Record, DecodeError> {
        decode(&self.data)
    }
}

impl KinesisLocal {
    /// Starts one on free ports and waits until it responds.
    pub async fn start() -> Result<Self> {
        ensure!(
            on_path("node"),
            "node does not run. The Kinesis server of the tests needs Node.js 20 or later: \
             install it (https://nodejs.org), then run `make tools`."
        );
        let package = installed(
            &tools().join("node/node_modules/kinesis-local"),
            "The Kinesis server of the tests (npm package kinesis-local)",
            "Node.js 20 or later with npm",
        )?;
        let (process, [port, _tls]) = ServerProcess::start(|[port, tls]: [u16; 2]| {
            let mut command = Command::new("node");
            command
                .arg("main.js")
                // It looks for its certificate in the working directory.
                .current_dir(&package)
                .env("KINESIS_MOCK_PLAIN_PORT", port.to_string())
                .env("KINESIS_MOCK_TLS_PORT", tls.to_string())
                .env("AWS_ACCOUNT_ID", ACCOUNT)
                .env("AWS_REGION", REGION)
                .env("CREATE_STREAM_DURATION", "1ms")
                .env("SHARD_LIMIT", "1000")
                .env("LOG_LEVEL", "INFO");
            Recipe {
                name: "kinesis-local",
                command,
                bound_line: format!("Plain Mock Service on port {port}"),
                health_url: format!("http://127.0.0.1:{port}/healthcheck"),
            }
        })
        .await?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let client = kinesis_client(&endpoint);
        Ok(Self {
            endpoint,
            client,
            _process: process,
        })
    }

    /// Its address, such as `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A client for it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Creates a stream and waits until it is ACTIVE.
    pub async fn create_stream(&self, name: &str, shards: i32) -> Result<()> {
        self.client
            .create_stream()
            .stream_name(name)
            .shard_count(shards)
            .send()
            .await
            .with_context(|| format!("cannot create stream {name}"))?;
        let until = Instant::now() + ACTIVE_WITHIN;
        while Instant::now() < until {
            let summary = self
                .client
                .describe_stream_summary()
                .stream_name(name)
                .send()
                .await
                .ok();
            let status = summary
                .as_ref()
                .and_then(|s| s.stream_description_summary())
                .map(|s| s.stream_status().clone());
            if status == Some(StreamStatus::Active) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("stream {name} is not ACTIVE after {ACTIVE_WITHIN:?}")
    }

    /// ARN of a stream of this server.
    pub fn stream_arn(&self, name: &str) -> String {
        format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}")
    }

    /// Every record now on the stream, shard by shard, oldest first.
    pub async fn records(&self, stream: &str) -> Result<Vec<StreamRecord>> {
        let mut records = Vec::new();
        for shard in self.shards(stream).await? {
            records.extend(self.records_after(stream, &shard, None).await?);
        }
        Ok(records)
    }

    /// The stream's shards.
    pub async fn shards(&self, stream: &str) -> Result<Vec<String>> {
        let answer = self.client.list_shards().stream_name(stream).send().await;
        let answer = answer.with_context(|| format!("cannot list the shards of {stream}"))?;
        Ok(answer
            .shards()
            .iter()
            .map(|s| s.shard_id().to_owned())
            .collect())
    }

    /// The records now on one shard behind sequence number `after`, or all of them.
    pub(crate) async fn records_after(
        &self,
        stream: &str,
        shard: &str,
        after: Option<&str>,
    ) -> Result<Vec<StreamRecord>> {
        let request = self
            .client
            .get_shard_iterator()
            .stream_name(stream)
            .shard_id(shard);
        let request = match after {
            Some(sequence) => request
                .shard_iterator_type(ShardIteratorType::AfterSequenceNumber)
                .starting_sequence_number(sequence),
            None => request.shard_iterator_type(ShardIteratorType::TrimHorizon),
        };
        let start = request
            .send()
            .await
            .with_context(|| format!("cannot read {stream}"))?;
        let mut next = start.shard_iterator;
        let mut records = Vec::new();
        while let Some(iterator) = next {
            let page = self
                .client
                .get_records()
                .shard_iterator(iterator)
                .send()
                .await?;
            let end = page.records().is_empty() && page.millis_behind_latest().unwrap_or(0) == 0;
            records.extend(page.records.into_iter().map(|r| StreamRecord {
                shard: shard.to_owned(),
                sequence: r.sequence_number,
                partition_key: r.partition_key.unwrap_or_default(),
                data: r.data.into_inner(),
            }));
            next = page.next_shard_iterator.filter(|_| !end);
        }
        Ok(records)
    }
}

/// A Kinesis client for the server at `endpoint`.
pub fn kinesis_client(endpoint: &str) -> Client {
    Client::from_conf(
        aws_sdk_kinesis::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .credentials_provider(Credentials::new(
                ACCESS_KEY, ACCESS_KEY, None, None, "tests",
            ))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(endpoint)
            .build(),
    )
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use aws_sdk_kinesis::primitives::Blob;

    use super::*;

    #[tokio::test]
    async fn it_starts_keeps_records_in_order_and_is_gone_when_dropped() {
        let kinesis = KinesisLocal::start().await.unwrap();
        kinesis.create_stream("reports", 2).await.unwrap();
        for n in 0..5 {
            for key in ["a", "b"] {
                let data = Blob::new(format!("{key}{n}"));
                let put = kinesis.client().put_record().stream_name("reports");
                put.partition_key(key).data(data).send().await.unwrap();
            }
        }
        let records = kinesis.records("reports").await.unwrap();
        for key in ["a", "b"] {
            let of_key = records.iter().filter(|r| r.partition_key == key);
            let data: Vec<_> = of_key
                .map(|r| String::from_utf8(r.data.clone()).unwrap())
                .collect();
            assert_eq!(
                data,
                (0..5).map(|n| format!("{key}{n}")).collect::<Vec<_>>()
            );
        }
        let last = records.last().unwrap();
        let behind = kinesis.records_after("reports", &last.shard, Some(&last.sequence));
        assert_eq!(behind.await.unwrap(), []);

        let address = kinesis.endpoint().replace("http://", "");
        assert!(TcpStream::connect(&address).is_ok());
        drop(kinesis);
        let until = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(&address).is_ok() {
            assert!(Instant::now() < until, "still answers at {address}");
        }
    }
}
