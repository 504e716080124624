//! Another client of the emulator: the reference extension speaks the Extensions and Telemetry APIs
//! with a crate that others wrote. What our client and our emulator misunderstood alike would show.

use anyhow::Result;
use rightsizer_tests::emulator::{
    Environment, FunctionSpec, Options, Reason, Sink, reference_extension_binary,
};

use crate::stage::{at, ended_well, ok, peaks, report_text};

async fn start(sink: &Sink) -> Result<Environment> {
    let endpoint = ("AWS_ENDPOINT_URL".to_owned(), sink.endpoint().to_owned());
    let options = Options {
        binary: Some(reference_extension_binary()?),
        env: vec![endpoint],
        ..Options::to("reports", sink.endpoint())
    };
    Environment::start(FunctionSpec::new("checkout", 1024), options).await
}

#[tokio::test]
async fn the_reference_extension_lives_here_and_its_reports_arrive() -> Result<()> {
    let sink = Sink::start().await?;
    let mut environment = start(&sink).await?;
    let mut first = ok(0, 90);
    first.init_ms = Some(120.0);
    environment.invoke(first).await?;
    // This one makes the flush due: it starts a minute after the first report.
    environment.invoke(ok(61, 91)).await?;
    environment.invoke(ok(62, 92)).await?;
    environment.invoke(ok(63, 93)).await?;
    let exit = environment.shutdown(Reason::Spindown).await?;
    ended_well(&exit)?;
    let records = sink.reports();
    assert_eq!(peaks(&records), [90, 91, 92, 93]);
    assert_eq!((records.len(), records[1].total), (2, 4));
    assert!(sink.faults().is_empty(), "{:?}", sink.faults());
    Ok(())
}

/// Why the extension reads telemetry with types of its own.
#[tokio::test]
async fn one_unknown_event_costs_the_reference_extension_a_whole_batch() -> Result<()> {
    let sink = Sink::start().await?;
    let mut environment = start(&sink).await?;
    let unknown = r#"{"time":"2026-01-31T10:00:00Z","type":"platform.new","record":{}}"#;
    let known = format!("[{}]", report_text(0, at(0)));
    let mixed = format!("[{unknown},{}]", report_text(1, at(0)));
    assert_eq!(environment.post_raw(known.as_bytes()).await?, 200);
    assert_eq!(environment.post_raw(mixed.as_bytes()).await?, 400);
    let exit = environment.shutdown(Reason::Spindown).await?;
    ended_well(&exit)?;
    assert_eq!(peaks(&sink.reports()), [100]);
    Ok(())
}
