//! As much of the Insights query language as adds reports up: the discovered fields of a `REPORT` line (sizes
//! in decimal bytes) and of JSON, the fields that a query derives, and `stats … by …`, taken from the query
//! itself. Values come back as text, in the order of the columns, and missing ones do not come at all.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Value, json};

use super::Event;

/// Fields of an event with their values.
type Fields = BTreeMap<String, String>;

/// What a query has to contain for this to answer it: it derives these fields as written, and no others.
const DERIVED: [&str; 7] = [
    r#"filter @message like /^REPORT RequestId: |"platform\.report"|^(INIT|RESTORE)_REPORT .*Status: |"platform\.(initReport|restoreReport)"/"#,
    r"parse @logStream /^\d{4}\/\d{2}\/\d{2}\/(?<inStream>[^\[]*)\[(?<ofVersion>[^\]]*)\]/",
    r"parse @message /Status: (?<lineStatus>\S+)/",
    r"parse @message /Error Type: (?<lineError>\S+)/",
    r"parse @message /^(?<startKind>INIT|RESTORE)_REPORT \w+ Duration: (?<startTook>[\d.]+) ms/",
    r"parse @message /^INIT_REPORT .*Phase: (?<startPhase>\w+)/",
    "fields ceil(startTook) as startMs, floor(@maxMemoryUsed * 100 / @memorySize / 97) as lineNear, \
     floor(record.metrics.maxMemoryUsedMB * 100 / record.metrics.memorySizeMB / 97) as eventNear",
];

/// Rows of the answer, each a list of `{field, value}`.
pub(super) fn answer(query: &str, events: &[(String, bool, Event)]) -> Result<Vec<Value>> {
    let commands: Vec<&str> = query.split("\n| ").collect();
    for wanted in DERIVED {
        if !commands.contains(&wanted) {
            bail!("this server does not know the query without: {wanted}");
        }
    }
    let stats = commands
        .iter()
        .find_map(|command| command.strip_prefix("stats "));
    let (values, keys) = stats
        .and_then(|stats| stats.split_once(" by "))
        .context("no stats … by …")?;
    let values: Vec<Column> = split(values)
        .iter()
        .map(|text| Column::parse(text))
        .collect::<Result<_, _>>()?;
    let keys = split(keys);
    let mut rows: BTreeMap<Vec<Option<String>>, Vec<Fields>> = BTreeMap::new();
    for (group, undiscovered, event) in events {
        if let Some(fields) = fields(group, *undiscovered, event) {
            let key = |name: &String| fields.get(of_day(name)).cloned();
            rows.entry(keys.iter().map(key).collect())
                .or_default()
                .push(fields);
        }
    }
    let row = |(key, members): (Vec<Option<String>>, Vec<Fields>)| {
        let names = keys.iter().map(|name| of_day(name).to_owned());
        let key = names.zip(key);
        let columns = values
            .iter()
            .map(|value| (value.name.clone(), value.of(&members)));
        let cells = key
            .chain(columns)
            .filter_map(|(name, value)| value.map(|value| json!({"field": name, "value": value})));
        Value::Array(cells.collect())
    };
    Ok(rows.into_iter().map(row).collect())
}

/// `bin(1d) as day` is the column `day`.
fn of_day(key: &str) -> &str {
    if key == "bin(1d) as day" { "day" } else { key }
}

/// At commas that are not in brackets.
fn split(text: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

/// `pct(@duration, 50) as name`.
struct Column {
    function: String,
    field: String,
    rank: f64,
    name: String,
}

impl Column {
    fn parse(text: &str) -> Result<Self> {
        let wrong = || anyhow!("not understood: {text}");
        let (call, name) = text.split_once(" as ").ok_or_else(wrong)?;
        let (function, rest) = call.split_once('(').ok_or_else(wrong)?;
        let arguments = rest.strip_suffix(')').ok_or_else(wrong)?;
        let (field, rank) = arguments.split_once(", ").unwrap_or((arguments, "0"));
        Ok(Self {
            function: function.to_owned(),
            field: field.to_owned(),
            rank: rank.parse().map_err(|_| wrong())?,
            name: name.to_owned(),
        })
    }

    fn of(&self, members: &[Fields]) -> Option<String> {
        let values = members.iter().filter_map(|fields| fields.get(&self.field));
        if self.function == "count" {
            return Some(members.len().to_string());
        }
        if self.function == "count_distinct" {
            let distinct: std::collections::BTreeSet<_> = values.collect();
            return Some(distinct.len().to_string());
        }
        let mut numbers: Vec<f64> = values.filter_map(|value| value.parse().ok()).collect();
        numbers.sort_by(f64::total_cmp);
        let number = match self.function.as_str() {
            "max" => *numbers.last()?,
            "min" => *numbers.first()?,
            "sum" if numbers.is_empty() => return None,
            "sum" => numbers.iter().sum(),
            "pct" => percentile(&numbers, self.rank)?,
            _ => return None,
        };
        Some(number.to_string())
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank of few values"
)]
fn percentile(sorted: &[f64], rank: f64) -> Option<f64> {
    let at = (rank / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(at.max(1) - 1).copied()
}

/// The events that count.
const EVENTS: [&str; 3] = ["report", "initReport", "restoreReport"];

/// The fields of a report, or of what the platform logs about a start; `None` of any other event.
fn fields(group: &str, undiscovered: bool, event: &Event) -> Option<Fields> {
    let line = event.message.starts_with("REPORT RequestId: ");
    let kind = ["INIT", "RESTORE"].into_iter().find(|kind| {
        let rest = event.message.strip_prefix(kind);
        rest.is_some_and(|rest| rest.starts_with("_REPORT ") && rest.contains("Status: "))
    });
    let holds = |name: &&str| event.message.contains(&format!("\"platform.{name}\""));
    if !line && kind.is_none() && !EVENTS.iter().any(holds) {
        return None;
    }
    let mut fields = Fields::new();
    let mut set = |name: &str, value: Option<String>| {
        fields.extend(value.map(|value| (name.to_owned(), value)));
    };
    let day = event.at_ms.div_euclid(86_400_000);
    let day = rightsizer_records::Day::from_number(i32::try_from(day).ok()?);
    set("@log", Some(format!("{}:{group}", super::ACCOUNT)));
    set("@logStream", Some(event.stream.clone()));
    set("@timestamp", Some(event.at_ms.to_string()));
    set("day", Some(format!("{day} 00:00:00.000")));
    if let Some((name, version)) = named(&event.stream) {
        set("inStream", Some(name.to_owned()));
        set("ofVersion", Some(version.to_owned()));
    }
    let message = event.message.as_str();
    let after = |label: &str| {
        let rest = message.split_once(label)?.1;
        rest.split_whitespace().next().map(str::to_owned)
    };
    let text = line || kind.is_some();
    set("lineStatus", after("Status: ").filter(|_| text));
    set("lineError", after("Error Type: ").filter(|_| text));
    if let Some(kind) = kind {
        let took = after(" Duration: ").and_then(|took| took.parse::<f64>().ok());
        set("startKind", Some(kind.to_owned()));
        set("startMs", took.map(|took| took.ceil().to_string()));
        set("startPhase", after("Phase: ").filter(|_| kind == "INIT"));
    }
    if line && !undiscovered {
        let bytes = |label| Some(format!("{:E}", after(label)?.parse::<f64>().ok()? * 1e6));
        set("@duration", after("\tDuration: "));
        set("@initDuration", after("\tInit Duration: "));
        set("@billedDuration", after("Billed Duration: "));
        set("@memorySize", bytes("Memory Size: "));
        set("@maxMemoryUsed", bytes("Max Memory Used: "));
    }
    if let Ok(json) = serde_json::from_str::<Value>(message) {
        flatten("", &json, &mut fields);
    }
    near(&mut fields, "lineNear", "@maxMemoryUsed", "@memorySize");
    let [used, size] = ["maxMemoryUsedMB", "memorySizeMB"].map(|f| format!("record.metrics.{f}"));
    near(&mut fields, "eventNear", &used, &size);
    Some(fields)
}

fn near(fields: &mut Fields, name: &str, used: &str, size: &str) {
    let number = |name: &str| fields.get(name)?.parse::<f64>().ok();
    if let (Some(used), Some(size)) = (number(used), number(size)) {
        let near = (used * 100.0 / size / 97.0).floor();
        fields.insert(name.to_owned(), near.to_string());
    }
}

fn flatten(prefix: &str, value: &Value, fields: &mut Fields) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let name = if prefix.is_empty() {
                    name.clone()
                } else {
                    format!("{prefix}.{name}")
                };
                flatten(&name, value, fields);
            }
        }
        Value::String(text) => {
            fields.insert(prefix.to_owned(), text.clone());
        }
        other => {
            fields.insert(prefix.to_owned(), other.to_string());
        }
    }
}

/// Name and version in a stream's name, as `2026/11/20/name[version]id`.
fn named(stream: &str) -> Option<(&str, &str)> {
    let mut parts = stream.splitn(4, '/');
    let dated = parts
        .by_ref()
        .take(3)
        .all(|part| part.bytes().all(|b| b.is_ascii_digit()));
    let (name, rest) = parts.next().filter(|_| dated)?.split_once('[')?;
    Some((name, rest.split_once(']')?.0))
}
