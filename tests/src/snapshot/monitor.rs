//! qemu's monitor: JSON lines over a socket.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::sleep;

/// A line in, a line out, over a socket that qemu serves.
pub(super) struct Lines {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

impl Lines {
    /// Connects as soon as the socket listens.
    pub(super) async fn open(socket: &Path) -> Result<Self> {
        loop {
            if let Ok(stream) = UnixStream::connect(socket).await {
                let (read, write) = stream.into_split();
                let read = BufReader::new(read);
                return Ok(Self { read, write });
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// The next line.
    pub(super) async fn receive(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = self.read.read_line(&mut line).await?;
        (read > 0).then_some(()).context("the machine has ended")?;
        Ok(line.trim_end().to_owned())
    }

    /// A line to the other side.
    pub(super) async fn send(&mut self, line: &str) -> Result<()> {
        Ok(self.write.write_all(format!("{line}\n").as_bytes()).await?)
    }
}

/// See the module.
pub(super) struct Monitor(Lines);

impl Monitor {
    pub(super) async fn open(socket: &Path) -> Result<Self> {
        let mut monitor = Self(Lines::open(socket).await?);
        monitor.0.receive().await?; // who it is
        monitor.ask("qmp_capabilities", json!({})).await?;
        Ok(monitor)
    }

    /// Stops the machine and writes all of it to this file.
    pub(super) async fn save(&mut self, file: &Path) -> Result<()> {
        let uri = format!("exec:cat > '{}'", file.display());
        self.ask(
            "migrate-set-parameters",
            json!({"max-bandwidth": 1_u64 << 40}),
        )
        .await?;
        self.ask("stop", json!({})).await?;
        self.ask("migrate", json!({ "uri": uri })).await?;
        loop {
            let state = self.ask("query-migrate", json!({})).await?;
            match state["status"].as_str() {
                Some("completed") => return Ok(()),
                Some("failed" | "cancelled") => bail!("the machine could not be saved: {state}"),
                _ => sleep(Duration::from_millis(10)).await,
            }
        }
    }

    /// Lets it run, once it is there as a whole.
    pub(super) async fn resume(&mut self) -> Result<()> {
        while self.ask("query-status", json!({})).await?["status"] == "inmigrate" {
            sleep(Duration::from_millis(10)).await;
        }
        self.ask("cont", json!({})).await?;
        Ok(())
    }

    async fn ask(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let question = json!({"execute": command, "arguments": arguments});
        self.0.send(&question.to_string()).await?;
        loop {
            // Events come in between.
            let mut answer: Value = serde_json::from_str(&self.0.receive().await?)?;
            if let Some(error) = answer.get("error") {
                bail!("the machine refuses {command}: {error}");
            }
            if let Some(answer) = answer.get_mut("return") {
                return Ok(answer.take());
            }
        }
    }
}
