use std::ffi::OsStr;
use std::fs;

use super::*;

const LONG: &str = include_str!("../../../fixtures/power_tuning/input.json");
const SHORT: &str = include_str!("../../../fixtures/power_tuning/input-short.json");

#[test]
fn every_field_is_read() {
    let function = |name: &str| format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}");
    let payloads = r#"[{"payload":{"order": 1},"weight":5},{"payload":{"order": 2},"weight":15}]"#;
    let wanted = TuningInput {
        function: function("checkout:live"),
        invocations: 20,
        sizes: [128, 512, 10_240].map(Megabytes).to_vec(),
        payload: PayloadSource::Inline(Payloads::of_json(payloads).unwrap()),
        parallel: true,
        strategy: Strategy::Balanced { weight: 0.25 },
        auto_optimize: true,
        auto_optimize_alias: Some("live".to_owned()),
        dry_run: false,
        pre_processor: Some(function("make-order")),
        post_processor: Some(function("drop-order")),
        discard: 0.1,
        pause_ms: 250,
        hide_payloads: true,
        include_results: true,
        only_cold_starts: false,
        allowed_exceptions: vec!["OutOfStock".to_owned()],
        unknown: Vec::new(),
    };
    assert_eq!(TuningInput::read(LONG), Ok(wanted));
}

/// 128 to 3008 in steps of 64 are 46 sizes.
#[test]
fn a_short_input_has_the_usual_values() {
    let read = TuningInput::read(SHORT).unwrap();
    assert_eq!(read.sizes.len(), 46);
    assert_eq!(read.sizes.last(), Some(&Megabytes(3008)));
    assert!((read.discard - 0.2).abs() < 1e-12);
    assert_eq!((read.pause_ms, read.strategy), (0, Strategy::Cost));
    assert!(read.parallel && !read.dry_run && !read.auto_optimize);
    let least = TuningInput::read(r#"{"lambdaARN":"f","num":5,"powerValues":null}"#).unwrap();
    assert_eq!(
        least.sizes,
        [128, 256, 512, 1024, 1536, 3008].map(Megabytes)
    );
    let nothing = Payloads::of_json("null").unwrap();
    assert_eq!(least.payload, PayloadSource::Inline(nothing));
}

/// The input with one field more.
fn with(field: &str) -> Result<TuningInput, InputError> {
    TuningInput::read(&format!(r#"{{"lambdaARN":"f","num":10,{field}}}"#))
}

#[test]
fn shares_are_moved_into_their_range() {
    let discard = |field| with(field).unwrap().discard;
    assert!((discard(r#""discardTopBottom":0.9"#) - 0.4).abs() < 1e-12);
    let cold = discard(r#""discardTopBottom":0.3,"onlyColdStarts":true"#);
    assert!(cold.abs() < 1e-12, "every cold start counts");
    let read = with(r#""strategy":"balanced","balancedWeight":7"#).unwrap();
    assert_eq!(read.strategy, Strategy::Balanced { weight: 1.0 });
}

#[test]
fn a_large_payload_is_in_s3() {
    let read = with(r#""payloadS3":"s3://bucket/a/key.json","payload":{}"#).unwrap();
    let wanted = PayloadSource::S3 {
        bucket: "bucket".to_owned(),
        key: "a/key.json".to_owned(),
    };
    assert_eq!(read.payload, wanted);
}

#[test]
fn unknown_fields_are_named() {
    let read = with(r#""numm":3,"balancedWeigth":1"#).unwrap();
    assert_eq!(read.unknown, ["balancedWeigth", "numm"]);
}

#[test]
fn what_cannot_be_run_is_refused() {
    let refused = |json| TuningInput::read(json).unwrap_err().to_string();
    assert_eq!(refused(r#"{"num":5}"#), "the input has no lambdaARN");
    assert_eq!(refused(r#"{"lambdaARN":"f"}"#), "the input has no num");
    let few = refused(r#"{"lambdaARN":"f","num":4}"#);
    assert_eq!(few, "num must be at least 5, not 4");
    let list = refused("[]");
    assert!(
        list.starts_with("the input is not a JSON object: "),
        "{list}"
    );
    for (field, wanted) in [
        (
            r#""powerValues":[64]"#,
            "powerValues must be \"ALL\" or a list of sizes from 128 to 10240 MB, not 64",
        ),
        (
            r#""powerValues":"128,256""#,
            "powerValues must be \"ALL\" or a list of sizes from 128 to 10240 MB, not \"128,256\"",
        ),
        (
            r#""strategy":"fast""#,
            "strategy must be cost, speed or balanced, not fast",
        ),
        (
            r#""dryRun":"false""#,
            "dryRun must be true or false, not \"false\"",
        ),
        (
            r#""payloadS3":"bucket/key""#,
            "payloadS3 must be s3://BUCKET/KEY, not bucket/key",
        ),
        (
            r#""allowedExceptions":"E""#,
            "allowedExceptions must be a list of error types, not \"E\"",
        ),
        (
            r#""balancedWeight":"much""#,
            "balancedWeight must be a number, not \"much\"",
        ),
        (
            r#""payload":[{"payload":{},"weight":0},{"payload":1,"weight":0}]"#,
            "the weights of the payloads sum to 0, so none of them would be used",
        ),
    ] {
        assert_eq!(with(field).unwrap_err().to_string(), wanted);
    }
}

/// Published inputs can be checked unchanged: `RIGHTSIZER_POWER_TUNING` names the folder that has them.
#[test]
fn published_inputs_are_read() {
    let Some(folder) = std::env::var_os("RIGHTSIZER_POWER_TUNING") else {
        return;
    };
    let mut read = 0;
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension() == Some(OsStr::new("json")) {
            let text = fs::read_to_string(&path).unwrap();
            let input = TuningInput::read(&text);
            let input = input.unwrap_or_else(|why| panic!("{}: {why}", path.display()));
            assert!(input.unknown.is_empty(), "{}", path.display());
            read += 1;
        }
    }
    assert!(read > 0, "no input in {}", folder.display());
}
