//! The Lambda API over the functions: paths to operations, faults first. Plain state: the time is an
//! argument.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde_json::{Value, json};

use super::account::TARGET;
use super::fault::{Call, Fault, Operation, Ordered};
use super::function::{Config, Function, Refusal, arn, not_found};
use super::play::Behaviour;
use crate::dice::Dice;

/// What a caller gets.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Value,
    /// How long it is kept.
    pub(super) after: Duration,
    /// Whether the connection breaks instead.
    pub(super) lost: bool,
}

/// The whole API.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) functions: BTreeMap<String, Function>,
    /// What code does, by its hash.
    pub(super) behaviours: BTreeMap<String, Behaviour>,
    pub(super) log_groups: BTreeSet<String>,
    /// Objects in S3, by `/BUCKET/KEY`.
    pub(super) objects: BTreeMap<String, Vec<u8>>,
    /// Names of the roles that CloudFront may assume.
    pub(super) edge_roles: BTreeSet<String>,
    /// Whether the tagging API does not list any function yet.
    pub(super) tags_lag: bool,
    /// How long a new function is prepared.
    pub(super) creating_takes: Duration,
    /// How long the call that creates a function is under way.
    pub(super) creating_arrives: Duration,
    /// Functions on a page of a list.
    pub(super) page: usize,
    /// The concurrency of functions without a reservation.
    pub(super) unreserved: u32,
    /// Where the code of functions is downloaded from.
    pub(super) endpoint: String,
    /// Environments by function and version: the time until which each is busy.
    environments: BTreeMap<(String, String), Vec<Duration>>,
    dice: Dice,
    pub(super) faults: Vec<Ordered>,
    pub(super) calls: Vec<Call>,
    /// Calls allowed within a second, but for `GetFunction` and `Invoke`, which have limits of their own.
    pub(super) most_per_second: Option<usize>,
    recent: VecDeque<Duration>,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            functions: BTreeMap::new(),
            behaviours: BTreeMap::new(),
            log_groups: BTreeSet::new(),
            objects: BTreeMap::new(),
            edge_roles: BTreeSet::new(),
            tags_lag: false,
            creating_takes: Duration::ZERO,
            creating_arrives: Duration::ZERO,
            page: usize::MAX,
            unreserved: 1000,
            endpoint: "http://lambda.test".to_owned(),
            environments: BTreeMap::new(),
            dice: Dice::new(7),
            faults: Vec::new(),
            calls: Vec::new(),
            most_per_second: None,
            recent: VecDeque::new(),
        }
    }
}

/// A request, taken apart.
struct Request<'a> {
    operation: Operation,
    function: String,
    /// The alias in its path.
    alias: Option<String>,
    qualifier: Option<String>,
    tag_keys: Vec<String>,
    /// Where a page of a list begins.
    marker: Option<String>,
    body: &'a Config,
    bytes: &'a [u8],
}

impl Api {
    pub(super) fn handle(&mut self, now: Duration, method: &str, uri: &str, bytes: &[u8]) -> Reply {
        let body: Config = serde_json::from_slice(bytes).unwrap_or_default();
        if let Some(target) = uri.strip_prefix(TARGET) {
            return other_answer(&self.other_service(target, &json!(body)));
        }
        let Some(request) = taken_apart(method, uri, &body, bytes) else {
            let words = format!("no such operation here: {method} {uri}");
            return answer(&Err(Refusal(404, "UnknownOperationException", words)));
        };
        let reply = self.reply(now, &request);
        let mut fields: Vec<_> = body.keys().cloned().collect();
        fields.sort();
        self.calls.push(Call {
            at: now,
            operation: request.operation,
            function: request.function,
            fields,
            status: if reply.lost { 0 } else { reply.status },
        });
        reply
    }

    fn reply(&mut self, now: Duration, request: &Request) -> Reply {
        let (operation, function) = (request.operation, &request.function);
        let apart = matches!(operation, Operation::GetFunction | Operation::Invoke);
        if !apart && self.over_the_limit(now) {
            let words = "Rate exceeded".to_owned();
            let mut reply = answer(&Err(Refusal(429, "TooManyRequestsException", words)));
            reply.headers.push(("retry-after", "1".to_owned()));
            return reply;
        }
        let struck = self.faults.iter_mut().find_map(|ordered| {
            let strikes = ordered.strikes(operation, function);
            strikes.then(|| ordered.fault.clone())
        });
        match struck {
            None => self.performed(now, request),
            Some(Fault::Deny { code, words }) => answer(&Err(Refusal(403, code, words.to_owned()))),
            Some(Fault::Refuse {
                status,
                code,
                retry_after_s,
            }) => {
                let mut reply = answer(&Err(Refusal(status, code, format!("{code}, as ordered"))));
                let retry_after = retry_after_s.map(|s| ("retry-after", s.to_string()));
                reply.headers.extend(retry_after);
                reply
            }
            Some(Fault::LoseAnswer) => Reply {
                lost: true,
                ..self.performed(now, request)
            },
            Some(Fault::LoseRequest) => Reply {
                lost: true,
                ..answer(&Ok(Value::Null))
            },
            Some(Fault::Slow(after)) => Reply {
                after,
                ..self.performed(now, request)
            },
        }
    }

    fn over_the_limit(&mut self, now: Duration) -> bool {
        while self
            .recent
            .front()
            .is_some_and(|at| *at + Duration::from_secs(1) <= now)
        {
            self.recent.pop_front();
        }
        let over = self
            .most_per_second
            .is_some_and(|most| self.recent.len() >= most);
        self.recent.push_back(now);
        over
    }

    fn performed(&mut self, now: Duration, request: &Request) -> Reply {
        if request.operation == Operation::Invoke {
            return match self.invoke(now, request) {
                Ok(reply) => reply,
                Err(refusal) => answer(&Err(refusal)),
            };
        }
        answer(&self.perform(now, request))
    }

    fn invoke(&mut self, now: Duration, request: &Request) -> Result<Reply, Refusal> {
        let name = &request.function;
        let function = self.functions.get_mut(name);
        let function = function.ok_or_else(|| not_found(&arn(name)))?;
        function.advance(now);
        let config = function.qualified(request.qualifier.as_deref())?;
        let code = config["CodeSha256"].as_str().unwrap_or_default();
        let behaviour = self.behaviours.get(code).cloned().unwrap_or_default();
        let version = config["Version"].as_str().unwrap_or_default();
        let of_function = self.environments.iter().filter(|((of, _), _)| of == name);
        let started = of_function.map(|(_, all)| all.len()).sum();
        let key = (name.clone(), version.to_owned());
        let environments = self.environments.entry(key).or_default();
        let free = environments.iter_mut().find(|busy| **busy <= now);
        let start = free.is_none().then_some(started);
        let reply = behaviour.invoke(config, request.bytes, start, &mut self.dice);
        match free {
            Some(busy) => *busy = now + reply.after,
            None => environments.push(now + reply.after),
        }
        self.log_groups.insert(format!("/aws/lambda/{name}"));
        Ok(reply)
    }

    /// Calls that are not about a function that exists.
    fn perform_alone(
        &mut self,
        now: Duration,
        request: &Request,
    ) -> Option<Result<Value, Refusal>> {
        let name = &request.function;
        Some(match request.operation {
            Operation::CreateFunction => {
                if self.functions.contains_key(name) {
                    let words = format!("Function already exist: {name}");
                    return Some(Err(Refusal(409, "ResourceConflictException", words)));
                }
                let body = match self.with_package(request.body) {
                    Ok(body) => body,
                    Err(refusal) => return Some(Err(refusal)),
                };
                let mut function = Function::create(&body);
                function.prepare(now, self.creating_takes);
                let answer = json!(function.latest);
                self.functions.insert(name.clone(), function);
                Ok(answer)
            }
            Operation::DeleteFunction => match self.functions.remove(name) {
                Some(_) => Ok(Value::Null),
                None => Err(not_found(&arn(name))),
            },
            Operation::ListFunctions => {
                let all: Vec<&Config> = self.functions.values().map(|f| &f.latest).collect();
                let (page, next) = paged(&all, request.marker.as_deref(), self.page);
                Ok(json!({ "Functions": page, "NextMarker": next }))
            }
            Operation::GetAccountSettings => Ok(json!({
                "AccountLimit": {
                    "ConcurrentExecutions": self.unreserved, "UnreservedConcurrentExecutions": self.unreserved,
                },
            })),
            _ => return None,
        })
    }

    fn perform(&mut self, now: Duration, request: &Request) -> Result<Value, Refusal> {
        let name = &request.function;
        if let Some(done) = self.perform_alone(now, request) {
            return done;
        }
        let function = self
            .functions
            .get_mut(name)
            .ok_or_else(|| not_found(&arn(name)))?;
        function.advance(now);
        let alias = request.alias.as_deref().unwrap_or_default();
        Ok(match request.operation {
            Operation::GetFunction => {
                let link = format!("{}/code/{name}", self.endpoint);
                function.described(request.qualifier.as_deref(), &link)?
            }
            Operation::UpdateFunctionConfiguration => json!(function.update(request.body, now)?),
            Operation::UpdateFunctionCode => {
                json!(function.update_code(&json!(request.body), now)?)
            }
            Operation::PublishVersion => json!(function.publish(request.body, now)?),
            Operation::CreateAlias => json!(function.create_alias(request.body)),
            Operation::GetAlias => {
                json!(
                    function
                        .aliases
                        .get(alias)
                        .ok_or_else(|| not_found(alias))?
                )
            }
            Operation::UpdateAlias => json!(function.move_alias(alias, request.body)?),
            Operation::ListProvisionedConcurrencyConfigs => {
                let config = |qualifier| {
                    json!({
                        "FunctionArn": format!("{}:{qualifier}", arn(name)), "Status": "READY",
                        "RequestedProvisionedConcurrentExecutions": 5, "AllocatedProvisionedConcurrentExecutions": 5,
                    })
                };
                let configs: Vec<_> = function.provisioned.iter().map(config).collect();
                json!({ "ProvisionedConcurrencyConfigs": configs })
            }
            Operation::ListTags => json!({ "Tags": function.tags }),
            Operation::TagResource => {
                function.tag(request.body);
                Value::Null
            }
            Operation::CreateFunction
            | Operation::DeleteFunction
            | Operation::GetAccountSettings
            | Operation::Invoke
            | Operation::ListFunctions => Value::Null,
            Operation::UntagResource => {
                function
                    .tags
                    .retain(|key, _| !request.tag_keys.contains(key));
                Value::Null
            }
        })
    }
}

fn answer(result: &Result<Value, Refusal>) -> Reply {
    let (status, headers, body) = match result {
        Ok(body) => (200, Vec::new(), body.clone()),
        Err(Refusal(status, code, words)) => {
            let headers = vec![("x-amzn-errortype", (*code).to_owned())];
            (
                *status,
                headers,
                json!({"Type": "User", "message": words, "Message": words}),
            )
        }
    };
    Reply {
        status,
        headers,
        body: if body.is_null() { json!({}) } else { body },
        after: Duration::ZERO,
        lost: false,
    }
}

/// The JSON protocols have the code of an error in the body.
fn other_answer(result: &Result<Value, Refusal>) -> Reply {
    let mut reply = answer(result);
    if let Err(Refusal(_, code, words)) = result {
        reply.body = json!({ "__type": code, "message": words });
    }
    reply
}

fn taken_apart<'a>(
    method: &str,
    uri: &str,
    body: &'a Config,
    bytes: &'a [u8],
) -> Option<Request<'a>> {
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let parts: Vec<String> = path.trim_matches('/').split('/').map(decoded).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let of = |key: &'static str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .filter(move |(k, _)| *k == key)
            .map(|(_, value)| decoded(value))
    };
    let (operation, function, alias) = match (method, parts.as_slice()) {
        ("POST", [_, "functions"]) => {
            let name = body.get("FunctionName")?.as_str()?;
            (Operation::CreateFunction, name, None)
        }
        ("GET", [_, "functions"]) => (Operation::ListFunctions, "", None),
        ("GET", [_, "account-settings"]) => (Operation::GetAccountSettings, "", None),
        ("DELETE", [_, "functions", name]) => (Operation::DeleteFunction, *name, None),
        ("POST", [_, "functions", name, "invocations"]) => (Operation::Invoke, *name, None),
        ("GET", [_, "functions", name]) => (Operation::GetFunction, *name, None),
        ("PUT", [_, "functions", name, "configuration"]) => {
            (Operation::UpdateFunctionConfiguration, *name, None)
        }
        ("PUT", [_, "functions", name, "code"]) => (Operation::UpdateFunctionCode, *name, None),
        ("POST", [_, "functions", name, "versions"]) => (Operation::PublishVersion, *name, None),
        ("POST", [_, "functions", name, "aliases"]) => (Operation::CreateAlias, *name, None),
        ("GET", [_, "functions", name, "aliases", alias]) => {
            (Operation::GetAlias, *name, Some((*alias).to_owned()))
        }
        ("PUT", [_, "functions", name, "aliases", alias]) => {
            (Operation::UpdateAlias, *name, Some((*alias).to_owned()))
        }
        ("GET", [_, "functions", name, "provisioned-concurrency"]) => {
            (Operation::ListProvisionedConcurrencyConfigs, *name, None)
        }
        ("GET", [_, "tags", name]) => (Operation::ListTags, *name, None),
        ("POST", [_, "tags", name]) => (Operation::TagResource, *name, None),
        ("DELETE", [_, "tags", name]) => (Operation::UntagResource, *name, None),
        _ => return None,
    };
    Some(Request {
        operation,
        // A name or an ARN.
        function: function.rsplit(':').next().unwrap_or_default().to_owned(),
        alias,
        qualifier: of("Qualifier").next(),
        tag_keys: of("tagKeys").collect(),
        marker: of("Marker").next(),
        body,
        bytes,
    })
}

/// Returns a page of a list, and where the next one begins.
pub(super) fn paged<'a, T>(
    all: &'a [T],
    begins: Option<&str>,
    most: usize,
) -> (&'a [T], Option<String>) {
    let begins = begins.and_then(|begins| begins.parse().ok()).unwrap_or(0);
    let end = all.len().min(most.saturating_add(begins));
    let next = (end < all.len()).then(|| end.to_string());
    (all.get(begins..end).unwrap_or_default(), next)
}

/// Percent-decoded.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        let hex = rest.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) if *byte == b'%' => {
                bytes.push(value);
                rest = &rest[2..];
            }
            _ => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
