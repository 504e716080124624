//! The sandbox freezes when it likes: between invocations, and in the middle of a send.

use std::time::Duration;

use anyhow::{Context as _, Result};
use rightsizer_tests::emulator::{
    Clock, Cut, Environment, Fate, Faults, Gate, Monotonic, Options, Reason, Sink, SinkMode, Tls,
    Traffic,
};
use rightsizer_tests::scene::or_not_played;

use crate::stage::{
    SOON, at, distinct, ended_well, ok, peaks, reports_body, run_until_arrived, start, start_with,
    sum_up,
};

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

/// What passes between two flushes of a sweep, by event time: more than the longest pause after
/// failures.
const HOUR: i64 = 3600;

/// One sweep over a send: the sandbox is frozen at each of these points, a minute passes, the
/// connection meets its fate, and the sandbox is thawed.
struct Sweep<'a> {
    environment: Environment,
    sink: &'a Sink,
    gate: &'a Gate,
    clock: &'a Clock,
    invocations: usize,
}

impl Sweep<'_> {
    /// The next invocation: the flush of all before it begins, and the sandbox freezes.
    async fn invoke(&mut self) -> Result<()> {
        let n = i64::try_from(self.invocations)?;
        self.invocations += 1;
        self.environment.invoke(ok(n * HOUR, 100)).await
    }

    async fn freeze_at(&mut self, cut: Cut, fate: Fate) -> Result<()> {
        self.gate.stop_at(cut);
        self.invoke().await?;
        let reached = self.gate.reached(SOON);
        let frozen_there = self.environment.linger(async { reached.await.err() });
        frozen_there
            .await?
            .map_or(Ok(()), Err)
            .with_context(|| format!("{cut:?}"))?;
        self.clock.pass_a_minute()?;
        self.gate.release(fate);
        // The thaw: what was cut arrives, with no other invocation to help.
        let rows = self.invocations - 1;
        run_until_arrived(&mut self.environment, self.sink, rows)
            .await
            .with_context(|| format!("{cut:?}, then {fate:?}"))
    }
}

/// What is between the extension and the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Plain,
    Tls,
}

/// The number of points in each direction.
const POINTS: usize = 24;

async fn sweep(wire: Wire, fate: Fate, monotonic: Monotonic) -> Result<()> {
    let sink = Sink::start().await?;
    let Some(clock) = or_not_played(Clock::new(monotonic))? else {
        return Ok(());
    };
    let tls = Tls::start(sink.address()).await?;
    let (behind, scheme) = match wire {
        Wire::Plain => (sink.address().to_owned(), "http"),
        Wire::Tls => (tls.address().to_string(), "https"),
    };
    let gate = Gate::start(&behind)?;
    let endpoint = format!("{scheme}://localhost:{}", gate.address().port());
    let mut options = Options::to("reports", &endpoint);
    options.env = clock.variables();
    let roots = tls.roots().display().to_string();
    options.env.push(("AWS_CA_BUNDLE".to_owned(), roots));
    let mut sweep = Sweep {
        environment: start_with(options).await?,
        sink: &sink,
        gate: &gate,
        clock: &clock,
        invocations: 0,
    };
    sweep.invoke().await?;
    // The second TLS handshake is shorter, and so are those after it.
    for sends in 1..=2 {
        sweep.invoke().await?;
        run_until_arrived(&mut sweep.environment, &sink, sends).await?;
        sweep.environment.linger(gate.ended(sends)).await?;
    }
    let Traffic { up, down } = gate.last();
    assert!(up > 700 && down > 100, "{up} up, {down} down");
    let points = (0..up).step_by(up.div_ceil(POINTS)).map(Cut::Up);
    let points = points.chain((0..down).step_by(down.div_ceil(POINTS)).map(Cut::Down));
    for cut in points {
        sweep.freeze_at(cut, fate).await?;
    }
    let emitted = sweep.invocations as u64;
    let exit = sweep.environment.shutdown(Reason::Spindown).await?;
    let name =
        format!("frozen in a send of {up} + {down} bytes, {wire:?}, {fate:?}, {monotonic:?}");
    let sum = sum_up(&name, emitted, sink.reports(), &[&exit])?;
    assert_eq!((sum.delivered, sum.lost), (emitted, 0), "{}", exit.log);
    assert!(emitted > 40 && !exit.log.contains("panic"), "{}", exit.log);
    Ok(())
}

/// Over every wire and clock.
async fn sweeps(fate: Fate) -> Result<()> {
    for wire in [Wire::Plain, Wire::Tls] {
        for monotonic in [Monotonic::StandsStill, Monotonic::RunsOn] {
            sweep(wire, fate, monotonic).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn frozen_anywhere_in_a_send_that_goes_on_nothing_is_lost() -> Result<()> {
    sweeps(Fate::GoOn).await
}

#[tokio::test]
async fn frozen_anywhere_in_a_send_and_the_server_closes_nothing_is_lost() -> Result<()> {
    sweeps(Fate::Close).await
}

#[tokio::test]
async fn frozen_anywhere_in_a_send_and_the_connection_is_reset_nothing_is_lost() -> Result<()> {
    sweeps(Fate::Reset).await
}

/// Many records in one call: more than the kernel's buffers take, so the freeze is in a write.
#[tokio::test]
async fn frozen_in_the_middle_of_a_large_request_nothing_is_lost() -> Result<()> {
    const ROWS: usize = 4000;
    let sink = Sink::start().await?;
    sink.set_mode(SinkMode::Fail);
    let gate = Gate::start(sink.address())?;
    let endpoint = format!("http://{}", gate.address());
    let mut environment = start_with(Options::to("reports", &endpoint)).await?;
    let mut emitted = 0;
    for (n, fate) in [Fate::GoOn, Fate::Close, Fate::Reset]
        .into_iter()
        .enumerate()
    {
        let before = sink.calls();
        // A backlog of some records, then a way to the stream that stops in the middle of them.
        for rows in (0..ROWS).step_by(250) {
            let body = reports_body(
                n * ROWS + rows..n * ROWS + rows + 250,
                at(i64::try_from(2 * n)? * HOUR),
            );
            environment.post_raw(&body).await?;
        }
        emitted += ROWS;
        // The try that is under way fails first: it is a small one.
        let calls = async {
            while sink.calls() == before {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        environment.linger(calls).await?;
        sink.set_mode(SinkMode::Take);
        gate.stop_at(Cut::Up(60_000));
        environment
            .invoke(ok(i64::try_from(2 * n)? * HOUR + HOUR, 100))
            .await?;
        environment.linger(gate.reached(SOON)).await??;
        gate.release(fate);
        run_until_arrived(&mut environment, &sink, emitted).await?;
        emitted += 1;
        sink.set_mode(SinkMode::Fail);
    }
    sink.set_mode(SinkMode::Take);
    let exit = environment.shutdown(Reason::Spindown).await?;
    let sum = sum_up("a large request", emitted as u64, sink.reports(), &[&exit])?;
    assert_eq!((sum.folded, sum.lost), (0, 0), "{}", exit.log);
    Ok(())
}
