//! What the bytes of one stream record hold: a record of ours, or one of the other accepted forms.

use std::convert::Infallible;
use std::sync::Arc;

use rightsizer_formats::{Hints, gzip, read};
use rightsizer_records::{DecodeError, Timestamp, decode};
use rightsizer_rules::evidence::{Evidence, FunctionKey, Item};
use rightsizer_rules::inventory::{Home, Owners};

/// Stands for "nobody" while a payload is read: no function has a control character in its name.
const NOBODY: &str = "nobody";

/// What makes functions of names and log groups.
#[derive(Debug)]
pub(super) struct Whose<'a> {
    /// Where functions are that payloads know by name only.
    pub(super) home: Option<&'a Home>,
    /// Who logs where.
    pub(super) owners: Arc<Owners>,
}

/// Reads one stream record. What is no record of ours is tried as wrapped telemetry or as a log
/// subscription payload, which name their function; anything else is refused.
pub(super) fn items(bytes: &[u8], whose: &Whose<'_>, now: Timestamp) -> Vec<Item> {
    let error = match decode(bytes) {
        Ok(record) => {
            let evidence = Evidence::Record(Box::new(record));
            return vec![Item::Evidence { line: 1, evidence }];
        }
        Err(error) => error,
    };
    let other_form = matches!(error, DecodeError::NotARecord(_))
        && (bytes.starts_with(b"{") || bytes.starts_with(&gzip::MAGIC));
    let items = if other_form {
        read_other(bytes, whose, now)
    } else {
        Vec::new()
    };
    // Half a record of ours is refused by the other reader too, but in its own words.
    if items
        .iter()
        .all(|item| matches!(item, Item::Refused { .. }))
    {
        return vec![refused(error.to_string())];
    }
    items
}

fn read_other(bytes: &[u8], whose: &Whose<'_>, now: Timestamp) -> Vec<Item> {
    let hints = Hints {
        function: None,
        date: None,
        fallback_date: now.day(),
        file_name: NOBODY.to_owned(),
        home: whose.home.cloned(),
        owners: whose.owners.clone(),
    };
    let mut items = Vec::new();
    let mut sink = |item| -> Result<(), Infallible> {
        items.push(named(item));
        Ok(())
    };
    // Reading from memory cannot fail, and the sink does not.
    let _ = read(bytes, &hints, &mut sink);
    items
}

fn named(item: Item) -> Item {
    match &item {
        Item::Evidence {
            evidence: Evidence::Observation(seen),
            ..
        } if *seen.function == FunctionKey::of_file(NOBODY) => {
            refused("it names no function".to_owned())
        }
        _ => item,
    }
}

fn refused(reason: String) -> Item {
    Item::Refused {
        line: 1,
        reason,
        sample: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const REPORT: &str = "REPORT RequestId: 0b1e Duration: 12.00 ms Billed Duration: 12 ms \
                          Memory Size: 512 MB Max Memory Used: 90 MB";

    fn of(bytes: &[u8]) -> Vec<Item> {
        let home = Home {
            account: "123456789012".into(),
            region: "eu-west-1".into(),
        };
        let whose = Whose {
            home: Some(&home),
            owners: Arc::default(),
        };
        items(
            bytes,
            &whose,
            Timestamp::parse("2026-02-01T00:00:00Z").unwrap(),
        )
    }

    fn function(item: &Item) -> String {
        match item {
            Item::Evidence {
                evidence: Evidence::Observation(seen),
                ..
            } => seen.function.to_string(),
            other => panic!("{other:?}"),
        }
    }

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
        let items = of(&gzip.finish().unwrap());
        assert_eq!(
            function(&items[0]),
            "arn:aws:lambda:eu-west-1:123456789012:function:checkout"
        );
        assert_eq!(items[1], Item::Ignored);
    }

    #[test]
    fn wrapped_telemetry_is_read() {
        let payload = serde_json::json!({ "functionName": "checkout", "records": [{
            "time": "2026-01-31T10:00:00.000Z", "type": "platform.report",
            "record": { "requestId": "r", "status": "success", "metrics": {
                "durationMs": 1.5, "billedDurationMs": 2, "memorySizeMB": 512,
                "maxMemoryUsedMB": 90 } },
        }] });
        let items = of(payload.to_string().as_bytes());
        assert_eq!(
            function(&items[0]),
            "arn:aws:lambda:eu-west-1:123456789012:function:checkout"
        );
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
            let items = of(bytes);
            assert!(
                matches!(items.as_slice(), [Item::Refused { .. }]),
                "{bytes:?} gave {items:?}"
            );
        }
    }
}
