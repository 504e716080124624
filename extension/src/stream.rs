//! Puts records on the Kinesis stream. What it needs is read at the first flush, never in init.
//!
//! `aws-sdk-kinesis` is not used; `docs/EXTENSION.md` has its cost.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use hyper::body::Bytes;
use rightsizer_records::{EnvId, Reports};
use tokio::time::{sleep, timeout};
use tokio_rustls::rustls::ClientConfig;

use crate::endpoint::Endpoint;
use crate::http::{Connection, is_untrusted};
use crate::put_records::{self, Answer};
use crate::target::Target;
use crate::tls;
use crate::wallet::Wallet;

/// A call takes 5 MB; a record is at most 25 KB.
const RECORDS_A_CALL: usize = 150;
/// One more try for a connection that died in a freeze; beyond that the journal decides.
const TRIES: u32 = 2;
/// Longer ones would take up the time that SHUTDOWN leaves.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// Used as the code if this side gave up the connection.
const UNTRUSTED: &str = "InvalidCertificate";

/// A stream to put records on.
#[derive(Debug)]
pub struct Stream {
    target: Target,
    wallet: Wallet,
    tls: OnceLock<Arc<ClientConfig>>,
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
    /// Faults of one kind are logged once.
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
            wallet: Wallet::new(target.credentials.clone(), target.ca_bundle.clone()),
            target,
            tls: OnceLock::new(),
        }
    }

    /// Sends the records in their order, each attempt within `patience`.
    pub async fn put(&self, records: &[Reports], patience: Duration) -> Sent {
        let mut sent = Sent::default();
        // Records of before a restore lie before those of after it.
        let Some(env) = records.last().map(|record| record.env) else {
            return sent;
        };
        let mut connection = None;
        for records in records.chunks(RECORDS_A_CALL) {
            let body = put_records::body(&self.target, records);
            match self.call(&mut connection, &body, env, patience).await {
                Ok(refusals) => {
                    let refused = refusals.iter().flatten().next();
                    sent.problem = refused.map(|code| self.problem(Some(code), code));
                    sent.delivered.extend(refusals.iter().map(Option::is_none));
                }
                Err(problem) => {
                    sent.problem = Some(problem);
                    break; // What holds for these holds for the rest.
                }
            }
        }
        sent
    }

    /// One call, retried if that may help. Returns for each record why it was refused, if it was.
    async fn call(
        &self,
        connection: &mut Option<Connection>,
        body: &Bytes,
        env: EnvId,
        patience: Duration,
    ) -> Result<Vec<Option<String>>, Problem> {
        let mut tries = 1;
        loop {
            let answer = timeout(patience, self.attempt(connection, body.clone(), env)).await;
            let again = match &answer {
                Ok(Ok(answer)) if answer.wants_other_keys() => self.wallet.refused(),
                Ok(Ok(answer)) => answer.is_passing(),
                Ok(Err(Failed::NotReady(_))) => false,
                Ok(Err(Failed::Broken(_))) | Err(_) => true,
            };
            if again && tries < TRIES {
                tries += 1;
                *connection = None;
                sleep(RETRY_PAUSE).await;
                continue;
            }
            return match answer {
                Ok(Ok(Answer::Records(refusals))) => Ok(refusals),
                Ok(Ok(Answer::Refused {
                    status,
                    code,
                    message,
                })) => {
                    let named = code.as_deref().unwrap_or(status.as_str());
                    Err(self.problem(Some(named), &format!("{named}: {message}")))
                }
                Ok(Err(Failed::NotReady(e))) => Err(not_ready(&e)),
                Ok(Err(Failed::Broken(e))) => {
                    let code = is_untrusted(&e).then_some(UNTRUSTED);
                    Err(self.problem(code, &format!("{e:#}")))
                }
                Err(_) => Err(self.problem(None, &format!("no response within {patience:?}"))),
            };
        }
    }

    async fn attempt(
        &self,
        connection: &mut Option<Connection>,
        body: Bytes,
        env: EnvId,
    ) -> Result<Answer, Failed> {
        let endpoint = self.endpoint().map_err(Failed::NotReady)?;
        let keys = self.wallet.keys(env, SystemTime::now()).await;
        let keys = keys.map_err(Failed::NotReady)?;
        let mut open = match connection.take().filter(Connection::is_open) {
            Some(open) => open,
            None => self.open(&endpoint).await?,
        };
        let region = &self.target.region;
        let request = put_records::request(&endpoint, region, &keys, SystemTime::now(), body);
        let request = request.context("no request can be signed");
        let (parts, body) = open
            .send(request.map_err(Failed::NotReady)?)
            .await
            .map_err(Failed::Broken)?;
        *connection = Some(open);
        Ok(put_records::answer(parts.status, &body))
    }

    async fn open(&self, endpoint: &Endpoint) -> Result<Connection, Failed> {
        let tls = endpoint.tls.then(|| self.tls()).transpose();
        let tls = tls.map_err(Failed::NotReady)?;
        let open = Connection::open(endpoint, tls).await;
        open.map_err(Failed::Broken)
    }

    fn endpoint(&self) -> anyhow::Result<Endpoint> {
        let own = self.target.endpoint.as_deref();
        let endpoint = match own {
            Some(url) => Endpoint::parse(url),
            None => self.target.aws_endpoint(),
        };
        let Some(endpoint) = endpoint else {
            // The value may hold a token, so it is not repeated here.
            bail!("the stream has no valid address: see RIGHTSIZER_ENDPOINT and AWS_REGION");
        };
        Ok(endpoint)
    }

    fn tls(&self) -> anyhow::Result<Arc<ClientConfig>> {
        if let Some(client) = self.tls.get() {
            return Ok(Arc::clone(client));
        }
        let client = tls::client(self.target.ca_bundle.as_deref())?;
        Ok(Arc::clone(self.tls.get_or_init(|| client)))
    }

    fn problem(&self, code: Option<&str>, detail: &str) -> Problem {
        let (kind, advice) = match code {
            Some("AccessDeniedException") => (
                "denied",
                "allow the function's role kinesis:PutRecords on it",
            ),
            Some("ResourceNotFoundException") => {
                ("missing", "create it, or correct RIGHTSIZER_STREAM")
            }
            Some("ProvisionedThroughputExceededException" | "LimitExceededException") => (
                "throttled",
                "add shards to the stream, or make it on-demand",
            ),
            Some("KMSThrottlingException") => (
                "throttled by KMS",
                "raise the account's quota of KMS requests, or encrypt the stream with none",
            ),
            Some(key) if key.starts_with("KMS") => (
                "denied by its key",
                "allow the function's role kms:GenerateDataKey on the stream's key",
            ),
            Some(UNTRUSTED) => (
                "not trusted",
                "set AWS_CA_BUNDLE or SSL_CERT_FILE to a PEM file with its authority",
            ),
            Some(_) => ("refused", "see the message"),
            None => (
                "unreachable",
                "a function in a VPC needs a route to Kinesis or an endpoint",
            ),
        };
        let detail = &detail[..detail.floor_char_boundary(300)];
        let stream = &self.target.stream;
        Problem {
            kind,
            text: format!(
                "the reports stream {stream} is {kind} ({detail}): {advice}. Invocations are not \
                 affected; reports are kept as far as there is room, and sent again."
            ),
        }
    }
}

/// Why an attempt got no answer.
enum Failed {
    /// Nothing was sent, and trying again at once does not help.
    NotReady(anyhow::Error),
    /// The connection was not made, or broke.
    Broken(anyhow::Error),
}

fn not_ready(error: &anyhow::Error) -> Problem {
    Problem {
        kind: "set-up",
        text: format!(
            "nothing can be sent: {error:#}. Invocations are not affected; reports are kept as far \
             as there is room."
        ),
    }
}
