//! The sandbox freezes when it likes: between invocations, and in the middle of a send.

use std::time::Duration;

use anyhow::Result;
use rightsizer_tests::emulator::{Faults, Reason, Sink};

use crate::stage::{at, distinct, ended_well, ok, peaks, start};

#[tokio::test]
async fn frozen_between_invocations_each_report_arrives_once() -> Result<()> {
    let sink = Sink::start().await?;
    let mut environment = start(&sink, Faults::default()).await?;
    // An invocation an hour for two days: each thaw finds the report before it an hour old, and the
    // freeze comes at once, mostly in the middle of the send.
    for n in 0..48 {
        environment
            .invoke(ok(n * 3600, 100 + u32::try_from(n)?))
            .await?;
    }
    ended_well(&environment.shutdown(Reason::Spindown).await?)?;
    let records = distinct(sink.reports());
    assert_eq!(peaks(&records), (100..148).collect::<Vec<_>>());
    assert!(
        records.iter().zip(0..).all(|(r, seq)| r.seq == seq),
        "a gap in seq"
    );
    assert_eq!(records.last().map(|r| r.total), Some(48));
    let last = records
        .last()
        .and_then(|r| Some(r.t0.plus_ms(r.reports.last()?.at_ms)));
    assert_eq!(last, Some(at(47 * 3600).plus_ms(41)));
    Ok(())
}

#[tokio::test]
async fn a_minute_of_event_time_is_a_flush() -> Result<()> {
    let sink = Sink::start().await?;
    let mut environment = start(&sink, Faults::default()).await?;
    environment.invoke(ok(0, 90)).await?;
    environment.invoke(ok(61, 91)).await?;
    let arrived = async {
        while sink.reports().is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let arrived = tokio::time::timeout(Duration::from_secs(10), environment.linger(arrived));
    arrived.await??;
    assert_eq!(peaks(&sink.reports()), [90]);
    ended_well(&environment.shutdown(Reason::Spindown).await?)?;
    assert_eq!(peaks(&distinct(sink.reports())), [90, 91]);
    Ok(())
}
