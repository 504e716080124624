//! The event that Lambda hands over for a batch of a Kinesis stream, and the answer to it.

use serde::{Deserialize, Serialize};

/// A batch of stream records. `Default` is an empty one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KinesisEvent {
    /// In the order of their sequence numbers.
    #[serde(rename = "Records")]
    pub records: Vec<KinesisEventRecord>,
}

/// One record of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KinesisEventRecord {
    /// What the stream holds.
    pub kinesis: KinesisData,
}

/// What the stream holds of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KinesisData {
    /// Names the record within its shard; ascending.
    pub sequence_number: String,
    /// The payload in base64.
    pub data: String,
}

/// The answer: where in the batch the stream has to start again, if anywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    /// Empty when the whole batch is done. Lambda starts again at the lowest one named here, and
    /// delivers everything behind it again too.
    pub batch_item_failures: Vec<BatchItemFailure>,
}

/// A record that should be delivered again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchItemFailure {
    /// Its sequence number.
    pub item_identifier: String,
}
