//! The calls of other services that a tuning run makes: functions by their tags, and log groups. Plain state.

use serde_json::{Value, json};

use super::api::Api;
use super::function::{Refusal, arn};

/// How the path of a call of a JSON protocol begins here: the service and the operation follow.
pub(super) const TARGET: &str = "/target/";

impl Api {
    /// Responds to a call of the Resource Groups Tagging API or of CloudWatch Logs.
    pub(super) fn other_service(&mut self, target: &str, body: &Value) -> Result<Value, Refusal> {
        match target
            .split_once('.')
            .map_or("", |(_, operation)| operation)
        {
            "GetResources" => Ok(self.resources(body)),
            "DescribeLogGroups" => {
                let prefix = body["logGroupNamePrefix"].as_str().unwrap_or_default();
                let groups = self
                    .log_groups
                    .iter()
                    .filter(|name| name.starts_with(prefix));
                let groups: Vec<Value> =
                    groups.map(|name| json!({ "logGroupName": name })).collect();
                Ok(json!({ "logGroups": groups }))
            }
            "DeleteLogGroup" => {
                let name = body["logGroupName"].as_str().unwrap_or_default();
                if self.log_groups.remove(name) {
                    Ok(json!({}))
                } else {
                    let words = "The specified log group does not exist.";
                    Err(Refusal(400, "ResourceNotFoundException", words.to_owned()))
                }
            }
            _ => Err(Refusal(400, "UnknownOperationException", target.to_owned())),
        }
    }

    fn resources(&self, body: &Value) -> Value {
        let key = body["TagFilters"][0]["Key"].as_str();
        let tagged = self.functions.iter().filter(|(_, function)| {
            let known = |key: &str| function.tags.contains_key(key);
            !self.tags_lag && key.map_or(!function.tags.is_empty(), known)
        });
        let list: Vec<Value> = tagged
            .map(|(name, function)| {
                let tags = function.tags.iter();
                let tags: Vec<Value> = tags.map(|(k, v)| json!({"Key": k, "Value": v})).collect();
                json!({ "ResourceARN": arn(name), "Tags": tags })
            })
            .collect();
        json!({ "ResourceTagMappingList": list, "PaginationToken": "" })
    }

    /// Everything in the account, for comparisons.
    pub(super) fn everything(&self) -> Value {
        let functions = self.functions.iter().map(|(name, function)| {
            let state = json!({
                "latest": function.latest, "tags": function.tags, "versions": function.versions,
                "aliases": function.aliases,
            });
            (name.clone(), state)
        });
        let functions: serde_json::Map<String, Value> = functions.collect();
        json!({ "functions": functions, "log_groups": self.log_groups })
    }
}
