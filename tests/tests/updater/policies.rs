//! The policies that the documentation gives people to paste.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

/// A list of what may be done to an account that grows is looked at.
#[test]
fn the_policies_in_the_documentation_grant_exactly_what_the_commands_call() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/SECURITY.md");
    let text = std::fs::read_to_string(docs).unwrap();
    let blocks = text.split("```json\n").skip(1);
    let policies: Vec<Value> = blocks
        .map(|block| serde_json::from_str(block.split("```").next().unwrap()).unwrap())
        .filter(|policy: &Value| policy["Version"] == "2012-10-17")
        .collect();
    let attach = [
        // Between waves: how often the functions just changed fail.
        "cloudwatch:GetMetricData",
        // Whether CloudFront may assume it.
        "iam:GetRole",
        "iam:SimulatePrincipalPolicy",
        "kinesis:DescribeStreamSummary",
        "kinesis:GetResourcePolicy",
        "lambda:GetFunction",
        "lambda:GetLayerVersion",
        // The newest layers of `--stack`.
        "lambda:ListLayerVersions",
        "lambda:ListFunctions",
        "lambda:ListTags",
        "lambda:UpdateFunctionConfiguration",
        "tag:GetResources",
    ];
    let apply = [
        "lambda:GetAlias",
        "lambda:GetFunction",
        "lambda:ListFunctions",
        "lambda:ListProvisionedConcurrencyConfigs",
        "lambda:ListTags",
        "lambda:PublishVersion",
        "lambda:UpdateAlias",
        "lambda:UpdateFunctionConfiguration",
    ];
    for wanted in [&attach[..], &apply] {
        let wanted: BTreeSet<&str> = wanted.iter().copied().collect();
        assert!(
            policies.iter().any(|policy| actions(policy) == wanted),
            "none of {policies:#?} grants {wanted:?}"
        );
    }
    for statement in policies
        .iter()
        .flat_map(|p| p["Statement"].as_array().unwrap())
    {
        let writes = actions_of(statement).any(|action| {
            ["Update", "Publish", "Delete", "Put"]
                .iter()
                .any(|verb| action.contains(&format!(":{verb}")))
        });
        assert!(!writes || statement["Resource"] != "*", "{statement:#}");
    }
}

fn actions(policy: &Value) -> BTreeSet<&str> {
    let statements = policy["Statement"].as_array().unwrap().iter();
    statements.flat_map(actions_of).collect()
}

fn actions_of(statement: &Value) -> impl Iterator<Item = &str> {
    let action = &statement["Action"];
    let several = action.as_array().into_iter().flatten();
    several
        .chain(action.is_string().then_some(action))
        .filter_map(Value::as_str)
}
