//! The sink of outcomes that is a Kinesis stream.

use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::timeout::TimeoutConfig;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use rightsizer_records::{Outcome, Record, encode};

use crate::OutcomeSink;
use crate::aws::in_words;

/// `PutRecords` takes no more at once.
const MOST_RECORDS: usize = 500;
/// A shard that is too busy now and then has room a moment later.
const PAUSES_MS: [u64; 4] = [0, 50, 200, 800];
/// How long one of them may take, the client's own retries included.
const TRY_WITHIN: Duration = Duration::from_millis(1500);

/// A Kinesis stream that outcomes are put on, keyed by function: the order per function is kept.
#[derive(Debug, Clone)]
pub struct DecisionsStream {
    client: Client,
    stream: String,
}

impl DecisionsStream {
    /// By the stream's name or ARN. All tries together end within eight seconds.
    pub fn new(client: &Client, stream: impl Into<String>) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_timeout(TRY_WITHIN)
            .build();
        let config = client.config().to_builder().timeout_config(timeouts);
        Self {
            client: Client::from_conf(config.build()),
            stream: stream.into(),
        }
    }

    /// Puts what `pending` names and returns what of it was not taken.
    async fn put_once(&self, outcomes: &[Outcome], pending: &[usize]) -> Vec<usize> {
        let entries = pending
            .iter()
            .filter_map(|n| outcomes.get(*n))
            .map(entry)
            .collect();
        let (name, arn) = if self.stream.starts_with("arn:") {
            (None, Some(self.stream.clone()))
        } else {
            (Some(self.stream.clone()), None)
        };
        let request = self
            .client
            .put_records()
            .set_stream_name(name)
            .set_stream_arn(arn);
        match request.set_records(Some(entries)).send().await {
            Ok(answer) => {
                let taken = |n: usize| {
                    answer
                        .records()
                        .get(n)
                        .is_some_and(|r| r.error_code().is_none())
                };
                let left = pending.iter().enumerate().filter(|(n, _)| !taken(*n));
                left.map(|(_, outcome)| *outcome).collect()
            }
            Err(e) => {
                let stream = &self.stream;
                tracing::warn!(stream, "cannot put outcomes: {}", in_words(&e));
                pending.to_vec()
            }
        }
    }
}

fn entry(outcome: &Outcome) -> PutRecordsRequestEntry {
    let data = encode(&Record::Outcome(outcome.clone()));
    let entry = PutRecordsRequestEntry::builder();
    let entry = entry
        .partition_key(outcome.function.as_str())
        .data(Blob::new(data));
    #[expect(
        clippy::expect_used,
        reason = "both required fields are set on the line above"
    )]
    entry.build().expect("a complete entry")
}

impl OutcomeSink for DecisionsStream {
    async fn put(&self, outcomes: &[Outcome]) -> Vec<usize> {
        let mut pending: Vec<usize> = (0..outcomes.len()).collect();
        for pause_ms in PAUSES_MS {
            if pending.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            let mut left = Vec::new();
            for chunk in pending.chunks(MOST_RECORDS) {
                left.extend(self.put_once(outcomes, chunk).await);
            }
            pending = left;
        }
        if !pending.is_empty() {
            let (count, stream) = (pending.len(), &self.stream);
            tracing::error!(
                count,
                stream,
                "outcomes could not be sent; their records are delivered again"
            );
        }
        pending
    }
}
