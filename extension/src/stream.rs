//! Puts records on the Kinesis stream. Built at the first flush, never in init: reading the trusted
//! roots alone takes 45 ms on a small function.
//!
//! Credentials come from the environment. Where Lambda sets none (SnapStart), nothing is sent and a
//! warning says so.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Context as _;
use aws_credential_types::Credentials;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::timeout::TimeoutConfig;
use aws_sdk_kinesis::config::{
    BehaviorVersion, Config, IdentityCache, Region, SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_sdk_kinesis::error::ProvideErrorMetadata as _;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use rightsizer_records::{Record, Reports, encode};

use crate::config::Target;

/// A call takes 5 MB; a record is at most 25 KB.
const RECORDS_A_CALL: usize = 150;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// The SDK's own default of a second would take up half of the time that SHUTDOWN leaves.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// A stream to put records on.
#[derive(Debug)]
pub struct Stream {
    target: Target,
    client: OnceLock<Client>,
}

/// How a send went.
#[derive(Debug, Default)]
pub struct Sent {
    /// For each record in turn; what is missing was not delivered.
    pub delivered: Vec<bool>,
    /// What went wrong, if anything did.
    pub problem: Option<Problem>,
}

/// A fault, for the user.
#[derive(Debug)]
pub struct Problem {
    /// Faults of one kind are told once.
    pub kind: &'static str,
    /// What happened and what to do.
    pub text: String,
}

impl Sent {
    /// A library panicked on the way: nothing is known to have been delivered.
    pub fn broken() -> Self {
        Self {
            delivered: Vec::new(),
            problem: Some(Problem {
                kind: "broken",
                text: "a fault while sending: reports are kept and sent later. Please report it."
                    .to_owned(),
            }),
        }
    }
}

impl Stream {
    /// Nothing is read, resolved or opened before the first send.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            client: OnceLock::new(),
        }
    }

    /// Sends the records in their order, each attempt within `patience`.
    pub async fn put(&self, records: &[Reports], patience: Duration) -> Sent {
        let mut sent = Sent::default();
        let client = match self.client() {
            Ok(client) => client,
            Err(e) => {
                sent.problem = Some(Problem {
                    kind: "set-up",
                    text: format!("nothing can be sent: {e:#}"),
                });
                return sent;
            }
        };
        for records in records.chunks(RECORDS_A_CALL) {
            if !self.call(client, records, patience, &mut sent).await {
                break; // What holds for these holds for the rest.
            }
        }
        sent
    }

    /// One call; whether it was answered at all.
    async fn call(
        &self,
        client: &Client,
        records: &[Reports],
        patience: Duration,
        sent: &mut Sent,
    ) -> bool {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT.min(patience))
            .operation_attempt_timeout(patience)
            .build();
        let request = client
            .put_records()
            .set_records(Some(records.iter().map(entry).collect()));
        let request = if self.target.is_arn() {
            request.stream_arn(&self.target.stream)
        } else {
            request.stream_name(&self.target.stream)
        };
        let within = Config::builder().timeout_config(timeouts);
        let answer = request.customize().config_override(within).send().await;
        match answer {
            Ok(answer) => {
                let refused = answer.records().iter().find_map(|r| r.error_code());
                sent.problem = refused.map(|code| self.problem(Some(code), code));
                let delivered = answer.records().iter().map(|r| r.error_code().is_none());
                sent.delivered.extend(delivered);
                true
            }
            Err(e) => {
                sent.problem = Some(self.problem(e.code(), &chain(&e)));
                false
            }
        }
    }

    fn problem(&self, code: Option<&str>, detail: &str) -> Problem {
        let (kind, advice) = match code {
            Some("AccessDeniedException") => {
                ("denied", "let the function's role kinesis:PutRecords on it")
            }
            Some("ResourceNotFoundException") => {
                ("missing", "create it, or correct RIGHTSIZER_STREAM")
            }
            Some("ProvisionedThroughputExceededException" | "LimitExceededException") => (
                "throttled",
                "give the stream more shards, or make it on-demand",
            ),
            Some(_) => ("refused", "see the message"),
            None => (
                "unreachable",
                "a function in a VPC needs a route or an endpoint for Kinesis",
            ),
        };
        let detail = &detail[..detail.floor_char_boundary(300)];
        let stream = &self.target.stream;
        Problem {
            kind,
            text: format!(
                "the reports stream {stream} is {kind} ({detail}): {advice}. Invocations are not \
                 affected; reports are kept, as far as there is room, and tried again."
            ),
        }
    }

    fn client(&self) -> anyhow::Result<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::from_conf(config(&self.target)?);
        Ok(self.client.get_or_init(|| client))
    }
}

/// An error and what caused it, in words.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |e| e.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

fn entry(record: &Reports) -> PutRecordsRequestEntry {
    #[expect(
        clippy::expect_used,
        reason = "both required fields are set right here"
    )]
    PutRecordsRequestEntry::builder()
        .partition_key(record.env.to_string())
        .data(Blob::new(encode(&Record::Reports(record.clone()))))
        .build()
        .expect("data and partition key are set")
}

fn config(target: &Target) -> anyhow::Result<Config> {
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(target.region.clone()))
        .credentials_provider(credentials()?)
        .http_client(http_client(target)?)
        .identity_cache(IdentityCache::no_cache())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        // One more try for a connection that died in a freeze; beyond that the journal decides.
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(2)
                .with_initial_backoff(RETRY_PAUSE),
        );
    config.set_endpoint_url(target.endpoint.clone());
    Ok(config.build())
}

fn credentials() -> anyhow::Result<Credentials> {
    let get = |name| std::env::var(name).ok().filter(|v| !v.is_empty());
    let keys = get("AWS_ACCESS_KEY_ID").zip(get("AWS_SECRET_ACCESS_KEY"));
    let (id, secret) = keys.context(
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set. Under SnapStart Lambda gives \
         credentials in another way, which this version does not know: remove the layer there",
    )?;
    Ok(Credentials::new(
        id,
        secret,
        get("AWS_SESSION_TOKEN"),
        None,
        "environment",
    ))
}

/// Idle connections are dead after a freeze, so none is kept.
fn http_client(target: &Target) -> anyhow::Result<SharedHttpClient> {
    let builder = aws_smithy_http_client::Builder::new().pool_max_idle_per_host(0);
    let endpoint = target.endpoint.as_deref().unwrap_or_default();
    if endpoint.starts_with("http://") {
        return Ok(builder.build_http());
    }
    let mut roots = TrustStore::default();
    if let Some(path) = &target.ca_bundle {
        let pem = std::fs::read(path);
        let pem = pem.with_context(|| format!("AWS_CA_BUNDLE {path} cannot be read"))?;
        roots = TrustStore::empty().with_pem_certificate(pem);
    }
    let context = TlsContext::builder().with_trust_store(roots).build()?;
    let ring = Provider::Rustls(CryptoMode::Ring);
    Ok(builder
        .tls_provider(ring)
        .tls_context(context)
        .build_https())
}
