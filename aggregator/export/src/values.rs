//! Sizes as values that a pipeline reads: one shape for each format, and back, so that an export adds to the one
//! before. What a pipeline has once been given must stay: without it, it would put the old size back.

use std::collections::BTreeMap;

use rightsizer_rules::candidates::Present;
use serde_json::{Value, json};

use super::error::Refused;
use super::matching::{one_place, one_stack};
use super::{Format, Size, cdk, name_of};

/// The variable that a Terraform configuration declares.
const VARIABLE: &str = "rightsizer_memory_mb";

/// A value of an earlier export that would take memory away, and is not recommended any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// Its name.
    pub name: String,
    /// The size in the file.
    pub from_mb: u32,
    /// What the function has.
    pub to_mb: u32,
}

/// Returns the sizes of an earlier export that stay in the file. A size below the function's present one was never
/// deployed, or was rolled back since: the present size replaces it, and is returned as raised.
pub fn carried_over(
    format: Format,
    earlier: BTreeMap<String, u32>,
    present: &[Present],
) -> (BTreeMap<String, u32>, Vec<Raised>) {
    let mut largest: BTreeMap<String, u32> = BTreeMap::new();
    for of in present {
        let name = key(format, name_of(&of.function), of.logical_id.as_deref());
        let mb = largest.entry(name).or_default();
        *mb = of.current_mb.0.max(*mb);
    }
    let mut raised = Vec::new();
    let sizes = earlier.into_iter().map(|(name, mb)| {
        let now = largest.get(&name).copied().unwrap_or_default();
        if now > mb {
            raised.push(Raised {
                name: name.clone(),
                from_mb: mb,
                to_mb: now,
            });
        }
        (name, mb.max(now))
    });
    (sizes.collect(), raised)
}

/// The values' names and sizes in MB.
pub fn values(format: Format, sizes: &[Size]) -> Result<BTreeMap<String, u32>, Refused> {
    one_place(sizes.iter())?;
    if matches!(format, Format::CloudFormation | Format::Sam) {
        // Parameters are named after logical ids, which mean nothing in another stack.
        one_stack(sizes.iter().filter(|size| size.logical_id.is_some()))?;
    }
    let mut by_name: BTreeMap<String, Vec<&Size>> = BTreeMap::new();
    for size in sizes {
        by_name
            .entry(key(format, &size.name, size.logical_id.as_deref()))
            .or_default()
            .push(size);
    }
    let mut values = BTreeMap::new();
    for (name, sizes) in by_name {
        match sizes.as_slice() {
            [size] => values.insert(name, size.to_mb.0),
            several => {
                return Err(Refused::NameTwice {
                    name,
                    functions: several.iter().map(|size| size.distinct_name()).collect(),
                });
            }
        };
    }
    Ok(values)
}

/// Parameters take letters and digits alone; the others take a function's name as it is.
fn key(format: Format, name: &str, logical_id: Option<&str>) -> String {
    match format {
        Format::CloudFormation | Format::Sam => {
            let id = logical_id.map_or_else(|| words_joined(name), str::to_owned);
            format!("{id}MemorySize")
        }
        Format::Terraform | Format::Serverless | Format::Cdk => name.to_owned(),
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

/// What an earlier export wrote; `None` if the file is not one.
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

#[cfg(test)]
mod tests {
    use rightsizer_records::Megabytes;

    use super::*;

    fn present(name: &str, mb: u32) -> Present {
        Present {
            function: format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}"),
            current_mb: Megabytes(mb),
            stack: None,
            logical_id: None,
        }
    }

    /// `deployed` has the size in the file. `grown` got more since. `withdrawn` never got the
    /// file's 300, which is no longer recommended. `small` has less, so the file takes nothing
    /// away.
    #[test]
    fn an_earlier_value_stays_unless_it_would_take_memory_away() {
        let names = ["deployed", "grown", "withdrawn", "small", "unknown"];
        let earlier = names.map(|name| (name.to_owned(), 300)).into();
        let now = [
            present("deployed", 300),
            present("grown", 512),
            present("withdrawn", 1024),
            present("small", 256),
        ];
        let (sizes, raised) = carried_over(Format::Terraform, earlier, &now);
        let mb: Vec<u32> = names.iter().map(|name| sizes[*name]).collect();
        assert_eq!(mb, [300, 512, 1024, 300, 300]);
        let raised: Vec<&str> = raised.iter().map(|of| of.name.as_str()).collect();
        assert_eq!(raised, ["grown", "withdrawn"]);
    }
}
