//! A proxy between a client of AWS and a real API server. It passes everything on and injects
//! faults on request; everything else is the server's own behaviour.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// No request or answer of the tests is larger.
const MOST_BYTES: usize = 64 << 20;

/// How many calls a fault is for.
const FOR_EVER: usize = usize::MAX;

type Change = Box<dyn Fn(&mut Value) + Send>;

enum Answer {
    /// An error of the service instead of the call.
    Error(StatusCode, &'static str),
    /// The server's own answer, changed.
    Changed(Change),
}

struct Fault {
    operation: &'static str,
    /// Calls that it still is for.
    calls: usize,
    /// Text that the request has to contain.
    containing: &'static str,
    answer: Answer,
}

#[derive(Default)]
struct Plan {
    faults: Vec<Fault>,
    calls: HashMap<String, usize>,
}

#[derive(Clone)]
struct Proxy {
    server: Arc<String>,
    http: reqwest::Client,
    plan: Arc<Mutex<Plan>>,
}

/// A running proxy; gone when dropped.
pub struct FaultProxy {
    endpoint: String,
    plan: Arc<Mutex<Plan>>,
    task: JoinHandle<()>,
}

impl FaultProxy {
    /// Starts one before the server at `server`.
    pub async fn before(server: &str) -> Result<Self> {
        let plan = Arc::<Mutex<Plan>>::default();
        let proxy = Proxy {
            server: Arc::new(server.to_owned()),
            http: reqwest::Client::builder().no_proxy().build()?,
            plan: Arc::clone(&plan),
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(handle).with_state(proxy);
        let task = tokio::spawn(async move {
            // Ends with the test.
            let _ended = axum::serve(listener, router).await;
        });
        Ok(Self {
            endpoint,
            plan,
            task,
        })
    }

    /// Its address.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The next `calls` of `operation` get this error of the service. An operation is called as AWS
    /// calls it (`GetRecords`), or by method and path if the API uses those (`GET
    /// /2015-03-31/functions`).
    pub fn refuse(&self, operation: &'static str, calls: usize, error: &'static str) {
        let status = match error {
            "AccessDeniedException" => StatusCode::FORBIDDEN,
            "TooManyRequestsException" => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::BAD_REQUEST,
        };
        self.add(operation, calls, "", Answer::Error(status, error));
    }

    /// Every call of `operation` gets this error.
    pub fn always_refuse(&self, operation: &'static str, error: &'static str) {
        self.refuse(operation, FOR_EVER, error);
    }

    /// Every call of `operation` whose request contains a text gets this error.
    pub fn refuse_where(
        &self,
        operation: &'static str,
        containing: &'static str,
        error: &'static str,
    ) {
        let answer = Answer::Error(StatusCode::BAD_REQUEST, error);
        self.add(operation, FOR_EVER, containing, answer);
    }

    /// Every answer to `operation` is changed like this.
    pub fn change(&self, operation: &'static str, how: impl Fn(&mut Value) + Send + 'static) {
        self.add(operation, FOR_EVER, "", Answer::Changed(Box::new(how)));
    }

    /// Stops injecting faults.
    pub fn mend(&self) {
        lock(&self.plan).faults.clear();
    }

    /// Calls of an operation so far, refused ones included.
    pub fn calls(&self, operation: &str) -> usize {
        let plan = lock(&self.plan);
        plan.calls.get(operation).copied().unwrap_or(0)
    }

    /// Every operation that was called so far.
    pub fn called(&self) -> Vec<String> {
        let mut called: Vec<_> = lock(&self.plan).calls.keys().cloned().collect();
        called.sort();
        called
    }

    fn add(&self, operation: &'static str, calls: usize, containing: &'static str, answer: Answer) {
        lock(&self.plan).faults.push(Fault {
            operation,
            calls,
            containing,
            answer,
        });
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(plan: &Mutex<Plan>) -> MutexGuard<'_, Plan> {
    plan.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn handle(State(proxy): State<Proxy>, request: Request) -> Response {
    let passed = pass(&proxy, request).await;
    passed.unwrap_or_else(|e| (StatusCode::BAD_GATEWAY, format!("{e:#}")).into_response())
}

async fn pass(proxy: &Proxy, request: Request) -> Result<Response> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, MOST_BYTES).await?;
    let operation = operation(&head.headers, head.method.as_str(), head.uri.path(), &body);
    if let Some(refusal) = refusal(&mut lock(&proxy.plan), &operation, &body) {
        return Ok(refusal);
    }
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut headers = head.headers;
    headers.remove(header::HOST);
    let url = format!("{}{path}", proxy.server);
    let request = proxy.http.request(head.method, url).headers(headers);
    let answer = request.body(body).send().await?;
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    headers.remove(header::TRANSFER_ENCODING);
    headers.remove(header::CONTENT_LENGTH);
    let body = answer.bytes().await?;
    let body = changed(&lock(&proxy.plan), &operation, body);
    Ok((status, headers, body).into_response())
}

/// By `X-Amz-Target` if there is one, by the `Action` of a form, else by method and path.
fn operation(headers: &HeaderMap, method: &str, path: &str, body: &[u8]) -> String {
    let action = body.strip_prefix(b"Action=").unwrap_or_default();
    let action = action.split(|byte| *byte == b'&').next();
    if let Some(action) = action.filter(|action| !action.is_empty()) {
        return String::from_utf8_lossy(action).into_owned();
    }
    let target = headers.get("x-amz-target").map(HeaderValue::as_bytes);
    let target = target.map(String::from_utf8_lossy);
    match target
        .as_deref()
        .and_then(|target| target.rsplit('.').next())
    {
        Some(operation) => operation.to_owned(),
        None => format!("{method} {}", path.trim_end_matches('/')),
    }
}

fn refusal(plan: &mut Plan, operation: &str, body: &[u8]) -> Option<Response> {
    *plan.calls.entry(operation.to_owned()).or_default() += 1;
    let body = String::from_utf8_lossy(body);
    let fault = plan.faults.iter_mut().find(|fault| {
        fault.operation == operation
            && fault.calls > 0
            && body.contains(fault.containing)
            && matches!(fault.answer, Answer::Error(..))
    })?;
    if fault.calls != FOR_EVER {
        fault.calls -= 1;
    }
    let Answer::Error(status, error) = &fault.answer else {
        return None;
    };
    let kind = [
        (header::CONTENT_TYPE.as_str(), "application/x-amz-json-1.1"),
        ("x-amzn-errortype", error),
    ];
    let body = json!({"__type": error, "message": "injected by a test"}).to_string();
    Some((*status, kind, body).into_response())
}

fn changed(plan: &Plan, operation: &str, body: Bytes) -> Bytes {
    let changes = plan.faults.iter().filter_map(|fault| match &fault.answer {
        Answer::Changed(change) if fault.operation == operation => Some(change),
        _ => None,
    });
    let mut changes = changes.peekable();
    if changes.peek().is_none() {
        return body;
    }
    let Ok(mut answer) = serde_json::from_slice(&body) else {
        return body;
    };
    changes.for_each(|change| change(&mut answer));
    answer.to_string().into()
}
