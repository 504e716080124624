//! Invocations of 5 ms on 7 % of one CPU, what a function of 128 MB gets, frozen in between.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rightsizer_tests::emulator::{Options, Reason, Sink, Tls};
use rightsizer_tests::scene::{Missing, or_not_played};

use crate::stage::{distinct, peaks, short, start_with, sum_up};

/// Of each 20 ms, 1.4 ms: in the kernel's usual period of 100 ms a short burst goes unhindered.
const PERIOD_US: u32 = 20_000;
const QUOTA_US: u32 = 1400;
/// How long the sandbox is awake.
const AWAKE: Duration = Duration::from_millis(5);

/// A control group held to 7 % of one CPU; removed when dropped.
struct SmallShare(PathBuf);

impl SmallShare {
    fn new() -> Result<Self> {
        let name = format!("rightsizer-short-{}", std::process::id());
        let mut why = String::new();
        for (root, limits) in [
            (
                "/sys/fs/cgroup/cpu",
                vec![
                    ("cpu.cfs_period_us", PERIOD_US.to_string()),
                    ("cpu.cfs_quota_us", QUOTA_US.to_string()),
                ],
            ),
            (
                "/sys/fs/cgroup",
                vec![("cpu.max", format!("{QUOTA_US} {PERIOD_US}"))],
            ),
        ] {
            let share = Self(PathBuf::from(root).join(&name));
            let set_up = || -> std::io::Result<()> {
                std::fs::create_dir(&share.0)?;
                limits.iter().try_for_each(|(file, value)| {
                    let path = share.0.join(file);
                    std::fs::metadata(&path)?; // not created if the controller is missing
                    std::fs::write(path, value)
                })
            };
            match set_up() {
                Ok(()) => return Ok(share),
                Err(e) => why = format!("{}: {e}", share.0.display()),
            }
        }
        let missing = Missing(format!("no CPU share can be set without root ({why})"));
        Err(missing.into())
    }

    /// In how many periods a process of it had to wait for the next.
    fn throttled(&self) -> Result<u64> {
        let stat = std::fs::read_to_string(self.0.join("cpu.stat"))?;
        let line = stat
            .lines()
            .find_map(|line| line.strip_prefix("nr_throttled "));
        Ok(line.context("no nr_throttled in cpu.stat")?.parse()?)
    }

    /// Whether a busy process in it is held back: that the share is real.
    fn holds_back_a_loop(&self) -> Result<bool> {
        let before = self.throttled()?;
        let words = self.joined_by();
        let mut command = std::process::Command::new(&words[0]);
        command.args(&words[1..]).args(["sh", "-c"]);
        command
            .arg("i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done")
            .status()?;
        Ok(self.throttled()? > before)
    }

    /// A command that joins it and becomes its arguments.
    fn joined_by(&self) -> Vec<String> {
        let script = format!("echo $$ > '{}/cgroup.procs'; exec \"$@\"", self.0.display());
        ["sh", "-ec", &script, "sh"].map(str::to_owned).into()
    }
}

impl Drop for SmallShare {
    fn drop(&mut self) {
        // A process that is still in it keeps it; it is empty by then.
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[tokio::test]
async fn a_flush_spans_many_short_invocations_on_a_small_cpu_share() -> Result<()> {
    const MOST: usize = 600;
    let Some(share) = or_not_played(SmallShare::new())? else {
        return Ok(());
    };
    assert!(share.holds_back_a_loop()?, "the share delays no invocation");
    let sink = Sink::start().await?;
    let tls = Tls::start(sink.address()).await?;
    let mut options = Options::to(
        "reports",
        &format!("https://localhost:{}", tls.address().port()),
    );
    options.wrapped_by = share.joined_by();
    options.env = vec![(
        "AWS_CA_BUNDLE".to_owned(),
        tls.roots().display().to_string(),
    )];
    let throttled_before = share.throttled()?;
    let mut environment = start_with(options).await?;
    // One a second: a flush is due after a minute of event time. It completes in the short moments
    // that the sandbox is awake, before SHUTDOWN.
    let (mut count, mut first_flush) = (0, None);
    while count < MOST && sink.reports().len() < 3 {
        let n = i64::try_from(count)?;
        environment
            .invoke_briefly(short(n, 100 + n as u32 % 900), AWAKE)
            .await?;
        count += 1;
        if first_flush.is_none() && !sink.reports().is_empty() {
            first_flush = Some(count);
        }
    }
    let throttled = share.throttled()? - throttled_before;
    let on_the_way = sink.reports().len();
    let exit = environment.shutdown(Reason::Spindown).await?;
    let sum = sum_up(
        "5 ms at 7 % of a CPU, TLS",
        count as u64,
        sink.reports(),
        &[&exit],
    )?;
    println!(
        "  first flush due in invocation 61, complete in {first_flush:?}; {on_the_way} flushes in {count}; held back in {throttled} periods"
    );
    assert_eq!((sum.folded, sum.lost), (0, 0), "{}", exit.log);
    let first = first_flush.unwrap_or(MOST);
    assert!(first < 300, "the first flush took until invocation {first}");
    let wanted = (0..count).map(|n| 100 + n as u32 % 900);
    assert_eq!(peaks(&distinct(sink.reports())), wanted.collect::<Vec<_>>());
    Ok(())
}
