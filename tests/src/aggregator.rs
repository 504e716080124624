//! `rightsizer` as a child process: the binary that users run.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// How long a start or a stop may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running `rightsizer serve`; killed when dropped.
#[derive(Debug)]
pub struct Aggregator {
    child: Child,
    endpoint: String,
}

impl Aggregator {
    /// Starts `rightsizer serve` over `store` on a free port with more arguments and environment
    /// variables, and waits until it listens. Its log goes to `log`, or to this process's own
    /// standard error.
    pub async fn start(
        store: &Path,
        arguments: &[&str],
        environment: &[(String, String)],
        log: Option<&Path>,
    ) -> Result<Self> {
        Self::start_by(Command::new(binary()?), store, arguments, environment, log).await
    }

    /// The same by a command that runs the binary somewhere else, in a namespace or under a limit,
    /// and becomes it.
    pub async fn start_by(
        mut command: Command,
        store: &Path,
        arguments: &[&str],
        environment: &[(String, String)],
        log: Option<&Path>,
    ) -> Result<Self> {
        let stderr = match log {
            Some(path) => std::fs::File::create(path)?.into(),
            None => Stdio::inherit(),
        };
        let mut child = command
            .arg("serve")
            .arg("--store")
            .arg(store)
            .args(["--listen", "127.0.0.1:0"])
            .args(arguments)
            .envs(environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start rightsizer")?;
        let stdout = child.stdout.take().context("standard output is piped")?;
        let mut lines = BufReader::new(stdout).lines();
        let first = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        let first = first.context("rightsizer serve does not print its address")??;
        let Some(address) = first
            .as_deref()
            .and_then(|line| line.strip_prefix("listening on "))
        else {
            bail!(
                "rightsizer serve ended at once ({}): see its log",
                child.wait().await?
            );
        };
        Ok(Self {
            endpoint: format!("http://{address}"),
            child,
        })
    }

    /// The address of its port.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The CPU time that it has used.
    pub fn cpu_time(&self) -> Result<Duration> {
        let id = self.child.id().context("rightsizer serve has ended")?;
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
        let (_, fields) = stat.rsplit_once(") ").context("a line of /proc")?;
        // The 14th and the 15th of all fields: ticks of 10 ms in the program, and in the kernel for it.
        let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>);
        let ticks: u64 = ticks.sum::<Result<u64, _>>()?;
        Ok(Duration::from_millis(ticks * 10))
    }

    /// Asks it to stop, as a service manager does, and waits until it has.
    pub async fn stop(mut self) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        Ok(ended.context("rightsizer serve does not stop")??)
    }

    /// Waits until it has ended.
    pub async fn ended(mut self) -> Result<ExitStatus> {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        Ok(ended.context("rightsizer serve goes on")??)
    }

    /// Ends it as a power cut would.
    pub async fn kill(mut self) -> Result<()> {
        self.signal(Signal::SIGKILL)?;
        self.child.wait().await?;
        Ok(())
    }

    /// Makes it hang, until it is resumed: no thread of it does anything any more.
    pub fn pause_process(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)?;
        let id = self.child.id().context("rightsizer serve has ended")?;
        let until = Instant::now() + PATIENCE;
        while !all_stopped(id)? {
            ensure!(Instant::now() < until, "rightsizer serve does not hang");
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Lets it continue.
    pub fn resume_process(&self) -> Result<()> {
        self.signal(Signal::SIGCONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let id = self
            .child
            .id()
            .context("rightsizer serve has ended by itself")?;
        Ok(kill(Pid::from_raw(i32::try_from(id)?), signal)?)
    }
}

/// Whether every thread of a process is stopped.
fn all_stopped(process: u32) -> Result<bool> {
    for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
        // One that has just ended does nothing either.
        let stat = std::fs::read_to_string(thread?.path().join("stat")).unwrap_or_default();
        let state = stat
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.chars().next());
        if !matches!(state, Some('T' | 'Z') | None) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Runs a `rightsizer` command to its end.
pub async fn rightsizer(arguments: &[&str]) -> Result<Output> {
    rightsizer_with(arguments, &[]).await
}

/// The same, with these environment variables.
pub async fn rightsizer_with(
    arguments: &[&str],
    environment: &[(String, String)],
) -> Result<Output> {
    Ok(Command::new(binary()?)
        .args(arguments)
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?)
}

/// `RIGHTSIZER_BINARY`, or the binary built beside this one.
pub fn binary() -> Result<PathBuf> {
    let beside = || {
        let this = std::env::current_exe().ok()?;
        let folders = this.ancestors().skip(1).take(2);
        folders
            .map(|folder| folder.join("rightsizer"))
            .find(|path| path.is_file())
    };
    let path = std::env::var_os("RIGHTSIZER_BINARY")
        .map(PathBuf::from)
        .or_else(beside);
    let path = path.context("rightsizer is not built: run `cargo build -p rightsizer`")?;
    ensure!(
        path.is_file(),
        "rightsizer is not built ({} is missing): run `cargo build -p rightsizer`",
        path.display()
    );
    Ok(path)
}
