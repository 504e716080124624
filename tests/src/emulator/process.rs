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

/// How a life of the process ended.
#[derive(Debug, Clone)]
pub struct Exit {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Whether it had to be killed.
    pub killed: bool,
    /// From SHUTDOWN to its end.
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
        let left = SHUTDOWN_LIMIT.saturating_sub(since.elapsed());
        let ended = timeout(left, self.child.wait()).await;
        let killed = ended.is_err();
        let status = if let Ok(status) = ended {
            status?
        } else {
            self.child.start_kill()?;
            self.child.wait().await?
        };
        let took = since.elapsed();
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
