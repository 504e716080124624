//! Terraform's JSON syntax.

use super::*;

const JSON: &str = r#"{
  "//": "the mill",
  "//": "twice is allowed",
  "locals": [{
    "mills": { "wind": { "mb": 1024 }, "water": { "mb": "2048" } }
  }],
  "variable": { "place": { "default": "hill" } },
  "resource": [
    {
      "aws_lambda_function": {
        "//": { "function_name": "grind", "memory_size": 1 },
        "grind": {
          "function_name": "grind",
          "memory_size" : 1024,
          "environment": { "variables": { "memory_size": "1024" } }
        },
        "sieve": [{
          "//": "no size here",
          "function_name": "${var.place}-sieve",
          "handler": "a.b"
        }],
        "weigh": { "function_name": "weigh", "memory_size": "${var.mb}" },
        "pack":  { "function_name": "pack", "memory_size": "1024" }
      }
    },
    {
      "aws_lambda_function": {
        "mill": {
          "for_each": "${local.mills}",
          "function_name": "mill-${each.key}",
          "memory_size": "${each.value.mb}"
        }
      }
    }
  ],
  "module": {
    "own": { "source": "./own", "function_name": "own" },
    "packaged": { "source": "terraform-aws-modules/lambda/aws", "function_name": "packaged" }
  }
}
"#;

#[test]
fn sizes_change_in_their_places() {
    let all = [
        ("grind", 300),
        ("hill-sieve", 301),
        ("pack", 302),
        ("mill-wind", 303),
        ("mill-water", 304),
        ("packaged", 305),
    ];
    let patch = patched(Format::Terraform, JSON, &all);
    assert_eq!(
        changes(JSON, &patch.text),
        [
            "-    \"mills\": { \"wind\": { \"mb\": 1024 }, \"water\": { \"mb\": \"2048\" } }",
            "+    \"mills\": { \"wind\": { \"mb\": 303 }, \"water\": { \"mb\": \"304\" } }",
            "-          \"memory_size\" : 1024,",
            "+          \"memory_size\" : 300,",
            "+          \"memory_size\": 301,",
            "-        \"pack\":  { \"function_name\": \"pack\", \"memory_size\": \"1024\" }",
            "+        \"pack\":  { \"function_name\": \"pack\", \"memory_size\": \"302\" }",
            "-    \"packaged\": { \"source\": \"terraform-aws-modules/lambda/aws\", \"function_name\": \"packaged\" }",
            "+    \"packaged\": { \"memory_size\": 305, \"source\": \"terraform-aws-modules/lambda/aws\", \"function_name\": \"packaged\" }",
        ]
    );
    serde_json::from_str::<serde_json::Value>(&patch.text).unwrap();
}

#[test]
fn a_computed_size_stays_and_is_reported() {
    let patch = patched(Format::Terraform, JSON, &[("weigh", 300), ("own", 300)]);
    assert_eq!(patch.text, JSON);
    let rows = became(&patch);
    assert_eq!(why(rows[0]), "memory_size is var.mb: give it 300 there");
    assert!(why(rows[1]).contains("whether the module takes memory_size"));
}

/// What Terraform itself would not read is not read either; a key twice is two answers.
#[test]
fn only_json_is_read() {
    let wanted = sizes(&[("grind", 300)]);
    let comment = JSON.replacen('{', "{ // no JSON", 1);
    let twice = JSON.replacen(
        "\"memory_size\" : 1024",
        "\"memory_size\": 1, \"memory_size\": 2",
        1,
    );
    for text in [comment, twice] {
        let refused = patch(Format::Terraform, &text, &wanted, &Rules::default());
        assert!(
            matches!(
                refused,
                Err(Refused::Unreadable { .. } | Refused::KeyTwice { .. })
            ),
            "{refused:?}"
        );
    }
}

/// A number inside a text is an expression: its bytes are not the file's.
#[test]
fn numbers_inside_expressions_stay() {
    for memory in ["${1024}", "${\\\"1024\\\"}", "${ 1024 }", "10${24}"] {
        let text = JSON.replacen(
            "\"memory_size\" : 1024",
            &format!("\"memory_size\": \"{memory}\""),
            1,
        );
        let patch = patched(Format::Terraform, &text, &[("grind", 300)]);
        assert_eq!(patch.text, text);
        assert!(
            why(&patch.rows[0].became).contains("give it 300 there"),
            "{patch:?}"
        );
    }
    // A number, and a text, at the same bytes of the file as those of an expression, by chance.
    let chance = JSON.replacen("{\n", "{\"//\":         \"1024\",\n", 1);
    assert_eq!(chance.get(16..20), Some("1024"));
    let quoted = chance.replacen("${local.mills}", "${{ wind = {mb = \\\"1024\\\"} }}", 1);
    let patch = patched(Format::Terraform, &quoted, &[("mill-wind", 300)]);
    assert_eq!(patch.text, quoted);
    let text = chance.replacen("${local.mills}", "${{ wind = { mb = 1024 } }}", 1);
    let patch = patched(Format::Terraform, &text, &[("mill-wind", 300)]);
    assert_eq!(patch.text, text);
    assert!(
        why(&patch.rows[0].became).contains("and that is 1024 for wind"),
        "{patch:?}"
    );
}

/// Terraform takes a variable's default as it is: `${` in it is text.
#[test]
fn a_default_is_not_an_expression() {
    let map = JSON.replacen("\"hill\"", "\"${local.mills}\"", 1).replacen(
        "\"${local.mills}\",",
        "\"${var.place}\",",
        1,
    );
    let patch = patched(Format::Terraform, &map, &[("mill-wind", 300)]);
    assert_eq!(patch.text, map);
    let text = JSON.replacen("\"hill\"", "\"${local.hill}\"", 1).replacen(
        "\"locals\": [{",
        "\"locals\": [{ \"hill\": \"hill\",",
        1,
    );
    let patch = patched(Format::Terraform, &text, &[("hill-sieve", 300)]);
    assert_eq!(patch.text, text);
    let Became::Missing { hint: Some(hint) } = &patch.rows[0].became else {
        panic!("{patch:?}")
    };
    assert!(
        hint.contains("--map aws_lambda_function.sieve=hill-sieve"),
        "{hint}"
    );
}
