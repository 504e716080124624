//! One process from its start to its end, and what it took.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::sys::time::TimeValLike as _;
use nix::unistd::Pid;
use rightsizer_records::Timestamp;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::endpoint::Endpoint;
use super::platform::Platform;
use super::share::CpuShare;

const LIMIT: Duration = Duration::from_secs(30);
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);
/// How often the peak is read: what grows after the last reading is missed.
const PEAK_EVERY: Duration = Duration::from_millis(2);

/// Between POSTs on connections of their own: in this time other processes take the caches, as they
/// do between invocations.
const PAUSE: Duration = Duration::from_millis(10);

/// An extension to measure.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its name in the table.
    pub name: String,
    /// The executable.
    pub binary: PathBuf,
    /// Whether it sends what it observes to the stream; the floor does not.
    pub ships: bool,
}

/// How the platform delivers an invocation's telemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// In one POST, over a connection that is kept.
    OnePost,
    /// In two POSTs, `PAUSE` apart, each over a connection of its own.
    NewConnections,
}

/// A running subject.
pub struct Life {
    platform: Platform,
    child: Child,
    pid: Pid,
    cpu_before_us: i64,
    http: reqwest::Client,
    delivery: Delivery,
    /// Process start to first `next`.
    pub init: Duration,
}

/// What a whole life took.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// CPU time of the process, user and system.
    pub cpu_us: i64,
    /// Peak resident memory.
    pub peak_kib: u64,
    /// Its exit code was 0.
    pub ended_well: bool,
}

impl Life {
    /// Starts the subject and waits for its first `next`. `more` are variables beside Lambda's.
    pub async fn start(
        subject: &Subject,
        endpoint: &Endpoint,
        more: &[(String, String)],
        share: Option<&CpuShare>,
        delivery: Delivery,
    ) -> Result<Self> {
        let platform = Platform::start().await?;
        let cpu_before_us = children_cpu_us()?;
        let mut command = match share {
            Some(_) => waiting(&subject.binary),
            None => Command::new(&subject.binary),
        };
        let own = more.iter();
        let own = own.map(|(name, value)| (name, value.replace("{endpoint}", &endpoint.url)));
        command
            .env_clear()
            .envs(variables(&platform, endpoint))
            .envs(own)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .kill_on_drop(true);
        let mut began = Instant::now();
        let spawned = match share {
            Some(share) => share.within(|| Ok(command.spawn()?)),
            None => Ok(command.spawn()?),
        };
        let child =
            spawned.with_context(|| format!("{} cannot be run", subject.binary.display()))?;
        let pid = child.id().context("it ended at once")?;
        let pid = Pid::from_raw(i32::try_from(pid)?);
        if let Some(share) = share {
            is_waiting(pid).await?;
            share.rest().await;
            began = Instant::now();
            kill(pid, Signal::SIGCONT)?;
        }
        let mut seen = platform.seen();
        let ready = timeout(LIMIT, seen.wait_for(|seen| seen.ready.is_some())).await;
        let ready = ready.with_context(|| format!("{} never called next", subject.name))?;
        let ready = ready?.ready.context("no time of next")?;
        Ok(Self {
            pid,
            platform,
            child,
            cpu_before_us,
            http: client(delivery)?,
            delivery,
            init: ready - began,
        })
    }

    /// One invocation: telemetry is delivered in it. Returns how long it was held.
    pub async fn invoke(&self, events: Vec<Value>) -> Result<Duration> {
        let holds = self.platform.seen().borrow().holds;
        let began = Instant::now();
        if holds {
            let nexts = self.platform.seen().borrow().nexts;
            let event = json!({
                "eventType": "INVOKE", "deadlineMs": 0, "requestId": "weighed",
                "invokedFunctionArn": "arn:aws:lambda:eu-central-1:123456789012:function:weighed",
            });
            self.platform.send(event).await?;
            self.deliver(events).await?;
            let mut seen = self.platform.seen();
            let back = timeout(LIMIT, seen.wait_for(|seen| seen.nexts > nexts)).await;
            back.context("an invocation is never given back")??;
            return Ok(began.elapsed());
        }
        self.deliver(events).await?;
        Ok(Duration::ZERO)
    }

    async fn deliver(&self, mut events: Vec<Value>) -> Result<()> {
        if self.delivery == Delivery::NewConnections
            && let Some(last) = events.pop()
        {
            self.post(events).await?;
            sleep(PAUSE).await;
            self.post(vec![last]).await?;
            sleep(PAUSE).await;
            return Ok(());
        }
        self.post(events).await
    }

    /// Delivers telemetry in one POST.
    pub async fn post(&self, events: Vec<Value>) -> Result<()> {
        let port = self.platform.seen().borrow().port;
        let Some(port) = port else {
            return Ok(());
        };
        let url = format!("http://127.0.0.1:{port}/");
        let sent = self.http.post(url).json(&events).send().await;
        let status = sent.context("telemetry is not taken")?.status();
        ensure!(status.is_success(), "telemetry was answered {status}");
        Ok(())
    }

    /// As between invocations.
    pub fn freeze(&self) -> Result<()> {
        Ok(kill(self.pid, Signal::SIGSTOP)?)
    }

    /// As for an invocation.
    pub(crate) fn thaw(&self) -> Result<()> {
        Ok(kill(self.pid, Signal::SIGCONT)?)
    }

    /// SHUTDOWN, and the measures of the whole life.
    pub async fn end(mut self) -> Result<Measured> {
        let mut peak_kib = peak_kib(self.pid)?;
        let event = json!({"eventType": "SHUTDOWN", "shutdownReason": "spindown", "deadlineMs": 0});
        self.platform.send(event).await?;
        let began = Instant::now();
        let status = loop {
            peak_kib = peak_kib.max(self::peak_kib(self.pid).unwrap_or(0));
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if began.elapsed() > SHUTDOWN_LIMIT {
                bail!("it did not end within {SHUTDOWN_LIMIT:?} of SHUTDOWN");
            }
            sleep(PEAK_EVERY).await;
        };
        Ok(Measured {
            cpu_us: children_cpu_us()? - self.cpu_before_us,
            peak_kib,
            ended_well: status.success(),
        })
    }
}

fn client(delivery: Delivery) -> Result<reqwest::Client> {
    let http = reqwest::Client::builder().no_proxy().timeout(LIMIT);
    let http = match delivery {
        Delivery::OnePost => http,
        Delivery::NewConnections => http.pool_max_idle_per_host(0),
    };
    Ok(http.build()?)
}

/// A shell that stops itself and then becomes the subject: what putting it into its share cost is
/// forgotten by then.
fn waiting(binary: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "kill -STOP $$; exec \"$0\""])
        .arg(binary);
    command
}

async fn is_waiting(pid: Pid) -> Result<()> {
    let began = Instant::now();
    let stat = Path::new("/proc").join(pid.to_string()).join("stat");
    while !std::fs::read_to_string(&stat)?.contains(") T ") {
        ensure!(began.elapsed() < LIMIT, "the shell does not stop");
        sleep(PEAK_EVERY).await;
    }
    Ok(())
}

/// User and system time of all children that have ended.
fn children_cpu_us() -> Result<i64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok(usage.user_time().num_microseconds() + usage.system_time().num_microseconds())
}

fn peak_kib(pid: Pid) -> Result<u64> {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_ascii_whitespace().next());
    number.context("no VmHWM")?.parse().context("VmHWM")
}

fn variables(platform: &Platform, endpoint: &Endpoint) -> Vec<(String, String)> {
    let bundle = endpoint.bundle.display().to_string();
    let lambda = [
        ("AWS_LAMBDA_RUNTIME_API", platform.host.as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", "weighed"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_DEFAULT_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("AWS_SESSION_TOKEN", "testing"),
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin"),
        ("AWS_CA_BUNDLE", &bundle),
        ("SSL_CERT_FILE", &bundle),
        ("AWS_ENDPOINT_URL", &endpoint.url),
        ("RIGHTSIZER_STREAM", "reports"),
        ("RIGHTSIZER_ENDPOINT", &endpoint.url),
    ];
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    lambda.into_iter().map(own).collect()
}

/// The events of invocation `n`, starting at `at`. Its report comes with the next one's events.
pub fn begin(n: u32, at: Timestamp, duration_ms: f64) -> Vec<Value> {
    let id = request_id(n);
    let done = json!({
        "requestId": id, "status": "success",
        "metrics": {"durationMs": duration_ms, "producedBytes": 42},
    });
    vec![
        event(at, "start", &json!({"requestId": id, "version": "$LATEST"})),
        event(at, "runtimeDone", &done),
    ]
}

/// The report of invocation `n`, sent at `at`.
pub fn report(n: u32, at: Timestamp, duration_ms: f64) -> Value {
    // Some variety, as a real function has it.
    let used = 80 + n * 7 % 40;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "durations here are small and positive"
    )]
    let billed_ms = duration_ms.ceil() as u64;
    let metrics = json!({
        "durationMs": duration_ms, "billedDurationMs": billed_ms,
        "memorySizeMB": 128, "maxMemoryUsedMB": used,
    });
    let record = json!({"requestId": request_id(n), "status": "success", "metrics": metrics});
    event(at, "report", &record)
}

fn request_id(n: u32) -> String {
    format!("8476a536-e9f4-11e8-9739-{n:012x}")
}

fn event(at: Timestamp, kind: &str, record: &Value) -> Value {
    json!({"time": at.to_string(), "type": format!("platform.{kind}"), "record": record})
}
