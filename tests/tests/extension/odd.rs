//! Invalid settings and surroundings: the process survives, logs what it can, and its counts add
//! up.

use std::time::Duration;

use anyhow::{Context as _, Result};
use rightsizer_tests::emulator::{Environment, FunctionSpec, Options, Reason, Sink};
use rightsizer_tests::scene::or_not_played;

use crate::stage::{distinct, ended_well, namespace, ok};

/// Two invocations and the end. Whether their reports came to the stream.
async fn lives(name: &str, sink: &Sink, options: Options) -> Result<bool> {
    let environment = Environment::start(FunctionSpec::new("checkout", 1024), options).await;
    let mut environment = environment.context(name.to_owned())?;
    environment
        .invoke(ok(0, 90))
        .await
        .context(name.to_owned())?;
    environment
        .invoke(ok(1, 91))
        .await
        .context(name.to_owned())?;
    let exit = environment.shutdown(Reason::Spindown).await?;
    ended_well(&exit).context(name.to_owned())?;
    assert!(!exit.log.contains("panic"), "{name}: {}", exit.log);
    assert!(!exit.log.contains("a fault"), "{name}: {}", exit.log);
    let delivered = distinct(sink.reports())
        .iter()
        .map(|r| r.reports.len())
        .sum::<usize>();
    println!("{name}: delivered {delivered}; {}", exit.log.trim_end());
    assert!(delivered == 2 || !exit.log.is_empty(), "{name}: silent");
    Ok(delivered == 2)
}

fn with(sink: &Sink, variables: &[(&str, &str)]) -> Options {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Options {
        env: variables.iter().map(own).collect(),
        ..Options::to("reports", sink.endpoint())
    }
}

#[tokio::test]
async fn settings_that_make_no_sense_are_lived_with() -> Result<()> {
    let long = "x".repeat(60_000);
    let cases: &[(&str, &str, bool)] = &[
        ("RIGHTSIZER_STREAM", "arn:", true),
        ("RIGHTSIZER_STREAM", "arn:aws:kinesis:::stream/x", true),
        (
            "RIGHTSIZER_STREAM",
            "arn:aws:kinesis:\u{1F600}\n:1:stream",
            false,
        ),
        ("RIGHTSIZER_STREAM", &long, true),
        ("RIGHTSIZER_ENDPOINT", "http://", false),
        ("RIGHTSIZER_ENDPOINT", "http://[::1", false),
        ("RIGHTSIZER_ENDPOINT", "http://[::1]:1/", false),
        ("RIGHTSIZER_ENDPOINT", "http://127.0.0.1:99999/", false),
        ("RIGHTSIZER_ENDPOINT", "https://\u{1F600}/", false),
        ("RIGHTSIZER_FLUSH_SECONDS", "99999999999999999999", true),
        ("RIGHTSIZER_LOG", "\u{1F600}", true),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "99999999999", true),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "-1", true),
        ("AWS_LAMBDA_FUNCTION_VERSION", "", true),
        ("AWS_LAMBDA_FUNCTION_NAME", "", false),
        ("AWS_LAMBDA_FUNCTION_NAME", &long, false),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "by-magic", true),
        ("AWS_REGION", "\u{1F600}\r\nx: y", false),
        ("AWS_SESSION_TOKEN", "a\r\nx: y", false),
        ("AWS_SESSION_TOKEN", "\u{1F600}", true),
        ("AWS_ACCESS_KEY_ID", "\u{1F600}\n", true), // this stream takes any key
        ("AWS_CA_BUNDLE", "/dev/zero", true),       // there is no TLS to need it
        ("HTTP_PROXY", "http://127.0.0.1:1", true),
        ("ALL_PROXY", "socks5://127.0.0.1:1", true),
        ("MALLOC_ARENA_MAX", "0", true),
    ];
    let mut wrong = Vec::new();
    for (name, value, delivers) in cases {
        let sink = Sink::start().await?;
        let shown: String = value.chars().take(40).collect();
        let case = format!("{name}={shown:?}");
        let delivered = lives(&case, &sink, with(&sink, &[(name, value)])).await?;
        if delivered != *delivers || !sink.faults().is_empty() {
            wrong.push((case, delivered, sink.faults()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    Ok(())
}

#[tokio::test]
async fn without_proc_the_figures_of_it_are_left_out() -> Result<()> {
    let Some(wrapped_by) = or_not_played(namespace("mount -t tmpfs none /proc"))? else {
        return Ok(());
    };
    let sink = Sink::start().await?;
    let options = Options {
        wrapped_by,
        ..Options::to("reports", sink.endpoint())
    };
    assert!(lives("no /proc", &sink, options).await?);
    let records = sink.reports();
    let figures = records.iter().map(|r| (r.cpu_ms, r.cores, r.self_kib));
    assert!(figures.eq([(None, None, None)]));
    Ok(())
}

/// Nothing of its own is on disk, and what it writes to may be gone.
#[tokio::test]
async fn with_nowhere_to_write_it_goes_on() -> Result<()> {
    for closed in ["exec \"$@\" >&- 2>&-", "exec \"$@\" >/dev/full 2>/dev/full"] {
        let sink = Sink::start().await?;
        let options = Options {
            wrapped_by: ["sh", "-c", closed, "sh"].map(str::to_owned).into(),
            env: vec![("RIGHTSIZER_LOG".to_owned(), "debug".to_owned())],
            ..Options::to("reports", sink.endpoint())
        };
        assert!(lives(closed, &sink, options).await?);
    }
    Ok(())
}

/// The whole of it has to fit, whatever the function left.
#[tokio::test]
async fn with_little_address_space_it_delivers() -> Result<()> {
    let sink = Sink::start().await?;
    let limit = "ulimit -v 32768; exec \"$@\"";
    let options = Options {
        wrapped_by: ["sh", "-c", limit, "sh"].map(str::to_owned).into(),
        ..Options::to("reports", sink.endpoint())
    };
    let within = tokio::time::timeout(Duration::from_secs(30), lives("32 MB", &sink, options));
    assert!(within.await??);
    Ok(())
}
