//! One execution environment from its first init to its end.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rightsizer_records::Timestamp;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::api::{Api, Subscription};
use super::events;
use super::process::{Exit, Process};
use super::scenario::{FunctionSpec, Invocation, LastTelemetry, Options, Reason, ReportAtReset};
use super::telemetry::Telemetry;

/// Lambda allows ten seconds of init.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// An execution environment with the real extension in it. Frozen whenever no method runs.
pub struct Environment {
    spec: FunctionSpec,
    options: Options,
    binary: PathBuf,
    api: Api,
    telemetry: Telemetry,
    process: Option<Process>,
    invocations: u64,
    newest: Timestamp,
    resets: Vec<Exit>,
}

impl Environment {
    /// Starts the extension and waits until it is ready for invocations.
    pub async fn start(spec: FunctionSpec, options: Options) -> Result<Self> {
        let binary = match &options.binary {
            Some(path) => path.clone(),
            None => super::extension_binary()?,
        };
        let mut environment = Self {
            api: Api::start(spec.clone(), options.faults.subscribe.clone()).await?,
            telemetry: Telemetry::new(options.faults.deliver_twice)?,
            spec,
            options,
            binary,
            process: None,
            invocations: 0,
            newest: Timestamp::MIN,
            resets: Vec::new(),
        };
        environment.boot().await?;
        environment.frozen()?;
        Ok(environment)
    }

    /// One invocation. After one that resets the environment, the next starts a new process.
    pub async fn invoke(&mut self, invocation: Invocation) -> Result<()> {
        if self.process.is_none() {
            self.boot().await?;
        }
        self.thawed()?;
        self.invocations += 1;
        let drawn = || {
            format!(
                "{:08x}-0000-4000-8000-{:012x}",
                self.api.port, self.invocations
            )
        };
        let id = invocation.request_id.clone().unwrap_or_else(drawn);
        for event in self.before(&invocation) {
            self.telemetry.emit(event);
        }
        self.telemetry
            .emit(events::start(&self.spec, &id, &invocation));
        // In a shorter one the buffer's time is not over before the freeze.
        let subscription = self.subscription();
        let buffer_ms = subscription.map_or(25, |s| s.timeout_ms);
        if invocation.duration_ms >= Duration::from_millis(buffer_ms).as_secs_f64() * 1e3 {
            self.deliver().await?;
        }
        self.telemetry.emit(events::runtime_done(&id, &invocation));
        self.newest = events::end_of(&invocation);
        let report = events::report(&self.spec, &id, &invocation);
        if let Some(reason) = invocation.end.reset() {
            let (in_time, late) = match self.options.faults.report_at_reset {
                ReportAtReset::Never => (None, None),
                ReportAtReset::InTime => (Some(report), None),
                ReportAtReset::NextLife => (None, Some(report)),
            };
            let exit = self.end(reason, in_time).await?;
            self.resets.push(exit);
            if late.is_none() {
                self.telemetry.forget();
            }
            self.telemetry.emit_all(late);
            return Ok(());
        }
        // Every extension is ready: the report is made now, and waits for the next thaw.
        self.telemetry.emit(report);
        self.frozen()
    }

    /// A short invocation whose sandbox is awake for `awake` and not a moment longer, whatever is
    /// under way: telemetry is posted meanwhile, and the freeze may cut that too.
    pub async fn invoke_briefly(&mut self, invocation: Invocation, awake: Duration) -> Result<()> {
        self.thawed()?;
        let to = self.subscription();
        self.telemetry.deliver_meanwhile(to.as_ref()).await?;
        sleep(awake).await;
        self.frozen()?;
        self.invocations += 1;
        let id = format!("{:08x}-{:012x}", self.api.port, self.invocations);
        self.telemetry.emit_all([
            events::start(&self.spec, &id, &invocation),
            events::runtime_done(&id, &invocation),
            events::report(&self.spec, &id, &invocation),
        ]);
        self.newest = events::end_of(&invocation);
        Ok(())
    }

    /// Ends the environment.
    pub async fn shutdown(mut self, reason: Reason) -> Result<Exit> {
        if self.process.is_none() {
            return self.resets.pop().context("there is no process to end");
        }
        self.thawed()?;
        self.end(reason, None).await
    }

    /// Puts an event of the scenario's own making among the platform's.
    pub fn emit(&mut self, event: Value) {
        self.telemetry.emit(event);
    }

    /// Posts anything to the extension, as it is. Returns the status.
    pub async fn post_raw(&mut self, body: &[u8]) -> Result<u16> {
        self.thawed()?;
        let to = self.subscription().context("not subscribed")?;
        let status = self.telemetry.post(&to, body.to_vec()).await?;
        self.frozen()?;
        Ok(status)
    }

    /// The last batch comes once more.
    pub async fn redeliver(&mut self) -> Result<()> {
        self.thawed()?;
        let to = self.subscription().context("not subscribed")?;
        self.telemetry.redeliver(&to).await?;
        self.frozen()
    }

    /// Thaws the sandbox for a while, as a long invocation does.
    pub async fn linger<T>(&mut self, until: impl Future<Output = T>) -> Result<T> {
        self.thawed()?;
        let output = until.await;
        self.frozen()?;
        Ok(output)
    }

    /// How the lives before this one ended.
    pub fn resets(&self) -> &[Exit] {
        &self.resets
    }

    /// The schema of the subscription, if there is one.
    pub fn schema(&self) -> Option<String> {
        self.subscription().map(|s| s.schema)
    }

    /// The destination of telemetry.
    pub fn telemetry_port(&self) -> Option<u16> {
        self.subscription().map(|to| to.port)
    }

    /// Highest resident size of the extension in this life, in KiB.
    pub fn peak_kib(&self) -> Result<u64> {
        self.process.as_ref().context("no process")?.kib("VmHWM:")
    }

    /// What the extension wrote in this life.
    pub fn log(&self) -> String {
        self.process
            .as_ref()
            .map(Process::log_text)
            .unwrap_or_default()
    }

    async fn boot(&mut self) -> Result<()> {
        self.api.new_life();
        let mut process =
            Process::spawn(&self.options.wrapped_by, &self.binary, &self.variables())?;
        let ready = timeout(INIT_LIMIT, self.api.ready());
        let ended = async {
            while !process.has_ended() {
                sleep(Duration::from_millis(5)).await;
            }
            // What it wrote is still on its way.
            sleep(Duration::from_millis(20)).await;
        };
        let life = tokio::select! {
            life = ready => life,
            () = ended => bail!("the extension ended in init: {}", process.log_text()),
        };
        let Ok(life) = life else {
            bail!(
                "the extension is not ready after 10 s: {}",
                process.log_text()
            );
        };
        let (name, file) = (life?.name, self.binary.file_name());
        if name.as_deref() != file.and_then(|file| file.to_str()) {
            bail!("registered as {name:?}; Lambda wants the file's name, {file:?}");
        }
        self.process = Some(process);
        Ok(())
    }

    /// The events of an init or a restore that this invocation had to wait for.
    fn before(&self, invocation: &Invocation) -> Vec<Value> {
        let (spec, at) = (&self.spec, invocation.at);
        let init = invocation.init_ms.map(|ms| events::init(spec, at, ms));
        let restore = invocation
            .restore_ms
            .map(|ms| events::restore(spec, at, ms));
        init.into_iter().chain(restore).flatten().collect()
    }

    /// SHUTDOWN, with the telemetry that is left, and `report` among it, if the scenario has it.
    async fn end(&mut self, reason: Reason, report: Option<Value>) -> Result<Exit> {
        let last = self.options.faults.last_telemetry;
        let mut after = None;
        match last {
            LastTelemetry::Before => self.telemetry.emit_all(report),
            LastTelemetry::After(wait) => {
                self.telemetry.emit_all(report);
                after = Some(wait);
            }
            LastTelemetry::ReportAfter(wait) => {
                let held_back = self.telemetry.hold_back_last_report();
                self.deliver().await?;
                self.telemetry.emit_all(report.or(held_back));
                after = Some(wait);
            }
        }
        if after.is_none() {
            self.deliver().await?;
        }
        let began = Instant::now();
        let deadline_ms = self.newest.plus_ms(2000).as_ms();
        self.api.shut_down(reason.name(), deadline_ms);
        let process = self.process.take().context("no process")?;
        if let Some((wait, to)) = after.zip(self.subscription()) {
            sleep(wait).await;
            // It may have ended already: then these events are lost, as they are in Lambda.
            let _ = self.telemetry.deliver(Some(&to)).await;
        }
        process.end(began).await
    }

    async fn deliver(&mut self) -> Result<()> {
        let to = self.subscription();
        self.telemetry.deliver(to.as_ref()).await
    }

    fn subscription(&self) -> Option<Subscription> {
        self.api.life().subscription
    }

    fn frozen(&mut self) -> Result<()> {
        self.process.as_ref().map_or(Ok(()), Process::freeze)
    }

    /// An extension that ended between invocations would fail the next one.
    fn thawed(&mut self) -> Result<()> {
        let process = self.process.as_mut().context("the environment has ended")?;
        process.thaw()?;
        if process.has_ended() {
            bail!(
                "Extension.Crash: the extension ended: {}",
                process.log_text()
            );
        }
        Ok(())
    }

    /// What Lambda sets for an extension, and the scenario's own.
    fn variables(&self) -> Vec<(String, String)> {
        let spec = &self.spec;
        let memory = spec.memory_mb.to_string();
        let api = format!("127.0.0.1:{}", self.api.port);
        let lambda = [
            ("AWS_LAMBDA_RUNTIME_API", api.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", &spec.name),
            ("AWS_LAMBDA_FUNCTION_VERSION", &spec.version),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", &spec.init_type),
            ("AWS_REGION", &spec.region),
            ("AWS_DEFAULT_REGION", &spec.region),
            ("AWS_ACCESS_KEY_ID", "testing"),
            ("AWS_SECRET_ACCESS_KEY", "testing"),
            ("AWS_SESSION_TOKEN", "testing"),
            ("LAMBDA_TASK_ROOT", "/var/task"),
            ("LANG", "en_US.UTF-8"),
            ("PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin"),
            ("TZ", ":UTC"),
        ];
        // If credentials come from an endpoint, as under SnapStart, Lambda sets no keys.
        let is_key = |name: &str| {
            matches!(
                name,
                "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" | "AWS_SESSION_TOKEN"
            )
        };
        let from_endpoint =
            |(name, _): &(String, String)| name == "AWS_CONTAINER_CREDENTIALS_FULL_URI";
        let no_keys = self.options.env.iter().any(from_endpoint);
        let lambda = lambda
            .into_iter()
            .filter(|(name, _)| !(no_keys && is_key(name)));
        let own = [
            ("RIGHTSIZER_STREAM", self.options.stream.as_deref()),
            ("RIGHTSIZER_ENDPOINT", self.options.endpoint.as_deref()),
        ];
        let own = own
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        let pairs = lambda.chain(own);
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        pairs.chain(self.options.env.iter().cloned()).collect()
    }
}
