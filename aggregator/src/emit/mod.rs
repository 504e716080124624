//! Sends what is decided to the decisions stream. The outbox is in the store: a recommendation is
//! marked sent after the stream took it, so a crash between the two sends it twice with the same
//! id, which the updater recognises.

mod notices;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use futures_util::future::BoxFuture;
use rightsizer_aws::errors::words;
use rightsizer_aws::kinesis::StreamName;
use rightsizer_store::{Outbox, OutboxEntry, Outgoing, RecommendationKey};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use self::notices::run as run_notices;
use crate::writer::{WriterHandle, WriterStopped};

/// `PutRecords` takes 500 records; recommendations are 1 KB, so 5 MB are never reached.
const BATCH: usize = 500;
/// How long to wait after a failure, and at most without being woken.
const PAUSE: Duration = Duration::from_secs(5);
/// How long a send may take, including all attempts. A new lease holder waits longer.
pub(crate) const SEND_WITHIN: Duration = Duration::from_secs(10);

/// Whether this process is the one that may send, asked before every send.
pub trait MaySend: std::fmt::Debug + Send + Sync {
    /// What may be sent now; `None` if nothing may.
    fn may_send(&self) -> BoxFuture<'_, Option<Outgoing>>;
}

/// Sends until a stop is requested; asks `permission` if another task may send too.
pub async fn run(
    client: Client,
    stream: String,
    writer: WriterHandle,
    permission: Option<Arc<dyn MaySend>>,
    stopped: CancellationToken,
) -> anyhow::Result<()> {
    let stream = StreamName::parse(&stream);
    let (mut warned, mut limit, mut alarmed) = (false, None, false);
    loop {
        let outbox = due(&writer, permission.as_deref()).await?;
        if outbox.limit != limit {
            limit = outbox.limit;
            let why = limit.map_or("decreases no longer wait".to_owned(), |limit| {
                format!("decreases wait: {limit}; increases are sent")
            });
            info!("{why}");
        }
        if let Some(alarm) = outbox.alarm.filter(|_| !alarmed) {
            // The template's metric filter looks for these words.
            warn!("increase alarm: {alarm}");
        }
        alarmed = outbox.alarm.is_some();
        let waiting = outbox.entries;
        if waiting.is_empty() {
            tokio::select! {
                () = stopped.cancelled() => return Ok(()),
                () = writer.decided() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
            continue;
        }
        let put = tokio::time::timeout(SEND_WITHIN, put(&client, &stream, &waiting)).await;
        let (taken, refused) = put.unwrap_or_else(|_| {
            let why = format!("no response within {SEND_WITHIN:?}");
            (Vec::new(), Some(why))
        });
        let count = taken.len();
        if count > 0 {
            info!(recommendations = count, "sent to the decisions stream");
            writer.mark_sent(taken).await?;
            writer.metrics().sent(count);
        }
        match refused {
            Some(why) if !warned => {
                warn!(
                    "{} recommendations wait: the decisions stream does not accept them ({why}); \
                     nothing is lost, retrying",
                    waiting.len() - count
                );
                warned = true;
            }
            // Logged before.
            Some(_) => {}
            None => warned = false,
        }
        if count < waiting.len() {
            tokio::select! {
                () = stopped.cancelled() => return Ok(()),
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}

/// Returns what may be sent now. A decrease waits until everything written while nothing read is
/// in, because that may contradict it. Increases never wait (P5).
async fn due(
    writer: &WriterHandle,
    permission: Option<&dyn MaySend>,
) -> Result<Outbox, WriterStopped> {
    let which = if writer.is_up_to_date() {
        Outgoing::All
    } else {
        Outgoing::Increases
    };
    let due = writer.outbox(which, BATCH).await?;
    let Some(permission) = permission.filter(|_| !due.entries.is_empty()) else {
        return Ok(due);
    };
    match permission.may_send().await {
        // Asking takes its time: a peak or a person may have spoken against it meanwhile.
        Some(Outgoing::All) => writer.outbox(which, BATCH).await,
        Some(less) => writer.outbox(less, BATCH).await,
        None => Ok(Outbox::default()),
    }
}

/// Puts the entries; returns the keys of those that the stream took, and why it did not take the
/// others.
async fn put(
    client: &Client,
    stream: &StreamName,
    entries: &[OutboxEntry],
) -> (Vec<RecommendationKey>, Option<String>) {
    let records = entries
        .iter()
        .map(|entry| (entry.function.as_str(), entry.record.as_slice()));
    let (places, refused) = put_records(client, stream, records).await;
    let taken = places.into_iter().filter_map(|place| entries.get(place));
    (taken.map(|entry| entry.key.clone()).collect(), refused)
}

/// Puts records under their partition keys; returns the places of those that the stream took, and why it did not take
/// the others.
async fn put_records<'r>(
    client: &Client,
    stream: &StreamName,
    records: impl Iterator<Item = (&'r str, &'r [u8])>,
) -> (Vec<usize>, Option<String>) {
    let records = records.map(|(function, record)| {
        // Kinesis takes partition keys of up to 256 characters; an ARN has fewer.
        PutRecordsRequestEntry::builder()
            .data(Blob::new(record))
            .partition_key(function)
            .build()
    });
    let records = match records.collect::<Result<Vec<_>, _>>() {
        Ok(records) => records,
        Err(error) => return (Vec::new(), Some(error.to_string())),
    };
    let request = client.put_records().set_stream_name(stream.name());
    let request = request.set_stream_arn(stream.arn());
    let answer = match request.set_records(Some(records)).send().await {
        Ok(answer) => answer,
        Err(error) => return (Vec::new(), Some(words(&error))),
    };
    let (mut taken, mut refused) = (Vec::new(), None);
    for (place, result) in answer.records().iter().enumerate() {
        match result.error_code() {
            None => taken.push(place),
            Some(code) => {
                let message = result.error_message().unwrap_or("no message");
                refused = Some(format!("{code}: {message}"));
            }
        }
    }
    (taken, refused)
}

#[cfg(test)]
mod tests;
