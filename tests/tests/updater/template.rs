//! What the deployed template says about the updater, held to what the updater is.

use std::path::Path;
use std::process::Command;

use rightsizer_records::{FunctionArn, Record, encode};
use rightsizer_tests::servers::{filter_pattern, passes, template};

use crate::stage::recommendation;

#[test]
fn the_event_filter_lets_recommendations_pass_and_nothing_else() {
    let pattern = filter_pattern().unwrap();
    let arn = FunctionArn::new("aws", "eu-central-1", "123456789012", "checkout").unwrap();
    let rec = Record::Recommendation(recommendation("a", &arn, 1024, 512));
    assert!(passes(&pattern, &encode(&rec)));
    for (fixture, want) in [
        ("recommendation", true),
        ("recommendation-approved", true),
        ("outcome", false),
        ("outcome-skipped", false),
        ("reports", false),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("../records/fixtures/{fixture}.json"));
        assert_eq!(
            passes(&pattern, &std::fs::read(path).unwrap()),
            want,
            "{fixture}"
        );
    }
    // A broken recommendation passes, so that it is answered; what is no JSON never comes.
    assert!(passes(
        &pattern,
        br#"{"v":1,"kind":"recommendation","to_mb":0}"#
    ));
    assert!(!passes(&pattern, b"\xff\x00 garbage"));
}

/// One shard, one batch of it at a time: so the limit of ten calls a second in the process is the
/// limit of the whole updater. And the retries are those the binary counts.
#[test]
fn the_event_source_mapping_is_what_the_updater_counts_on() {
    let template = template().unwrap();
    let has = |line: &str| template.lines().any(|l| l.trim() == line);
    for line in [
        "ShardCount: 1",
        "BatchSize: 10",
        "MaximumRetryAttempts: 3",
        "MaximumRecordAgeInSeconds: 3600",
        "BisectBatchOnFunctionError: true",
        "FunctionResponseTypes: [ReportBatchItemFailures]",
    ] {
        assert!(has(line), "{line}");
    }
    assert!(!template.contains("ParallelizationFactor"));
    assert!(!template.contains("iam:PassRole\n"));
}

#[test]
fn the_template_is_clean() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let lint = root.join(".tools/python/bin/cfn-lint");
    assert!(
        lint.exists(),
        "cfn-lint is missing: run `make tools` in the checkout"
    );
    let answer = Command::new(lint)
        .arg(root.join("infra/template.yaml"))
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&answer.stdout).into_owned();
    assert!(
        answer.status.success(),
        "{words}{}",
        String::from_utf8_lossy(&answer.stderr)
    );
}
