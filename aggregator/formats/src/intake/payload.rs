//! What the bytes of one stream record hold: a record of ours, or one of the other accepted forms.

use std::sync::Arc;

use rightsizer_records::{DecodeError, Timestamp, decode};
use rightsizer_rules::evidence::{Evidence, FunctionKey, Item};
use rightsizer_rules::inventory::{Home, Owners};

use super::batch::Refusal;
use crate::{Format, Hints, WaitingStarts, gzip, read_record};

/// Why evidence without a function cannot be used.
const NO_NAME: &str = "it names no function";

/// A placeholder for a missing function while a payload is read: no function has a control
/// character in its name.
const NOBODY: &str = "nobody";

/// What a record does not hold itself: what makes functions of names and log groups, and what other records left.
#[derive(Debug)]
pub struct Whose<'a> {
    /// Account and region of functions that payloads know by name only.
    pub home: Option<&'a Home>,
    /// Which function logs to which group.
    pub owners: Arc<Owners>,
    /// Starts that failed, and whose report comes in another record.
    pub waiting: WaitingStarts,
}

/// Why a record, or a part of it, cannot be used.
#[derive(Debug)]
pub(super) struct Refused {
    /// What is wrong, in words.
    pub(super) why: String,
    /// Its beginning, or the first of its entries that cannot be used, if that is more readable
    /// than its bytes.
    pub(super) sample: Option<String>,
    /// How many of its entries cannot be used, if all of them were read.
    pub(super) entries: Option<u64>,
}

/// Why a sink takes no more of a record.
#[derive(Debug, thiserror::Error)]
pub(super) enum TooMuch {
    #[error("its evidence takes more memory than a record may")]
    Weight,
    #[error("it takes more than a second to read")]
    Time,
}

/// Reads one stream record and passes the evidence in it to `take`, which returns the reason if it
/// cannot be used. Anything but our own records is tried as wrapped telemetry or as a log
/// subscription payload, which name their function; the rest is refused.
pub(super) fn read(
    bytes: &[u8],
    whose: &Whose<'_>,
    now: Timestamp,
    take: &mut dyn FnMut(Evidence) -> Result<Result<(), Refusal>, TooMuch>,
) -> Option<Refused> {
    let error = match decode(bytes) {
        Ok(record) => {
            let taken = take(Evidence::Record(Box::new(record)));
            return match taken {
                Ok(Ok(())) => None,
                Ok(Err(refusal)) => Some(Refused::by(refusal.why)),
                Err(why) => Some(Refused::by(why.to_string())),
            };
        }
        Err(error) => error,
    };
    let packed = bytes.starts_with(&gzip::MAGIC);
    if !matches!(error, DecodeError::NotARecord(_)) || !(bytes.starts_with(b"{") || packed) {
        return Some(Refused::by(error.to_string()));
    }
    read_other(bytes, whose, now, take).summary(packed, &error)
}

/// What the entries of a record came to.
#[derive(Default)]
struct Entries {
    taken: u64,
    ignored: u64,
    refused: u64,
    first: Option<Refused>,
    /// Why the rest was not read.
    ended: Option<String>,
    /// Its content, unpacked, begins so.
    begin: String,
    /// It has the form of something other than a record of ours.
    known: bool,
}

impl Refused {
    const fn by(why: String) -> Self {
        Self {
            why,
            sample: None,
            entries: Some(1),
        }
    }
}

impl Entries {
    fn refuse(&mut self, why: String, sample: String) {
        self.refused += 1;
        // What is cut off may have lost its function's name with its end: that it is cut off is the reason.
        if self
            .first
            .as_ref()
            .is_some_and(|first| first.why != NO_NAME)
        {
            return;
        }
        self.first = Some(Refused {
            why,
            sample: Some(sample).filter(|sample| !sample.is_empty()),
            entries: Some(1),
        });
    }

    /// One reason for all of the record; `error` is what it is as a record of ours.
    fn summary(self, packed: bool, error: &DecodeError) -> Option<Refused> {
        let read = self.taken + self.ignored;
        let all = read + self.refused;
        let begin = Some(self.begin).filter(|begin| packed && !begin.is_empty());
        if let Some(ended) = self.ended {
            let why = match all {
                0 => ended,
                _ => format!(
                    "{ended}; the {all} entries before were read, {} refused",
                    self.refused
                ),
            };
            return Some(Refused {
                why,
                sample: begin,
                entries: None,
            });
        }
        // Half a record of ours is refused by the other reader too, but in its own words.
        if read == 0 && !(self.known || packed && self.first.is_some()) {
            return Some(Refused {
                why: error.to_string(),
                sample: begin,
                entries: None,
            });
        }
        let first = match self.first {
            Some(first) => first,
            None if read == 0 => Refused::by("it has no entries".to_owned()),
            None => return None,
        };
        let why = match self.refused {
            0 | 1 => first.why,
            refused => format!(
                "{refused} of {all} entries cannot be used, the first for: {}",
                first.why
            ),
        };
        let sample = first.sample.or(begin);
        Some(Refused {
            why,
            sample,
            entries: Some(self.refused),
        })
    }
}

fn read_other(
    bytes: &[u8],
    whose: &Whose<'_>,
    now: Timestamp,
    take: &mut dyn FnMut(Evidence) -> Result<Result<(), Refusal>, TooMuch>,
) -> Entries {
    let hints = Hints {
        function: None,
        date: None,
        fallback_date: now.day(),
        file_name: NOBODY.to_owned(),
        home: whose.home.cloned(),
        owners: whose.owners.clone(),
    };
    let nobody = FunctionKey::of_file(NOBODY);
    let mut entries = Entries::default();
    let mut sink = |item| -> Result<(), TooMuch> {
        match item {
            Item::Ignored => entries.ignored += 1,
            Item::Refused { reason, sample, .. } => entries.refuse(reason, sample),
            Item::Evidence { evidence, .. } => match &evidence {
                Evidence::Observation(seen) if *seen.function == nobody => {
                    entries.refuse(NO_NAME.to_owned(), String::new());
                }
                _ => match take(evidence)? {
                    Ok(()) => entries.taken += 1,
                    Err(refusal) => entries.refuse(refusal.why, String::new()),
                },
            },
        }
        Ok(())
    };
    match read_record(bytes, &hints, &whose.waiting, &mut sink) {
        Ok(record) => {
            let other = |format: &Format| *format != Format::Records;
            entries.known = record.formats.iter().any(other);
            entries.begin = record.begin;
            entries.ended = record.overspent.map(|why| why.to_string());
        }
        Err(error) => entries.ended = Some(error.to_string()),
    }
    entries
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const REPORT: &str = "REPORT RequestId: 0b1e Duration: 12.00 ms Billed Duration: 12 ms \
                          Memory Size: 512 MB Max Memory Used: 90 MB";

    /// The functions of the evidence in a record, and why what else is in it cannot be used.
    fn of(bytes: &[u8]) -> (Vec<String>, Option<Refused>) {
        let home = Home {
            account: "123456789012".into(),
            region: "eu-west-1".into(),
        };
        let whose = Whose {
            home: Some(&home),
            owners: Arc::default(),
            waiting: WaitingStarts::default(),
        };
        let mut functions = Vec::new();
        let mut take = |evidence| {
            if let Evidence::Observation(seen) = evidence {
                functions.push(seen.function.to_string());
            }
            Ok(Ok(()))
        };
        let now = Timestamp::parse("2026-02-01T00:00:00Z").unwrap();
        let refused = read(bytes, &whose, now, &mut take);
        (functions, refused)
    }

    const CHECKOUT: &str = "arn:aws:lambda:eu-west-1:123456789012:function:checkout";

    #[test]
    fn a_gzipped_subscription_payload_is_read_and_its_function_named() {
        let payload = serde_json::json!({
            "messageType": "DATA_MESSAGE", "owner": "123456789012",
            "logGroup": "/aws/lambda/checkout", "logStream": "2026/01/31/[$LATEST]00aa",
            "subscriptionFilters": ["f"],
            "logEvents": [
                { "id": "1", "timestamp": 1_769_900_000_000_i64, "message": REPORT },
                { "id": "2", "timestamp": 1_769_900_000_001_i64, "message": "START RequestId: 1" },
            ],
        });
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(payload.to_string().as_bytes()).unwrap();
        let (functions, refused) = of(&gzip.finish().unwrap());
        assert_eq!(functions, [CHECKOUT]);
        assert!(refused.is_none(), "{refused:?}");
    }

    #[test]
    fn a_payload_that_is_cut_off_is_reported_with_its_beginning() {
        let payload = |message: &str| {
            serde_json::json!({
                "messageType": "DATA_MESSAGE", "owner": "123456789012",
                "logGroup": "/aws/lambda/checkout", "logStream": "2026/01/31/[$LATEST]00aa",
                "logEvents": [{ "id": "1", "timestamp": 1_769_900_000_000_i64, "message": message }],
            })
            .to_string()
        };
        let report = payload(&REPORT[..REPORT.len() - 4]);
        let refused = of(report.as_bytes()).1.unwrap();
        assert_eq!(refused.why, "cut off: Max Memory Used is missing");
        assert!(refused.sample.unwrap().starts_with("REPORT RequestId"));
        let half = payload(REPORT);
        let refused = of(&half.as_bytes()[..half.len() - 40]).1.unwrap();
        assert!(
            refused.why.contains("cut off or damaged"),
            "{}",
            refused.why
        );
        let early = of(&half.as_bytes()[..half.len() / 2]).1.unwrap();
        assert_eq!(early.why, "cut off: the JSON does not end");
        assert!(early.sample.unwrap().contains("\"logEvents\""));
    }

    #[test]
    fn what_stands_around_a_report_does_not_make_it_evidence_here() {
        for record in [
            serde_json::json!({ "log_group": "/aws/lambda/checkout", "text": REPORT }),
            serde_json::json!({ "@log": "123456789012:/aws/lambda/checkout", "@message": REPORT }),
        ] {
            let (functions, refused) = of(record.to_string().as_bytes());
            assert!(functions.is_empty() && refused.is_some(), "{record}");
        }
    }

    #[test]
    fn wrapped_telemetry_is_read() {
        let payload = serde_json::json!({ "functionName": "checkout", "records": [{
            "time": "2026-01-31T10:00:00.000Z", "type": "platform.report",
            "record": { "requestId": "r", "status": "success", "metrics": {
                "durationMs": 1.5, "billedDurationMs": 2, "memorySizeMB": 512,
                "maxMemoryUsedMB": 90 } },
        }] });
        let (functions, refused) = of(payload.to_string().as_bytes());
        assert_eq!(functions, [CHECKOUT]);
        assert!(refused.is_none(), "{refused:?}");
    }

    #[test]
    fn telemetry_of_a_bad_name_is_refused_for_its_name() {
        let report = r#"{"type":"platform.report"}"#;
        let bad = format!(r#"{{"functionName":"arn:aws:s3:::x","records":[{report}]}}"#);
        let why = of(bad.as_bytes()).1.unwrap().why;
        assert!(why.contains("is not an unqualified function ARN"), "{why}");
    }

    #[test]
    fn entries_that_cannot_be_used_are_one_refusal_with_the_first_of_them() {
        let batch = r#"{"functionName":"f","records":[{"type":"platform.start"},1,2,3]}"#;
        let (functions, refused) = of(batch.as_bytes());
        assert_eq!(functions, [""; 0]);
        let Refused {
            why,
            sample,
            entries,
        } = refused.unwrap();
        assert_eq!(entries, Some(3));
        assert!(why.starts_with("3 of 4 entries cannot be used"), "{why}");
        assert_eq!(sample.as_deref(), Some("1"));
    }

    #[test]
    fn what_names_no_function_or_is_nothing_known_is_refused() {
        for bytes in [
            REPORT.as_bytes(),
            b"[1]",
            b"{}",
            b"{\"v\":1",
            &[0x1f, 0x8b, 9],
            b"",
            b"[]",
        ] {
            let (functions, refused) = of(bytes);
            assert!(functions.is_empty() && refused.is_some(), "{bytes:?}");
        }
    }
}
