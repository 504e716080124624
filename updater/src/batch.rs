//! A batch of the decisions stream: every recommendation applied in order, every outcome put.
//!
//! Kinesis starts again at the lowest failed record and repeats everything behind it, so the batch
//! stops at the first record that has to come again: what is behind it is not tried before it. A
//! record that will never be readable does not block the shard.

use std::future::Future;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rightsizer_records::{Outcome, OutcomeStatus, Recommendation, Record, Timestamp, decode};

use crate::{BatchItemFailure, BatchResponse, ControlPlane, KinesisEvent, Updater};

/// Where outcomes go.
pub trait OutcomeSink {
    /// Puts outcomes, trying again as long as that makes sense, and answers the positions of those
    /// that could not be put.
    fn put(&self, outcomes: &[Outcome]) -> impl Future<Output = Vec<usize>> + Send;
}

/// Applies a batch and puts its outcomes; answers which record is to be delivered again.
///
/// A change whose outcome could not be put is delivered again as well: the function is then found
/// at its new size and answered `applied` without a second write.
pub async fn handle_batch<C: ControlPlane, S: OutcomeSink>(
    updater: &Updater<C>,
    sink: &S,
    event: &KinesisEvent,
    now: Timestamp,
) -> BatchResponse {
    let mut outcomes: Vec<Outcome> = Vec::new();
    let mut sequences: Vec<&str> = Vec::new();
    let mut again: Option<&str> = None;
    for record in &event.records {
        let sequence = record.kinesis.sequence_number.as_str();
        let Some(rec) = recommendation(&record.kinesis.data, sequence) else {
            continue;
        };
        match updater.apply(&rec, now).await {
            Ok(outcome) => {
                log(&outcome);
                outcomes.push(outcome);
                sequences.push(sequence);
            }
            Err(later) => {
                tracing::warn!(id = rec.id, sequence, "{later}");
                again = Some(sequence);
                break;
            }
        }
    }
    if !outcomes.is_empty() {
        // Those come before the one that stopped the batch, so they are the lower ones.
        let unsent = sink.put(&outcomes).await;
        let lowest = unsent
            .into_iter()
            .min()
            .and_then(|n| sequences.get(n).copied());
        again = lowest.or(again);
    }
    let failure = again.map(|s| BatchItemFailure {
        item_identifier: s.to_owned(),
    });
    BatchResponse {
        batch_item_failures: failure.into_iter().collect(),
    }
}

/// The recommendation in a stream record; `None` for other kinds and for what cannot be read.
fn recommendation(data: &str, sequence: &str) -> Option<Recommendation> {
    let poison = |why: &dyn std::fmt::Display| {
        tracing::error!(
            sequence,
            poison = 1,
            "a record of the decisions stream cannot be read and is left out: {why}"
        );
    };
    let bytes = STANDARD.decode(data).map_err(|e| poison(&e)).ok()?;
    match decode(&bytes).map_err(|e| poison(&e)).ok()? {
        Record::Recommendation(rec) => Some(rec),
        // Our own, put back on the same stream for the aggregator.
        Record::Outcome(_) => None,
        Record::Reports(_) => {
            poison(&"a reports record belongs on the reports stream");
            None
        }
    }
}

fn log(outcome: &Outcome) {
    let Outcome {
        id,
        function,
        from_mb,
        to_mb,
        reason,
        detail,
        ..
    } = outcome;
    let status = outcome.status.name();
    if outcome.status == OutcomeStatus::Failed {
        tracing::error!(id, %function, %from_mb, %to_mb, status, reason, "{detail}");
    } else {
        tracing::info!(id, %function, %from_mb, %to_mb, status, reason, "{detail}");
    }
}
