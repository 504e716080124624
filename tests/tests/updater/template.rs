//! The updater in the deployed template, compared with the updater itself.

use std::collections::BTreeSet;
use std::path::Path;

use rightsizer_records::tags::PAUSED_TAG;
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
    // A broken recommendation passes, so that it gets an outcome; anything but JSON never arrives.
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
        "Timeout: 30",
        "MaximumRetryAttempts: 3",
        "MaximumRecordAgeInSeconds: 3600",
        "BisectBatchOnFunctionError: true",
        "FunctionResponseTypes: [ReportBatchItemFailures]",
    ] {
        assert!(has(line), "{line}");
    }
    assert!(!template.contains("ParallelizationFactor"));
}

/// What a role of the template may do to functions, in all: a list that grows is looked at.
#[test]
fn the_template_grants_these_actions_on_functions_and_no_others() {
    let template = template().unwrap();
    let granted: BTreeSet<&str> = template
        .lines()
        .map(|line| {
            line.trim()
                .trim_start_matches("- ")
                .trim_start_matches("Action: ")
        })
        .filter(|line| line.starts_with("lambda:") || line.starts_with("iam:"))
        // A condition key has a value.
        .filter(|line| !line.contains(": "))
        .collect();
    let wanted = [
        "lambda:GetAlias",
        "lambda:GetFunction",
        // Of the layers, for an organisation.
        "lambda:GetLayerVersion",
        // The aggregator's inventory.
        "lambda:ListFunctions",
        "lambda:ListProvisionedConcurrencyConfigs",
        "lambda:ListTags",
        "lambda:PublishVersion",
        "lambda:TagResource",
        "lambda:UntagResource",
        "lambda:UpdateAlias",
        "lambda:UpdateFunctionConfiguration",
    ];
    assert_eq!(granted, BTreeSet::from(wanted));
    // Both that change a function want its tag; the two that pause want no other tag.
    assert_eq!(
        template
            .matches("aws:ResourceTag/rightsizer:mode: [recommend, auto]")
            .count(),
        2
    );
    assert_eq!(
        template
            .matches("aws:TagKeys: [\"rightsizer:paused\"]")
            .count(),
        1
    );
    // The tag in the policy is the tag that is read.
    assert!(template.contains(&format!("[\"{PAUSED_TAG}\"]")));
}
