//! Tests of `json_scan`.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn scan(lines: &[&str]) -> (Progress, Scan) {
    let mut scan = Scan::default();
    let mut progress = Progress::Whole;
    for line in lines {
        progress = scan.feed(line);
    }
    (progress, scan)
}

#[test]
fn a_document_is_followed_over_its_lines() {
    assert_eq!(
        scan(&["{", "\"a\": [", "1, {\"b\": \"}\\\"\"}", "]", "}"]).0,
        Progress::Whole
    );
    assert_eq!(scan(&["[]", "{}", "1"]).0, Progress::Whole);
    assert_eq!(scan(&["{", "\"a\": ["]).0, Progress::Open);
    for broken in [
        "{\"v\":1,\"kind\":\"rep",
        "{]",
        "[1 2]",
        "{1:2}",
        "[,]",
        "{\"a\" 1}",
        "]",
        "[}",
        "[1,]",
        "[NaN]",
        "[1.2.3]",
        "[\"\\x\"]",
        "[\"\\u12g4\"]",
    ] {
        assert_eq!(scan(&[broken]).0, Progress::Broken, "{broken}");
    }
    assert_eq!(scan(&["{\"a\":1,", "{\"a\":1}"]).0, Progress::Broken);
    assert_eq!(scan(&[&"[".repeat(5000)]).0, Progress::Broken);
}

#[test]
fn a_cut_document_is_closed_behind_its_last_whole_entry() {
    let text = "{\"logGroup\": \"g\", \"events\": [{\"a\": [1, 2]}, {\"a\": [3";
    let (progress, scan) = scan(&[text]);
    assert_eq!(progress, Progress::Open);
    let closed = scan.cut().unwrap().close(text).unwrap();
    assert_eq!(
        closed,
        "{\"logGroup\": \"g\", \"events\": [{\"a\": [1, 2]}]}"
    );
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(".{0,5}", inner, 0..5)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn json_is_whole_and_its_beginnings_can_be_closed(value in json(), pretty: bool, cut in 0_usize..500) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let lines: Vec<&str> = text.split('\n').collect();
        prop_assert_eq!(scan(&lines).0, Progress::Whole);
        let begun: String = text.chars().take(cut).collect();
        let lines: Vec<&str> = begun.split('\n').collect();
        let (_, scan) = scan(&lines);
        if let Some(cut) = scan.cut() {
            let closed = cut.close(&begun).unwrap();
            prop_assert!(serde_json::from_str::<Value>(&closed).is_ok(), "{}", closed);
        }
    }

    #[test]
    fn any_text_is_answered(lines in prop::collection::vec("[\\[\\]{}\",:\\\\a1 ]{0,12}|.{0,12}", 0..6)) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let _ = scan(&lines);
    }
}
