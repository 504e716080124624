//! AWS's own Lambda runtime interface emulator, with the extension under `/opt/extensions` and a
//! small function, in a mount namespace that gives it its fixed folders and host name.

use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::process::{installed, tools};
use crate::scene::Missing;

const READY_WITHIN: Duration = Duration::from_secs(20);
const END_WITHIN: Duration = Duration::from_secs(10);

/// A function that answers with what it got. Python is needed by the tests anyway.
const BOOTSTRAP: &str = r#"#!/usr/bin/env python3
import os, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    event = urllib.request.urlopen(api + "next")
    body = event.read()
    url = api + event.headers["Lambda-Runtime-Aws-Request-Id"] + "/response"
    urllib.request.urlopen(urllib.request.Request(url, b'{"got":' + body + b"}")).read()
"#;

/// Becomes its arguments. A user's namespace has one user and one group, so the kernel refuses the emulator's
/// choice of others for an extension (`setuid`, `setgid`, `setgroups`): a filter reports success instead.
const USER: &str = r#"
import ctypes, os, struct, sys

numbers = {"x86_64": (105, 106, 116), "aarch64": (146, 144, 159)}[os.uname().machine]
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, SUCCEED = 0x7FFF0000, 0x00050000
code = [(LOAD, 0, 0, 0)]
code += [(EQUAL, len(numbers) - n, 0, number) for n, number in enumerate(numbers)]
code += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, SUCCEED)]
lines = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("lines", ctypes.c_void_p)]


program = Program(len(code), ctypes.addressof(lines))
libc = ctypes.CDLL(None, use_errno=True)
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2
for call in [(NO_NEW_PRIVILEGES, 1, 0, 0, 0), (SECCOMP, FILTER, ctypes.byref(program), 0, 0)]:
    if libc.prctl(*call):
        raise OSError(ctypes.get_errno(), "prctl")
os.execvp(sys.argv[1], sys.argv[1:])
"#;

/// `$1` is the folder that holds what is mounted, `$2` starts the emulator; the rest is its arguments.
const IN_NAMESPACE: &str = r#"set -e
from=$1; as=$2; shift 2
cp "$from/aws-lambda-rie" "$from/run-rie"
mount --bind "$from/hosts" /etc/hosts
mount -t tmpfs none /opt
mkdir /opt/extensions
cp "$from/rightsizer-extension" /opt/extensions/
cp "$from/run-rie" /opt/aws-lambda-rie
cp "$from/bootstrap" "$from/user.py" /opt/
mount -t tmpfs none /var
mkdir -p /var/runtime /var/task /var/tmp
cp /opt/bootstrap /var/runtime/bootstrap
cd /var/task
exec $as /opt/aws-lambda-rie "$@" /var/runtime/bootstrap
"#;

/// A running emulator; killed when dropped.
pub struct Rie {
    child: std::process::Child,
    url: String,
    folder: TempDir,
    http: reqwest::Client,
}

impl Rie {
    /// Starts it around this extension, with these variables. If mount namespaces are not allowed,
    /// the error explains how to allow them.
    pub async fn start(extension: &Path, variables: &[(&str, &str)]) -> Result<Self> {
        let unshare = unshare()?;
        let emulator = installed(
            &tools().join("rie/aws-lambda-rie"),
            "The AWS Lambda runtime interface emulator",
            "Python 3.11 or later",
        )?;
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        fs::copy(emulator, at("aws-lambda-rie"))?;
        fs::copy(extension, at("rightsizer-extension"))?;
        fs::write(
            at("hosts"),
            "127.0.0.1 localhost sandbox sandbox.localdomain\n",
        )?;
        fs::write(at("bootstrap"), BOOTSTRAP)?;
        fs::write(at("user.py"), USER)?;
        fs::set_permissions(at("bootstrap"), Permissions::from_mode(0o755))?;
        let ports = [
            TcpListener::bind(("127.0.0.1", 0))?,
            TcpListener::bind(("127.0.0.1", 0))?,
        ];
        let [invoke, api] = ports.map(|listener| listener.local_addr());
        let (invoke, api) = (invoke?.to_string(), api?.to_string());
        let log = File::create(at("log"))?;
        let child = Command::new("unshare")
            .args([unshare, "sh", "-c", IN_NAMESPACE, "sh"])
            .arg(folder.path())
            .arg(if unshare == AS_ROOT {
                ""
            } else {
                "python3 /opt/user.py"
            })
            .args(["--runtime-interface-emulator-address", &invoke])
            .args(["--runtime-api-address", &api])
            .env_clear()
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("unshare cannot be started: it comes with util-linux")?;
        let mut rie = Self {
            child,
            url: format!("http://{invoke}/2015-03-31/functions/function/invocations"),
            folder,
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(READY_WITHIN)
                .build()?,
        };
        rie.listens(&invoke).await?;
        Ok(rie)
    }

    async fn listens(&mut self, address: &str) -> Result<()> {
        let until = Instant::now() + READY_WITHIN;
        while tokio::net::TcpStream::connect(address).await.is_err() {
            if self.child.try_wait()?.is_some() || Instant::now() > until {
                bail!(
                    "the runtime interface emulator does not run:\n{}",
                    self.log()
                );
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Invokes the function and returns what it returned. As a managed instance it refuses while
    /// the function has not asked for the next event yet: then once more.
    pub async fn invoke(&self, payload: &str) -> Result<String> {
        let until = Instant::now() + READY_WITHIN;
        loop {
            let sent = self
                .http
                .post(&self.url)
                .body(payload.to_owned())
                .send()
                .await;
            let answer = sent.with_context(|| format!("no answer:\n{}", self.log()))?;
            let text = answer.text().await?;
            if !text.contains("Runtime.Unavailable") || Instant::now() > until {
                return Ok(text);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What the emulator, the extension and the function wrote so far.
    pub fn log(&self) -> String {
        fs::read(self.folder.path().join("log")).map_or_else(
            |e| e.to_string(),
            |log| String::from_utf8_lossy(&log).into_owned(),
        )
    }

    /// Ends it as a container is ended, and answers everything that was written.
    pub async fn stop(mut self) -> Result<(ExitStatus, String)> {
        kill(
            Pid::from_raw(i32::try_from(self.child.id())?),
            Signal::SIGTERM,
        )?;
        let until = Instant::now() + END_WITHIN;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok((status, self.log()));
            }
            if Instant::now() > until {
                bail!(
                    "the runtime interface emulator does not end:\n{}",
                    self.log()
                );
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Rie {
    fn drop(&mut self) {
        // It has ended already if the test passed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const AS_ROOT: &str = "-m";

/// How a mount namespace can be had here.
pub fn unshare() -> Result<&'static str> {
    let works = |how: &&str| {
        let tried = Command::new("unshare").args([how, "true"]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    [AS_ROOT, "-Urm"].into_iter().find(works).with_context(|| {
        Missing(
            "users may not make mount namespaces (allow them: sysctl -w \
             kernel.unprivileged_userns_clone=1, on Ubuntu also \
             kernel.apparmor_restrict_unprivileged_userns=0)"
                .to_owned(),
        )
    })
}
