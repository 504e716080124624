//! Many invocations, few invocations, and a stream that takes none for long.

use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rightsizer_tests::emulator::{Environment, Faults, Reason, Sink, SinkMode};
use tokio::time::interval;

use crate::stage::{
    at, distinct, invocation_text, numbers, ok, peaks, run_until_arrived, start, sum_up,
};

/// What the process may come to hold at most, whatever comes (KiB): its own code and TLS 4,500; of
/// reports at most 4,096 rows waiting (250 KB as text), 16 sealed records of 24 KB, and the copy and
/// the one call made of these.
const BOUND_KIB: u64 = 9000;
/// Invocations in one batch of the Telemetry API: 999 events.
const BATCH: usize = 333;

/// Posts the telemetry of these, a thousand a second by their own time.
async fn post(environment: &mut Environment, numbers: Range<usize>) -> Result<()> {
    let events: Vec<String> = numbers.map(|n| invocation_text(n, at(0))).collect();
    let body = format!("[{}]", events.join(","));
    let status = environment.post_raw(body.as_bytes()).await?;
    ensure!(status == 200, "not taken: {status}");
    Ok(())
}

/// By the true clock: the platform posts what there is every 25 ms, and lags if the machine does.
#[tokio::test]
async fn a_thousand_invocations_a_second_for_a_minute() -> Result<()> {
    const COUNT: usize = 60_000;
    let sink = Sink::start().await?;
    let mut environment = start(&sink, Faults::default()).await?;
    let (began, mut sent) = (Instant::now(), 0);
    let mut ticks = interval(Duration::from_millis(25));
    while sent < COUNT {
        environment.linger(ticks.tick()).await?;
        let so_far = COUNT.min(began.elapsed().as_millis() as usize);
        for from in (sent..so_far).step_by(BATCH) {
            post(&mut environment, from..so_far.min(from + BATCH)).await?;
        }
        sent = so_far;
    }
    let peak_kib = environment.peak_kib()?;
    let exit = environment.shutdown(Reason::Spindown).await?;
    let name = "1,000/s for a minute";
    let sum = sum_up(name, COUNT as u64, sink.reports(), &[&exit])?;
    assert_eq!((sum.folded, sum.lost), (0, 0), "{}", exit.log);
    let records = distinct(sink.reports());
    assert!(
        numbers(&records).into_iter().eq(0..COUNT),
        "other reports than those"
    );
    println!("  {} records, peak of {peak_kib} KiB", records.len());
    // 25 KB hold some 800 of these rows; what Kinesis bills is units begun.
    assert!(COUNT / records.len() > 600, "{} records", records.len());
    assert!(peak_kib < BOUND_KIB, "{peak_kib} KiB");
    Ok(())
}

#[tokio::test]
async fn an_invocation_an_hour_for_a_day() -> Result<()> {
    let sink = Sink::start().await?;
    let mut environment = start(&sink, Faults::default()).await?;
    for hour in 0..24 {
        environment
            .invoke(ok(hour * 3600, 100 + hour as u32))
            .await?;
        // Each report but the last is on the stream an hour after its invocation, not at the end.
        run_until_arrived(&mut environment, &sink, hour as usize).await?;
    }
    let exit = environment.shutdown(Reason::Spindown).await?;
    sum_up("one an hour for a day", 24, sink.reports(), &[&exit])?;
    assert_eq!(
        peaks(&distinct(sink.reports())),
        (100..124).collect::<Vec<_>>()
    );
    Ok(())
}

#[tokio::test]
async fn memory_is_bounded_while_the_stream_takes_nothing_and_the_peak_is_not_lost() -> Result<()> {
    const COUNT: usize = 300_000;
    for mode in [
        SinkMode::Refuse("AccessDeniedException"),
        SinkMode::TakeAndFail,
    ] {
        let sink = Sink::start().await?;
        sink.set_mode(mode);
        let mut environment = start(&sink, Faults::default()).await?;
        environment.invoke(ok(-60, 1001)).await?; // the highest peak, and the oldest
        for from in (0..COUNT).step_by(BATCH) {
            post(&mut environment, from..COUNT.min(from + BATCH)).await?;
        }
        let peak_kib = environment.peak_kib()?;
        sink.set_mode(SinkMode::Take);
        let exit = environment.shutdown(Reason::Spindown).await?;
        let records = distinct(sink.reports());
        let name = format!("five minutes of 1,000/s, {mode:?}");
        let sum = sum_up(&name, COUNT as u64 + 1, sink.reports(), &[&exit])?;
        println!("  {} records, peak of {peak_kib} KiB", records.len());
        assert_eq!(sum.lost, 0, "{}", exit.log);
        assert!(sum.delivered >= 4000 && sum.folded > 0, "{sum:?}");
        let folded = records
            .iter()
            .filter_map(|r| r.folded?.max_used_mb)
            .map(|mb| mb.0);
        assert_eq!(peaks(&records).into_iter().chain(folded).max(), Some(1001));
        assert!(peak_kib < BOUND_KIB, "{peak_kib} KiB");
    }
    Ok(())
}
