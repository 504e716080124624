//! The list: one JSON object on each line, with a function and its payload.
//!
//! ```json
//! {"function": "checkout", "payload": {"order": 1}}
//! {"function": "report:live", "payload": [{"payload": {}, "weight": 1}, {"payload": {"full": true}, "weight": 3}]}
//! {"function": "resize", "payload_s3": "s3://samples/picture.json"}
//! ```

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::power_tuning::{PayloadError, PayloadSource, Payloads};

/// The most functions of one run.
pub const MOST_FUNCTIONS: usize = 50;

/// Why a list cannot be used. Lines count from 1.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ListError {
    /// It has no function.
    #[error("the list has no function")]
    Empty,
    /// It has too many.
    #[error("the list has more than {MOST_FUNCTIONS} functions")]
    TooMany,
    /// A line is not an object with these fields.
    #[error("line {line}: {why}")]
    Line {
        /// The line.
        line: usize,
        /// The reason.
        why: String,
    },
    /// A line has a payload that cannot be used.
    #[error("line {line}: {why}")]
    Payload {
        /// The line.
        line: usize,
        /// The reason.
        why: PayloadError,
    },
    /// A function is on two lines.
    #[error("line {line}: {function} is listed twice")]
    Twice {
        /// The second line.
        line: usize,
        /// The function.
        function: String,
    },
}

/// One function to tune.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Its name or ARN, also with a version or an alias.
    pub function: String,
    /// Its payloads.
    pub payload: PayloadSource,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    function: String,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
    #[serde(default)]
    payload_s3: Option<String>,
}

/// Reads a list; empty lines are skipped.
///
/// # Errors
/// For the first line that cannot be used, or if there are no functions or too many.
pub fn tasks(text: &str) -> Result<Vec<Task>, ListError> {
    let mut tasks = Vec::new();
    let mut seen = BTreeSet::new();
    for (at, text) in text.lines().enumerate() {
        if text.trim().is_empty() {
            continue;
        }
        let task = task(text, at + 1)?;
        if !seen.insert(task.function.clone()) {
            return Err(ListError::Twice {
                line: at + 1,
                function: task.function,
            });
        }
        tasks.push(task);
    }
    match tasks.len() {
        0 => Err(ListError::Empty),
        1..=MOST_FUNCTIONS => Ok(tasks),
        _ => Err(ListError::TooMany),
    }
}

fn task(text: &str, line: usize) -> Result<Task, ListError> {
    let wrong = |why: &str| ListError::Line {
        line,
        why: why.to_owned(),
    };
    let read: Line<'_> = serde_json::from_str(text).map_err(|why| wrong(&why.to_string()))?;
    if read.function.trim().is_empty() {
        return Err(wrong("the function has no name"));
    }
    let payload = match (read.payload, read.payload_s3) {
        (Some(_), Some(_)) => return Err(wrong("it has both payload and payload_s3")),
        (payload, None) => {
            let json = payload.map_or("null", RawValue::get);
            let payloads = Payloads::of_json(json);
            let payloads = payloads.map_err(|why| ListError::Payload { line, why })?;
            PayloadSource::Inline(payloads)
        }
        (None, Some(link)) => {
            PayloadSource::s3(&link).ok_or_else(|| wrong("payload_s3 must be s3://BUCKET/KEY"))?
        }
    };
    Ok(Task {
        function: read.function,
        payload,
    })
}

/// Payloads of an archive: one JSON value on each line. A message of an SQS queue, as `ReceiveMessage` returns it,
/// becomes the event with which Lambda passes it on.
///
/// # Errors
/// If a line is not JSON, or there is none.
pub fn messages(text: &str) -> Result<Payloads, ListError> {
    let mut payloads = Vec::new();
    for (at, text) in text.lines().enumerate() {
        if text.trim().is_empty() {
            continue;
        }
        let value: &RawValue = serde_json::from_str(text).map_err(|why| ListError::Line {
            line: at + 1,
            why: why.to_string(),
        })?;
        payloads.push(event(value.get()).unwrap_or_else(|| value.get().to_owned()));
    }
    if payloads.is_empty() {
        return Err(ListError::Empty);
    }
    Payloads::equal(payloads).map_err(|why| ListError::Payload { line: 1, why })
}

/// The event of a message, if `json` is one: it has an id and a body.
/// Source: "Using Lambda with Amazon SQS", example event.
fn event(json: &str) -> Option<String> {
    let message: Value = serde_json::from_str(json).ok()?;
    let field = |upper: &str, lower: &str| message.get(upper).or_else(|| message.get(lower));
    let text = |upper, lower| field(upper, lower).and_then(Value::as_str);
    let object = |upper, lower| field(upper, lower).cloned().unwrap_or_else(|| json!({}));
    let (id, body) = (text("MessageId", "messageId")?, text("Body", "body")?);
    let record = json!({
        "messageId": id,
        "receiptHandle": text("ReceiptHandle", "receiptHandle").unwrap_or_default(),
        "body": body,
        "attributes": object("Attributes", "attributes"),
        "messageAttributes": object("MessageAttributes", "messageAttributes"),
        "md5OfBody": text("MD5OfBody", "md5OfBody").unwrap_or_default(),
        "eventSource": "aws:sqs",
    });
    Some(json!({ "Records": [record] }).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_function_on_each_line() {
        let text = "{\"function\":\"a\",\"payload\":{\"n\":1}}\n\n{\"function\":\"b\"}\n\
                    {\"function\":\"c:live\",\"payload_s3\":\"s3://bucket/key\"}\n";
        let read = tasks(text).unwrap();
        let names: Vec<&str> = read.iter().map(|task| task.function.as_str()).collect();
        assert_eq!(names, ["a", "b", "c:live"]);
        let payload = Payloads::of_json("{\"n\":1}").unwrap();
        assert_eq!(read[0].payload, PayloadSource::Inline(payload));
        assert_eq!(
            read[2].payload,
            PayloadSource::s3("s3://bucket/key").unwrap()
        );
    }

    #[test]
    fn bad_lists_are_refused_with_their_line() {
        let refused = |text: &str| tasks(text).unwrap_err().to_string();
        assert_eq!(refused("\n"), "the list has no function");
        for (line, wanted) in [
            (r#"{"function":" "}"#, "line 2: the function has no name"),
            (r#"{"function":"a"}"#, "line 2: a is listed twice"),
            (
                r#"{"function":"b","payload":1,"payload_s3":"s3://a/b"}"#,
                "line 2: it has both payload and payload_s3",
            ),
            (
                r#"{"function":"b","payload_s3":"a/b"}"#,
                "line 2: payload_s3 must be s3://BUCKET/KEY",
            ),
            (
                r#"{"function":"b","payload":[{"payload":1,"weight":0}]}"#,
                "line 2: the weights of the payloads sum to 0, so none of them would be used",
            ),
        ] {
            assert_eq!(refused(&format!("{{\"function\":\"a\"}}\n{line}")), wanted);
        }
        let typo = refused(r#"{"function":"a","paylod":1}"#);
        assert!(typo.starts_with("line 1: unknown field `paylod`"), "{typo}");
        let many: Vec<String> = (0..51)
            .map(|n| format!("{{\"function\":\"f{n}\"}}"))
            .collect();
        assert_eq!(tasks(&many.join("\n")), Err(ListError::TooMany));
        assert_eq!(tasks(&many[..50].join("\n")).unwrap().len(), 50);
    }

    #[test]
    fn messages_of_a_queue_become_its_events() {
        let text =
            "{\"MessageId\":\"1\",\"Body\":\"{\\\"n\\\":1}\"}\n{\"body\":\"hello\"}\n{\"n\":3}\n";
        let read = messages(text).unwrap();
        let event: Value = serde_json::from_str(&read.texts()[0]).unwrap();
        assert_eq!(event["Records"][0]["body"], r#"{"n":1}"#);
        assert_eq!(event["Records"][0]["eventSource"], "aws:sqs");
        assert_eq!(read.texts()[1..], [r#"{"body":"hello"}"#, r#"{"n":3}"#]);
        let wrong = messages("{}\n{").unwrap_err().to_string();
        assert!(wrong.starts_with("line 2: "), "{wrong}");
        assert_eq!(messages(""), Err(ListError::Empty));
    }
}
