//! Whether a function's role may put records on the stream, and the words of the policies that let
//! it. Pure.

use std::fmt;

use rightsizer_records::FunctionArn;
use serde_json::{Value, json};

/// The one action that the extension needs.
pub(super) const ACTION: &str = "kinesis:PutRecords";

/// What is known of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// It may, by its own policies.
    ByRole,
    /// It may, by the stream's policy.
    ByStream,
    /// It may not.
    Denied,
    /// That could not be found out, for this reason.
    NotChecked(String),
}

impl Access {
    /// Its name in JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ByRole => "allowed",
            Self::ByStream => "allowed-by-stream",
            Self::Denied => "denied",
            Self::NotChecked(_) => "not-checked",
        }
    }
}

/// ARN of a stream.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamArn(String);

impl StreamArn {
    /// The stream that functions beside `function` mean by a name or an ARN.
    pub fn of(stream: &str, function: &FunctionArn) -> Self {
        if stream.starts_with("arn:") {
            return Self(stream.to_owned());
        }
        let partition = function.as_str().split(':').nth(1).unwrap_or("aws");
        let (region, account) = (function.region(), function.account());
        Self(format!(
            "arn:{partition}:kinesis:{region}:{account}:stream/{stream}"
        ))
    }

    /// The ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its partition and its region.
    pub(super) fn place(&self) -> (&str, &str) {
        let mut parts = self.0.split(':').skip(1);
        let partition = parts.next().unwrap_or_default();
        (partition, parts.nth(1).unwrap_or_default())
    }

    /// Its region.
    pub fn region(&self) -> &str {
        self.place().1
    }

    /// Its account.
    pub fn account(&self) -> &str {
        self.0.split(':').nth(4).unwrap_or_default()
    }
}

impl fmt::Display for StreamArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The statement that a role's policy lacks.
pub fn statement(stream: &StreamArn) -> Value {
    json!({"Effect": "Allow", "Action": ACTION, "Resource": stream.as_str()})
}

/// A policy of the stream that makes [`statement`] unnecessary for these roles, if they belong to
/// the stream's own account.
pub fn resource_policy(stream: &StreamArn, roles: &[&str]) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "FunctionsPutReports",
            "Effect": "Allow",
            "Principal": {"AWS": roles},
            "Action": ACTION,
            "Resource": stream.as_str(),
        }],
    })
}

/// Whether a stream's policy lets a role of the stream's own account put records. A statement with a
/// condition is not counted on, for what it asks is not known here, but for the one of our own
/// template, that the caller is of an account; nor is one with a whole account as its principal,
/// which only lets that account's own policies decide.
pub(super) fn stream_allows(policy: &str, role: &str) -> bool {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else {
        return false;
    };
    let statements = listed(&policy["Statement"]);
    let concerns = |statement: &&Value| {
        let actions = listed(&statement["Action"]).into_iter();
        let action = actions.filter_map(Value::as_str).any(covers_action);
        let principal = match &statement["Principal"] {
            Value::String(who) => who == "*",
            principals => {
                let who = listed(&principals["AWS"]).into_iter();
                who.filter_map(Value::as_str)
                    .any(|who| who == role || who == "*")
            }
        };
        action && principal
    };
    let of = |effect: &str| {
        let mut found = statements.iter().copied().filter(concerns);
        let effect = effect.to_owned();
        found.any(|s| {
            let counts = effect == "Deny" || s["Condition"].is_null() || asks_for(s, role);
            s["Effect"] == effect.as_str() && counts
        })
    };
    of("Allow") && !of("Deny")
}

/// Whether all that a statement's condition asks is that the caller is of this role's account.
fn asks_for(statement: &Value, role: &str) -> bool {
    let account = role.split(':').nth(4).unwrap_or_default();
    statement["Condition"] == json!({"StringEquals": {"aws:PrincipalAccount": account}})
}

fn covers_action(action: &str) -> bool {
    matches!(action, "*" | "kinesis:*" | "kinesis:Put*" | ACTION)
}

/// One or many.
fn listed(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::123456789012:role/checkout";

    fn stream() -> StreamArn {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:checkout";
        StreamArn::of("reports", &FunctionArn::parse(arn).unwrap())
    }

    #[test]
    fn a_name_is_a_stream_beside_the_function() {
        let arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/reports";
        assert_eq!(stream().as_str(), arn);
        assert_eq!(stream().account(), "123456789012");
    }

    #[test]
    fn the_policy_that_is_printed_is_one_that_is_recognised() {
        let policy = resource_policy(&stream(), &["arn:aws:iam::123456789012:role/a", ROLE]);
        assert!(stream_allows(&policy.to_string(), ROLE));
        assert!(!stream_allows(
            &policy.to_string(),
            "arn:aws:iam::123456789012:role/b"
        ));
    }

    #[test]
    fn an_uncertain_result_is_not_a_permission() {
        let with = |change: &dyn Fn(&mut Value)| {
            let mut policy = resource_policy(&stream(), &[ROLE]);
            change(&mut policy["Statement"][0]);
            stream_allows(&policy.to_string(), ROLE)
        };
        assert!(with(&|_| {}));
        assert!(with(&|s| s["Principal"] = "*".into()));
        assert!(with(
            &|s| s["Action"] = json!(["kinesis:ListShards", "kinesis:PutRecords"])
        ));
        assert!(!with(&|s| s["Action"] = "kinesis:PutRecord".into()));
        assert!(!with(&|s| s["Effect"] = "Deny".into()));
        assert!(!with(
            &|s| s["Condition"] = json!({"Bool": {"aws:SecureTransport": "true"}})
        ));
        let of = |account: &str| json!({"StringEquals": {"aws:PrincipalAccount": account}});
        let everybody = |s: &mut Value, account: &str| {
            s["Principal"] = json!({"AWS": "*"});
            s["Condition"] = of(account);
        };
        assert!(with(&|s| everybody(s, "123456789012")));
        assert!(!with(&|s| everybody(s, "210987654321")));
        let root = "arn:aws:iam::123456789012:root";
        assert!(!with(&|s| s["Principal"] = json!({ "AWS": root })));
        assert!(!stream_allows("no JSON", ROLE));
    }
}
