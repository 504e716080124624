//! The permissions and the trust policy of the role with which CloudWatch Logs puts records on the
//! stream, including its key. `infra/` has the same. Pure.

use serde_json::{Value, json};

use super::access::StreamArn;

/// The key that every account has for its streams: Kinesis itself may use it for every writer.
const MANAGED: &str = "alias/aws/kinesis";

/// By which key a stream is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamKey {
    /// By none, or by the one that AWS manages: putting needs no right to it.
    NeedsNothing,
    /// A customer's own key: ARN, id or alias, as the stream returns it.
    Own(String),
    /// That could not be read, for this reason.
    Unknown(String),
}

impl StreamKey {
    /// From the stream's description; `id` is `None` if it is not encrypted.
    pub fn of(id: Option<&str>) -> Self {
        match id {
            None => Self::NeedsNothing,
            Some(id) if id.ends_with(MANAGED) => Self::NeedsNothing,
            Some(id) => Self::Own(id.to_owned()),
        }
    }

    /// What the role must be allowed for it.
    fn statement(&self, stream: &StreamArn) -> Option<Value> {
        let key = match self {
            Self::NeedsNothing => return None,
            Self::Own(key) => key.as_str(),
            Self::Unknown(_) => "*",
        };
        let keys = |key: &str| {
            let (partition, region) = stream.place();
            format!("arn:{partition}:kms:{region}:{}:{key}", stream.account())
        };
        // IAM knows keys by their ARN alone: an alias is asked for by a condition.
        let (resource, alias) = match key.split_once("alias/") {
            Some((_, alias)) => (keys("key/*"), Some(format!("alias/{alias}"))),
            None if key.starts_with("arn:") => (key.to_owned(), None),
            None => (keys(&format!("key/{key}")), None),
        };
        let mut statement = json!({
            "Sid": "EncryptReportLines",
            "Effect": "Allow",
            "Action": "kms:GenerateDataKey",
            "Resource": resource,
        });
        if let Some(alias) = alias {
            statement["Condition"] =
                json!({"ForAnyValue:StringEquals": {"kms:ResourceAliases": alias}});
        }
        Some(statement)
    }
}

/// What the role must be allowed (`policy`), who must be allowed to be it (`trust`), and where the stream's
/// key is not known, what is wanted besides should it be a customer's own (`with_a_key_of_its_own`).
pub fn role_policies(stream: &StreamArn, key: &StreamKey) -> Value {
    let (partition, region) = stream.place();
    let logs = format!("arn:{partition}:logs:{region}:{}:*", stream.account());
    let put = json!({
        "Sid": "PutReportLines",
        "Effect": "Allow",
        "Action": "kinesis:PutRecord",
        "Resource": stream.as_str(),
    });
    let mut statements = vec![put];
    let mut besides = None;
    match key {
        StreamKey::Unknown(_) => besides = key.statement(stream),
        _ => statements.extend(key.statement(stream)),
    }
    let mut role = json!({
        "trust": {
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": {"Service": "logs.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringLike": {"aws:SourceArn": logs}},
            }],
        },
        "policy": {"Version": "2012-10-17", "Statement": statements},
    });
    if let Some(statement) = besides {
        role["with_a_key_of_its_own"] = statement;
    }
    role
}

#[cfg(test)]
mod tests {
    use rightsizer_records::FunctionArn;

    use super::*;

    const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/1b2c";

    fn stream() -> StreamArn {
        let function = FunctionArn::new("aws", "eu-west-1", "123456789012", "f").unwrap();
        StreamArn::of("reports", &function)
    }

    fn statements(key: &StreamKey) -> Vec<Value> {
        let role = role_policies(&stream(), key);
        let statements = &role["policy"]["Statement"];
        statements.as_array().unwrap().clone()
    }

    #[test]
    fn the_key_that_aws_manages_needs_no_right() {
        let managed = "arn:aws:kms:eu-west-1:123456789012:alias/aws/kinesis";
        for id in [None, Some("alias/aws/kinesis"), Some(managed)] {
            assert_eq!(StreamKey::of(id), StreamKey::NeedsNothing, "{id:?}");
        }
        let alone = statements(&StreamKey::NeedsNothing);
        assert_eq!(alone.len(), 1);
        assert_eq!(alone[0]["Action"], "kinesis:PutRecord");
        assert_eq!(alone[0]["Resource"], stream().as_str());
    }

    #[test]
    fn a_key_of_its_own_is_allowed_and_no_other() {
        for (key_id, resource, alias) in [
            (KEY, KEY, None),
            ("1b2c", KEY, None),
            (
                "alias/reports",
                "arn:aws:kms:eu-west-1:123456789012:key/*",
                Some("alias/reports"),
            ),
            (
                "arn:aws:kms:eu-west-1:123456789012:alias/reports",
                "arn:aws:kms:eu-west-1:123456789012:key/*",
                Some("alias/reports"),
            ),
        ] {
            let statement = statements(&StreamKey::of(Some(key_id))).remove(1);
            assert_eq!(statement["Action"], "kms:GenerateDataKey", "{key_id}");
            assert_eq!(statement["Resource"], resource, "{key_id}");
            let condition = &statement["Condition"]["ForAnyValue:StringEquals"];
            assert_eq!(condition["kms:ResourceAliases"].as_str(), alias, "{key_id}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_in_the_policy() {
        let role = role_policies(&stream(), &StreamKey::Unknown("denied".to_owned()));
        assert_eq!(role["policy"]["Statement"].as_array().unwrap().len(), 1);
        let besides = &role["with_a_key_of_its_own"];
        assert_eq!(
            besides["Resource"],
            "arn:aws:kms:eu-west-1:123456789012:key/*"
        );
    }
}
