//! A CloudWatch Logs API server for what `moto` does not do: Insights queries that aggregate, with
//! a limit of concurrent ones, and account policies. The same tests cover what both do.
//!
//! Speaks the service's JSON protocol; responses have the form of recorded ones. Knows nothing
//! about its clients.

mod insights;
mod subscriptions;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{ACCOUNT, REGION};

/// Events of a page of `FilterLogEvents`: few, so that there are pages.
const EVENTS_PAGE: usize = 40;
/// The most rows that a query answers.
const MOST_ROWS: usize = 10_000;

/// A log event.
#[derive(Debug, Clone)]
struct Event {
    at_ms: i64,
    stream: String,
    message: String,
}

/// A log group.
#[derive(Debug, Default)]
struct Group {
    events: Vec<Event>,
    subscriptions: Vec<Value>,
    /// Whether the service finds figures in its text.
    undiscovered: bool,
}

/// A query: what it will answer, and how often it was looked at.
#[derive(Debug)]
struct Query {
    rows: Vec<Value>,
    scanned: usize,
    looks: usize,
}

#[derive(Debug, Default)]
struct Logs {
    groups: BTreeMap<String, Group>,
    queries: BTreeMap<String, Query>,
    account_policies: Vec<Value>,
    most_at_once: Option<usize>,
    /// Bytes scanned by all queries.
    scanned: usize,
}

/// An error of the service.
struct Refusal(&'static str, String);

type Reply = Result<Value, Refusal>;

impl Refusal {
    fn missing(what: &str) -> Self {
        Self(
            "ResourceNotFoundException",
            format!("{what} does not exist."),
        )
    }

    fn invalid(why: impl Into<String>) -> Self {
        Self("InvalidParameterException", why.into())
    }
}

/// A running server; gone when dropped.
#[derive(Debug)]
pub struct LogsServer {
    endpoint: String,
    logs: Arc<Mutex<Logs>>,
    task: JoinHandle<()>,
}

impl LogsServer {
    /// Starts one without log groups.
    pub async fn start() -> Result<Self> {
        let logs = Arc::<Mutex<Logs>>::default();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(handle).with_state(Arc::clone(&logs));
        let task = tokio::spawn(async move {
            // Ends with the test.
            let _ended = axum::serve(listener, router).await;
        });
        Ok(Self {
            endpoint,
            logs,
            task,
        })
    }

    /// Its address.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The limit of concurrent queries; a query runs until it was polled twice.
    pub fn run_at_most(&self, queries: usize) {
        lock(&self.logs).most_at_once = Some(queries);
    }

    /// The service finds no figures in this group's text.
    pub fn leave_undiscovered(&self, group: &str) {
        if let Some(group) = lock(&self.logs).groups.get_mut(group) {
            group.undiscovered = true;
        }
    }

    /// Bytes that queries scanned.
    pub fn scanned_bytes(&self) -> usize {
        lock(&self.logs).scanned
    }
}

impl Drop for LogsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(logs: &Mutex<Logs>) -> MutexGuard<'_, Logs> {
    logs.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn handle(State(logs): State<Arc<Mutex<Logs>>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target");
    let target = target.and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.rsplit('.').next());
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let reply = lock(&logs).reply(operation.unwrap_or_default(), &request);
    let kind = (header::CONTENT_TYPE, "application/x-amz-json-1.1");
    match reply {
        Ok(answer) => ([kind], answer.to_string()).into_response(),
        Err(Refusal(error, message)) => {
            let body = json!({"__type": error, "message": message}).to_string();
            let kind = [
                kind,
                (header::HeaderName::from_static("x-amzn-errortype"), error),
            ];
            (StatusCode::BAD_REQUEST, kind, body).into_response()
        }
    }
}

fn text<'a>(request: &'a Value, name: &str) -> Result<&'a str, Refusal> {
    request[name]
        .as_str()
        .ok_or_else(|| Refusal::invalid(format!("{name} is missing")))
}

impl Logs {
    fn reply(&mut self, operation: &str, request: &Value) -> Reply {
        match operation {
            "CreateLogGroup" => {
                let name = text(request, "logGroupName")?;
                self.groups.entry(name.to_owned()).or_default();
                Ok(json!({}))
            }
            "DeleteLogGroup" => {
                let name = text(request, "logGroupName")?;
                self.group(name)?;
                self.groups.remove(name);
                Ok(json!({}))
            }
            "CreateLogStream" => Ok(json!({})),
            "PutLogEvents" => self.put(request),
            "DescribeLogGroups" => self.describe(request),
            "FilterLogEvents" => self.filter(request),
            "StartQuery" => self.start_query(request),
            "GetQueryResults" => self.query_results(request),
            _ => self.subscription_reply(operation, request),
        }
    }

    fn group(&mut self, name: &str) -> Result<&mut Group, Refusal> {
        let group = self.groups.get_mut(name);
        group.ok_or_else(|| Refusal::missing("The specified log group"))
    }

    fn put(&mut self, request: &Value) -> Reply {
        let group = self.group(text(request, "logGroupName")?)?;
        let stream = text(request, "logStreamName")?;
        let events = request["logEvents"].as_array().into_iter().flatten();
        group.events.extend(events.map(|event| Event {
            at_ms: event["timestamp"].as_i64().unwrap_or_default(),
            stream: stream.to_owned(),
            message: event["message"].as_str().unwrap_or_default().to_owned(),
        }));
        Ok(json!({"nextSequenceToken": "1"}))
    }

    fn describe(&self, request: &Value) -> Reply {
        let prefix = request["logGroupNamePrefix"].as_str().unwrap_or_default();
        let limit = request["limit"].as_u64().unwrap_or(50);
        if limit > 50 {
            return Err(Refusal::invalid("limit is at most 50"));
        }
        let limit = usize::try_from(limit).unwrap_or(50);
        let after = request["nextToken"].as_str().unwrap_or_default();
        let named = self.groups.iter();
        let mut named = named.filter(|(name, _)| name.starts_with(prefix) && name.as_str() > after);
        let page: Vec<_> = named.by_ref().take(limit).collect();
        let next = named.next().and(page.last()).map(|(name, _)| *name);
        let described = page.iter().map(|(name, group)| {
            let arn = format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}");
            json!({
                "logGroupName": name, "logGroupArn": arn, "arn": format!("{arn}:*"),
                "creationTime": 1_600_000_000_000_i64, "retentionInDays": 14,
                "metricFilterCount": 0, "logGroupClass": "STANDARD",
                "storedBytes": group.events.iter().map(Event::bytes).sum::<usize>(),
            })
        });
        Ok(json!({"logGroups": described.collect::<Vec<_>>(), "nextToken": next}))
    }

    fn filter(&mut self, request: &Value) -> Reply {
        let pattern = text(request, "filterPattern")?.to_owned();
        let from = request["startTime"].as_i64().unwrap_or(i64::MIN);
        let to = request["endTime"].as_i64().unwrap_or(i64::MAX);
        let skip: usize = request["nextToken"]
            .as_str()
            .unwrap_or("0")
            .parse()
            .unwrap_or(0);
        let group = self.group(text(request, "logGroupName")?)?;
        let mut events: Vec<&Event> = group
            .events
            .iter()
            .filter(|event| (from..=to).contains(&event.at_ms) && event.fits(&pattern))
            .collect();
        events.sort_by_key(|event| event.at_ms);
        let page = events.iter().skip(skip).take(EVENTS_PAGE);
        let page: Vec<_> = page
            .map(|event| {
                json!({
                    "timestamp": event.at_ms, "ingestionTime": event.at_ms,
                    "message": event.message, "logStreamName": event.stream,
                    "eventId": format!("{}", event.at_ms),
                })
            })
            .collect();
        let next = skip + page.len();
        let next = (next < events.len()).then(|| next.to_string());
        Ok(json!({"events": page, "nextToken": next, "searchedLogStreams": []}))
    }

    fn start_query(&mut self, request: &Value) -> Reply {
        let running = self.queries.values().filter(|query| query.looks < 2);
        if self
            .most_at_once
            .is_some_and(|most| running.count() >= most)
        {
            let why = "Account maximum query concurrency limit of has been reached.";
            return Err(Refusal("LimitExceededException", why.to_owned()));
        }
        let names = request["logGroupNames"].as_array().into_iter().flatten();
        let names: Vec<&str> = names.filter_map(Value::as_str).collect();
        if !(1..=50).contains(&names.len()) {
            return Err(Refusal::invalid("1 to 50 log groups"));
        }
        let seconds = |name: &str| request[name].as_i64().unwrap_or_default() * 1000;
        // Both ends belong to it, and are whole seconds.
        let times = seconds("startTime")..=seconds("endTime") + 999;
        let mut found = Vec::new();
        for name in names {
            let group = self.group(name)?;
            let events = group.events.iter();
            let events = events.filter(|event| times.contains(&event.at_ms)).cloned();
            let undiscovered = group.undiscovered;
            found.extend(events.map(|event| (name.to_owned(), undiscovered, event)));
        }
        let mut rows = insights::answer(text(request, "queryString")?, &found)
            .map_err(|why| Refusal("MalformedQueryException", why.to_string()))?;
        rows.truncate(MOST_ROWS);
        let scanned = found.iter().map(|(_, _, event)| event.bytes()).sum();
        self.scanned += scanned;
        let id = format!("query-{}", self.queries.len());
        let query = Query {
            rows,
            scanned,
            looks: 0,
        };
        self.queries.insert(id.clone(), query);
        Ok(json!({"queryId": id}))
    }

    fn query_results(&mut self, request: &Value) -> Reply {
        let query = self.queries.get_mut(text(request, "queryId")?);
        let query = query.ok_or_else(|| Refusal::missing("The specified query"))?;
        query.looks += 1;
        if query.looks < 2 {
            return Ok(json!({"status": "Running", "results": [], "statistics": {
                "recordsMatched": 0.0, "recordsScanned": 0.0, "bytesScanned": 0.0}}));
        }
        #[expect(clippy::cast_precision_loss, reason = "as the service returns it")]
        let scanned = query.scanned as f64;
        Ok(
            json!({"status": "Complete", "results": query.rows, "statistics": {
            "recordsMatched": 1.0, "recordsScanned": 1.0, "bytesScanned": scanned}}),
        )
    }
}

impl Event {
    /// As the service counts: the message and 26 bytes.
    fn bytes(&self) -> usize {
        self.message.len() + 26
    }

    /// Terms in quotes, each with a question mark: any of them.
    fn fits(&self, pattern: &str) -> bool {
        let mut terms = pattern.split("?\"").skip(1);
        terms.any(|term| self.message.contains(term.trim().trim_end_matches('"')))
    }
}
