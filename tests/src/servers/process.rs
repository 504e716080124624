//! A server as a child process: started on free ports, awaited, and gone when dropped.
//!
//! Knows nothing about what the server serves.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;

/// How long a server may take to answer; a busy machine takes seconds, a broken one forever.
const READY_WITHIN: Duration = Duration::from_mins(1);
/// How often another port is tried if the free one was taken meanwhile.
const PORT_ATTEMPTS: usize = 5;

/// Runs the server given as `$@` until it ends, or until the process that holds this shell's
/// standard input is gone; then kills the whole process group, including itself.
const GUARD: &str = r#"("$@" </dev/null; kill -9 0) & read -r _; kill -9 0"#;

/// A server process of its own process group.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    name: &'static str,
    log: PathBuf,
    /// Holds the log; removed with the server.
    _folder: TempDir,
}

/// How to start a server on given ports.
pub(super) struct Recipe {
    /// Name for messages.
    pub(super) name: &'static str,
    /// The command, complete but for the guard and the log.
    pub(super) command: Command,
    /// A line that the server logs once it has bound its port: proves that it is this server that
    /// answers there and not another one.
    pub(super) bound_line: String,
    /// Address that responds with 200 when the server is ready.
    pub(super) health_url: String,
}

impl ServerProcess {
    /// Starts `recipe` with a list of free ports; with other ports if those are taken meanwhile.
    /// Returns the ports with the process once it responds.
    pub(super) async fn start<const N: usize>(
        recipe: impl Fn([u16; N]) -> Recipe,
    ) -> Result<(Self, [u16; N])> {
        let mut taken = String::new();
        for _ in 0..PORT_ATTEMPTS {
            let ports = free_ports()?;
            let recipe = recipe(ports);
            let (bound_line, health_url) = (recipe.bound_line, recipe.health_url);
            let mut server = Self::spawn(recipe.name, &recipe.command)?;
            match server.ready(&bound_line, &health_url).await {
                Ok(()) => return Ok((server, ports)),
                Err(_) if server.port_is_taken() => taken = server.log_text(),
                Err(e) => return Err(e),
            }
        }
        bail!("no free port after {PORT_ATTEMPTS} attempts; the last one logged:\n{taken}")
    }

    /// Starts `command` in its own process group with its output in a log file.
    pub fn spawn(name: &'static str, command: &Command) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("rightsizer-server-")
            .tempdir()
            .context("no temporary folder for a server's log")?;
        let log = folder.path().join(format!("{name}.log"));
        let out = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = guarded(command)
            .stdin(Stdio::piped())
            .stdout(out.try_clone()?)
            .stderr(out)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name}: sh is needed for it"))?;
        Ok(Self {
            child,
            name,
            log,
            _folder: folder,
        })
    }

    /// Everything it has written so far.
    pub fn log_text(&self) -> String {
        fs::read(&self.log).map_or_else(
            |e| format!("(no log: {e})"),
            |bytes| String::from_utf8_lossy(&bytes).into_owned(),
        )
    }

    /// Whether the process has ended.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Returns when the process has ended, for whatever reason.
    pub async fn ended(&mut self) {
        while !self.has_ended() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn ready(&mut self, bound_line: &str, health_url: &str) -> Result<()> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(2))
            .build()?;
        let until = Instant::now() + READY_WITHIN;
        while Instant::now() < until {
            if self.has_ended() {
                bail!(
                    "{} ended at once; it logged:\n{}",
                    self.name,
                    self.log_text()
                );
            }
            if self.log_text().contains(bound_line)
                && http
                    .get(health_url)
                    .send()
                    .await
                    .is_ok_and(|r| r.status().is_success())
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!(
            "{} did not answer at {health_url} within {READY_WITHIN:?}; it logged:\n{}",
            self.name,
            self.log_text()
        )
    }

    fn port_is_taken(&self) -> bool {
        let log = self.log_text();
        log.contains("EADDRINUSE") || log.contains("ddress already in use")
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        if let Ok(group) = i32::try_from(self.child.id()) {
            // Fails only when the group is gone already, which is what is wanted.
            let _gone = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let _status = self.child.wait();
    }
}

/// The same command under [`GUARD`].
fn guarded(command: &Command) -> Command {
    let mut sh = Command::new("sh");
    sh.args(["-c", GUARD, "guard"])
        .arg(command.get_program())
        .args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => sh.env(key, value),
            None => sh.env_remove(key),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        sh.current_dir(folder);
    }
    sh
}

/// Ports of the loopback interface that are free now, all different.
fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut ports = [0; N];
    let mut held = Vec::new();
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

/// The folder of `make tools` with the servers: `.tools` of the checkout.
pub(crate) fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools")
}

/// The path, or an error that explains how to create it.
pub(crate) fn installed(path: &Path, what: &str, needs: &str) -> Result<PathBuf> {
    if path.exists() {
        return Ok(path.canonicalize()?);
    }
    bail!(
        "{what} is not installed ({} is missing). Run `make tools` in the checkout; it needs {needs}.",
        path.display()
    )
}

/// Whether a program can be started at all.
pub(super) fn on_path(program: impl AsRef<OsStr>) -> bool {
    let found = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    found.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_is_an_error_that_names_the_command() {
        let missing = tools().join("nowhere/main.js");
        let error = installed(&missing, "kinesis-local", "Node 20")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("make tools") && error.contains("Node 20"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_server_that_ends_at_once_is_an_error_with_its_log() {
        let start = ServerProcess::start(|[_port]: [u16; 1]| {
            let mut command = Command::new("sh");
            command.args(["-c", "echo no such luck >&2; exit 3"]);
            Recipe {
                name: "unlucky",
                command,
                bound_line: "never".to_owned(),
                health_url: "http://127.0.0.1:1".to_owned(),
            }
        });
        let error = start.await.unwrap_err().to_string();
        assert!(
            error.contains("unlucky") && error.contains("no such luck"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn another_port_is_tried_when_one_is_taken() {
        // The log stands in for a server that lost the race for its port.
        let start = ServerProcess::start(|[_port]: [u16; 1]| {
            let mut command = Command::new("sh");
            command.args(["-c", "echo Address already in use; exit 1"]);
            Recipe {
                name: "late",
                command,
                bound_line: "never".to_owned(),
                health_url: "http://127.0.0.1:1".to_owned(),
            }
        });
        let error = start.await.unwrap_err().to_string();
        assert!(error.contains("no free port after 5 attempts"), "{error}");
    }
}
