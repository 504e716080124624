//! Sends what another engine has to know: the inventory, and review commands that change what it keeps. They wait in
//! the store until the decisions stream has them. A crash in between sends one twice, which changes nothing.

use std::time::Duration;

use aws_sdk_kinesis::Client;
use rightsizer_aws::kinesis::StreamName;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{PAUSE, SEND_WITHIN, put_records};
use crate::writer::WriterHandle;

/// `PutRecords` takes 500 records and 5 MB; a function with 50 long tags has a notice of 10 KB.
const BATCH: usize = 400;
/// How often the store is asked.
const EVERY: Duration = Duration::from_secs(1);

/// Sends until a stop is requested.
pub async fn run(
    client: Client,
    stream: String,
    writer: WriterHandle,
    stopped: CancellationToken,
) -> anyhow::Result<()> {
    let stream = StreamName::parse(&stream);
    let mut warned = false;
    loop {
        let waiting = writer.notices(BATCH).await?;
        let records = waiting
            .iter()
            .map(|one| (one.function.as_str(), one.record.as_slice()));
        let (taken, refused) = if waiting.is_empty() {
            (Vec::new(), None)
        } else {
            let put = tokio::time::timeout(SEND_WITHIN, put_records(&client, &stream, records));
            put.await.unwrap_or_else(|_| {
                let why = format!("no response within {SEND_WITHIN:?}");
                (Vec::new(), Some(why))
            })
        };
        let taken: Vec<String> = taken
            .into_iter()
            .filter_map(|place| waiting.get(place))
            .map(|one| one.key.clone())
            .collect();
        if !taken.is_empty() {
            info!(
                notices = taken.len(),
                "sent to the decisions stream for Flink"
            );
            writer.notices_sent(taken).await?;
        }
        let pause = match &refused {
            Some(_) => PAUSE,
            None if waiting.len() == BATCH => Duration::ZERO,
            None => EVERY,
        };
        if let Some(why) = refused.as_ref().filter(|_| !warned) {
            warn!(
                "notices for Flink wait: the decisions stream does not accept them ({why}); nothing is lost, \
                 retrying"
            );
        }
        warned = refused.is_some();
        tokio::select! {
            () = stopped.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
    }
}
