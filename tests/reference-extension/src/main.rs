//! The plain way to do what `rightsizer-extension` does: the crates `lambda-extension` and
//! `aws-sdk-kinesis`, as their documentation shows them. `make weigh` measures it beside the
//! extension, and a test runs it in the emulated environment.
//!
//! `lambda-extension` 1.1.1 responds with 400 to a whole batch for one event of an unknown type,
//! such as `platform.restoreStart`. That is left as it is: it is what the crate does.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use aws_config::BehaviorVersion;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use lambda_extension::{
    Error, Extension, LambdaEvent, LambdaTelemetry, LambdaTelemetryRecord, LogBuffering, NextEvent,
    ReportMetrics, SharedService, service_fn,
};
use rightsizer_records::{
    EnvId, FunctionArn, Megabytes, Millis, Record, ReportRow, Reports, Status, Timestamp, encode,
};
use tokio::sync::{Mutex, OnceCell};

/// A report older than this, by event time, is sent.
const FLUSH_MS: i64 = 60_000;
/// About one payload unit of Kinesis, 25 KB.
const ROWS_A_RECORD: usize = 700;

type Row = (Timestamp, Megabytes, ReportRow);

/// Reports that wait to be sent, and where they go.
struct Shipper {
    stream: String,
    function: FunctionArn,
    env: EnvId,
    kinesis: OnceCell<Client>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    rows: Vec<Row>,
    seq: u64,
    total: u64,
}

impl Shipper {
    /// Takes one POST of the Telemetry API, and sends what has waited long enough.
    async fn take(&self, events: Vec<LambdaTelemetry>) -> Result<(), Error> {
        let mut waiting = self.waiting.lock().await;
        for event in events {
            let at = Timestamp::from_ms(event.time.timestamp_millis()).ok_or("no such time")?;
            if let LambdaTelemetryRecord::PlatformReport {
                metrics,
                error_type,
                ..
            } = event.record
            {
                waiting.rows.push(row(at, &metrics, error_type.as_deref()));
            }
            let oldest = waiting.rows.first().map(|(oldest, ..)| oldest.as_ms());
            let is_old = oldest.is_some_and(|oldest| at.as_ms() - oldest >= FLUSH_MS);
            if is_old || waiting.rows.len() >= ROWS_A_RECORD {
                self.send(&mut waiting).await?;
            }
        }
        Ok(())
    }

    /// Sends everything in one record.
    async fn send(&self, waiting: &mut Waiting) -> Result<(), Error> {
        let Some(&(t0, memory_mb, _)) = waiting.rows.first() else {
            return Ok(());
        };
        let rows = waiting.rows.drain(..).map(|(at, _, row)| ReportRow {
            at_ms: at.as_ms() - t0.as_ms(),
            ..row
        });
        let reports: Vec<_> = rows.collect();
        waiting.total += reports.len() as u64;
        let record = Record::Reports(Reports {
            function: self.function.clone(),
            version: variable("AWS_LAMBDA_FUNCTION_VERSION")?,
            env: self.env,
            seq: waiting.seq,
            total: waiting.total,
            memory_mb,
            arch: None,
            runtime: None,
            init: None,
            t0,
            reports,
            errors: Vec::new(),
            cpu_ms: None,
            cores: None,
            self_kib: None,
            folded: None,
            events_dropped: 0,
        });
        waiting.seq += 1;
        let entry = aws_sdk_kinesis::types::PutRecordsRequestEntry::builder()
            .data(Blob::new(encode(&record)))
            .partition_key(self.env.to_string())
            .build()?;
        let kinesis = self.kinesis.get_or_init(client).await;
        let call = kinesis.put_records().stream_name(&self.stream);
        call.records(entry).send().await?;
        Ok(())
    }

    async fn on_event(&self, event: LambdaEvent) -> Result<(), Error> {
        if matches!(event.next, NextEvent::Shutdown(_)) {
            self.send(&mut *self.waiting.lock().await).await?;
            // `Extension::run` never returns.
            std::process::exit(0);
        }
        Ok(())
    }
}

/// Set up at the first send, so that init does not wait for it.
async fn client() -> Client {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let config = aws_config::defaults(BehaviorVersion::latest());
    Client::new(&config.http_client(http).load().await)
}

fn row(at: Timestamp, metrics: &ReportMetrics, error: Option<&str>) -> Row {
    let megabytes = |mb: u64| Megabytes(u32::try_from(mb).unwrap_or(u32::MAX));
    let init_ms = metrics.init_duration_ms.or(metrics.restore_duration_ms);
    let row = ReportRow {
        at_ms: 0,
        max_used_mb: Some(megabytes(metrics.max_memory_used_mb)),
        duration_ms: Millis::from_ms_f64(metrics.duration_ms),
        billed_ms: Some(Millis::from_ms(metrics.billed_duration_ms)),
        status: error.map_or(Status::Ok, |_| Status::Error),
        init_ms: init_ms.and_then(Millis::from_ms_f64),
    };
    (at, megabytes(metrics.memory_size_mb), row)
}

fn variable(name: &str) -> Result<String, Error> {
    Ok(std::env::var(name).map_err(|e| format!("{name}: {e}"))?)
}

/// A port that nothing listens on. `lambda-extension` binds it again for each connection.
fn free_port() -> Result<u16, Error> {
    let listener = std::net::TcpListener::bind(("0.0.0.0", 0))?;
    Ok(listener.local_addr()?.port())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let (region, name) = (
        variable("AWS_REGION")?,
        variable("AWS_LAMBDA_FUNCTION_NAME")?,
    );
    let shipper = Arc::new(Shipper {
        stream: variable("RIGHTSIZER_STREAM")?,
        function: FunctionArn::new("aws", &region, "000000000000", &name)?,
        env: EnvId(RandomState::new().hash_one(std::process::id())),
        kinesis: OnceCell::new(),
        waiting: Mutex::default(),
    });
    let on_event = Arc::clone(&shipper);
    Extension::new()
        .with_events(&["SHUTDOWN"])
        .with_events_processor(service_fn(move |event| {
            let shipper = Arc::clone(&on_event);
            async move { shipper.on_event(event).await }
        }))
        .with_telemetry_types(&["platform"])
        .with_telemetry_buffering(LogBuffering {
            timeout_ms: 25,
            max_bytes: 262_144,
            max_items: 1000,
        })
        .with_telemetry_port_number(free_port()?)
        .with_telemetry_processor(SharedService::new(service_fn(move |events| {
            let shipper = Arc::clone(&shipper);
            async move { shipper.take(events).await }
        })))
        .run()
        .await
}
