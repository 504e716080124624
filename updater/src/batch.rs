//! A batch of the decisions stream: every recommendation tried, every outcome put.
//!
//! Kinesis starts again at the lowest failed record and repeats everything behind it. So everything
//! is tried before anything fails: a function that is stuck costs the others a repetition, which is
//! known from the first time, or finds their new sizes and writes nothing, and no time. A record that can never be read does not
//! block the shard, and one that has come for the last time ends with an outcome.

use std::future::Future;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rightsizer_records::{Outcome, OutcomeStatus, Recommendation, Record, decode};

use crate::bad_record::bad_record;
use crate::end::End;
use crate::{
    BatchItemFailure, BatchResponse, Clock, ControlPlane, Deliveries, KinesisEvent, PauseSwitch,
    Updater,
};

/// The sink of outcomes.
pub trait OutcomeSink {
    /// Puts outcomes, trying again as long as that makes sense, and returns the positions of those
    /// that could not be put.
    fn put(&self, outcomes: &[Outcome]) -> impl Future<Output = Vec<usize>> + Send;
}

/// Applies a batch and puts its outcomes; returns from which record on it should be delivered
/// again.
///
/// A change whose outcome could not be put is delivered again as well: the function is then found
/// at its new size and answered `applied` without a second write.
pub async fn handle_batch<C: ControlPlane, P: PauseSwitch, K: Clock, S: OutcomeSink>(
    updater: &Updater<C, P, K>,
    sink: &S,
    event: &KinesisEvent,
    deliveries: &Deliveries,
) -> BatchResponse {
    let mut recs: Vec<Recommendation> = Vec::new();
    // Of each recommendation and of each outcome, the record it is about.
    let mut records: Vec<usize> = Vec::new();
    let mut outcomes: Vec<(usize, Outcome)> = Vec::new();
    for (n, record) in event.records.iter().enumerate() {
        if deliveries.is_done(&record.kinesis.sequence_number) {
            continue;
        }
        match read(&record.kinesis.data, &record.kinesis.sequence_number) {
            Content::Recommendation(rec) => {
                recs.push(*rec);
                records.push(n);
            }
            Content::Bad(mut outcome) => {
                outcome.at = updater.now();
                outcomes.push((n, *outcome));
            }
            Content::Nothing => {}
        }
    }
    let mut again: Vec<usize> = Vec::new();
    let mut answers = Vec::new();
    updater
        .apply_all(&recs, |position, answer| answers.push((position, answer)))
        .await;
    for (position, answer) in answers {
        let (Some(rec), Some(&n)) = (recs.get(position), records.get(position)) else {
            continue;
        };
        match answer {
            Ok(outcome) => outcomes.push((n, outcome)),
            Err(later) => {
                let sequence = sequence(event, n);
                tracing::warn!(id = rec.id, sequence, "{later}");
                if deliveries.failed(sequence) {
                    outcomes.push((n, End::given_up(&later).outcome(rec, updater.now())));
                } else {
                    again.push(n);
                }
            }
        }
    }
    // As they stand in the stream, for who reads them.
    outcomes.sort_by_key(|(n, _)| *n);
    again.extend(put(sink, &outcomes).await);
    for (n, record) in event.records.iter().enumerate() {
        if !again.contains(&n) {
            deliveries.done(&record.kinesis.sequence_number);
        }
    }
    let failure = again.iter().min().map(|n| BatchItemFailure {
        item_identifier: sequence(event, *n).to_owned(),
    });
    BatchResponse {
        batch_item_failures: failure.into_iter().collect(),
    }
}

fn sequence(event: &KinesisEvent, n: usize) -> &str {
    event
        .records
        .get(n)
        .map_or("", |record| record.kinesis.sequence_number.as_str())
}

/// Puts outcomes; the records whose outcome could not be put.
async fn put<S: OutcomeSink>(sink: &S, outcomes: &[(usize, Outcome)]) -> Vec<usize> {
    if outcomes.is_empty() {
        return Vec::new();
    }
    outcomes.iter().for_each(|(_, outcome)| log(outcome));
    let all: Vec<Outcome> = outcomes
        .iter()
        .map(|(_, outcome)| outcome.clone())
        .collect();
    let unsent = sink.put(&all).await;
    unsent
        .into_iter()
        .filter_map(|position| outcomes.get(position).map(|(n, _)| *n))
        .collect()
}

/// What a stream record holds for the updater.
enum Content {
    Recommendation(Box<Recommendation>),
    /// A recommendation that can be answered but not be read.
    Bad(Box<Outcome>),
    /// Another kind of record, or one that does not even name its function.
    Nothing,
}

fn read(data: &str, sequence: &str) -> Content {
    let poison = |why: &dyn std::fmt::Display| {
        tracing::error!(
            sequence,
            poison = 1,
            "a record of the decisions stream cannot be read and is skipped: {why}"
        );
    };
    let bytes = match STANDARD.decode(data) {
        Ok(bytes) => bytes,
        Err(e) => {
            poison(&e);
            return Content::Nothing;
        }
    };
    match decode(&bytes) {
        Ok(Record::Recommendation(rec)) => Content::Recommendation(Box::new(rec)),
        // Our own, put back on the same stream for the aggregator; and what it writes for Flink.
        Ok(Record::Outcome(_) | Record::Notice(_)) => Content::Nothing,
        Ok(Record::Reports(_)) => {
            poison(&"a reports record belongs on the reports stream");
            Content::Nothing
        }
        Ok(Record::Proposal(_)) => {
            poison(&"a proposal belongs on the proposals stream");
            Content::Nothing
        }
        Err(e) => {
            poison(&e);
            bad_record(&bytes, &e.to_string())
                .map_or(Content::Nothing, |outcome| Content::Bad(Box::new(outcome)))
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
