//! A virtual machine with the sandbox in it: booted, saved, run on from what was saved.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::timeout;

use super::image::Image;
use super::monitor::{Lines, Monitor};
use crate::emulator::Exit;
use crate::servers::{ServerProcess, tools};

/// An emulated processor on a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(100);
const QEMU: &str = "qemu-system-x86_64";
/// The file that holds a whole machine, memory and all.
const SAVED: &str = "machine";

/// A running machine; gone when dropped.
pub struct Machine {
    process: ServerProcess,
    monitor: Monitor,
    sandbox: Lines,
    image: Arc<Image>,
    /// Holds its sockets and its kernel's output.
    folder: TempDir,
}

/// A machine as it was at one moment.
pub struct Snapshot {
    image: Arc<Image>,
    folder: TempDir,
}

impl Machine {
    /// Boots one around this extension; `sandbox` is this package's program of that name.
    pub async fn boot(extension: &Path, sandbox: &Path) -> Result<Self> {
        let image = Image::make(extension, sandbox)?;
        let mut machine = Self::run(Arc::new(image), None).await?;
        machine.answer().await?;
        Ok(machine)
    }

    /// Saves it and ends it. It has responded to every line before.
    pub async fn save(mut self) -> Result<Snapshot> {
        let snapshot = Snapshot {
            image: Arc::clone(&self.image),
            folder: tempfile::tempdir()?,
        };
        let file = snapshot.folder.path().join(SAVED);
        let saved = timeout(PATIENCE, self.monitor.save(&file)).await;
        saved.context("the machine is not saved in time")??;
        Ok(snapshot)
    }

    /// Sends a line to the sandbox and returns its response, without `ok`.
    pub async fn request(&mut self, line: &str) -> Result<String> {
        self.sandbox.send(line).await?;
        let answer = self.answer().await;
        answer.with_context(|| format!("the machine got the line: {line}"))
    }

    /// Ends the environment.
    pub async fn shutdown(&mut self) -> Result<Exit> {
        let exit: Value = serde_json::from_str(&self.request("shutdown").await?)?;
        Ok(Exit {
            code: exit["code"].as_i64().and_then(|code| code.try_into().ok()),
            killed: exit["killed"] != false,
            took: Duration::from_millis(exit["took_ms"].as_u64().context("no took_ms")?),
            log: exit["log"].as_str().unwrap_or_default().to_owned(),
        })
    }

    async fn run(image: Arc<Image>, from: Option<&Snapshot>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let command = command(&image, folder.path(), from);
        let process = ServerProcess::spawn("qemu", &command)?;
        let opened = timeout(PATIENCE, async {
            let monitor = Monitor::open(&folder.path().join("monitor")).await?;
            let sandbox = Lines::open(&folder.path().join("sandbox")).await?;
            anyhow::Ok((monitor, sandbox))
        });
        let opened = opened.await.context("qemu does not answer").flatten();
        let (monitor, sandbox) = opened.with_context(|| process.log_text())?;
        Ok(Self {
            process,
            monitor,
            sandbox,
            image,
            folder,
        })
    }

    async fn answer(&mut self) -> Result<String> {
        let answer = timeout(PATIENCE, self.sandbox.receive()).await;
        let Ok(Ok(answer)) = answer else {
            let console = std::fs::read(self.folder.path().join("console")).unwrap_or_default();
            bail!(
                "no answer from inside the machine: {}{}",
                self.process.log_text(),
                String::from_utf8_lossy(&console)
            );
        };
        let text = answer.strip_prefix("ok ");
        Ok(text.with_context(|| answer.clone())?.to_owned())
    }
}

impl Snapshot {
    /// Another machine, in every byte the one that was saved, running on from there.
    pub async fn restore(&self) -> Result<Machine> {
        let mut machine = Machine::run(Arc::clone(&self.image), Some(self)).await?;
        let resumed = timeout(PATIENCE, machine.monitor.resume()).await;
        resumed.context("the machine is not restored in time")??;
        Ok(machine)
    }
}

fn command(image: &Image, folder: &Path, from: Option<&Snapshot>) -> Command {
    let installed = tools().join("vm/root");
    let own = installed.join("usr/bin").join(QEMU);
    let mut command = Command::new(QEMU);
    if own.exists() {
        command = Command::new(own);
        // Some packages still have their libraries in /lib, which a system has merged into /usr/lib.
        let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"];
        let libraries = libraries.map(|folder| installed.join(folder).display().to_string());
        command.env("LD_LIBRARY_PATH", libraries.join(":"));
        for firmware in ["usr/share/seabios", "usr/share/qemu"] {
            command.arg("-L").arg(installed.join(firmware));
        }
    }
    let socket = |name: &str| {
        let path = folder.join(name);
        format!(
            "socket,id={name},path={},server=on,wait=off",
            path.display()
        )
    };
    let console = folder.join("console");
    command
        .args(["-machine", "pc,accel=tcg", "-cpu", "max", "-m", "192"])
        .args([
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-no-reboot",
        ])
        .arg("-kernel")
        .arg(&image.kernel)
        .arg("-initrd")
        .arg(&image.files)
        .args(["-append", "console=ttyS0 quiet panic=-1 mitigations=off"])
        .args(["-netdev", "user,id=net"])
        .args(["-device", "virtio-net-pci,netdev=net,romfile="])
        .args(["-serial", &format!("file:{}", console.display())])
        .args(["-chardev", &socket("sandbox"), "-serial", "chardev:sandbox"])
        .args([
            "-chardev",
            &socket("monitor"),
            "-mon",
            "monitor,mode=control",
        ]);
    if let Some(snapshot) = from {
        let file = snapshot.folder.path().join(SAVED);
        command.args(["-S", "-incoming", &format!("exec:cat '{}'", file.display())]);
    }
    command
}
