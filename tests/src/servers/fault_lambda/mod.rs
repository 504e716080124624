//! A Lambda API that injects faults: for what `moto` does not know (revisions, updates that take
//! their time, limits, lost answers), held to the same suite as `moto` for what both can do.
//!
//! It listens on a port, and works within the process, so that a test can pause tokio's time.

mod account;
mod api;
mod fault;
mod function;
mod play;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use api::{Api, Reply};
use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::http::{HttpRequest, HttpResponse};
use aws_sdk_lambda::config::{HttpClient, RuntimeComponents, SharedHttpClient};
use aws_sdk_lambda::primitives::SdkBody;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::result::ConnectorError;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use fault::Ordered;
use futures_util::stream;
use rightsizer_records::FunctionArn;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{ACCOUNT, REGION, lambda_client};
pub use fault::{Call, Fault, Operation, most_within_a_second};
use function::Function;
pub use play::Behaviour;

/// The API; clones are the same one.
#[derive(Debug, Clone)]
pub struct FaultLambda {
    api: Arc<Mutex<Api>>,
    began: Instant,
}

/// The API on a port; it stops when dropped.
#[derive(Debug)]
pub struct FaultServer {
    lambda: FaultLambda,
    endpoint: String,
    server: JoinHandle<()>,
}

impl Default for FaultLambda {
    fn default() -> Self {
        Self {
            api: Arc::default(),
            began: Instant::now(),
        }
    }
}

impl FaultLambda {
    /// Makes a function of a size with tags.
    pub fn function(&self, name: &str, memory_mb: u32, tags: &[(&str, &str)]) -> FunctionArn {
        let tags: Map<String, Value> = tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), json!(value)))
            .collect();
        let body = json!({
            "FunctionName": name, "MemorySize": memory_mb, "Timeout": 3, "Runtime": "python3.12",
            "Handler": "main.handle", "Role": "arn:aws:iam::123456789012:role/test", "Tags": tags,
            "Code": {"ZipFile": "first"}, "Environment": {"Variables": {"TABLE": "orders"}},
        });
        let body = body.as_object().cloned().unwrap_or_default();
        self.api()
            .functions
            .insert(name.to_owned(), Function::create(&body));
        #[expect(clippy::expect_used, reason = "tests name their functions themselves")]
        FunctionArn::new("aws", REGION, ACCOUNT, name).expect("a function's name")
    }

    /// Makes a function as a caller of `CreateFunction` does; its name is in the body.
    pub fn create(&self, body: &Value) -> FunctionArn {
        let body = body.as_object().cloned().unwrap_or_default();
        let name = body["FunctionName"].as_str().unwrap_or_default().to_owned();
        self.api()
            .functions
            .insert(name.clone(), Function::create(&body));
        #[expect(clippy::expect_used, reason = "tests name their functions themselves")]
        FunctionArn::new("aws", REGION, ACCOUNT, &name).expect("a function's name")
    }

    /// What the function's code does from now on, also in copies of it.
    pub fn plays(&self, name: &str, behaviour: Behaviour) {
        let mut api = self.api();
        let code = api
            .functions
            .get(name)
            .map(|function| function.latest["CodeSha256"].clone());
        let code = code
            .unwrap_or_default()
            .as_str()
            .unwrap_or_default()
            .to_owned();
        api.behaviours.insert(code, behaviour);
    }

    /// Puts an object into S3.
    pub fn object(&self, bucket: &str, key: &str, content: &[u8]) {
        let place = format!("/{bucket}/{key}");
        self.api().objects.insert(place, content.to_vec());
    }

    /// The role with this name trusts CloudFront.
    pub fn trusts_cloudfront(&self, role: &str) {
        self.api().edge_roles.insert(role.to_owned());
    }

    /// The function's package has this size from now on.
    pub fn weighs(&self, name: &str, bytes: u64) {
        if let Some(function) = self.api().functions.get_mut(name) {
            let size = json!(bytes);
            function.latest.insert("CodeSize".to_owned(), size);
        }
    }

    /// Deploys other code, as another caller would.
    pub fn deploy(&self, name: &str, code: &str) {
        let now = self.began.elapsed();
        if let Some(function) = self.api().functions.get_mut(name) {
            // A change under way is none of the tests' that deploy.
            let _ = function.update_code(&json!({ "ZipFile": code }), now);
        }
    }

    /// Reserves concurrency for a function.
    pub fn reserve(&self, name: &str, executions: u32) {
        if let Some(function) = self.api().functions.get_mut(name) {
            function.reserved = Some(executions);
        }
    }

    /// Sets the concurrency of all functions without a reservation.
    pub fn unreserved(&self, executions: u32) {
        self.api().unreserved = executions;
    }

    /// How long a new function is prepared from now on.
    pub fn creating_takes(&self, how_long: Duration) {
        self.api().creating_takes = how_long;
    }

    /// How long the call that creates a function is under way from now on. It arrives even if its caller has given up.
    pub fn creating_arrives(&self, after: Duration) {
        self.api().creating_arrives = after;
    }

    /// Lists have pages of this number of functions from now on.
    pub fn pages_of(&self, functions: usize) {
        self.api().page = functions;
    }

    /// The tagging API lists no function from now on, as for a while after they were made.
    pub fn tags_lag(&self) {
        self.api().tags_lag = true;
    }

    /// Everything in the account: functions with their versions, aliases and tags, and log groups.
    pub fn account(&self) -> Value {
        self.api().everything()
    }

    /// How long a change of the function takes from now on, and why it fails in the end, if it does.
    pub fn updates_take(&self, name: &str, how_long: Duration, fails: Option<&str>) {
        if let Some(function) = self.api().functions.get_mut(name) {
            (function.update_takes, function.update_fails) = (how_long, fails.map(str::to_owned));
        }
    }

    /// How long a published version is prepared from now on.
    pub fn publishing_takes(&self, name: &str, how_long: Duration) {
        if let Some(function) = self.api().functions.get_mut(name) {
            function.publish_takes = how_long;
        }
    }

    /// Gives provisioned concurrency to a version or alias.
    pub fn provision(&self, name: &str, qualifier: &str) {
        if let Some(function) = self.api().functions.get_mut(name) {
            function.provisioned.push(qualifier.to_owned());
        }
    }

    /// The function's tags can no longer be read.
    pub fn deny_tags(&self, name: &str) {
        if let Some(function) = self.api().functions.get_mut(name) {
            function.tags_denied = true;
        }
    }

    /// Sets a field of the configuration, as another caller would.
    pub fn set(&self, name: &str, field: &str, value: Value) {
        if let Some(function) = self.api().functions.get_mut(name) {
            function.latest.insert(field.to_owned(), value);
        }
    }

    /// The configuration of `$LATEST`, or of a version or alias, as it is on the wire.
    pub fn configuration(&self, name: &str, qualifier: Option<&str>) -> Map<String, Value> {
        let now = self.began.elapsed();
        let mut api = self.api();
        let function = api.functions.get_mut(name);
        let function = function.map(|function| {
            function.advance(now);
            function.qualified(qualifier).cloned().unwrap_or_default()
        });
        function.unwrap_or_default()
    }

    /// The memory size of `$LATEST`, or of a version or alias.
    pub fn memory_mb(&self, name: &str, qualifier: Option<&str>) -> u64 {
        let configuration = self.configuration(name, qualifier);
        configuration
            .get("MemorySize")
            .and_then(Value::as_u64)
            .unwrap_or(0)
    }

    /// Orders a fault for the next `times` calls of an operation (any, when `None`) on a function
    /// (any, when `None`), after letting `after` of them pass.
    pub fn order(
        &self,
        operation: impl Into<Option<Operation>>,
        function: Option<&str>,
        (after, times): (usize, usize),
        fault: Fault,
    ) {
        self.api().faults.push(Ordered {
            operation: operation.into(),
            function: function.map(str::to_owned),
            after,
            times,
            fault,
        });
    }

    /// Cancels every ordered fault.
    pub fn works_again(&self) {
        self.api().faults.clear();
    }

    /// Responds with 429 to calls above this number within a second; `GetFunction` and `Invoke` have
    /// limits of their own, as in the service.
    pub fn limit(&self, calls_per_second: usize) {
        self.api().most_per_second = Some(calls_per_second);
    }

    /// Every call so far.
    pub fn calls(&self) -> Vec<Call> {
        self.api().calls.clone()
    }

    /// The calls of one operation on a function.
    pub fn calls_of(&self, operation: Operation, function: &str) -> Vec<Call> {
        let calls = self.api().calls.clone().into_iter();
        calls
            .filter(|call| call.operation == operation && call.function == function)
            .collect()
    }

    /// A client whose calls stay in this process and cost no real time.
    pub fn client(&self) -> Client {
        let http = SharedHttpClient::new(InProcess(self.clone()));
        lambda_client("http://lambda.test", http)
    }

    /// Listens on a free port.
    pub async fn serve(&self) -> Result<FaultServer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        self.api().endpoint.clone_from(&endpoint);
        let router = Router::new().fallback(over_http).with_state(self.clone());
        let server = tokio::spawn(async move {
            // Ends with the task only: a connection that breaks is the caller's to see.
            let _ended = axum::serve(listener, router).await;
        });
        Ok(FaultServer {
            lambda: self.clone(),
            endpoint,
            server,
        })
    }

    fn api(&self) -> MutexGuard<'_, Api> {
        self.api.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn reply(&self, method: &str, uri: &str, body: &[u8]) -> Reply {
        let reply = self.api().handle(self.began.elapsed(), method, uri, body);
        tokio::time::sleep(reply.after).await;
        reply
    }
}

impl FaultServer {
    /// Its address, such as `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A client for it.
    pub fn client(&self) -> Client {
        let http = aws_smithy_http_client::Builder::new().build_http();
        lambda_client(&self.endpoint, http)
    }

    /// What it serves.
    pub fn lambda(&self) -> &FaultLambda {
        &self.lambda
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn over_http(
    State(lambda): State<FaultLambda>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let mut uri = uri
        .path_and_query()
        .map_or("/", |uri| uri.as_str())
        .to_owned();
    if let Some((name, hash)) = uri
        .strip_prefix("/code/")
        .and_then(|code| code.split_once('/'))
    {
        let api = lambda.api();
        let package = api
            .functions
            .get(name)
            .and_then(|function| function.packages.get(hash));
        return Response::new(Body::from(package.cloned().unwrap_or_default()));
    }
    let path = uri.split('?').next().unwrap_or_default();
    if let Some(answer) = lambda.api().object_or_role(path, &body) {
        return Response::new(Body::from(answer));
    }
    if let Some(target) = headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
    {
        uri = format!("{}{target}", account::TARGET);
    }
    let creates = method == Method::POST && uri.ends_with("/functions");
    let under_way = lambda.api().creating_arrives;
    if creates && !under_way.is_zero() {
        let (lambda, uri, body) = (lambda.clone(), uri.clone(), body.clone());
        // A task of its own, which does not end with the caller's connection.
        let arrived = tokio::spawn(async move {
            tokio::time::sleep(under_way).await;
            lambda.reply("POST", &uri, &body).await
        });
        return arrived.await.map(answered).unwrap_or_default();
    }
    answered(lambda.reply(method.as_str(), &uri, &body).await)
}

fn answered(reply: Reply) -> Response<Body> {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::builder().status(status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    let body = if reply.lost {
        let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        Body::from_stream(stream::iter([Err::<Bytes, _>(broken)]))
    } else {
        Body::from(reply.body.to_string())
    };
    response.body(body).unwrap_or_default()
}

/// Calls that stay in the process.
#[derive(Debug, Clone)]
struct InProcess(FaultLambda);

impl HttpClient for InProcess {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let lambda = self.0.clone();
        HttpConnectorFuture::new(async move {
            let path = request
                .uri()
                .trim_start_matches("http://lambda.test")
                .to_owned();
            let body = request.body().bytes().unwrap_or_default();
            let reply = lambda.reply(request.method(), &path, body).await;
            if reply.lost {
                return Err(ConnectorError::io("the connection broke".into()));
            }
            let status = reply.status.try_into();
            let status = status.map_err(|e| ConnectorError::other(Box::new(e), None))?;
            let mut response = HttpResponse::new(status, SdkBody::from(reply.body.to_string()));
            for (name, value) in reply.headers {
                response.headers_mut().insert(name, value);
            }
            Ok(response)
        })
    }
}
