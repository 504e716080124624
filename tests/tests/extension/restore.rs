//! Environments restored from one snapshot.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Result, bail};
use rightsizer_records::{InitType, Millis};
use rightsizer_tests::emulator::{
    Environment, Faults, FunctionSpec, Invocation, Options, Reason, Sink, extension_binary,
};
use rightsizer_tests::scene::or_not_played;
use rightsizer_tests::snapshot::Machine;
use tokio::time::timeout;

use crate::stage::{SOON, at, distinct, ended_well, ok, peaks, start, sum_up, until};

#[tokio::test]
async fn a_restored_environment_is_recognised() -> Result<()> {
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

/// Within one process: each `restoreStart` is the begin of another environment.
#[tokio::test]
async fn each_restore_begins_an_environment_of_its_own() -> Result<()> {
    let sink = Sink::start().await?;
    let mut environment = start(&sink, Faults::default()).await?;
    for n in 0..6 {
        let restored = Invocation {
            restore_ms: (n % 2 == 0).then_some(220.5),
            ..ok(n * 600, 100 + n as u32)
        };
        environment.invoke(restored).await?;
    }
    let exit = environment.shutdown(Reason::Spindown).await?;
    sum_up("three restores", 6, sink.reports(), &[&exit])?;
    let records = distinct(sink.reports());
    let envs: HashSet<u64> = records.iter().map(|record| record.env.0).collect();
    assert_eq!(envs.len(), 3);
    for env in envs {
        let of_env = records.iter().filter(|record| record.env.0 == env);
        assert_eq!(of_env.map(|record| record.seq).min(), Some(0));
    }
    Ok(())
}

/// What Firecracker does for SnapStart: a machine is saved after init and run on twice. The clones
/// share every byte, the state of the kernel's random numbers too; what tells them apart comes from
/// outside.
#[tokio::test]
async fn two_clones_of_one_image_deliver_as_two_with_credentials_that_rotate() -> Result<()> {
    const NAMES: [&str; 2] = ["ONE", "TWO"];
    let sink = Sink::start().await?;
    let sandbox = Path::new(env!("CARGO_BIN_EXE_sandbox"));
    let image = Machine::boot(&extension_binary()?, sandbox).await;
    let Some(mut image) = or_not_played(image)? else {
        return Ok(());
    };
    let port = sink.address().rsplit(':').next().unwrap_or_default();
    // qemu's name for the loopback of the host.
    image
        .request(&format!("start http://10.0.2.2:{port}"))
        .await?;
    let snapshot = image.save().await?;
    let (one, two) = tokio::try_join!(snapshot.restore(), snapshot.restore())?;
    let mut clones = [one, two];
    for (clone, name) in clones.iter_mut().zip(NAMES) {
        clone.request(&format!("restored {name}")).await?;
    }
    for n in 0..4 {
        for (clone, name) in clones.iter_mut().zip(NAMES) {
            let restore = if n == 0 { "220.5" } else { "" };
            let (before, at) = (sink.calls(), at(n * 3600));
            let invoke = format!("invoke {at} request-{n}-of-{name} {} {restore}", 100 + n);
            clone.request(&invoke).await?;
            if n > 0 {
                clone.request("linger").await?;
                let flushed = timeout(SOON, until(|| sink.calls() > before)).await;
                clone.request("enough").await?;
                if flushed.is_err() {
                    bail!("{name} sends nothing: {:?}", clone.shutdown().await?);
                }
            }
        }
    }
    let mut exits = Vec::new();
    for clone in &mut clones {
        exits.push(clone.shutdown().await?);
    }
    let exits: Vec<_> = exits.iter().collect();
    let sum = sum_up("two clones of one image", 8, sink.reports(), &exits)?;
    assert_eq!((sum.delivered, sink.faults()), (8, Vec::new()));
    let records = distinct(sink.reports());
    let envs: HashSet<u64> = records.iter().map(|record| record.env.0).collect();
    assert_eq!(envs.len(), 2);
    for env in envs {
        let of_env: Vec<_> = records.iter().filter(|r| r.env.0 == env).cloned().collect();
        assert_eq!(
            (of_env[0].seq, peaks(&of_env)),
            (0, vec![100, 101, 102, 103])
        );
        assert!(of_env.iter().all(|r| r.init == Some(InitType::SnapStart)));
    }
    let keys: HashSet<String> = sink.keys().into_iter().collect();
    for name in NAMES {
        let own = keys.iter().filter(|key| key.starts_with(name)).count();
        assert!(own >= 3, "keys did not rotate: {keys:?}");
    }
    assert!(!keys.iter().any(|key| key.starts_with("IMAGE")), "{keys:?}");
    Ok(())
}
