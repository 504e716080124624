//! Environments restored from one snapshot.

use anyhow::Result;
use rightsizer_records::{InitType, Millis};
use rightsizer_tests::emulator::{Environment, FunctionSpec, Invocation, Options, Reason, Sink};

use crate::stage::{ended_well, ok};

#[tokio::test]
async fn a_restored_environment_says_so() -> Result<()> {
    let sink = Sink::start().await?;
    let mut spec = FunctionSpec::new("checkout", 1024);
    "snap-start".clone_into(&mut spec.init_type);
    let options = Options::to("reports", sink.endpoint());
    let mut environment = Environment::start(spec, options).await?;
    let first = Invocation {
        restore_ms: Some(220.5),
        ..ok(0, 90)
    };
    environment.invoke(first).await?;
    ended_well(&environment.shutdown(Reason::Spindown).await?)?;
    let record = &sink.reports()[0];
    assert_eq!(record.init, Some(InitType::SnapStart));
    assert_eq!(record.reports[0].init_ms, Millis::from_ms_f64(220.5));
    Ok(())
}
