//! The payloads of a run: one, or a list with weights.

use std::borrow::Cow;
use std::collections::HashMap;

use rightsizer_rules::power::tuning::{Shares, SharesError};
use serde_json::value::RawValue;

/// A payload that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PayloadError {
    /// It is not JSON.
    #[error("the payload is not JSON: {0}")]
    Json(String),
    /// A weight is not a number. The payload counts from 1.
    #[error("payload {0} has a weight that is not a number")]
    Weight(usize),
    /// The weights give no shares.
    #[error(transparent)]
    Shares(#[from] SharesError),
}

/// The payloads of a run, as JSON texts, and how often each is used.
#[derive(Debug, Clone, PartialEq)]
pub struct Payloads {
    texts: Vec<String>,
    shares: Shares,
}

impl Payloads {
    /// Reads one payload, or a list of `{"payload": …, "weight": …}`.
    ///
    /// A payload is any JSON. A string that holds JSON itself is the payload that it holds, as in AWS Lambda Power
    /// Tuning. A list is one payload, unless each of its entries has a payload and a weight.
    ///
    /// # Errors
    /// If it is not JSON, or the weights give no shares.
    pub fn of_json(json: &str) -> Result<Self, PayloadError> {
        let value: &RawValue = parse(json)?;
        let Some(weighted) = weighted(value.get()) else {
            return Ok(Self {
                texts: vec![unpacked(value.get())],
                shares: Shares::single(),
            });
        };
        let (texts, weights): (Vec<String>, Vec<Option<f64>>) = weighted.into_iter().unzip();
        if let Some(at) = weights.iter().position(Option::is_none) {
            return Err(PayloadError::Weight(at + 1));
        }
        let weights: Vec<f64> = weights.into_iter().flatten().collect();
        let shares = Shares::new(&weights)?;
        Ok(Self { texts, shares })
    }

    /// Reads the content of an object in S3: JSON, as in [`Self::of_json`], or a text, which is sent as a JSON string.
    ///
    /// # Errors
    /// If it is JSON, and the weights give no shares.
    pub fn of_object(content: &str) -> Result<Self, PayloadError> {
        match Self::of_json(content) {
            Err(PayloadError::Json(_)) => Ok(Self {
                texts: vec![serde_json::Value::from(content).to_string()],
                shares: Shares::single(),
            }),
            read => read,
        }
    }

    /// Returns the payloads with the same weight, such as the messages of a queue.
    ///
    /// # Errors
    /// If there is none, or one of them is not JSON.
    pub(crate) fn equal(texts: Vec<String>) -> Result<Self, PayloadError> {
        for text in &texts {
            parse(text)?;
        }
        let shares = Shares::new(&vec![1.0; texts.len()])?;
        Ok(Self { texts, shares })
    }

    /// Returns the JSON text of each payload.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// Returns how often each is used.
    pub const fn shares(&self) -> &Shares {
        &self.shares
    }
}

fn parse(json: &str) -> Result<&RawValue, PayloadError> {
    serde_json::from_str(json).map_err(|why| PayloadError::Json(why.to_string()))
}

/// The payloads of a list whose entries all have one, with their weights; `None` for any other JSON.
fn weighted(json: &str) -> Option<Vec<(String, Option<f64>)>> {
    let entries: Vec<HashMap<Cow<'_, str>, &RawValue>> = serde_json::from_str(json).ok()?;
    let pairs = entries.iter().map(|entry| {
        let weight = serde_json::from_str(entry.get("weight")?.get()).ok();
        Some((unpacked(entry.get("payload")?.get()), weight))
    });
    pairs
        .collect::<Option<Vec<_>>>()
        .filter(|pairs| !pairs.is_empty())
}

/// The JSON in a JSON string, or the JSON itself.
fn unpacked(json: &str) -> String {
    let inner: Option<String> = serde_json::from_str(json).ok();
    let inner = inner.filter(|inner| parse(inner).is_ok());
    inner.unwrap_or_else(|| json.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(json: &str) -> Vec<String> {
        Payloads::of_json(json).unwrap().texts().to_vec()
    }

    #[test]
    fn any_json_is_one_payload() {
        for json in [
            "{}",
            "null",
            "5",
            "[1,2]",
            "[]",
            "\"hi\"",
            "{\"a\": [1.50]}",
        ] {
            assert_eq!(texts(json), [json]);
        }
        assert_eq!(texts(r#""{\"a\":1}""#), [r#"{"a":1}"#]);
        let list = r#"[{"payload":1,"weight":2},{"payload":1}]"#;
        assert_eq!(texts(list), [list]);
    }

    /// Weights 1 and 3 of 8 invocations: 2 and 6.
    #[test]
    fn a_list_with_weights_is_several() {
        let json = r#"[{"payload":{"a":1},"weight":1},{"weight":3,"payload":"{\"a\":2}","x":0}]"#;
        let read = Payloads::of_json(json).unwrap();
        assert_eq!(read.texts(), [r#"{"a":1}"#, r#"{"a":2}"#]);
        assert_eq!(read.shares().counts(8), Ok(vec![2, 6]));
    }

    #[test]
    fn bad_payloads_are_refused() {
        let refused = |json| Payloads::of_json(json).unwrap_err().to_string();
        assert_eq!(
            refused("{a}"),
            "the payload is not JSON: key must be a string at line 1 column 2"
        );
        assert_eq!(
            refused(r#"[{"payload":1,"weight":0}]"#),
            "the weights of the payloads sum to 0, so none of them would be used"
        );
        assert_eq!(
            refused(r#"[{"payload":1,"weight":"5"}]"#),
            "payload 1 has a weight that is not a number"
        );
    }

    #[test]
    fn an_object_may_hold_a_text() {
        let read = Payloads::of_object("two\nlines").unwrap();
        assert_eq!(read.texts(), [r#""two\nlines""#]);
        assert_eq!(Payloads::of_object("{}").unwrap().texts(), ["{}"]);
        assert!(Payloads::of_object(r#"[{"payload":1,"weight":0}]"#).is_err());
    }

    #[test]
    fn messages_are_used_alike() {
        let read = Payloads::equal(vec!["1".to_owned(), "2".to_owned()]).unwrap();
        assert_eq!(read.shares().counts(10), Ok(vec![5, 5]));
        assert!(Payloads::equal(vec!["{".to_owned()]).is_err());
        assert!(Payloads::equal(Vec::new()).is_err());
    }
}
