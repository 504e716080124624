//! Programs that make functions: none is patched, each gets a message with the change.

use super::*;

/// The message for `orders-api`, which should have 768 MB.
fn outcome(format: Format, text: &str) -> Became {
    let patch = patched(format, text, &[("orders-api", 768)]);
    assert_eq!(patch.text, text);
    patch.rows[0].became.clone()
}

/// A program that makes `orders-api`, the line that names it, what the program is called, and what to set.
type Case = (Format, &'static str, usize, &'static str, &'static str);

const PROGRAMS: [Case; 14] = [
    (
        Format::Serverless,
        "import type { AWS } from '@serverless/typescript';\n\nexport default {\n  functions: {\n    api: { name: 'orders-api' },\n",
        5,
        "a serverless.ts",
        "`memorySize: 768`",
    ),
    (
        Format::Serverless,
        "// serverless.js\nmodule.exports = {\n  service: 'orders',\n  functions: { api: { name: \"orders-api\", memorySize: 1024 } },\n};\n",
        4,
        "a serverless.js",
        "`memorySize: 768`",
    ),
    (
        Format::Cdk,
        "import { Function } from 'aws-cdk-lib/aws-lambda';\nnew Function(this, 'Api', { functionName: 'orders-api' });\n",
        2,
        "a CDK app",
        "`memorySize: 768`",
    ),
    (
        Format::Cdk,
        "from aws_cdk import aws_lambda as lambda_\n\nlambda_.Function(self, 'Api', function_name=\"orders-api\")\n",
        3,
        "a CDK app",
        "`memory_size=768`",
    ),
    (
        Format::Cdk,
        "import software.amazon.awscdk.services.lambda.*;\nFunction.Builder.create(this, \"A\").functionName(\"orders-api\").build();\n",
        2,
        "a CDK app",
        "`.memorySize(768)`",
    ),
    (
        Format::Cdk,
        "import (\n\t\"github.com/aws/aws-cdk-go/awscdk/v2\"\n)\n\tFunctionName: jsii.String(\"orders-api\"),\n",
        4,
        "a CDK app",
        "`MemorySize: jsii.Number(768)`",
    ),
    (
        Format::Cdk,
        "using Amazon.CDK;\nnew Function(this, \"A\", new FunctionProps { FunctionName = \"orders-api\" });\n",
        2,
        "a CDK app",
        "`MemorySize = 768`",
    ),
    (
        Format::Terraform,
        "import { LambdaFunction } from '@cdktf/provider-aws/lib/lambda-function';\nnew LambdaFunction(this, 'a', {\n  functionName: 'orders-api' });\n",
        3,
        "a program of CDK for Terraform",
        "`memorySize: 768`",
    ),
    (
        Format::Serverless,
        "/// <reference path=\"./.sst/platform/config.d.ts\" />\nexport default $config({\n  async run() { new sst.aws.Function('Api', { name: 'orders-api' }); },\n",
        3,
        "an SST configuration",
        "`memory: \"768 MB\"`",
    ),
    (
        Format::CloudFormation,
        "import * as aws from \"@pulumi/aws\";\n// \"orders-api\" is slow\nnew aws.lambda.Function(\"api\", { name: \"orders-api\" });\n",
        3,
        "a Pulumi program",
        "`memorySize: 768`",
    ),
    (
        Format::Terraform,
        "import pulumi_aws as aws\naws.lambda_.Function(\"api\",\n    name=\"orders-api\")\n",
        3,
        "a Pulumi program",
        "`memory_size=768`",
    ),
    (
        Format::CloudFormation,
        "runtime: yaml\nresources:\n  api:\n    type: aws:lambda:Function\n    properties: {name: \"orders-api\"}\n",
        5,
        "a Pulumi program in YAML",
        "`memorySize: 768`",
    ),
    (
        Format::Terraform,
        "{\"//\": {\"metadata\": {\"stackName\": \"orders\"}},\n\"resource\": {\"aws_lambda_function\": {\"a\": {\"function_name\": \"orders-api\", \"memory_size\": 1024}}}}",
        2,
        "CDK for Terraform generates",
        "`memorySize: 768`",
    ),
    (
        Format::Sam,
        "const names = ['orders-api'];\n",
        1,
        "a program",
        "`memorySize: 768`",
    ),
];

#[test]
fn each_program_is_recognised_with_what_to_set() {
    for (format, text, wanted, what, set) in PROGRAMS {
        let Became::Left { line, why } = outcome(format, text) else {
            panic!("{text}")
        };
        assert_eq!(line, wanted, "{text}");
        assert!(why.contains(what) && why.contains(set), "{why}\n{text}");
    }
}

/// A function that the program does not name by its whole name may still be made by it.
#[test]
fn a_name_that_is_made_at_run_time_gets_a_hint() {
    let text =
        "import { Function } from 'aws-cdk-lib/aws-lambda';\nnew Function(this, `${stage}-api`);\n";
    let Became::Missing { hint: Some(hint) } = outcome(Format::Cdk, text) else {
        panic!("{text}")
    };
    assert!(
        hint.contains("`memorySize: 768` if it makes this function") && hint.contains("cdk.json"),
        "{hint}"
    );
}

/// A part of a program, without its imports, is known by the format that was asked for.
#[test]
fn the_format_decides_what_a_script_is() {
    let text =
        "new lambda.Function(this, 'A', { functionName: 'orders-api', memorySize: 1024 });\n";
    for (format, words) in [
        (Format::Cdk, "a CDK app"),
        (Format::Serverless, "a serverless.js"),
        (Format::Sam, "this is a program"),
    ] {
        let became = outcome(format, text);
        assert!(why(&became).contains(words), "{became:?}");
    }
    let service =
        "module.exports = { service: 'orders', functions: { a: { name: 'orders-api' } } };\n";
    assert!(why(&outcome(Format::CloudFormation, service)).contains("a serverless.js"));
    // Nothing speaks for a program: refused, with what would be read.
    let refused = patch(Format::Cdk, "just words", &sizes(&[]), &Rules::default());
    assert!(refused.unwrap_err().to_string().contains("cdk.json"));
}

/// Templates quote programs, and a broken template is still a template.
#[test]
fn a_template_with_a_program_in_it_is_not_a_program() {
    let inline = "Resources:
  A:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: orders-api
      Code:
        ZipFile: |
          import { App } from 'aws-cdk-lib';
";
    let lines = changed(Format::CloudFormation, inline, &[("orders-api", 768)]);
    assert_eq!(lines, ["+      MemorySize: 768"]);
    let wanted = sizes(&[("orders-api", 768)]);
    let function = |id: &str| {
        let body = inline.split_once("  A:\n").map_or("", |(_, body)| body);
        let body = body.replace("\n    ", "\n     ");
        format!("   {id}:\n {body}")
    };
    let twice = format!(" Resources:\n{}{}", function("A"), function("B"));
    let refused = patch(Format::CloudFormation, &twice, &wanted, &Rules::default());
    assert!(
        matches!(refused, Err(Refused::FunctionTwice { .. })),
        "{refused:?}"
    );
    for (format, text) in [
        (Format::CloudFormation, format!("{inline}    - [")),
        (
            Format::Terraform,
            "resource \"aws_lambda_function\" \"a\" {\n  x = <<EOT\nimport pulumi\nEOT\n"
                .to_owned(),
        ),
        (
            Format::Terraform,
            "{\"resource\": \"@pulumi/aws\"".to_owned(),
        ),
    ] {
        let refused = patch(format, &text, &wanted, &Rules::default());
        assert!(
            matches!(refused, Err(Refused::Unreadable { .. })),
            "{refused:?}"
        );
    }
}
