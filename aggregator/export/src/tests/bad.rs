//! Files that are not what they should be: refused in words, never guessed at.

use super::*;

fn refused(format: Format, text: &str) -> String {
    let refused = patch(format, text, &sizes(&[("a", 300)]), &Rules::default());
    refused.unwrap_err().to_string()
}

const FUNCTION: &str =
    "Resources:\n  A:\n    Type: AWS::Lambda::Function\n    Properties:\n      FunctionName: a\n";
const SERVICE: &str = "service: s\nprovider: {name: aws}\nfunctions: {a: {handler: b.c}}\n";

/// A file, and words of why it is refused.
const FILES: [(Format, &str, &str); 21] = [
    (Format::CloudFormation, SERVICE, "--format serverless"),
    (
        Format::CloudFormation,
        "{\"app\": \"x\", \"context\": {}}",
        "--format cdk",
    ),
    (
        Format::CloudFormation,
        "Resources: {B: {Type: AWS::S3::Bucket}}",
        "no Lambda function",
    ),
    (Format::CloudFormation, "just words", "no block Resources"),
    (Format::CloudFormation, "", "empty"),
    (Format::CloudFormation, "a: [1", "not a readable YAML: line"),
    (
        Format::CloudFormation,
        "{\"a\": 1",
        "not a readable JSON: line 1",
    ),
    (
        Format::CloudFormation,
        "a: 1\n---\nb: 2\n",
        "several YAML documents",
    ),
    (Format::Sam, FUNCTION, "--format cloudformation"),
    (Format::Sam, SERVICE, "not a SAM template"),
    (Format::Serverless, FUNCTION, "--format cloudformation"),
    (
        Format::Serverless,
        "service: s\nprovider: google\nfunctions: {a: {handler: b}}",
        "provider is google",
    ),
    (
        Format::Serverless,
        "service: s\nfunctions: ${file(f.yml)}",
        "${file(f.yml)}",
    ),
    (
        Format::Terraform,
        FUNCTION,
        "not a readable Terraform (HCL): line 1",
    ),
    (
        Format::Terraform,
        "{\"resource\": {}}",
        "no Lambda function",
    ),
    (
        Format::Terraform,
        "{\"resource\": {}",
        "not a readable JSON: line 1",
    ),
    (Format::Terraform, "{resource: {}}", "not a readable JSON"),
    (Format::Terraform, "locals {}\n", "no Lambda function"),
    (Format::Terraform, "\n", "empty"),
    (Format::Cdk, "{\"a\": 1}", "neither app nor context"),
    (Format::Cdk, "{\"context\": 1}", "not a map"),
];

#[test]
fn another_kind_of_template_is_named() {
    for (format, text, words) in FILES {
        let message = refused(format, text);
        assert!(message.contains(words), "{format:?} {text:?}: {message}");
    }
}

#[test]
fn a_key_twice_is_refused() {
    let text = format!("{FUNCTION}      MemorySize: 1024\n      MemorySize: 512\n");
    let message = refused(Format::CloudFormation, &text);
    assert!(
        message.contains("MemorySize is twice") && message.contains("line 7"),
        "{message}"
    );
    let twice = "resource \"aws_lambda_function\" \"a\" {\n  function_name = \"a\"\n  memory_size = 1\n  memory_size = 2\n}\n";
    let message = refused(Format::Terraform, twice);
    assert!(message.contains("HCL"), "{message}");
}

#[test]
fn depth_does_not_end_the_process() {
    let deep = "[".repeat(200_000);
    for format in [
        Format::CloudFormation,
        Format::Serverless,
        Format::Terraform,
        Format::Cdk,
    ] {
        refused(format, &deep);
        refused(format, &format!("{{\"a\": {deep}"));
        refused(format, &format!("a = {deep}"));
        refused(format, &"- ".repeat(100_000));
    }
}

#[test]
fn odd_numbers_are_left_alone() {
    for odd in [
        "1_024",
        "0x400",
        "1024.0",
        "-1",
        "1e3",
        "99999999999",
        "~",
        "",
        "|\n        1024",
    ] {
        let text = format!("{FUNCTION}      MemorySize: {odd}\n");
        let patch = patched(Format::CloudFormation, &text, &[("a", 300)]);
        assert_eq!(patch.text, text);
        assert!(
            matches!(became(&patch)[0], Became::Left { line: 6.., .. }),
            "{odd}: {patch:?}"
        );
    }
}
