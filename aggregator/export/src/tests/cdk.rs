use super::*;

#[test]
fn the_context_gets_what_it_lacks_and_keeps_the_rest() {
    let none = "{\n  \"app\": \"npx ts-node bin/shop.ts\"\n}\n";
    let first = patched(Format::Cdk, none, &[("checkout", 300), ("api", 512)]).text;
    assert_eq!(
        first,
        "{\n  \"context\": {\n    \"rightsizer\": {\n      \"api\": 512,\n      \"checkout\": 300\n    }\n  },\n  \
         \"app\": \"npx ts-node bin/shop.ts\"\n}\n"
    );
    let second = patched(Format::Cdk, &first, &[("checkout", 256), ("web", 128)]).text;
    assert_eq!(
        changes(&first, &second),
        [
            "+      \"web\": 128,",
            "-      \"checkout\": 300",
            "+      \"checkout\": 256"
        ]
    );
}

#[test]
fn other_context_and_empty_context_are_kept() {
    let some = "{\"app\": \"x\", \"context\": {\"@aws-cdk/core:a\": true}}";
    let text = patched(Format::Cdk, some, &[("a", 300)]).text;
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["context"]["rightsizer"]["a"], 300);
    assert_eq!(value["context"]["@aws-cdk/core:a"], true);
    for empty in [
        "{\"app\":\"x\",\"context\":{}}",
        "{\r\n  \"context\": {\r\n    \"rightsizer\": {}\r\n  }\r\n}",
    ] {
        let text = patched(Format::Cdk, empty, &[("a", 300)]).text;
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["context"]["rightsizer"]["a"], 300, "{text}");
        assert_eq!(empty.contains('\r'), text.contains('\r'), "{text:?}");
    }
}
