//! The calls of other services that a tuning run makes: functions by their tags, log groups, objects, and who may
//! assume a role. Plain state.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::api::{Api, paged};
use super::function::{Config, Refusal, arn};

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

    /// Returns an object of S3, or what IAM has of a role; `None` if the call is for neither.
    pub(super) fn object_or_role(&self, path: &str, body: &[u8]) -> Option<Vec<u8>> {
        if let Some(object) = self.objects.get(path) {
            return Some(object.clone());
        }
        let body = std::str::from_utf8(body).ok()?;
        let role = body.contains("Action=GetRole").then(|| body.split('&'));
        let role = role?.find_map(|pair| pair.strip_prefix("RoleName="))?;
        let service = if self.edge_roles.contains(role) {
            "edgelambda.amazonaws.com"
        } else {
            "lambda.amazonaws.com"
        };
        let trust = format!("%7B%22Principal%22%3A%7B%22Service%22%3A%22{service}%22%7D%7D");
        let role = format!("<AssumeRolePolicyDocument>{trust}</AssumeRolePolicyDocument>");
        Some(format!("<GetRoleResponse><GetRoleResult><Role>{role}</Role></GetRoleResult></GetRoleResponse>").into())
    }

    /// Replaces the place of a package in S3 by the package.
    pub(super) fn with_package(&self, body: &Config) -> Result<Config, Refusal> {
        let mut body = body.clone();
        let code = body.get("Code").cloned().unwrap_or_default();
        if let (Some(bucket), Some(key)) = (code["S3Bucket"].as_str(), code["S3Key"].as_str()) {
            let package = self.objects.get(&format!("/{bucket}/{key}"));
            let package = package.ok_or_else(|| {
                let words = "Error occurred while GetObject. S3 Error Code: NoSuchKey";
                Refusal(400, "InvalidParameterValueException", words.to_owned())
            })?;
            let zip = BASE64_STANDARD.encode(package);
            body.insert("Code".to_owned(), json!({ "ZipFile": zip }));
        }
        Ok(body)
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
        let (page, next) = paged(&list, body["PaginationToken"].as_str(), self.page);
        json!({ "ResourceTagMappingList": page, "PaginationToken": next.unwrap_or_default() })
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
