//! The two forms that come in bulk, each read in a single pass: our own `reports` records, and
//! telemetry wrapped with its function's name. Whatever is not exactly of these forms — a field of
//! another type, a figure out of range, an unknown key — is left to the lenient readers, which find
//! the words for it; a test holds the two to the same answers.

use std::borrow::Cow;
use std::fmt;

use rightsizer_records::Timestamp;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::failed_start::Kind;
use super::figures::Invocation;
use super::hints::Origin;
use super::message::Spot;
use super::output::{Format, Output, Stopped};
use super::telemetry::{self, Metrics, Reported};

/// How our own encoder begins a record.
const RECORD: &str = r#"{"v":1,"kind":"reports","#;

/// What is longer, or has more events, does not come in bulk.
const MOST_BYTES: usize = 1 << 20;
const MOST_EVENTS: usize = 10_000;

/// Reads a line of one of the two forms; `None` if it is neither.
pub(super) fn line(text: &str, number: u64, out: &mut Output) -> Option<Result<(), Stopped>> {
    if text.starts_with(RECORD) {
        let record = rightsizer_records::decode(text.as_bytes()).ok()?;
        out.format(Format::Records);
        return Some(out.record(number, record));
    }
    // What earlier lines showed belongs to the reports of this one.
    if text.len() > MOST_BYTES || out.endings.wait() {
        return None;
    }
    let batch: Batch = serde_json::from_str(text).ok()?;
    let entries = batch.records.0?;
    let name = batch.function_arn.or(batch.function_name)?.0;
    let origin = match batch.function_version {
        Some(version) => telemetry::origin(Some(&name), Some(&version.0), out.hints).ok()?,
        None => whose(name, out)?,
    };
    out.format(Format::Telemetry);
    let mut entries = entries.iter();
    Some(entries.try_for_each(|entry| entry.pass_on(number, &origin, out)))
}

/// Whose a name is: asked once of each.
fn whose(name: Cow<'_, str>, out: &mut Output) -> Option<Origin> {
    if let Some(known) = out.origins.get(&*name) {
        return Some(known.clone());
    }
    let origin = telemetry::origin(Some(&name), None, out.hints).ok()?;
    out.origins.insert(name.into_owned(), origin.clone());
    Some(origin)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Batch<'a> {
    #[serde(borrow)]
    function_name: Option<Text<'a>>,
    #[serde(borrow)]
    function_arn: Option<Text<'a>>,
    #[serde(borrow, alias = "version")]
    function_version: Option<Text<'a>>,
    records: Entries,
}

/// The sum of the events of a batch; `None` if one of them is not of this form.
struct Entries(Option<Vec<Entry>>);

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, default)]
    time: Option<Text<'a>>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    record: Record<'a>,
}

/// A text without escapes is borrowed: serde copies every `Cow` within an `Option`.
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

/// The record of a report; of other events anything may stand there.
#[derive(Default)]
struct Record<'a> {
    status: Option<Text<'a>>,
    error_type: Option<Text<'a>>,
    metrics: Option<Metrics>,
    /// Whether it can be a report's.
    fit: bool,
}

/// The result of an event.
enum Entry {
    Other,
    /// A report without memory figures, as on managed instances.
    NoMemory,
    Report(Option<Timestamp>, Invocation),
}

impl Entry {
    fn pass_on(&self, line: u64, origin: &Origin, out: &mut Output) -> Result<(), Stopped> {
        match *self {
            Self::Other => out.ignore(),
            Self::NoMemory => {
                out.tally.no_memory += 1;
                out.ignore()
            }
            Self::Report(at, invocation) => out.invocation(Spot::new(line, origin, at), invocation),
        }
    }

    fn of(event: &Event<'_>) -> Option<Self> {
        let kind = &*event.kind.as_ref()?.0;
        if kind != "platform.report" {
            // An error's type belongs to the report that follows, and so does a start that failed.
            let plain = event.record.error_type.is_none() && Kind::of_event(kind).is_none();
            return plain.then_some(Self::Other);
        }
        let record = Some(&event.record).filter(|record| record.fit)?;
        let reported = Reported {
            status: record.status.as_ref().map(|t| &*t.0),
            error_type: record.error_type.as_ref().map(|t| &*t.0),
            metrics: record.metrics?,
        };
        let at = event.time.as_ref().map(|t| Timestamp::parse(&t.0).ok());
        let at = match at {
            Some(None) => return None,
            at => at.flatten(),
        };
        match reported.invocation().ok()? {
            None => Some(Self::NoMemory),
            Some(invocation) => Some(Self::Report(at, invocation)),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        d.deserialize_str(Any)
    }
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_seq(EachEvent)
    }
}

struct EachEvent;

impl<'de> Visitor<'de> for EachEvent {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut events: A) -> Result<Entries, A::Error> {
        // A program that forwards single events writes one per line.
        let mut entries = Some(Vec::with_capacity(1));
        while let Some(event) = events.next_element::<Event<'_>>()? {
            let more = entries.filter(|entries| entries.len() < MOST_EVENTS);
            entries = more.zip(Entry::of(&event)).map(|(mut entries, entry)| {
                entries.push(entry);
                entries
            });
        }
        Ok(Entries(entries))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Record<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(AnyRecord)
    }
}

struct AnyRecord;

impl<'de> Visitor<'de> for AnyRecord {
    type Value = Record<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event's record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record<'de>, A::Error> {
        let mut record = Record {
            fit: true,
            ..Record::default()
        };
        while let Some(key) = map.next_key::<Text<'_>>()? {
            match &*key.0 {
                "status" => record.status = map.next_value()?,
                "errorType" => record.error_type = map.next_value()?,
                "metrics" => record.metrics = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(record)
    }

    fn visit_str<E>(self, _: &str) -> Result<Record<'de>, E> {
        Ok(Record::default())
    }

    fn visit_unit<E>(self) -> Result<Record<'de>, E> {
        Ok(Record::default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rightsizer_rules::evidence::Item;
    use serde_json::{Value, json};

    use super::super::budget::Budget;
    use super::super::hints::tests::hints;
    use super::super::json::{self, Places};
    use super::*;

    /// The result of `reader` for a line: items and counts, or `None` if it skips the line.
    fn read(
        reader: impl FnOnce(&mut Output) -> Option<Result<(), Stopped>>,
    ) -> Option<(Vec<Item>, String)> {
        let hints = hints();
        let mut items = Vec::new();
        let mut sink = |item| {
            items.push(item);
            Ok(())
        };
        let budget = Budget::unlimited(usize::MAX);
        let mut out = Output::new(&hints, budget, &mut sink);
        reader(&mut out)?.unwrap();
        let tally = format!("{:?}", out.tally);
        Some((items, tally))
    }

    fn quick(text: &str) -> Option<(Vec<Item>, String)> {
        read(|out| line(text, 7, out))
    }

    fn lenient(text: &str) -> (Vec<Item>, String) {
        read(|out| Some(json::value(text, &Places::new(text, 7), 0, out))).unwrap()
    }

    fn report() -> Value {
        json!({ "time": "2026-01-31T10:00:00.123Z", "type": "platform.report", "record": {
            "requestId": "r", "status": "success", "metrics": { "durationMs": 1.5,
            "billedDurationMs": 2, "memorySizeMB": 512, "maxMemoryUsedMB": 90 } } })
    }

    #[test]
    fn the_two_forms_are_read_at_once() {
        let start = json!({ "time": "2026-01-31T10:00:00Z", "type": "platform.start",
            "record": { "requestId": "r", "version": "$LATEST" } });
        let log = json!({ "time": "2026-01-31T10:00:00Z", "type": "function", "record": "hello" });
        let batch = json!({ "functionName": "f", "records": [start, log, report()] }).to_string();
        let (items, tally) = quick(&batch).unwrap();
        assert_eq!((items.len(), &tally), (3, &lenient(&batch).1));
        let record = include_str!("../../../records/fixtures/reports.json");
        let record = serde_json::from_str::<Value>(record).unwrap();
        let ours = rightsizer_records::decode(record.to_string().as_bytes()).unwrap();
        let ours = String::from_utf8(rightsizer_records::encode(&ours)).unwrap();
        assert_eq!(quick(&ours), Some(lenient(&ours)));
        assert!(quick(&ours.replace("\"seq\":", "\"sequel\":")).is_none());
    }

    /// The type of an error, and a start that failed, belong to the report of a later line.
    #[test]
    fn what_an_earlier_line_showed_is_added_to_the_report() {
        let event = |kind: &str, record: Value| json!({ "time": "2026-01-31T10:00:00Z", "type": kind, "record": record });
        let done =
            json!({ "requestId": "r", "status": "error", "errorType": "Runtime.OutOfMemory" });
        let start = json!({ "status": "timeout", "metrics": { "durationMs": 9999.5 } });
        let early = [
            event("platform.runtimeDone", done),
            event("platform.initReport", start),
        ];
        let batch =
            |event: &Value| json!({ "functionName": "f", "records": [event] }).to_string() + "\n";
        let alone = observed(&batch(&report()));
        for event in &early {
            let both = batch(event) + &batch(&report());
            assert_ne!(observed(&both), alone, "{event}");
            let together = json!({ "functionName": "f", "records": [event, report()] }).to_string();
            assert_eq!(observed(&both), observed(&together), "{event}");
        }
    }

    /// What a text shows of invocations and starts.
    fn observed(text: &str) -> Vec<String> {
        let mut seen = Vec::new();
        let mut sink = |item| {
            if let Item::Evidence { evidence, .. } = item {
                seen.push(format!("{evidence:?}"));
            }
            Ok::<(), std::convert::Infallible>(())
        };
        crate::read(text.as_bytes(), &hints(), &mut sink).unwrap();
        seen
    }

    fn odd() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(json!(null)),
            Just(json!("")),
            Just(json!("platform.report")),
            Just(json!("2026-02-30T00:00:00Z")),
            Just(json!(0)),
            Just(json!(-1)),
            Just(json!(90.5)),
            Just(json!(1e12)),
            Just(json!({})),
            Just(json!([1])),
            Just(json!(true)),
            Just(json!("a\"b\u{fc}")),
        ]
    }

    proptest! {
        /// Whatever stands wherever: what is read at once is read as the lenient readers read it.
        #[test]
        fn what_is_read_at_once_is_read_the_same(
            events in proptest::collection::vec(
                proptest::collection::vec((0_usize..12, odd(), any::<bool>()), 0..3), 0..4),
            envelope in proptest::option::of((0_usize..5, odd())),
        ) {
            let events: Vec<Value> = events.into_iter().map(|changes| {
                let mut event = report();
                for (place, value, remove) in changes {
                    let path = ["/time", "/type", "/record", "/record/status",
                        "/record/requestId", "/record/metrics", "/record/metrics/durationMs",
                        "/record/metrics/billedDurationMs", "/record/metrics/memorySizeMB",
                        "/record/metrics/maxMemoryUsedMB", "/record/errorType",
                        "/record/metrics/initDurationMs"][place];
                    let (parent, key) = path.rsplit_once('/').unwrap();
                    if let Some(map) = event.pointer_mut(parent).and_then(Value::as_object_mut) {
                        if remove { map.remove(key); } else { map.insert(key.into(), value); }
                    }
                }
                event
            }).collect();
            let mut batch = json!({ "functionName": "f", "records": events });
            if let Some((place, value)) = envelope {
                let key = ["functionName", "functionArn", "version", "records", "kind"][place];
                batch[key] = value;
            }
            let text = batch.to_string();
            if let Some(read) = quick(&text) {
                prop_assert_eq!(read, lenient(&text));
            }
        }
    }
}
