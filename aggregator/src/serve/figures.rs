//! One line `figures` a minute in the log, for alarms through a metric filter if `/metrics` is not
//! scraped. `infra/template.yaml` reads `behind_seconds` and `quarantined` from it.

use std::time::Duration;

use rightsizer_aws::clock::now;
use rightsizer_aws::kinesis::{ShardStatus, StreamStatus};
use rightsizer_records::Timestamp;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::writer::WriterHandle;

const EVERY: Duration = Duration::from_mins(1);

/// Logs them at the start, every minute, and at the end, so that an alarm sees what was quarantined
/// since the last line.
pub(super) async fn measure(
    writer: WriterHandle,
    streams: StreamStatus,
    stopped: CancellationToken,
) -> anyhow::Result<()> {
    let mut minute = tokio::time::interval(EVERY);
    minute.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let started = now();
    let mut before = (0, 0);
    let mut stopping = false;
    while !stopping {
        tokio::select! {
            () = stopped.cancelled() => stopping = true,
            _ = minute.tick() => {}
        }
        let counted = writer.metrics().counted();
        let shards = streams.shards();
        info!(
            reports = counted.0 - before.0,
            quarantined = counted.1 - before.1,
            behind_seconds = behind_seconds(shards.values(), started, now()),
            shards = shards.len(),
            "figures"
        );
        before = counted;
    }
    Ok(())
}

/// How far the slowest shard is behind: the value of its last read, plus the time since then if it
/// cannot be read now.
fn behind_seconds<'a>(
    shards: impl Iterator<Item = &'a ShardStatus>,
    started: Timestamp,
    now: Timestamp,
) -> i64 {
    let behind = shards.map(|shard| {
        let since = match &shard.failing {
            Some(_) => now.as_ms() - shard.read_at.unwrap_or(started).as_ms(),
            None => 0,
        };
        (shard.behind_ms + since) / 1000
    });
    behind.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_falls_behind_as_time_passes() {
        let at = |s: i64| Timestamp::from_ms(1_769_904_000_000 + s * 1000).unwrap();
        let read = |behind_ms, failing: bool| ShardStatus {
            behind_ms,
            read_at: Some(at(0)),
            failing: failing.then(|| "access denied".to_owned()),
        };
        let behind = |shards: &[ShardStatus]| behind_seconds(shards.iter(), at(-100), at(40));
        assert_eq!(behind(&[]), 0);
        assert_eq!(behind(&[read(0, false), read(2500, false)]), 2);
        // 3 s behind when it was read last, 40 s ago.
        assert_eq!(behind(&[read(3000, true)]), 43);
        let never = ShardStatus {
            failing: Some("no such stream".to_owned()),
            ..ShardStatus::default()
        };
        assert_eq!(behind(&[never]), 140);
    }
}
