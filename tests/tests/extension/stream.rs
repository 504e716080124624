//! What the stream answers, or does not.

use anyhow::{Result, ensure};
use rightsizer_records::Record;
use rightsizer_tests::emulator::{
    End, Environment, Faults, FunctionSpec, Options, Reason, Sink, SinkMode,
};
use rightsizer_tests::scene::or_not_played;
use rightsizer_tests::servers::KinesisLocal;

use crate::stage::{
    distinct, ended_well, ok, peaks, run_until_arrived, start, start_with, sum_up, with_hosts,
};

#[tokio::test]
async fn a_stream_that_fails_costs_one_warning_and_no_report() -> Result<()> {
    let sink = Sink::start().await?;
    let mut environment = start(&sink, Faults::default()).await?;
    for (n, mode) in [SinkMode::Fail, SinkMode::TakeAndFail, SinkMode::Fail]
        .into_iter()
        .enumerate()
    {
        sink.set_mode(mode);
        for m in 0..40 {
            let n = i64::try_from(n)? * 40 + m;
            environment
                .invoke(ok(n * 600, 100 + u32::try_from(n)?))
                .await?;
        }
    }
    sink.set_mode(SinkMode::Take);
    let exit = environment.shutdown(Reason::Spindown).await?;
    ended_well(&exit)?;
    let records = distinct(sink.reports());
    assert_eq!(peaks(&records), (100..220).collect::<Vec<_>>());
    assert_eq!(records.last().map(|r| r.total), Some(120));
    assert!(exit.log.lines().count() <= 2, "{}", exit.log);
    Ok(())
}

#[tokio::test]
async fn records_refused_one_by_one_come_again_with_their_seq() -> Result<()> {
    let sink = Sink::start().await?;
    let mut environment = start(&sink, Faults::default()).await?;
    sink.set_mode(SinkMode::TakeFirst);
    // Rows of one record lie at most ten days apart, so these make three.
    for (n, day) in [0, 12, 24].into_iter().enumerate() {
        environment
            .invoke(ok(day * 86_400, 90 + u32::try_from(n)?))
            .await?;
    }
    ended_well(&environment.shutdown(Reason::Spindown).await?)?;
    let mut records = distinct(sink.reports());
    records.sort_by_key(|r| r.seq);
    assert_eq!(peaks(&records), [90, 91, 92]);
    assert_eq!(records.iter().map(|r| r.seq).collect::<Vec<_>>(), [0, 1, 2]);
    Ok(())
}

#[tokio::test]
async fn a_stream_that_is_down_or_hangs_never_costs_the_exit() -> Result<()> {
    let sink = Sink::start().await?;
    sink.set_mode(SinkMode::Hang);
    // The last one does not speak TLS: the handshake fails, and nothing panics.
    let no_tls = sink.endpoint().replace("http://", "https://");
    for (endpoint, why) in [
        (sink.endpoint(), "20 are lost"),
        ("http://127.0.0.1:9", "unreachable"),
        (&no_tls, "unreachable"),
    ] {
        let options = Options::to("reports", endpoint);
        let mut environment =
            Environment::start(FunctionSpec::new("checkout", 1024), options).await?;
        for n in 0..20 {
            environment.invoke(ok(n * 100, 90)).await?;
        }
        let exit = environment.shutdown(Reason::Spindown).await?;
        ended_well(&exit)?;
        assert!(exit.log.contains(why), "{}", exit.log);
        assert!(exit.log.contains("20 are lost"), "{}", exit.log);
        assert!(!exit.log.contains("panicked"), "{}", exit.log);
    }
    Ok(())
}

#[tokio::test]
async fn a_token_in_the_endpoints_path_is_kept() -> Result<()> {
    let sink = Sink::start().await?;
    let options = Options::to("reports", &format!("{}/t0ken", sink.endpoint()));
    let mut environment = Environment::start(FunctionSpec::new("checkout", 512), options).await?;
    environment.invoke(ok(0, 90)).await?;
    ended_well(&environment.shutdown(Reason::Spindown).await?)?;
    let paths = sink.paths();
    assert_eq!(paths[0].trim_end_matches('/'), "/t0ken");
    Ok(())
}

#[tokio::test]
async fn reports_reach_a_kinesis_stream() -> Result<()> {
    let kinesis = KinesisLocal::start().await?;
    kinesis.create_stream("reports", 2).await?;
    for stream in ["reports".to_owned(), kinesis.stream_arn("reports")] {
        let options = Options::to(&stream, kinesis.endpoint());
        let mut environment =
            Environment::start(FunctionSpec::new("checkout", 1024), options).await?;
        environment.invoke(ok(0, 90)).await?;
        environment.invoke(ok(3600, 91)).await?;
        ended_well(&environment.shutdown(Reason::Spindown).await?)?;
    }
    let mut records = Vec::new();
    for record in kinesis.records("reports").await? {
        if let Record::Reports(reports) = record.decoded()? {
            records.push(reports);
        }
    }
    let mut peaks = peaks(&distinct(records));
    peaks.sort_unstable();
    assert_eq!(peaks, [90, 90, 91, 91]);
    let options = Options::to("no-such-stream", kinesis.endpoint());
    let mut environment = Environment::start(FunctionSpec::new("checkout", 1024), options).await?;
    environment.invoke(ok(0, 90)).await?;
    let exit = environment.shutdown(Reason::Spindown).await?;
    ended_well(&exit)?;
    assert!(
        exit.log.contains("no-such-stream is missing"),
        "{}",
        exit.log
    );
    Ok(())
}

/// An hour between invocations: more than the longest pause after failures.
const HOUR: i64 = 3600;
/// Invocations while the stream is in trouble.
const IN_TROUBLE: usize = 12;

/// Some invocations in trouble, each a try to send; then the trouble is over, and one more
/// invocation brings everything, long before SHUTDOWN. `word` is in the only warning.
async fn recovers(
    name: &str,
    mut environment: Environment,
    over: impl AsyncFnOnce() -> Result<Sink>,
    word: &str,
) -> Result<()> {
    let invoke = async |n: usize, environment: &mut Environment| {
        environment.invoke(ok(i64::try_from(n)? * HOUR, 100)).await
    };
    for n in 0..IN_TROUBLE {
        invoke(n, &mut environment).await?;
        // The try ends in the next thaw; a hang is cut off by the freeze, as most are.
        environment
            .linger(tokio::time::sleep(std::time::Duration::from_millis(5)))
            .await?;
    }
    let sink = over().await?;
    invoke(IN_TROUBLE, &mut environment).await?;
    invoke(IN_TROUBLE + 1, &mut environment).await?;
    run_until_arrived(&mut environment, &sink, IN_TROUBLE + 1).await?;
    let exit = environment.shutdown(Reason::Spindown).await?;
    let emitted = IN_TROUBLE as u64 + 2;
    let sum = sum_up(name, emitted, sink.reports(), &[&exit])?;
    ensure!((sum.delivered, sum.lost) == (emitted, 0), "{}", exit.log);
    ensure!(
        exit.log.lines().count() == 1 && exit.log.contains(word),
        "{name}: {}",
        exit.log
    );
    ensure!(!exit.log.contains("panic"), "{}", exit.log);
    Ok(())
}

#[tokio::test]
async fn whatever_the_stream_answers_nothing_is_lost_once_it_is_well() -> Result<()> {
    for (mode, word) in [
        (SinkMode::Fail, "InternalFailure"),
        (SinkMode::TakeAndFail, "InternalFailure"),
        (
            SinkMode::Refuse("ProvisionedThroughputExceededException"),
            "throttled",
        ),
        (SinkMode::ThrottleEach, "throttled"),
        (SinkMode::Refuse("AccessDeniedException"), "denied"),
        (SinkMode::Refuse("ResourceNotFoundException"), "missing"),
        (
            SinkMode::Refuse("ExpiredTokenException"),
            "ExpiredTokenException",
        ),
        (
            SinkMode::Refuse("KMSAccessDeniedException"),
            "KMSAccessDeniedException",
        ),
        (SinkMode::Garbage, "the reports stream"),
    ] {
        let sink = Sink::start().await?;
        sink.set_mode(mode);
        let environment = start(&sink, Faults::default()).await?;
        let well_again = async || {
            sink.set_mode(SinkMode::Take);
            Ok(sink)
        };
        recovers(&format!("{mode:?}"), environment, well_again, word).await?;
    }
    Ok(())
}

#[tokio::test]
async fn after_a_hang_nothing_is_lost() -> Result<()> {
    let sink = Sink::start().await?;
    sink.set_mode(SinkMode::Hang);
    let mut environment = start(&sink, Faults::default()).await?;
    for n in 0..12 {
        environment.invoke(ok(n * HOUR, 100)).await?;
    }
    // The hang is cut off after its five seconds, and what it held comes again.
    sink.set_mode(SinkMode::Take);
    environment.invoke(ok(12 * HOUR, 100)).await?;
    run_until_arrived(&mut environment, &sink, 1).await?;
    let exit = environment.shutdown(Reason::Spindown).await?;
    let sum = sum_up("hang", 13, sink.reports(), &[&exit])?;
    assert_eq!((sum.delivered, sum.lost), (13, 0), "{}", exit.log);
    Ok(())
}

#[tokio::test]
async fn refused_connections_cost_nothing_once_the_stream_is_there() -> Result<()> {
    let sink = Sink::start().await?;
    let (endpoint, address) = (sink.endpoint().to_owned(), sink.address().to_owned());
    drop(sink);
    let environment = start_with(Options::to("reports", &endpoint)).await?;
    let port = address.rsplit(':').next().unwrap_or_default().parse()?;
    let there = async || Sink::start_at(port).await;
    recovers("connection refused", environment, there, "unreachable").await
}

#[tokio::test]
async fn a_name_that_does_not_resolve_costs_nothing_once_it_does() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let hosts = folder.path().join("hosts");
    std::fs::write(&hosts, "127.0.0.1 localhost\n")?;
    let sink = Sink::start().await?;
    let port = sink.address().rsplit(':').next().unwrap_or_default();
    let Some(wrapped_by) = or_not_played(with_hosts(&hosts))? else {
        return Ok(());
    };
    let options = Options {
        wrapped_by,
        ..Options::to("reports", &format!("http://reports.invalid:{port}"))
    };
    let environment = start_with(options).await?;
    let resolves = async || {
        // The same file, not another one of its name: that one is mounted.
        std::fs::write(&hosts, "127.0.0.1 localhost reports.invalid\n")?;
        Ok(sink)
    };
    recovers("name not resolved", environment, resolves, "unreachable").await
}

/// The caller of the failed invocation waits for the end of the environment.
#[tokio::test]
async fn at_a_failure_a_stream_in_trouble_costs_the_caller_little() -> Result<()> {
    for mode in [SinkMode::Fail, SinkMode::Hang, SinkMode::ThrottleEach] {
        let sink = Sink::start().await?;
        sink.set_mode(mode);
        let mut environment = start(&sink, Faults::default()).await?;
        environment.invoke(ok(0, 90)).await?;
        environment
            .invoke(ok(1, 1024).ending(End::OutOfMemory))
            .await?;
        let exit = &environment.resets()[0];
        sum_up(&format!("reset, {mode:?}"), 2, sink.reports(), &[exit])?;
        ensure!(exit.log.contains("2 are lost"), "{}", exit.log);
        ensure!(exit.took.as_millis() < 1200, "the caller waited: {exit:?}");
    }
    Ok(())
}
