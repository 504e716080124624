//! Sends what is decided to the decisions stream. The outbox is in the store: a recommendation is
//! marked sent after the stream took it, so a crash between the two sends it twice with the same
//! id, which the updater recognises.

use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use tracing::{info, warn};

use crate::source::kinesis::{StreamName, words};
use crate::stop::Stop;
use crate::store::{OutboxEntry, RecommendationKey};
use crate::writer::WriterHandle;

/// `PutRecords` takes 500 records; recommendations are 1 KB, so 5 MB are never reached.
const BATCH: usize = 500;
/// How long to wait after a failure, and at most without being woken.
const PAUSE: Duration = Duration::from_secs(5);

/// Sends until told to stop.
pub async fn run(
    client: Client,
    stream: String,
    writer: WriterHandle,
    mut stopped: Stop,
) -> anyhow::Result<()> {
    let stream = StreamName::parse(&stream);
    let mut warned = false;
    loop {
        let waiting = writer.outbox(BATCH).await?;
        if waiting.is_empty() {
            tokio::select! {
                () = stopped.requested() => return Ok(()),
                () = writer.decided() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
            continue;
        }
        let sent = put(&client, &stream, &waiting).await;
        let count = sent.as_ref().map_or(0, Vec::len);
        match sent {
            Ok(keys) if !keys.is_empty() => {
                info!(recommendations = count, "sent to the decisions stream");
                writer.mark_sent(keys).await?;
                writer.metrics().sent(count);
                warned = false;
            }
            Err(why) if !warned => {
                warn!("recommendations wait: the decisions stream takes none ({why}); retrying");
                warned = true;
            }
            // None taken, or said before: the pause below is all there is to do.
            _ => {}
        }
        if count < waiting.len() {
            tokio::select! {
                () = stopped.requested() => return Ok(()),
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}

/// Puts the entries and answers the keys of those that the stream took.
async fn put(
    client: &Client,
    stream: &StreamName,
    entries: &[OutboxEntry],
) -> Result<Vec<RecommendationKey>, String> {
    let records = entries
        .iter()
        .map(|entry| {
            // Kinesis takes partition keys of up to 256 characters; an ARN has fewer.
            PutRecordsRequestEntry::builder()
                .data(Blob::new(entry.record.clone()))
                .partition_key(&entry.function)
                .build()
                .map_err(|e| e.to_string())
        })
        .collect::<Result<Vec<_>, _>>()?;
    let answer = client
        .put_records()
        .set_stream_name(stream.name())
        .set_stream_arn(stream.arn())
        .set_records(Some(records))
        .send()
        .await
        .map_err(|e| words(&e))?;
    let taken = answer
        .records()
        .iter()
        .zip(entries)
        .filter(|(r, _)| r.error_code().is_none());
    Ok(taken.map(|(_, entry)| entry.key.clone()).collect())
}
