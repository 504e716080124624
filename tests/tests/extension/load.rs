//! Many invocations, few invocations, and a stream that takes none for long.

use anyhow::{Result, ensure};
use rightsizer_tests::emulator::{Environment, Faults, Reason, Sink, SinkMode};

use crate::stage::{
    arrived, at, distinct, invocation_text, numbers, ok, peaks, run_until_arrived, start, sum_up,
};

/// What the process may come to hold at most, whatever comes (KiB): its own code and TLS 4,500; of
/// reports at most 4,096 rows waiting (250 KB as text), 16 sealed records of 24 KB, and the copy and
/// the one call made of these.
const BOUND_KIB: u64 = 9000;
/// Invocations in one batch of the Telemetry API: 999 events.
const BATCH: usize = 333;

/// Posts the telemetry of so many invocations, a thousand a second by their own time. The sandbox is
/// awake while they come, as it is under such load; time is pressed together, so they come no faster
/// than the stream takes them.
async fn pour(environment: &mut Environment, sink: Option<&Sink>, count: usize) -> Result<()> {
    for from in (0..count).step_by(BATCH) {
        let numbers = from..count.min(from + BATCH);
        let events: Vec<String> = numbers.map(|n| invocation_text(n, at(0))).collect();
        let body = format!("[{}]", events.join(","));
        ensure!(
            environment.post_raw(body.as_bytes()).await? == 200,
            "not taken"
        );
        if let Some(sink) = sink {
            environment
                .linger(arrived(sink, from.saturating_sub(2000)))
                .await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_thousand_invocations_a_second_for_a_minute() -> Result<()> {
    const COUNT: usize = 60_000;
    let sink = Sink::start().await?;
    let mut environment = start(&sink, Faults::default()).await?;
    pour(&mut environment, Some(&sink), COUNT).await?;
    let peak_kib = environment.peak_kib()?;
    let exit = environment.shutdown(Reason::Spindown).await?;
    let sum = sum_up(
        "1,000/s for a minute",
        COUNT as u64,
        sink.reports(),
        &[&exit],
    )?;
    assert_eq!((sum.folded, sum.lost), (0, 0), "{}", exit.log);
    let records = distinct(sink.reports());
    assert!(
        numbers(&records).into_iter().eq(0..COUNT),
        "other reports than those"
    );
    println!("  {} records, peak of {peak_kib} KiB", records.len());
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
        pour(&mut environment, None, COUNT).await?;
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
