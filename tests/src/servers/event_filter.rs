//! The event filter of the deployed template, and what it means: which stream records ever reach the
//! updater.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The template that is deployed.
pub fn template() -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/template.yaml");
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// The one filter pattern of the updater's event source mapping.
pub fn filter_pattern() -> Result<Value> {
    let template = template()?;
    let patterns: Vec<_> = template
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- Pattern: '")?.strip_suffix('\''))
        .collect();
    ensure!(patterns.len() == 1, "not one filter pattern: {patterns:?}");
    Ok(serde_json::from_str(patterns[0])?)
}

/// Whether a record of this payload passes: every key of the pattern is there, and its value is one
/// of those listed, compared exactly. With a pattern on `data`, anything but JSON does not pass.
/// Other operators of the pattern language are not known here and match nothing.
pub fn passes(pattern: &Value, data: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(data) else {
        return false;
    };
    pattern
        .get("data")
        .is_none_or(|wanted| matches(wanted, &value))
}

fn matches(pattern: &Value, value: &Value) -> bool {
    match pattern {
        Value::Object(keys) => keys
            .iter()
            .all(|(key, wanted)| value.get(key).is_some_and(|value| matches(wanted, value))),
        // An array in the record matches with any of its members.
        Value::Array(any) => match value {
            Value::Array(members) => members.iter().any(|member| any.contains(member)),
            value => any.contains(value),
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pattern_needs_every_key_with_one_of_its_values() {
        let pattern = json!({"data": {"kind": ["a", "b"], "v": [1]}});
        for (data, want) in [
            (r#"{"kind":"a","v":1}"#, true),
            (r#"{"kind":"b","v":1,"more":{}}"#, true),
            (r#"{"kind":"c","v":1}"#, false),
            (r#"{"kind":"a"}"#, false),
            (r#"{"kind":"A","v":1}"#, false),
            (r#"["a"]"#, false),
            ("no json", false),
        ] {
            assert_eq!(passes(&pattern, data.as_bytes()), want, "{data}");
        }
    }
}
