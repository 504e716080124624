//! Subscriptions of log groups, two each, and of the account, one.

use serde_json::{Value, json};

use super::{Logs, Refusal, Reply, text};
use crate::servers::ACCOUNT;

/// The number of subscriptions that a group can have.
const MOST: usize = 2;

impl Logs {
    pub(super) fn subscription_reply(&mut self, operation: &str, request: &Value) -> Reply {
        match operation {
            "PutSubscriptionFilter" => self.subscribe(request),
            "DescribeSubscriptionFilters" => {
                let group = self.group(text(request, "logGroupName")?)?;
                Ok(json!({"subscriptionFilters": group.subscriptions}))
            }
            "DeleteSubscriptionFilter" => {
                let (group, name) = (text(request, "logGroupName")?, text(request, "filterName")?);
                let group = self.group(group)?;
                let before = group.subscriptions.len();
                group
                    .subscriptions
                    .retain(|filter| filter["filterName"] != name);
                if group.subscriptions.len() == before {
                    return Err(Refusal::missing("The specified subscription filter"));
                }
                Ok(json!({}))
            }
            "DescribeAccountPolicies" => Ok(json!({"accountPolicies": self.account_policies})),
            "PutAccountPolicy" => self.put_policy(request),
            "DeleteAccountPolicy" => {
                let name = text(request, "policyName")?;
                let before = self.account_policies.len();
                self.account_policies
                    .retain(|policy| policy["policyName"] != name);
                if self.account_policies.len() == before {
                    return Err(Refusal::missing("The specified policy"));
                }
                Ok(json!({}))
            }
            other => Err(Refusal(
                "UnknownOperationException",
                format!("{other} is not known here"),
            )),
        }
    }

    fn subscribe(&mut self, request: &Value) -> Reply {
        let name = text(request, "logGroupName")?.to_owned();
        let filter = json!({
            "logGroupName": name,
            "filterName": text(request, "filterName")?,
            "filterPattern": text(request, "filterPattern")?,
            "destinationArn": text(request, "destinationArn")?,
            "roleArn": request["roleArn"],
            "distribution": request["distribution"].as_str().unwrap_or("ByLogStream"),
            "creationTime": 1_600_000_000_000_i64,
        });
        let group = self.group(&name)?;
        let same = |known: &&mut Value| known["filterName"] == filter["filterName"];
        if let Some(known) = group.subscriptions.iter_mut().find(same) {
            *known = filter;
        } else if group.subscriptions.len() == MOST {
            return Err(Refusal(
                "LimitExceededException",
                "Resource limit exceeded.".to_owned(),
            ));
        } else {
            group.subscriptions.push(filter);
        }
        Ok(json!({}))
    }

    fn put_policy(&mut self, request: &Value) -> Reply {
        let policy = json!({
            "policyName": text(request, "policyName")?,
            "policyDocument": text(request, "policyDocument")?,
            "policyType": text(request, "policyType")?,
            "scope": request["scope"].as_str().unwrap_or("ALL"),
            "selectionCriteria": request["selectionCriteria"],
            "accountId": ACCOUNT,
        });
        let same = |known: &Value| known["policyName"] == policy["policyName"];
        if !self.account_policies.is_empty() && !self.account_policies.iter().any(same) {
            return Err(Refusal(
                "LimitExceededException",
                "Resource limit exceeded.".to_owned(),
            ));
        }
        self.account_policies = vec![policy.clone()];
        Ok(json!({"accountPolicy": policy}))
    }
}
