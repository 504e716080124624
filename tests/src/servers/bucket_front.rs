//! A proxy before a real S3 server. Writes are made one after the other, so that a condition is
//! checked and a write made atomically, as S3 promises. It injects faults on request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::ACCESS_KEY;

/// No object of the tests is larger.
const MOST_BYTES: usize = 256 << 20;

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketFault {
    /// Refused as a role without the permission is.
    Denied,
    /// Refused because the session has expired, which S3 answers with 400.
    Expired,
    /// Refused with a server's error.
    Broken,
    /// Never answered.
    Silent,
    /// Done, but the answer is a server's error.
    AnswerLost,
}

#[derive(Default)]
struct Plan {
    /// Method, part of the path, and what goes wrong.
    faults: Vec<(Method, &'static str, BucketFault)>,
    calls: Vec<(Method, String)>,
}

#[derive(Clone)]
struct Front {
    server: Arc<String>,
    http: reqwest::Client,
    plan: Arc<Mutex<Plan>>,
    writes: Arc<tokio::sync::Mutex<()>>,
}

/// A running front; gone when dropped.
pub struct BucketFront {
    endpoint: String,
    front: Front,
    task: JoinHandle<()>,
}

impl BucketFront {
    /// Starts one before the S3 server at `server`, and makes the bucket `bucket`.
    pub async fn before(server: &str, bucket: &str) -> Result<Self> {
        let front = Front {
            server: Arc::new(server.to_owned()),
            http: reqwest::Client::builder().no_proxy().build()?,
            plan: Arc::default(),
            writes: Arc::default(),
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(handle).with_state(front.clone());
        let task = tokio::spawn(async move {
            // Ends with the test.
            let _ended = axum::serve(listener, router).await;
        });
        let made = front.signed(Method::PUT, bucket).send().await?;
        made.error_for_status().context("no bucket was made")?;
        Ok(Self {
            endpoint,
            front,
            task,
        })
    }

    /// Its address.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// From now on requests of `method` whose path contains `path` go wrong like this.
    pub fn fail(&self, method: Method, path: &'static str, fault: BucketFault) {
        lock(&self.front.plan).faults.push((method, path, fault));
    }

    /// Everything goes wrong like this.
    pub fn fail_all(&self, fault: BucketFault) {
        for method in [
            Method::GET,
            Method::HEAD,
            Method::PUT,
            Method::POST,
            Method::DELETE,
        ] {
            self.fail(method, "", fault);
        }
    }

    /// Nothing goes wrong any more.
    pub fn mend(&self) {
        lock(&self.front.plan).faults.clear();
    }

    /// Requests of `method` so far whose path contains `path`.
    pub fn calls(&self, method: &Method, path: &str) -> usize {
        let plan = lock(&self.front.plan);
        let calls = plan.calls.iter();
        calls
            .filter(|(m, p)| m == method && p.contains(path))
            .count()
    }

    /// An object, past all faults; `None` if there is none.
    pub async fn object(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let answer = self.front.signed(Method::GET, path).send().await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Ok(Some(answer.error_for_status()?.bytes().await?.to_vec()))
    }

    /// Writes an object, past all faults.
    pub async fn put_object(&self, path: &str, bytes: Vec<u8>) -> Result<()> {
        let request = self.front.signed(Method::PUT, path).body(bytes);
        request.send().await?.error_for_status()?;
        Ok(())
    }

    /// Removes an object, past all faults.
    pub async fn remove_object(&self, path: &str) -> Result<()> {
        let request = self.front.signed(Method::DELETE, path);
        request.send().await?.error_for_status()?;
        Ok(())
    }
}

impl Front {
    /// A request of the server itself. Signatures are not checked, but who sends none is a stranger.
    fn signed(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let scope = format!("{ACCESS_KEY}/20260101/us-east-1/s3/aws4_request");
        let signed =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
        let url = format!("{}/{path}", self.server);
        self.http
            .request(method, url)
            .header("authorization", signed)
    }
}

impl Drop for BucketFront {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(plan: &Mutex<Plan>) -> MutexGuard<'_, Plan> {
    plan.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn handle(State(front): State<Front>, request: Request) -> Response {
    let passed = pass(&front, request).await;
    passed.unwrap_or_else(|e| (StatusCode::BAD_GATEWAY, format!("{e:#}")).into_response())
}

async fn pass(front: &Front, request: Request) -> Result<Response> {
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let fault = {
        let mut plan = lock(&front.plan);
        plan.calls.push((head.method.clone(), path.to_owned()));
        let mut faults = plan.faults.iter();
        let fault = faults.find(|(method, part, _)| *method == head.method && path.contains(part));
        fault.map(|(_, _, fault)| *fault)
    };
    match fault {
        Some(BucketFault::Denied) => return Ok(error(StatusCode::FORBIDDEN, "AccessDenied")),
        Some(BucketFault::Expired) => return Ok(error(StatusCode::BAD_REQUEST, "ExpiredToken")),
        Some(BucketFault::Broken) => return Ok(error(StatusCode::BAD_GATEWAY, "BadGateway")),
        Some(BucketFault::Silent) => tokio::time::sleep(Duration::from_hours(1)).await,
        Some(BucketFault::AnswerLost) | None => {}
    }
    let body = to_bytes(body, MOST_BYTES).await?;
    let mut headers = head.headers.clone();
    headers.remove(header::HOST);
    let url = format!("{}{path}", front.server);
    let reading = matches!(head.method, Method::GET | Method::HEAD);
    let turn = if reading {
        None
    } else {
        Some(front.writes.lock().await)
    };
    let request = front.http.request(head.method, url).headers(headers);
    let answer = request.body(body).send().await?;
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    let body = answer.bytes().await?;
    drop(turn);
    if fault == Some(BucketFault::AnswerLost) && status.is_success() {
        return Ok(error(StatusCode::BAD_GATEWAY, "BadGateway"));
    }
    headers.remove(header::TRANSFER_ENCODING);
    headers.remove(header::CONTENT_LENGTH);
    Ok((status, headers, body).into_response())
}

fn error(status: StatusCode, code: &str) -> Response {
    let body = format!("<Error><Code>{code}</Code><Message>injected by a test</Message></Error>");
    (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
}
