//! The updater's own Lambda binary behind an event source mapping: a stream is read as Lambda reads
//! it, and the binary gets the batches through a Runtime API.
//!
//! Delivery is driven by the test, so that it is known when everything has been delivered.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rightsizer_updater::BatchResponse;
use serde_json::{Value, json};

use super::event_filter::{filter_pattern, passes};
use super::process::ServerProcess;
use super::runtime_api::RuntimeApi;
use super::{ACCOUNT, KinesisLocal, MotoServer, REGION, StreamRecord, aws_environment};

/// The updater's own function.
pub const UPDATER: &str = "rightsizer-updater";
/// As the event source mapping of the template has it.
const BATCH: usize = 10;
/// How often a record is delivered again before it goes to the failure destination.
const RETRIES: usize = 3;

/// The running updater and how far it has read its stream.
#[derive(Debug)]
pub struct UpdaterLambda {
    api: RuntimeApi,
    process: ServerProcess,
    stream: String,
    /// Last sequence number done with, by shard.
    done: HashMap<String, String>,
    invocations: usize,
}

/// What [`UpdaterLambda::deliver`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Records that passed the filter and were done with at the first delivery or a later one.
    pub records: usize,
    /// Invocations of the updater it took.
    pub invocations: usize,
    /// Records given up after their retries: what the failure destination would get.
    pub given_up: Vec<StreamRecord>,
}

impl UpdaterLambda {
    /// Starts the binary on a decisions stream, against a Lambda API that gets the updater's own
    /// function as well, with settings as environment variables (such as `RIGHTSIZER_MODE`).
    pub async fn start(
        kinesis: &KinesisLocal,
        stream: &str,
        lambda: &MotoServer,
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        if lambda.memory_mb(UPDATER).await.is_err() {
            lambda.create_function(UPDATER, 128, 60, &[]).await?;
        }
        Self::start_at(kinesis, stream, lambda.endpoint(), settings).await
    }

    /// The same against any Lambda API that has a function of the name [`UPDATER`].
    pub async fn start_at(
        kinesis: &KinesisLocal,
        stream: &str,
        lambda_endpoint: &str,
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let name = UPDATER;
        let api = RuntimeApi::start(format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"));
        let api = api.await?;
        let mut command = Command::new(updater_binary()?);
        command
            .env("AWS_LAMBDA_RUNTIME_API", api.address().to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env(
                "AWS_LAMBDA_LOG_GROUP_NAME",
                "/aws/lambda/rightsizer-updater",
            )
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "test")
            .env("RIGHTSIZER_DECISIONS", stream)
            .envs(aws_environment("KINESIS", kinesis.endpoint()))
            .envs(aws_environment("LAMBDA", lambda_endpoint))
            .envs(settings.iter().copied());
        Ok(Self {
            process: ServerProcess::spawn(name, &command)?,
            api,
            stream: stream.to_owned(),
            done: HashMap::new(),
            invocations: 0,
        })
    }

    /// What the updater has logged so far.
    pub fn log_text(&self) -> String {
        self.process.log_text()
    }

    /// Delivers every recommendation that is on the stream now and was not delivered before.
    pub async fn deliver(&mut self, kinesis: &KinesisLocal) -> Result<Delivered> {
        let mut delivered = Delivered::default();
        for shard in kinesis.shards(&self.stream).await? {
            let after = self.done.get(&shard).cloned();
            let new = kinesis
                .records_after(&self.stream, &shard, after.as_deref())
                .await?;
            let Some(last) = new.last().map(|r| r.sequence.clone()) else {
                continue;
            };
            let pattern = filter_pattern()?;
            let wanted: Vec<_> = new
                .into_iter()
                .filter(|record| passes(&pattern, &record.data))
                .collect();
            deliver_shard(&wanted, &mut delivered, async |batch| {
                self.invoke(batch).await
            })
            .await?;
            self.done.insert(shard, last);
        }
        Ok(delivered)
    }

    /// Hands over a batch; the position in it from which it has to come again, if anywhere.
    async fn invoke(&mut self, batch: &[StreamRecord]) -> Result<Option<usize>> {
        self.invocations += 1;
        let id = format!("00000000-0000-4000-8000-{:012}", self.invocations);
        let event = kinesis_event(batch);
        let answer = tokio::select! {
            answer = self.api.invoke(&id, event) => answer,
            () = self.process.ended() => Err(anyhow!("the updater ended")),
        };
        let answer = answer.with_context(|| format!("the updater logged:\n{}", self.log_text()))?;
        // A function error fails the batch from its beginning.
        let Ok(payload) = answer else {
            return Ok(Some(0));
        };
        let response: BatchResponse = serde_json::from_value(payload)?;
        first_failed(batch, &response)
    }
}

/// Delivers records of a shard as the event source mapping does: in batches, what is left of a batch
/// again from the first record that failed, and after the retries of the event source mapping
/// without it. `invoke` answers the position in the batch from which it has to come again, if
/// anywhere.
pub async fn deliver_shard(
    records: &[StreamRecord],
    delivered: &mut Delivered,
    mut invoke: impl AsyncFnMut(&[StreamRecord]) -> Result<Option<usize>>,
) -> Result<()> {
    for batch in records.chunks(BATCH) {
        let (mut left, mut retries) = (batch, 0);
        while !left.is_empty() {
            let failed = invoke(left).await?;
            delivered.invocations += 1;
            let done = failed.unwrap_or(left.len());
            if done > 0 {
                retries = 0;
            }
            delivered.records += done;
            left = &left[done..];
            if failed.is_none() {
                continue;
            }
            retries += 1;
            if retries > RETRIES
                && let Some((first, rest)) = left.split_first()
            {
                delivered.given_up.push(first.clone());
                (left, retries) = (rest, 0);
            }
        }
    }
    Ok(())
}

/// The record of a batch at which the response asks to start again, if any.
pub fn first_failed(batch: &[StreamRecord], response: &BatchResponse) -> Result<Option<usize>> {
    let failed = response.batch_item_failures.iter().map(|failure| {
        let position = batch
            .iter()
            .position(|r| r.sequence == failure.item_identifier);
        position.with_context(|| format!("{} is not in the batch", failure.item_identifier))
    });
    Ok(failed.collect::<Result<Vec<_>>>()?.into_iter().min())
}

/// The event that Lambda makes of a batch.
pub fn kinesis_event(batch: &[StreamRecord]) -> Value {
    json!({ "Records": batch.iter().map(event_record).collect::<Vec<_>>() })
}

fn event_record(record: &StreamRecord) -> Value {
    json!({
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record.partition_key,
            "sequenceNumber": record.sequence,
            "data": STANDARD.encode(&record.data),
            "approximateArrivalTimestamp": 1_769_904_000.5,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": format!("{}:{}", record.shard, record.sequence),
        "eventName": "aws:kinesis:record",
        "awsRegion": REGION,
    })
}

/// `RIGHTSIZER_UPDATER_BINARY`, or the binary built beside this test.
pub fn updater_binary() -> Result<PathBuf> {
    let beside = || {
        let test = std::env::current_exe().ok()?;
        Some(test.parent()?.parent()?.join("rightsizer-updater"))
    };
    let path = std::env::var_os("RIGHTSIZER_UPDATER_BINARY")
        .map(PathBuf::from)
        .or_else(beside);
    let path = path.context("cannot find the folder of this test")?;
    ensure!(
        path.exists(),
        "The updater's Lambda binary is missing at {}. `make test` builds it; by hand: \
         cargo build -p rightsizer-updater --features lambda",
        path.display()
    );
    Ok(path)
}
