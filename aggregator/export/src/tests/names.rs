//! Names, logical ids, and what the user adds to them.

use super::*;

const TEMPLATE: &str = "Resources:
  Checkout:
    Type: AWS::Lambda::Function
    Properties:
      MemorySize: 1024
  Named:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: !Sub '${AWS::StackName}-named'
      MemorySize: 1024
";

fn of_stack(name: &str, stack: &str, id: &str, to: u32) -> Size {
    Size {
        stack: Some(stack.to_owned()),
        logical_id: Some(id.to_owned()),
        ..size(name, to)
    }
}

fn rules(stack: Option<&str>, map: &[(&str, &str)]) -> Rules {
    let map = map.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
    Rules {
        stack: stack.map(str::to_owned),
        map: map.collect(),
        stage: None,
    }
}

fn run(sizes: &[Size], rules: &Rules) -> Result<Patch, Refused> {
    patch(Format::CloudFormation, TEMPLATE, sizes, rules)
}

/// Logical ids such as `Checkout` are in many templates.
#[test]
fn a_logical_id_counts_within_the_given_stack() {
    let wanted = [of_stack("shop-Checkout-1X2Y", "shop", "Checkout", 300)];
    let unnamed = run(&wanted, &rules(None, &[])).unwrap();
    assert_eq!(unnamed.text, TEMPLATE);
    let Became::Missing { hint: Some(hint) } = &unnamed.rows[0].became else {
        panic!("{unnamed:?}")
    };
    assert!(hint.contains("--stack shop"), "{hint}");
    let found = run(&wanted, &rules(Some("shop"), &[])).unwrap();
    assert_eq!(found.text, TEMPLATE.replacen("1024", "300", 1));
    let other = run(&wanted, &rules(Some("other"), &[])).unwrap();
    assert_eq!(other.text, TEMPLATE);
}

#[test]
fn a_name_made_of_the_stacks_is_known_by_the_functions_tags() {
    let wanted = [of_stack("shop-named", "shop", "Named", 300)];
    let patch = run(&wanted, &Rules::default()).unwrap();
    assert_eq!(became(&patch).len(), 1);
    assert!(patch.text.ends_with("MemorySize: 300\n"), "{}", patch.text);
}

#[test]
fn a_map_is_believed_unless_it_cannot_be_true() {
    let wanted = sizes(&[("legacy", 300)]);
    let patch = run(&wanted, &rules(None, &[("Checkout", "legacy")])).unwrap();
    assert_eq!(patch.text, TEMPLATE.replacen("1024", "300", 1));
    let by_arn = &wanted[0].function.clone();
    assert!(run(&wanted, &rules(None, &[("Checkout", by_arn)])).is_ok());
    let error = run(&wanted, &rules(None, &[("Chekout", "legacy")])).unwrap_err();
    assert!(error.to_string().contains("Checkout, Named"), "{error}");
    let literal = TEMPLATE.replacen("MemorySize", "FunctionName: mine\n      MemorySize", 1);
    let refused = patch_of(&literal, &wanted, &rules(None, &[("Checkout", "legacy")]));
    assert!(
        matches!(refused, Err(Refused::MapContradicts { line: 3, .. })),
        "{refused:?}"
    );
    // Naming a function that has nothing to export is not an error.
    assert!(run(&wanted, &rules(None, &[("Checkout", "somebody-else")])).is_ok());
}

fn patch_of(text: &str, sizes: &[Size], rules: &Rules) -> Result<Patch, Refused> {
    patch(Format::CloudFormation, text, sizes, rules)
}

#[test]
fn a_function_that_is_there_twice_is_refused() {
    let one = "  A:\n    Type: AWS::Lambda::Function\n    Properties: {FunctionName: a, MemorySize: 1024}\n";
    let text = format!("Resources:\n{one}{}", one.replace("A:\n", "B:\n"));
    let error = patch_of(&text, &sizes(&[("a", 300)]), &Rules::default()).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("A, line 3") && error.contains("B, line 6"),
        "{error}"
    );
}

#[test]
fn one_place_for_two_regions_is_refused() {
    let mut wanted = sizes(&[("a", 300), ("a", 600)]);
    wanted[1].function = wanted[1].function.replace("eu-west-1", "us-east-1");
    let text = "Resources:\n  A:\n    Type: AWS::Lambda::Function\n    Properties: {FunctionName: a, MemorySize: 1024}\n";
    let error = patch_of(text, &wanted, &Rules::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("us-east-1") && error.contains("--region"),
        "{error}"
    );
    let error = values(Format::Terraform, &wanted).unwrap_err().to_string();
    assert!(
        error.contains("us-east-1") && error.contains("--region"),
        "{error}"
    );
}

#[test]
fn values_are_what_each_pipeline_reads_and_are_read_back() {
    let mut wanted = sizes(&[("nightly-export_2", 300), ("api", 512)]);
    wanted[1].logical_id = Some("ApiFunction".to_owned());
    let all = [
        Format::Terraform,
        Format::CloudFormation,
        Format::Sam,
        Format::Serverless,
        Format::Cdk,
    ];
    let mut texts = Vec::new();
    for format in all {
        let values = values(format, &wanted).unwrap();
        let text = write_values(format, &values);
        assert_eq!(read_values(format, &text), Some(values), "{text}");
        assert_eq!(read_values(format, "{\"other\": {}, \"more\": 1}"), None);
        texts.push(text);
    }
    let one_line: Vec<String> = texts
        .iter()
        .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        one_line,
        [
            r#"{ "rightsizer_memory_mb": { "api": 512, "nightly-export_2": 300 } }"#,
            r#"{ "Parameters": { "ApiFunctionMemorySize": "512", "NightlyExport2MemorySize": "300" } }"#,
            "ApiFunctionMemorySize=512 NightlyExport2MemorySize=300",
            r#"{ "api": 512, "nightly-export_2": 300 }"#,
            r#"{ "context": { "rightsizer": { "api": 512, "nightly-export_2": 300 } } }"#,
        ]
    );
}

/// A test account's figures are not the other's.
#[test]
fn sizes_of_two_accounts_or_stacks_are_not_mixed() {
    let text = "Resources:
  A: {Type: AWS::Lambda::Function, Properties: {FunctionName: a, MemorySize: 1024}}
  B: {Type: AWS::Lambda::Function, Properties: {FunctionName: b, MemorySize: 1024}}
";
    let mut wanted = sizes(&[("a", 300), ("b", 600), ("c", 600)]);
    wanted[2].function = wanted[2].function.replace("123456789012", "210987654321");
    assert!(
        patch_of(text, &wanted, &Rules::default()).is_ok(),
        "c is not in it"
    );
    let mixed = values(Format::Cdk, &wanted).unwrap_err().to_string();
    assert!(
        mixed.contains("210987654321/eu-west-1") && mixed.contains("--account"),
        "{mixed}"
    );
    assert!(patch(Format::Cdk, "{\"context\": {}}", &wanted, &Rules::default()).is_err());
    wanted[1].function = wanted[1].function.replace("123456789012", "210987654321");
    let mixed = patch_of(text, &wanted, &Rules::default()).unwrap_err();
    assert!(
        mixed.to_string().contains("210987654321/eu-west-1"),
        "{mixed}"
    );
    let mut wanted = sizes(&[("a", 300), ("b", 600)]);
    wanted[0].stack = Some("shop-dev".to_owned());
    wanted[1].stack = Some("shop-prod".to_owned());
    let mixed = patch_of(text, &wanted, &Rules::default()).unwrap_err();
    assert!(mixed.to_string().contains("--stack"), "{mixed}");
    let prod = patch_of(text, &wanted, &rules(Some("shop-prod"), &[])).unwrap();
    assert_eq!(
        prod.text,
        text.replace("b, MemorySize: 1024", "b, MemorySize: 600")
    );
}

/// `a-b` and `aB` would be one parameter.
#[test]
fn parameters_of_one_name_are_refused() {
    let error = values(Format::Sam, &sizes(&[("a-b", 300), ("a_b", 512)])).unwrap_err();
    assert!(matches!(error, Refused::NameTwice { .. }), "{error}");
}
