use super::*;

const HCL: &str = r#"# The shop
locals { mem = 1024 }

resource "aws_lambda_function" "checkout" {
  function_name    = "checkout" # by name
  role             = aws_iam_role.checkout.arn
  memory_size      = 1024 // from the load test
  source_code_hash = filebase64sha256("a.zip")
  environment {
    variables = { memory_size = 1024 }
  }
}

resource "aws_lambda_function" "absent" {
  description   = <<-EOT
    memory_size = 1024
  EOT
  function_name = "absent"
  handler       = "app.handler" /* entry */
  timeout       = 3 # seconds
}

resource "aws_lambda_function" "by_variable" {
  function_name = "by-variable"
  memory_size   = var.mem
}

resource "aws_lambda_function" "computed" {
  function_name = "${var.env}-computed"
  memory_size   = "1024"
}

resource "aws_lambda_function" "many" {
  for_each      = toset(["a", "b"])
  function_name = "many-${each.key}"
  memory_size   = 1024
}

module "packaged" {
  source        = "terraform-aws-modules/lambda/aws"
  version       = "7.0.0"
  function_name = "packaged"
}

module "own" {
  source        = "./modules/function"
  function_name = "own"
}

module "sized" {
  source      = "./modules/function"
  name        = "sized"
  memory_size = local.mem
}

data "aws_lambda_function" "read" { function_name = "read" }
"#;

#[test]
fn numbers_are_replaced_and_lines_are_added_as_fmt_would() {
    let lines = changed(
        Format::Terraform,
        HCL,
        &[("checkout", 300), ("absent", 512), ("packaged", 256)],
    );
    assert_eq!(
        lines,
        [
            "-  memory_size      = 1024 // from the load test",
            "+  memory_size      = 300 // from the load test",
            "+  memory_size   = 512",
            "+  memory_size   = 256",
        ]
    );
}

#[test]
fn a_computed_size_stays_and_is_reported() {
    let all = [
        ("by-variable", 300),
        ("own", 300),
        ("sized", 300),
        ("read", 300),
    ];
    let patch = patched(Format::Terraform, HCL, &all);
    assert_eq!(patch.text, HCL);
    let rows = became(&patch);
    assert!(
        why(rows[0]).contains("memory_size is var.mem: give it 300"),
        "{rows:?}"
    );
    assert!(
        why(rows[1]).contains("whether the module takes memory_size"),
        "{rows:?}"
    );
    assert!(why(rows[2]).contains("local.mem"), "{rows:?}");
    assert_eq!(rows[3], &Became::Missing { hint: None });
}

#[test]
fn a_computed_name_gives_a_hint_and_map_makes_it_match() {
    let wanted = sizes(&[("prod-computed", 300), ("many-a", 300)]);
    let first = patch(Format::Terraform, HCL, &wanted, &Rules::default()).unwrap();
    assert_eq!(first.text, HCL);
    let Became::Missing { hint: Some(hint) } = &first.rows[0].became else {
        panic!("{first:?}")
    };
    assert!(
        hint.contains("--map aws_lambda_function.computed=prod-computed"),
        "{hint}"
    );
    let map = [
        ("aws_lambda_function.computed", "prod-computed"),
        ("aws_lambda_function.many[\"a\"]", "many-a"),
    ];
    let rules = Rules {
        map: map.map(|(a, b)| (a.to_owned(), b.to_owned())).into(),
        ..Rules::default()
    };
    let patch = patch(Format::Terraform, HCL, &wanted, &rules).unwrap();
    assert_eq!(
        changes(HCL, &patch.text),
        ["-  memory_size   = \"1024\"", "+  memory_size   = \"300\""]
    );
    assert!(why(&patch.rows[1].became).contains("many[\"a\"] and aws_lambda_function.many[\"b\"]"));
}

#[test]
fn one_line_blocks_and_windows_lines() {
    let text = "resource \"aws_lambda_function\" \"a\" { function_name = \"a\" }\r\n\
                resource \"aws_lambda_function\" \"b\" {\r\n\tfunction_name = \"b\"\r\n}";
    let patch = patched(Format::Terraform, text, &[("a", 300), ("b", 300)]);
    assert!(why(became(&patch)[0]).contains("no attribute on a line of its own"));
    assert!(
        patch
            .text
            .ends_with("\tfunction_name = \"b\"\r\n\tmemory_size   = 300\r\n}"),
        "{:?}",
        patch.text
    );
}
