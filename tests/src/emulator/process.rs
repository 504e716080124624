//! The extension as a child process: frozen, thawed, ended, and everything it wrote.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// What Lambda gives an extension between SHUTDOWN and SIGKILL.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(2);
/// How often a process that ends is looked at.
const TICK: Duration = Duration::from_millis(25);

/// How a life of the process ended.
#[derive(Debug, Clone)]
pub struct Exit {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Whether it had to be killed.
    pub killed: bool,
    /// From SHUTDOWN to its end, without the time for which this machine had no CPU for it.
    pub took: Duration,
    /// What it wrote to stdout and stderr.
    pub log: String,
}

/// A running extension; killed when dropped.
pub(super) struct Process {
    child: Child,
    pid: Pid,
    log: Arc<Mutex<Vec<u8>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Runs it with these variables and no others, through `wrapped_by` if that is not empty.
    pub(super) fn spawn(
        wrapped_by: &[String],
        binary: &Path,
        env: &[(String, String)],
    ) -> Result<Self> {
        let mut words = wrapped_by
            .iter()
            .map(AsRef::as_ref)
            .chain([binary.as_os_str()]);
        let program = words.next().unwrap_or(binary.as_os_str());
        let mut child = Command::new(program)
            .args(words)
            .env_clear()
            .envs(env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be run", program.display()))?;
        let pid = child.id().context("it ended at once")?;
        let log = Arc::default();
        let readers = [
            child.stdout.take().map(|out| collect(out, &log)),
            child.stderr.take().map(|err| collect(err, &log)),
        ];
        Ok(Self {
            child,
            pid: Pid::from_raw(i32::try_from(pid)?),
            log,
            readers: readers.into_iter().flatten().collect(),
        })
    }

    /// The sandbox is frozen between invocations.
    pub(super) fn freeze(&self) -> Result<()> {
        Ok(kill(self.pid, Signal::SIGSTOP)?)
    }

    /// The sandbox is thawed for an invocation, or to end it.
    pub(super) fn thaw(&self) -> Result<()> {
        Ok(kill(self.pid, Signal::SIGCONT)?)
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end; kills it when Lambda would.
    pub(super) async fn end(mut self, since: Instant) -> Result<Exit> {
        let mut lost = Lost::since(self.waited());
        let ended = loop {
            let tick = Instant::now();
            if let Ok(status) = timeout(TICK, self.child.wait()).await {
                break Some(status?);
            }
            lost.tick(tick.elapsed(), self.waited());
            if since.elapsed() >= SHUTDOWN_LIMIT + lost.time {
                break None;
            }
        };
        let took = since.elapsed().saturating_sub(lost.time);
        let killed = ended.is_none();
        let status = if let Some(status) = ended {
            status
        } else {
            self.child.start_kill()?;
            self.child.wait().await?
        };
        for reader in self.readers.drain(..) {
            reader.await?;
        }
        Ok(Exit {
            code: status.code(),
            killed,
            took,
            log: self.log_text(),
        })
    }

    /// For how long it was ready to run and had no CPU, since its start. Zero where the kernel does not count this.
    fn waited(&self) -> Duration {
        let path = format!("/proc/{}/schedstat", self.pid);
        waited(&std::fs::read_to_string(path).unwrap_or_default())
    }

    /// A figure of `/proc/PID/status` in KiB, such as `VmHWM`, its highest resident size so far.
    pub(super) fn kib(&self, field: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kib = line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok());
        kib.with_context(|| format!("no {field} in {status}"))
    }

    /// What it wrote so far.
    pub(super) fn log_text(&self) -> String {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&log).into_owned()
    }
}

/// The second figure of `schedstat`: nanoseconds on a run queue.
fn waited(schedstat: &str) -> Duration {
    let figure = schedstat.split_ascii_whitespace().nth(1);
    Duration::from_nanos(figure.and_then(|word| word.parse().ok()).unwrap_or(0))
}

/// Time that a busy machine took from a process or from the platform that is played for it. Lambda's two seconds are
/// those of a sandbox with a CPU; what a process does with its CPU, and what it waits for, counts in full.
struct Lost {
    time: Duration,
    waited: Duration,
}

impl Lost {
    fn since(waited: Duration) -> Self {
        Self {
            time: Duration::ZERO,
            waited,
        }
    }

    /// Adds what was lost in a tick that took this long, after which the process has waited this long in all.
    fn tick(&mut self, took: Duration, waited: Duration) {
        let late = took.saturating_sub(TICK * 2);
        self.time += late.max(waited.saturating_sub(self.waited));
        self.waited = waited;
    }
}

fn collect(
    mut pipe: impl AsyncRead + Unpin + Send + 'static,
    log: &Arc<Mutex<Vec<u8>>>,
) -> JoinHandle<()> {
    let log = Arc::clone(log);
    tokio::spawn(async move {
        let mut chunk = [0; 4096];
        while let Ok(n @ 1..) = pipe.read(&mut chunk).await {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.extend_from_slice(&chunk[..n]);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn only_what_the_machine_took_is_lost() {
        let mut lost = Lost::since(ms(70));
        lost.tick(ms(26), ms(70));
        assert_eq!(lost.time, ms(0), "a process that hangs has lost nothing");
        lost.tick(ms(26), ms(90));
        assert_eq!(lost.time, ms(20), "it waited for a CPU");
        lost.tick(ms(350), ms(100));
        assert_eq!(lost.time, ms(320), "the platform itself had none");
        lost.tick(ms(350), ms(500));
        assert_eq!(lost.time, ms(720), "the same time counts once");
    }

    #[test]
    fn the_kernels_figure_is_read() {
        assert_eq!(waited("15 71517 1\n"), Duration::from_nanos(71_517));
        assert_eq!(waited(""), Duration::ZERO);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_process_that_does_not_end_is_killed_when_lambda_would() -> Result<()> {
        let wrapped = ["/bin/sh", "-c", "exec sleep 60"].map(str::to_owned);
        let exit = Process::spawn(&wrapped, Path::new("unused"), &[])?;
        let exit = exit.end(Instant::now()).await?;
        assert!(
            exit.killed && exit.took < SHUTDOWN_LIMIT + TICK * 4,
            "{exit:?}"
        );
        Ok(())
    }
}
