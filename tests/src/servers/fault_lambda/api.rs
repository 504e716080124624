//! The Lambda API over the functions: paths to operations, faults first. Plain state: the time is an
//! argument.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde_json::{Value, json};

use super::fault::{Call, Fault, Operation, Ordered};
use super::function::{Config, Function, Refusal, arn, not_found};

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
#[derive(Debug, Default)]
pub(super) struct Api {
    pub(super) functions: BTreeMap<String, Function>,
    pub(super) faults: Vec<Ordered>,
    pub(super) calls: Vec<Call>,
    /// Calls allowed within a second, but for `GetFunction`, which has a limit of its own.
    pub(super) most_per_second: Option<usize>,
    recent: VecDeque<Duration>,
}

/// A request, taken apart.
struct Request<'a> {
    operation: Operation,
    function: String,
    /// The alias in its path.
    alias: Option<String>,
    qualifier: Option<String>,
    tag_keys: Vec<String>,
    body: &'a Config,
}

impl Api {
    pub(super) fn handle(&mut self, now: Duration, method: &str, uri: &str, body: &[u8]) -> Reply {
        let body: Config = serde_json::from_slice(body).unwrap_or_default();
        let Some(request) = taken_apart(method, uri, &body) else {
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
        if operation != Operation::GetFunction && self.over_the_limit(now) {
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
            None => answer(&self.perform(now, request)),
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
                ..answer(&self.perform(now, request))
            },
            Some(Fault::LoseRequest) => Reply {
                lost: true,
                ..answer(&Ok(Value::Null))
            },
            Some(Fault::Slow(after)) => Reply {
                after,
                ..answer(&self.perform(now, request))
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

    fn perform(&mut self, now: Duration, request: &Request) -> Result<Value, Refusal> {
        let name = &request.function;
        if request.operation == Operation::CreateFunction {
            let function = Function::create(request.body);
            let answer = json!(function.latest);
            self.functions.insert(name.clone(), function);
            return Ok(answer);
        }
        let function = self
            .functions
            .get_mut(name)
            .ok_or_else(|| not_found(&arn(name)))?;
        function.advance(now);
        let alias = request.alias.as_deref().unwrap_or_default();
        Ok(match request.operation {
            Operation::CreateFunction => Value::Null,
            Operation::GetFunction => function.described(request.qualifier.as_deref())?,
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
                let config =
                    |qualifier| json!({"FunctionArn": format!("{}:{qualifier}", arn(name))});
                let configs: Vec<_> = function.provisioned.iter().map(config).collect();
                json!({ "ProvisionedConcurrencyConfigs": configs })
            }
            Operation::ListTags => json!({ "Tags": function.tags }),
            Operation::TagResource => {
                function.tag(request.body);
                Value::Null
            }
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

fn taken_apart<'a>(method: &str, uri: &str, body: &'a Config) -> Option<Request<'a>> {
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
        body,
    })
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
