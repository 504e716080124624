//! The metric filters of the template and of the module, and the values that they count in a log. It supports only
//! the JSON filter patterns of CloudWatch that they use; another pattern is an error.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::stage::root;
use crate::template::template;

/// A filter on a log group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MetricFilter {
    /// `aggregator` or `updater`.
    pub(crate) log: String,
    /// The pattern.
    pub(crate) pattern: String,
    /// The metric that is counted.
    pub(crate) metric: String,
    /// The value to add: a number, or a path in the line.
    pub(crate) value: String,
}

impl MetricFilter {
    /// Returns the value of each matching line of a log.
    pub(crate) fn counts(&self, log: &str) -> Result<Vec<i64>> {
        let pattern = JsonPattern::parse(&self.pattern)?;
        // A line that is not JSON matches no JSON pattern.
        let lines = log
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        let matching = lines.filter(|line: &Value| pattern.matches(line));
        let counts = matching.map(|line| match self.value.strip_prefix("$.") {
            Some(path) => at(&line, path)
                .and_then(Value::as_i64)
                .with_context(|| format!("{} is not a whole number in {line}", self.value)),
            None => Ok(self.value.parse()?),
        });
        counts.collect()
    }
}

/// Returns the filters of the template, in order.
pub(crate) fn of_template() -> Result<Vec<MetricFilter>> {
    let template = template("template.yaml")?;
    let resources = template["Resources"].as_object().context("no resources")?;
    let filters = resources
        .values()
        .filter(|r| r["Type"] == "AWS::Logs::MetricFilter");
    let text = |value: &Value| value.as_str().map(str::to_owned).context("no text");
    let filters = filters.map(|resource| {
        let properties = &resource["Properties"];
        let made = &properties["MetricTransformations"][0];
        let log = text(&properties["LogGroupName"]["Ref"])?;
        Ok(MetricFilter {
            log: log.trim_end_matches("Log").to_lowercase(),
            pattern: text(&properties["FilterPattern"])?,
            metric: text(&made["MetricName"])?,
            value: text(&made["MetricValue"])?,
        })
    });
    let mut filters: Vec<_> = filters.collect::<Result<_>>()?;
    filters.sort();
    Ok(filters)
}

/// Returns the filters of the Terraform module, in order.
pub(crate) fn of_module() -> Result<Vec<MetricFilter>> {
    let text = std::fs::read_to_string(root().join("infra/terraform/alarms.tf"))?;
    let lines = text.lines().filter(|line| line.contains(" pattern = \""));
    let filters = lines.map(|line| {
        let log = line
            .split_once("aws_cloudwatch_log_group.")
            .context("no group")?;
        Ok(MetricFilter {
            log: log.1.split('.').next().context("no group")?.to_owned(),
            pattern: quoted(line, "pattern")?,
            metric: quoted(line, "metric")?,
            value: quoted(line, "value")?,
        })
    });
    let mut filters: Vec<_> = filters.collect::<Result<_>>()?;
    filters.sort();
    Ok(filters)
}

/// Returns the text of `key = "…"`, which Terraform escapes like JSON.
fn quoted(line: &str, key: &str) -> Result<String> {
    let (_, rest) = line
        .split_once(&format!(" {key} = "))
        .with_context(|| format!("no {key} in {line}"))?;
    let mut texts = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    Ok(texts.next().context("nothing")??)
}

/// Parses conditions that must all hold: `{ $.path = "text" }`, with a `*` for any text at either end,
/// `{ $.path = number }`, `{ $.path > number }`, and those joined by `&&`.
#[derive(Debug, PartialEq)]
struct JsonPattern<'a>(Vec<Condition<'a>>);

#[derive(Debug, PartialEq)]
struct Condition<'a> {
    path: &'a str,
    wanted: Wanted<'a>,
}

#[derive(Debug, PartialEq)]
enum Wanted<'a> {
    Text(&'a str),
    Number(i64),
    Above(i64),
}

impl<'a> JsonPattern<'a> {
    fn parse(pattern: &'a str) -> Result<Self> {
        let inner = pattern
            .strip_prefix("{ ")
            .and_then(|p| p.strip_suffix(" }"));
        let inner = inner.with_context(|| format!("{pattern} is not known here"))?;
        let conditions = inner.split(" && ").map(Condition::parse);
        Ok(Self(conditions.collect::<Result<_>>()?))
    }

    fn matches(&self, line: &Value) -> bool {
        self.0.iter().all(|condition| condition.holds(line))
    }
}

impl<'a> Condition<'a> {
    fn parse(text: &'a str) -> Result<Self> {
        let unknown = || format!("{text} is not known here");
        let inner = text.strip_prefix("$.").with_context(unknown)?;
        let (path, wanted) = if let Some((path, number)) = inner.split_once(" > ") {
            (path, Wanted::Above(number.parse().with_context(unknown)?))
        } else {
            let (path, wanted) = inner.split_once(" = ").with_context(unknown)?;
            (path, Wanted::parse(wanted)?)
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        ensure!(path.chars().all(plain), "{path} is not known here");
        Ok(Self { path, wanted })
    }

    fn holds(&self, line: &Value) -> bool {
        let Some(value) = at(line, self.path) else {
            return false;
        };
        match self.wanted {
            Wanted::Text(wanted) => value.as_str().is_some_and(|text| fits(wanted, text)),
            Wanted::Number(wanted) => value.as_i64() == Some(wanted),
            Wanted::Above(least) => value.as_i64().is_some_and(|number| number > least),
        }
    }
}

impl<'a> Wanted<'a> {
    fn parse(wanted: &'a str) -> Result<Self> {
        let text = wanted.strip_prefix('"').and_then(|w| w.strip_suffix('"'));
        let Some(text) = text else {
            return Ok(Self::Number(
                wanted.parse().with_context(|| format!("{wanted}?"))?,
            ));
        };
        let middle = text.trim_start_matches('*').trim_end_matches('*');
        ensure!(
            !middle.contains(['*', '"', '\\']),
            "{text} is not known here"
        );
        Ok(Self::Text(text))
    }
}

fn at<'a>(line: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(line, |value, key| value.get(key))
}

fn fits(wanted: &str, text: &str) -> bool {
    let (from, until) = (wanted.strip_prefix('*'), wanted.strip_suffix('*'));
    match (from, until) {
        (Some(from), Some(_)) => text.contains(from.trim_end_matches('*')),
        (Some(end), None) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (None, None) => wanted == text,
    }
}

#[test]
fn a_pattern_is_held_to_the_line_as_the_service_does() -> Result<()> {
    for (pattern, line, matches) in [
        ("{ $.a = \"b\" }", r#"{"a":"b"}"#, true),
        ("{ $.a = \"b\" }", r#"{"a":"bc"}"#, false),
        ("{ $.a = \"b\" }", r#"{"c":"b"}"#, false),
        ("{ $.a = \"b*\" }", r#"{"a":"bc"}"#, true),
        ("{ $.a = \"*c\" }", r#"{"a":"bc"}"#, true),
        ("{ $.a = \"*c\" }", r#"{"a":"cb"}"#, false),
        ("{ $.a = \"*b c*\" }", r#"{"a":"a b c d"}"#, true),
        ("{ $.a = \"*b c*\" }", r#"{"a":"b d"}"#, false),
        ("{ $.a.b = 1 }", r#"{"a":{"b":1}}"#, true),
        ("{ $.a.b = 1 }", r#"{"a":{"b":11}}"#, false),
        ("{ $.a.b = 1 }", r#"{"a.b":1}"#, false),
        ("{ $.a = \"b\" && $.n > 0 }", r#"{"a":"b","n":1}"#, true),
        ("{ $.a = \"b\" && $.n > 0 }", r#"{"a":"b","n":0}"#, false),
        ("{ $.a = \"b\" && $.n > 0 }", r#"{"a":"c","n":1}"#, false),
    ] {
        let line: Value = serde_json::from_str(line)?;
        assert_eq!(
            JsonPattern::parse(pattern)?.matches(&line),
            matches,
            "{pattern} {line}"
        );
    }
    for unknown in [
        "{ $.a != 1 }",
        "ERROR",
        "{ ($.a = 1) && ($.b = 2) }",
        "{ $.a = \"b*c\" }",
    ] {
        assert!(JsonPattern::parse(unknown).is_err(), "{unknown}");
    }
    Ok(())
}
