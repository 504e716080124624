//! What a function of the fault-injecting Lambda API does when it is invoked: it follows a curve, and goes wrong as
//! ordered. Plain state: what is played depends on the code, so a copy of a function does the same.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::api::Reply;
use super::function::Config;
use crate::dice::Dice;

/// How some code behaves.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// Waiting time of an invocation, in milliseconds.
    pub wait_ms: f64,
    /// CPU time, in milliseconds, on one core.
    pub cpu_ms: f64,
    /// How far single durations scatter, as a share.
    pub scatter: f64,
    /// Duration of the start.
    pub init_ms: f64,
    /// How far starts scatter, as a share.
    pub init_scatter: f64,
    /// So many first starts of a function take this time instead.
    pub slow_starts: (usize, f64),
    /// Duration of a restore from a snapshot, for versions with `SnapStart`.
    pub restore_ms: f64,
    /// Memory in use; sizes below run out.
    pub used_mb: u64,
    /// The type and message of the error of every invocation, if it fails.
    pub error: Option<(String, String)>,
    /// A word that payloads must hold, else the function fails.
    pub wants: Option<String>,
    /// What it returns; without a value, the payload.
    pub returns: Option<Value>,
    /// The share of its time that an answer takes in the test.
    pub pace: f64,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            wait_ms: 40.0,
            cpu_ms: 400.0,
            scatter: 0.05,
            init_ms: 180.0,
            init_scatter: 0.0,
            slow_starts: (0, 0.0),
            restore_ms: 90.0,
            used_mb: 60,
            error: None,
            wants: None,
            returns: None,
            pace: 0.0,
        }
    }
}

/// One vCPU, in MB.
const ONE_VCPU: f64 = 1769.0;

/// The start of an environment.
#[derive(Clone, Copy)]
struct Start {
    ms: f64,
    restored: bool,
}

/// A number from -1 to 1.
#[expect(clippy::cast_precision_loss, reason = "below 2000")]
fn chance(dice: &mut Dice) -> f64 {
    dice.below(2001) as f64 / 1000.0 - 1.0
}

/// How an invocation ended.
enum End {
    Returned(Value),
    Failed(String, String),
    Killed,
    TimedOut,
}

impl Behaviour {
    /// Returns the mean duration at a size.
    pub fn mean_ms(&self, memory_mb: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "some thousand MB")]
        let share = (memory_mb as f64 / ONE_VCPU).min(1.0);
        self.wait_ms + self.cpu_ms / share
    }

    /// Invokes the code with the settings of a version. `started` is the number of environments before, if this one is
    /// new.
    pub(super) fn invoke(
        &self,
        config: &Config,
        payload: &[u8],
        started: Option<usize>,
        dice: &mut Dice,
    ) -> Reply {
        let start = started.map(|before| self.start(config, before, dice));
        let memory_mb = config
            .get("MemorySize")
            .and_then(Value::as_u64)
            .unwrap_or(128);
        let timeout_s = config.get("Timeout").and_then(Value::as_u64).unwrap_or(3);
        let full = self.mean_ms(memory_mb) * (1.0 + self.scatter * chance(dice));
        #[expect(clippy::cast_precision_loss, reason = "at most 15 minutes")]
        let timeout_ms = timeout_s as f64 * 1000.0;
        let ms = full.min(timeout_ms);
        let text = String::from_utf8_lossy(payload);
        let end = if memory_mb < self.used_mb {
            End::Killed
        } else if full >= timeout_ms {
            End::TimedOut
        } else if let Some((kind, message)) = &self.error {
            End::Failed(kind.clone(), message.clone())
        } else if self
            .wants
            .as_ref()
            .is_some_and(|word| !text.contains(word.as_str()))
        {
            End::Failed(
                "KeyError".to_owned(),
                format!("no {}", self.wants.clone().unwrap_or_default()),
            )
        } else {
            let echo = || serde_json::from_slice(payload).unwrap_or(Value::Null);
            End::Returned(self.returns.clone().unwrap_or_else(echo))
        };
        self.reply(config, (memory_mb, timeout_s), ms, start, end)
    }

    fn start(&self, config: &Config, before: usize, dice: &mut Dice) -> Start {
        let published = config.get("Version").is_some_and(|v| v != "$LATEST");
        let snapshot = config
            .get("SnapStart")
            .is_some_and(|snap| snap["ApplyOn"] == "PublishedVersions");
        let (slow, slow_ms) = self.slow_starts;
        let restored = snapshot && published;
        let typical = match before {
            _ if restored => self.restore_ms,
            before if before < slow => slow_ms,
            _ => self.init_ms,
        };
        Start {
            ms: typical * (1.0 + self.init_scatter * chance(dice)),
            restored,
        }
    }

    fn reply(
        &self,
        config: &Config,
        (memory_mb, timeout_s): (u64, u64),
        ms: f64,
        start: Option<Start>,
        end: End,
    ) -> Reply {
        let init = start.filter(|start| !start.restored);
        let billed = (ms + init.map_or(0.0, |start| start.ms)).ceil();
        let killed = matches!(end, End::Killed);
        let used = if killed {
            memory_mb
        } else {
            self.used_mb.min(memory_mb)
        };
        let log = log(config, (memory_mb, used), (ms, billed), start);
        let (failed, body) = ended(end, timeout_s);
        let mut headers = vec![("x-amz-log-result", STANDARD.encode(log))];
        if failed {
            headers.push(("x-amz-function-error", "Unhandled".to_owned()));
        }
        Reply {
            status: 200,
            headers,
            body,
            after: Duration::from_secs_f64(
                (ms + start.map_or(0.0, |start| start.ms)) / 1000.0 * self.pace,
            ),
            lost: false,
        }
    }
}

/// Returns the last lines of an invocation's log, as the function's log format has them.
fn log(
    config: &Config,
    (memory_mb, used): (u64, u64),
    (ms, billed): (f64, f64),
    start: Option<Start>,
) -> String {
    let json_logs = config
        .get("LoggingConfig")
        .is_some_and(|logging| logging["LogFormat"] == "JSON");
    if json_logs {
        let mut metrics = json!({
            "durationMs": (ms * 100.0).round() / 100.0, "billedDurationMs": billed,
            "memorySizeMB": memory_mb, "maxMemoryUsedMB": used,
        });
        if let Some(start) = start {
            let name = if start.restored {
                "restoreDurationMs"
            } else {
                "initDurationMs"
            };
            metrics[name] = json!((start.ms * 100.0).round() / 100.0);
        }
        let record = json!({ "requestId": "played", "metrics": metrics });
        let report = json!({"time": "2026-01-01T00:00:00.000Z", "type": "platform.report", "record": record});
        format!("{report}\n")
    } else {
        let init = start.map_or_else(String::new, |start| {
            let name = if start.restored { "Restore" } else { "Init" };
            format!("{name} Duration: {:.2} ms\t", start.ms)
        });
        format!(
            "START RequestId: played Version: 1\nEND RequestId: played\nREPORT RequestId: played\t\
             Duration: {ms:.2} ms\tBilled Duration: {billed} ms\tMemory Size: {memory_mb} MB\t\
             Max Memory Used: {used} MB\t{init}\n"
        )
    }
}

/// Returns whether an invocation failed, and its response.
fn ended(end: End, timeout_s: u64) -> (bool, Value) {
    match end {
        End::Returned(value) => (false, value),
        End::Failed(kind, message) => (true, json!({"errorType": kind, "errorMessage": message})),
        End::Killed => (
            true,
            json!({
                "errorType": "Runtime.ExitError",
                "errorMessage": "RequestId: played Error: Runtime exited with error: signal: killed",
            }),
        ),
        End::TimedOut => (
            true,
            json!({
                "errorType": "Sandbox.Timedout",
                "errorMessage": format!("RequestId: played Error: Task timed out after {timeout_s}.00 seconds"),
            }),
        ),
    }
}
