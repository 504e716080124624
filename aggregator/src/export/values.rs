//! Sizes as values that a pipeline reads: one shape for each format, and back, so that an export adds to the one
//! before. What a pipeline has once been given must stay: without it, it would put the old size back.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::error::Refused;
use super::matching::{one_place, one_stack};
use super::{Format, Size, cdk};

/// The variable that a Terraform configuration declares.
const VARIABLE: &str = "rightsizer_memory_mb";

/// The values' names and sizes in MB.
pub fn values(format: Format, sizes: &[Size]) -> Result<BTreeMap<String, u32>, Refused> {
    one_place(sizes.iter())?;
    if matches!(format, Format::CloudFormation | Format::Sam) {
        // Parameters are named after logical ids, which say nothing in another stack.
        one_stack(sizes.iter().filter(|size| size.logical_id.is_some()))?;
    }
    let mut by_name: BTreeMap<String, Vec<&Size>> = BTreeMap::new();
    for size in sizes {
        by_name.entry(key(format, size)).or_default().push(size);
    }
    let mut values = BTreeMap::new();
    for (name, sizes) in by_name {
        match sizes.as_slice() {
            [size] => values.insert(name, size.to_mb.0),
            several => {
                return Err(Refused::NameTwice {
                    name,
                    functions: several.iter().map(|size| size.told_apart()).collect(),
                });
            }
        };
    }
    Ok(values)
}

/// Parameters take letters and digits alone; the others take a function's name as it is.
fn key(format: Format, size: &Size) -> String {
    match format {
        Format::CloudFormation | Format::Sam => {
            let id = size.logical_id.clone();
            format!(
                "{}MemorySize",
                id.unwrap_or_else(|| words_joined(&size.name))
            )
        }
        Format::Terraform | Format::Serverless | Format::Cdk => size.name.clone(),
    }
}

/// `nightly-export_2` becomes `NightlyExport2`.
fn words_joined(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    words
        .map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|c| c.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        })
        .collect()
}

/// The text that the pipeline reads.
pub fn write_values(format: Format, values: &BTreeMap<String, u32>) -> String {
    let of = match format {
        Format::Sam => {
            let lines = values.iter().map(|(name, mb)| format!("{name}={mb}\n"));
            return lines.collect();
        }
        Format::CloudFormation => {
            let texts = values.iter().map(|(name, mb)| (name, mb.to_string()));
            json!({ "Parameters": texts.collect::<BTreeMap<_, _>>() })
        }
        Format::Terraform => json!({ VARIABLE: values }),
        Format::Serverless => json!(values),
        Format::Cdk => json!({ "context": { cdk::KEY: values } }),
    };
    // Two spaces deep, as the tools that read it write it.
    format!("{of:#}\n")
}

/// What an earlier export wrote; `None` where this is not that.
pub fn read_values(format: Format, text: &str) -> Option<BTreeMap<String, u32>> {
    if format == Format::Sam {
        let lines = text.split_whitespace().map(|word| {
            let (name, mb) = word.split_once('=')?;
            Some((name.to_owned(), mb.parse().ok()?))
        });
        return lines.collect();
    }
    let whole: Value = serde_json::from_str(text).ok()?;
    let keys: &[&str] = match format {
        Format::CloudFormation => &["Parameters"],
        Format::Terraform => &[VARIABLE],
        Format::Cdk => &["context", cdk::KEY],
        Format::Serverless | Format::Sam => &[],
    };
    let alone = |value: &Value, key: &str| {
        let only = value.as_object().filter(|map| map.len() == 1)?;
        only.get(key).cloned()
    };
    let inner = keys
        .iter()
        .try_fold(whole, |value, key| alone(&value, key))?;
    let entries = inner.as_object()?.iter().map(|(name, value)| {
        let mb = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
        Some((name.clone(), u32::try_from(mb).ok()?))
    });
    entries.collect()
}
