//! An account whose functions have logged for two weeks.

use std::path::PathBuf;
use std::process::Output;

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use rightsizer_aws::clock::now;
use rightsizer_records::Day;
use rightsizer_store::Reader;
use rightsizer_tests::aggregator::rightsizer_with;
use rightsizer_tests::servers::{FaultProxy, LogsServer, MotoServer, REGION, aws_environment};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A client of the logs at `endpoint`.
pub(crate) fn client(endpoint: &str) -> Client {
    client_in(endpoint, REGION)
}

/// The same in a region.
pub(crate) fn client_in(endpoint: &str, region: &'static str) -> Client {
    Client::from_conf(
        aws_sdk_cloudwatchlogs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static(region))
            .credentials_provider(Credentials::new("testing", "testing", None, None, "tests"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(endpoint)
            .build(),
    )
}

/// A Lambda API with functions, logs that add up, and a proxy that makes either go wrong.
pub(crate) struct Stage {
    pub(crate) moto: MotoServer,
    pub(crate) logs: LogsServer,
    /// Before the logs.
    pub(crate) proxy: FaultProxy,
    /// Before the Lambda API.
    pub(crate) lambda: FaultProxy,
    folder: TempDir,
}

impl Stage {
    pub(crate) async fn open() -> Self {
        let moto = MotoServer::start().await.unwrap();
        let logs = LogsServer::start().await.unwrap();
        Self {
            proxy: FaultProxy::before(logs.endpoint()).await.unwrap(),
            lambda: FaultProxy::before(moto.endpoint()).await.unwrap(),
            folder: tempfile::tempdir().unwrap(),
            moto,
            logs,
        }
    }

    /// With functions of these names that log to their default groups.
    pub(crate) async fn with_functions(names: &[&str]) -> Self {
        let stage = Self::open().await;
        for name in names {
            stage
                .moto
                .create_function(name, 1024, 30, &[])
                .await
                .unwrap();
        }
        stage
    }

    pub(crate) fn client(&self) -> Client {
        client(self.logs.endpoint())
    }

    pub(crate) fn store(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.db"))
    }

    /// The environment of a command whose logs are at `logs`.
    pub(crate) fn environment(&self, logs: &str) -> Vec<(String, String)> {
        let mut environment = aws_environment("CLOUDWATCH_LOGS", logs);
        for service in [
            "KINESIS",
            "LAMBDA",
            "RESOURCE_GROUPS_TAGGING_API",
            "CLOUDWATCH",
        ] {
            environment.extend(aws_environment(service, self.lambda.endpoint()));
        }
        environment
    }

    /// Runs `import cloudwatch` into the store of this name, by way of the proxy.
    pub(crate) async fn import(&self, store: &str, more: &[&str]) -> (Output, Value) {
        self.import_from(self.proxy.endpoint(), store, more).await
    }

    pub(crate) async fn import_from(
        &self,
        logs: &str,
        store: &str,
        more: &[&str],
    ) -> (Output, Value) {
        let path = self.store(store);
        let path = path.to_str().unwrap();
        let mut arguments = vec![
            "import",
            "cloudwatch",
            "--json",
            "--rate",
            "100",
            "--store",
            path,
        ];
        arguments.extend(more);
        let output = rightsizer_with(&arguments, &self.environment(logs))
            .await
            .unwrap();
        let json = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        (output, json)
    }

    /// What is known of every day and peak.
    pub(crate) fn evidence(&self, store: &str) -> Vec<String> {
        Reader::open(&self.store(store))
            .unwrap()
            .evidence()
            .unwrap()
    }

    /// The same without the time of the day of durations, which the sums of a query do not have.
    pub(crate) fn evidence_of_days(&self, store: &str) -> Vec<String> {
        let row = |row: String| {
            let words = row.split(' ').filter(|word| !word.starts_with("hours="));
            words.collect::<Vec<_>>().join(" ")
        };
        self.evidence(store).into_iter().map(row).collect()
    }

    pub(crate) fn peaks(&self, store: &str) -> Vec<String> {
        let mut rows = self.evidence(store);
        rows.retain(|row| row.contains("'peak'=peak"));
        rows
    }

    pub(crate) async fn list(&self, store: &str) -> Vec<Value> {
        let path = self.store(store);
        let arguments = ["list", "--json", "--store", path.to_str().unwrap()];
        let output = rightsizer_with(&arguments, &[]).await.unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// The day this number of days ago.
pub(crate) fn ago(days: i32) -> Day {
    now().day().plus(-days)
}

/// How an invocation went.
#[derive(Clone, Copy)]
pub(crate) struct Invocation {
    pub(crate) size: u32,
    pub(crate) used: u32,
    pub(crate) ms: f64,
    /// Status and error type, as the platform reports failures.
    pub(crate) failed: Option<(&'static str, Option<&'static str>)>,
}

impl Invocation {
    pub(crate) const fn ok(size: u32, used: u32) -> Self {
        Self {
            size,
            used,
            ms: 12.5,
            failed: None,
        }
    }

    /// As text. The X-Ray part stands on a line of its own.
    pub(crate) fn line(self) -> String {
        let Self { size, used, ms, .. } = self;
        let billed = ms.ceil();
        let mut line = format!(
            "REPORT RequestId: 7d1e0c2a-0000-4000-8000-000000000000\tDuration: {ms} ms\tBilled Duration: \
             {billed} ms\tMemory Size: {size} MB\tMax Memory Used: {used} MB\t"
        );
        if let Some((status, error)) = self.failed {
            line.push_str(&format!("Status: {status}\t"));
            if let Some(error) = error {
                line.push_str(&format!("Error Type: {error}\t"));
            }
        }
        line.push_str("\nXRAY TraceId: 1-5f-0\tSegmentId: 0\tSampled: true\t\n");
        line
    }

    /// As JSON logging writes it.
    pub(crate) fn event(self, time: &str) -> String {
        let (status, error) = self.failed.unwrap_or(("success", None));
        let mut record = json!({
            "requestId": "7d1e0c2a", "status": status,
            "metrics": {
                "durationMs": self.ms, "billedDurationMs": self.ms.ceil(),
                "memorySizeMB": self.size, "maxMemoryUsedMB": self.used,
            },
        });
        if let Some(error) = error {
            record["errorType"] = error.into();
        }
        json!({"time": time, "type": "platform.report", "record": record}).to_string()
    }
}

/// A log group that is written to.
pub(crate) struct Group<'a> {
    pub(crate) client: &'a Client,
    pub(crate) name: &'a str,
}

impl Group<'_> {
    pub(crate) async fn create(&self) {
        let create = self.client.create_log_group().log_group_name(self.name);
        create.send().await.unwrap();
    }

    /// Logs messages on a day, a second apart from 6 o'clock on.
    pub(crate) async fn write(&self, day: Day, stream: &str, messages: &[String]) {
        let create = self.client.create_log_stream().log_group_name(self.name);
        // It may be there.
        let _ = create.log_stream_name(stream).send().await;
        let begin = day.start().as_ms() + 6 * 3_600_000;
        let events = messages
            .iter()
            .zip((begin..).step_by(1000))
            .map(|(message, at)| {
                let event = InputLogEvent::builder().timestamp(at).message(message);
                event.build().unwrap()
            });
        let put = self.client.put_log_events().log_group_name(self.name);
        let put = put.log_stream_name(stream);
        put.set_log_events(Some(events.collect()))
            .send()
            .await
            .unwrap();
    }

    /// The invocations of a day as text, after a line of the application's.
    pub(crate) async fn day(&self, day: Day, stream: &str, invocations: &[Invocation]) {
        let start = "START RequestId: 7d1e0c2a Version: $LATEST".to_owned();
        let lines = invocations.iter().map(|one| one.line());
        let lines: Vec<String> = std::iter::once(start).chain(lines).collect();
        self.write(day, stream, &lines).await;
    }
}

/// The name of a stream of this day and version.
pub(crate) fn stream(day: Day, name: &str, version: &str) -> String {
    format!(
        "{}/{name}[{version}]00aa",
        day.to_string().replace('-', "/")
    )
}
