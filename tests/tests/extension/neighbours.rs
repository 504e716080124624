//! Beside others, and where there is nothing to do.

use anyhow::Result;
use rightsizer_tests::emulator::{Environment, FunctionSpec, Options, Reason};

use crate::stage::{ended_well, ok};

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
async fn outside_lambda_it_says_so() -> Result<()> {
    let binary = rightsizer_tests::emulator::extension_binary()?;
    let run = std::process::Command::new(binary).env_clear().output()?;
    assert_eq!(run.status.code(), Some(2));
    assert!(String::from_utf8(run.stderr)?.contains("AWS_LAMBDA_RUNTIME_API is not set"));
    Ok(())
}
