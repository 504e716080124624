//! What runs inside the machine: the emulated environment around the real extension, controlled by
//! lines of text. Every line gets one in return: `ok …` or `failed: why`.
//!
//! | line | what is done |
//! |---|---|
//! | `start URL` | init of a SnapStart function that reports to the stream there |
//! | `restored NAME` | from now on the credentials endpoint gives keys of this name |
//! | `invoke TIME ID MB [RESTORE_MS]` | one invocation; frozen before and after |
//! | `linger` | the sandbox is awake until the next line, whatever it is |
//! | `shutdown` | the environment ends; returns how, as JSON |
//!
//! Ids come from outside, as they do in Lambda: nothing inside a clone is its own.

use std::io::{BufRead as _, Write as _, stdin, stdout};

use anyhow::{Context as _, Result, bail};
use rightsizer_records::Timestamp;
use serde_json::json;
use tokio::sync::mpsc;

use crate::emulator::{Container, Environment, FunctionSpec, Invocation, Options, Reason};

/// Follows standard input to its end.
pub async fn follow() -> Result<()> {
    let mut lines = lines();
    reply("ok up")?;
    let mut sandbox = None;
    while let Some(line) = lines.recv().await {
        match step(&mut sandbox, &line, &mut lines).await {
            Ok(answer) => reply(&format!("ok {answer}"))?,
            Err(e) => reply(&format!("failed: {e:#}").replace('\n', " | "))?,
        }
    }
    Ok(())
}

struct Sandbox {
    environment: Environment,
    container: Container,
}

async fn step(
    sandbox: &mut Option<Sandbox>,
    line: &str,
    lines: &mut mpsc::UnboundedReceiver<String>,
) -> Result<String> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    if let ["start", endpoint] = words[..] {
        *sandbox = Some(start(endpoint).await?);
        return Ok("ready".to_owned());
    }
    if words == ["shutdown"] {
        let ended = sandbox.take().context("nothing was started")?;
        let exit = ended.environment.shutdown(Reason::Spindown).await?;
        let took_ms = exit.took.as_millis();
        let exit = json!({
            "code": exit.code, "killed": exit.killed, "took_ms": took_ms, "log": exit.log,
        });
        return Ok(exit.to_string());
    }
    let sandbox = sandbox.as_mut().context("nothing was started")?;
    match words[..] {
        ["restored", name] => sandbox.container.rename(name),
        ["invoke", at, id, used_mb, ref restore_ms @ ..] => {
            let restore_ms = restore_ms.first().map(|ms| ms.parse());
            let invocation = Invocation {
                request_id: Some(id.to_owned()),
                restore_ms: restore_ms.transpose()?,
                ..Invocation::ok(Timestamp::parse(at)?, used_mb.parse()?, 40.0)
            };
            sandbox.environment.invoke(invocation).await?;
        }
        ["linger"] => {
            reply("ok lingering")?;
            sandbox.environment.linger(lines.recv()).await?;
        }
        _ => bail!("not understood: {line}"),
    }
    Ok("done".to_owned())
}

async fn start(endpoint: &str) -> Result<Sandbox> {
    let container = Container::start("IMAGE").await?;
    let mut spec = FunctionSpec::new("checkout", 1024);
    "snap-start".clone_into(&mut spec.init_type);
    let options = Options {
        env: container.variables(),
        ..Options::to("reports", endpoint)
    };
    Ok(Sandbox {
        environment: Environment::start(spec, options).await?,
        container,
    })
}

fn reply(line: &str) -> Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// A thread of its own: nothing else here may wait for the next line.
fn lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in stdin().lock().lines() {
            let Ok(line) = line else { break };
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}
