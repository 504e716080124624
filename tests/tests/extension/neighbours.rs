//! Beside others, and where there is nothing to do.

use anyhow::Result;
use rightsizer_tests::emulator::{Environment, Faults, FunctionSpec, Options, Reason, Sink};

use crate::stage::{distinct, ended_well, ok, peaks, start, sum_up};

#[tokio::test]
async fn with_no_stream_it_warns_once_and_idles() -> Result<()> {
    let spec = FunctionSpec::new("checkout", 1024);
    let mut environment = Environment::start(spec, Options::default()).await?;
    environment.invoke(ok(0, 90)).await?;
    environment.invoke(ok(1, 90)).await?;
    assert_eq!(environment.schema(), None);
    let exit = environment.shutdown(Reason::Spindown).await?;
    ended_well(&exit)?;
    assert_eq!(exit.log.lines().count(), 1);
    assert!(
        exit.log.contains("RIGHTSIZER_STREAM is not set"),
        "{}",
        exit.log
    );
    Ok(())
}

#[tokio::test]
async fn outside_lambda_it_logs_that() -> Result<()> {
    let binary = rightsizer_tests::emulator::extension_binary()?;
    let run = std::process::Command::new(binary).env_clear().output()?;
    assert_eq!(run.status.code(), Some(2));
    assert!(String::from_utf8(run.stderr)?.contains("AWS_LAMBDA_RUNTIME_API is not set"));
    Ok(())
}

/// The same layer twice under two names, in one sandbox and with all its ports in common.
#[tokio::test]
async fn two_side_by_side_do_not_disturb_each_other() -> Result<()> {
    let (one, other) = (Sink::start().await?, Sink::start().await?);
    let mut first = start(&one, Faults::default()).await?;
    let mut second = start(&other, Faults::default()).await?;
    assert_ne!(first.telemetry_port(), second.telemetry_port());
    for n in 0..5 {
        first.invoke(ok(n * 60, 100)).await?;
        second.invoke(ok(n * 60, 200)).await?;
    }
    for (environment, sink, used, name) in
        [(first, &one, 100, "one"), (second, &other, 200, "other")]
    {
        let exit = environment.shutdown(Reason::Spindown).await?;
        sum_up(
            &format!("side by side, {name}"),
            5,
            sink.reports(),
            &[&exit],
        )?;
        assert_eq!(peaks(&distinct(sink.reports())), [used; 5]);
    }
    Ok(())
}

/// The function may hold every file handle there is. Whatever is left, the extension survives: it
/// works, or logs once that it does not.
#[tokio::test]
async fn with_few_file_handles_it_works_or_idles() -> Result<()> {
    let mut idle = 0;
    for handles in 6..=16 {
        let sink = Sink::start().await?;
        let options = Options {
            wrapped_by: [
                "sh",
                "-c",
                &format!("ulimit -n {handles}; exec \"$@\""),
                "sh",
            ]
            .map(str::to_owned)
            .into(),
            ..Options::to("reports", sink.endpoint())
        };
        let mut environment =
            match Environment::start(FunctionSpec::new("checkout", 1024), options).await {
                Ok(environment) => environment,
                // Not even a connection to register: then Lambda's init fails, whatever it does.
                Err(why) if handles < 7 => {
                    let why = format!("{why:#}");
                    assert!(why.contains("Too many open files"), "{why}");
                    continue;
                }
                Err(why) => return Err(why.context(format!("{handles} handles"))),
            };
        environment.invoke(ok(0, 90)).await?;
        let exit = environment.shutdown(Reason::Spindown).await?;
        ended_well(&exit)?;
        assert!(!exit.log.contains("panicked"), "{}", exit.log);
        let works = peaks(&sink.reports()) == [90];
        assert!(
            works || exit.log.lines().count() >= 1,
            "{handles} handles, silent: {}",
            exit.log
        );
        idle += usize::from(!works);
    }
    assert!(idle <= 3, "{idle} of 11");
    Ok(())
}

/// A port of its own choice may be taken; any free one will do, so none is ever missing.
#[tokio::test]
async fn ports_that_others_hold_do_not_stop_it() -> Result<()> {
    let mut held = Vec::new();
    for port in [4243, 8080, 8124, 8126, 3000, 53000] {
        held.extend(std::net::TcpListener::bind(("0.0.0.0", port)));
    }
    let sink = Sink::start().await?;
    let mut environment = start(&sink, Faults::default()).await?;
    environment.invoke(ok(0, 90)).await?;
    let exit = environment.shutdown(Reason::Spindown).await?;
    sum_up("ports taken", 1, sink.reports(), &[&exit])?;
    Ok(())
}
