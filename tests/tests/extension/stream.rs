//! What the stream answers, or does not.

use anyhow::Result;
use rightsizer_records::Record;
use rightsizer_tests::emulator::{
    Environment, Faults, FunctionSpec, Options, Reason, Sink, SinkMode,
};
use rightsizer_tests::servers::KinesisLocal;

use crate::stage::{distinct, ended_well, ok, peaks, start};

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
