//! Terraform blocks that make one function for each entry of a map.

use super::*;

const HCL: &str = r#"# The bakery
variable "env" { default = "dev" }

locals {
  team  = "bakery"
  small = 256
  ovens = {
    # the first of the morning
    "bakery-bread" = { mb = 2048, timeout = 10 } // rye too
    bakery-rolls   = {
      timeout = 5
      mb      = "1024" # as text
    }
    "bakery-cake"  = merge(local.shared, { mb = 512 })
    "bakery-tart"  = { mb = local.small }
    "bakery-salt"  = { timeout = 1 }
  }
  mixers = { "one" = 1024, "two" = 1024 }
}

resource "aws_lambda_function" "oven" {
  for_each      = local.ovens
  function_name = each.key
  memory_size   = each.value.mb
}

module "mixer" {
  source        = "terraform-aws-modules/lambda/aws"
  for_each      = toset(["one", "two"])
  function_name = "${local.team}-${var.env}-${each.key}"
  memory_size   = lookup(local.mixers, each.value, 128)
}
"#;

#[test]
fn the_entry_of_the_function_is_changed() {
    let lines = changed(
        Format::Terraform,
        HCL,
        &[
            ("bakery-bread", 300),
            ("bakery-rolls", 400),
            ("bakery-dev-two", 500),
        ],
    );
    assert_eq!(
        lines,
        [
            "-    \"bakery-bread\" = { mb = 2048, timeout = 10 } // rye too",
            "+    \"bakery-bread\" = { mb = 300, timeout = 10 } // rye too",
            "-      mb      = \"1024\" # as text",
            "+      mb      = \"400\" # as text",
            "-  mixers = { \"one\" = 1024, \"two\" = 1024 }",
            "+  mixers = { \"one\" = 1024, \"two\" = 500 }",
        ]
    );
    let patch = patched(Format::Terraform, HCL, &[("bakery-rolls", 400)]);
    let label = patch.rows[0].label.as_deref();
    assert_eq!(label, Some("aws_lambda_function.oven[\"bakery-rolls\"]"));
}

#[test]
fn an_entry_that_computes_its_size_stays_and_is_reported() {
    let all = [
        ("bakery-cake", 300),
        ("bakery-tart", 300),
        ("bakery-salt", 300),
    ];
    let patch = patched(Format::Terraform, HCL, &all);
    assert_eq!(patch.text, HCL);
    let rows = became(&patch);
    for (row, words, at) in [
        (
            rows[0],
            "but for \"bakery-cake\" `merge(local.shared, { mb = 512 })` is computed",
            14,
        ),
        (rows[1], "and that is local.small for \"bakery-tart\"", 15),
        (rows[2], "but for \"bakery-salt\" there is no `mb`", 16),
    ] {
        let reason = format!("memory_size is each.value.mb, {words}: give it 300 there");
        assert_eq!(why(row), reason);
        assert!(
            matches!(row, Became::Left { line, .. } if *line == at),
            "{row:?}"
        );
    }
}

/// `var.env` is `dev` by default; in production it is something else.
#[test]
fn a_name_that_its_default_does_not_make_is_a_hint() {
    let patch = patched(Format::Terraform, HCL, &[("bakery-prod-two", 500)]);
    assert_eq!(patch.text, HCL);
    let Became::Missing { hint: Some(hint) } = &patch.rows[0].became else {
        panic!("{patch:?}")
    };
    assert!(
        hint.contains("--map module.mixer[\"two\"]=bakery-prod-two"),
        "{hint}"
    );
}

fn of(for_each: &str, memory: &str) -> String {
    format!(
        "resource \"aws_lambda_function\" \"f\" {{\n  for_each      = {for_each}\n  function_name = each.key\n  \
         memory_size   = {memory}\n}}\n"
    )
}

/// Each of these has the size of `a`, and of nothing else.
#[test]
fn maps_are_found_wherever_the_file_writes_them() {
    let cases = [
        (
            of("{ a = { mb = 1024 }, b = { mb = 1024 } }", "each.value.mb"),
            "a = { mb = 300 }",
        ),
        (of("{ a = 1024 }", "each.value"), "{ a = 300 }"),
        (
            of("tomap({ \"a\" : 1024 })", "tonumber(each.value)"),
            "\"a\" : 300",
        ),
        (
            of("{ a = { mb = 1024 } }", "each.value[\"mb\"]"),
            "mb = 300",
        ),
        (
            of("{ a = { mb = 1024 } }", "try(each.value.mb, 128)"),
            "mb = 300",
        ),
        (
            of("{ a = { mb = 1024 } }", "lookup(each.value, \"mb\", 128)"),
            "mb = 300",
        ),
        (
            of("{ a = { size = { mb = 1024 } } }", "each.value.size.mb"),
            "mb = 300",
        ),
        (
            format!(
                "locals {{\n  mb = {{ a = 1024 }}\n}}\n{}",
                of("toset([\"a\", \"b\"])", "local.mb[each.key]")
            ),
            "mb = { a = 300 }",
        ),
        (
            format!(
                "locals {{\n  all = {{ a = {{ mb = 1024 }} }}\n}}\n{}",
                of("toset(keys(local.all))", "local.all[each.key].mb")
            ),
            "{ mb = 300 }",
        ),
        (
            format!(
                "locals {{\n  x = {{ prod = {{ a = 1024 }} }}\n  y = local.x.prod\n}}\n{}",
                of("local.y", "each.value")
            ),
            "{ a = 300 }",
        ),
        // A single function: its number is not shared.
        (of("toset([\"a\"])", "1024"), "memory_size   = 300"),
    ];
    for (text, wanted) in cases {
        let patch = patched(Format::Terraform, &text, &[("a", 300)]);
        assert!(patch.text.contains(wanted), "{text}\n{patch:?}");
        assert_eq!(changes(&text, &patch.text).len(), 2, "{text}");
    }
}

/// The default of a variable counts only where nothing sets the variable.
#[test]
fn a_default_is_changed_with_a_note() {
    let text = format!(
        "variable \"all\" {{\n  default = {{\n    a = {{ mb = 1024 }}\n  }}\n}}\n{}",
        of("var.all", "each.value.mb")
    );
    let patch = patched(Format::Terraform, &text, &[("a", 300)]);
    assert!(patch.text.contains("a = { mb = 300 }"), "{}", patch.text);
    let Became::Changed {
        note: Some(note),
        line: 3,
        ..
    } = &patch.rows[0].became
    else {
        panic!("{patch:?}")
    };
    assert!(note.contains("TF_VAR_all"), "{note}");
}

/// The entries are in another file, or in no file: which function the block makes is not known.
#[test]
fn entries_in_another_file_are_reported() {
    let cases = [
        (
            of("local.all", "each.value.mb"),
            "local.all is not in this file",
        ),
        (
            of("var.all", "each.value.mb"),
            "var.all has no default in this file",
        ),
        (
            format!(
                "variable \"all\" {{\n  default = {{}}\n}}\n{}",
                of("var.all", "each.value.mb")
            ),
            "the default of var.all is empty",
        ),
        (
            of(
                "{ for name in [\"a\"] : name => { mb = 1024 } }",
                "each.value.mb",
            ),
            "=> { mb = 1024 } }` is computed",
        ),
        (
            of("merge(local.a, local.b)", "each.value.mb"),
            "`merge(local.a, local.b)` is computed",
        ),
        (
            format!(
                "locals {{\n  all = local.all\n}}\n{}",
                of("local.all", "each.value.mb")
            ),
            "`local.all` is computed",
        ),
    ];
    for (text, words) in cases {
        let patch = patched(Format::Terraform, &text, &[("a", 300)]);
        assert_eq!(patch.text, text);
        let Became::Missing { hint: Some(hint) } = &patch.rows[0].became else {
            panic!("{patch:?}")
        };
        assert!(
            hint.contains("aws_lambda_function.f, line")
                && hint.contains(words)
                && hint.contains("300 MB"),
            "{hint}"
        );
        let rules = Rules {
            map: [("aws_lambda_function.f".to_owned(), "a".to_owned())].into(),
            ..Rules::default()
        };
        let mapped = super::patch(Format::Terraform, &text, &sizes(&[("a", 300)]), &rules).unwrap();
        assert!(why(&mapped.rows[0].became).contains(words), "{mapped:?}");
    }
}

/// What several functions have from one number is changed for none of them.
#[test]
fn a_number_of_several_functions_stays() {
    let shared = of("toset([\"a\", \"b\", \"c\"])", "1024");
    let absent = shared.replace("  memory_size   = 1024\n", "");
    let two = format!(
        "locals {{\n  all = {{ a = {{ mb = 1024 }} }}\n}}\n{}{}",
        of("local.all", "each.value.mb").replace("each.key", "\"${each.key}-in\""),
        of("local.all", "each.value.mb")
            .replace("each.key", "\"${each.key}-out\"")
            .replace("\"f\"", "\"g\""),
    );
    for (text, name) in [(shared.as_str(), "a"), (&absent, "b"), (&two, "a-in")] {
        let patch = patched(Format::Terraform, text, &[(name, 300)]);
        assert_eq!(patch.text, text);
        let reason = why(&patch.rows[0].became);
        assert!(
            reason.contains("its memory size is that of aws_lambda_function.f[\"a\"]")
                && reason.contains("one of its own, 300"),
            "{reason}"
        );
    }
    let already = patched(Format::Terraform, &shared, &[("a", 1024)]);
    assert_eq!(became(&already), [&Became::Already { line: 4 }]);
}

/// Names that are made of names without end are followed only so far, and soon.
#[test]
fn endless_names_end() {
    let wide = |n: usize| {
        format!(
            "  n{n} = \"{}\"\n",
            format!("${{local.n{}}}", n + 1).repeat(50)
        )
    };
    let names: String = (0..20).map(wide).collect();
    let text = format!(
        "locals {{\n{names}  all = {{ a = {{ name = \"${{each.value.name}}\", mb = 1024 }} }}\n}}\n{}{}",
        of("local.all", "each.value.mb").replace("each.key", "each.value.name"),
        of("local.all", "each.value.mb").replace("each.key", "local.n0"),
    );
    let patch = patched(Format::Terraform, &text, &[("a", 300)]);
    assert_eq!(patch.text, text);
    let many = "${x}".repeat(2000);
    let text = of("local.all", "1024").replace("each.key", &format!("\"{many}\""));
    assert_eq!(patched(Format::Terraform, &text, &[("a", 300)]).text, text);
}

/// A declaration whose name fits is the closer one: it comes before a block that may make anything.
#[test]
fn the_closest_declaration_is_the_hint() {
    let named = "resource \"aws_lambda_function\" \"n\" {\n  function_name = \"${var.x}-a\"\n  memory_size = 1024\n}\n";
    let text = format!("{}{named}", of("local.all", "each.value.mb"));
    let patch = patched(Format::Terraform, &text, &[("b-a", 300)]);
    let Became::Missing { hint: Some(hint) } = &patch.rows[0].became else {
        panic!("{patch:?}")
    };
    assert!(hint.contains("--map aws_lambda_function.n=b-a"), "{hint}");
}

/// What Terraform would refuse, or take in a way of its own, is not followed.
#[test]
fn odd_maps_are_not_followed() {
    let twice = of("{ a = { mb = 1024, \"mb\" = 512 } }", "each.value.mb");
    let names = format!(
        "locals {{\n  all = {{ a = {{ mb = 1024 }} }}\n}}\n{}",
        of("toset(keys(local.all))", "each.value.mb")
    );
    let made = names.replace("(local.all)", "({ for k, f in local.all : k => f })");
    for (text, words) in [
        (twice, "there are two `mb`"),
        (names, "there is only a name"),
        (made, "there is only a name"),
    ] {
        let patch = patched(Format::Terraform, &text, &[("a", 300)]);
        assert_eq!(patch.text, text);
        assert!(why(&patch.rows[0].became).contains(words), "{patch:?}");
    }
    // `each` is not known in a local.
    let text = format!(
        "locals {{\n  n = \"${{each.key}}-x\"\n}}\n{}",
        of("{ a = 1024 }", "each.value").replace("each.key", "local.n")
    );
    let patch = patched(Format::Terraform, &text, &[("a-x", 300)]);
    assert_eq!(patch.text, text);
    assert!(
        matches!(patch.rows[0].became, Became::Missing { hint: Some(_) }),
        "{patch:?}"
    );
}

/// A list of objects becomes a map by `for`; a condition leaves entries out that only Terraform knows.
#[test]
fn lists_of_objects_are_followed_through_for() {
    let list = "locals {\n  all = [\n    { name = \"a\", mb = 1024 },\n    { name = \"b\", mb = 1024 },\n  ]\n}\n";
    let map = "locals {\n  all = { a = { mb = 1024 }, b = { mb = 1024 } }\n}\n";
    let number = "locals {\n  all = { a = 1024, b = 1024 }\n}\n";
    let size = "each.value.mb";
    for (text, memory, for_each) in [
        (list, size, "{ for f in local.all : f.name => f }"),
        (map, size, "{ for k, f in local.all : k => f }"),
        (number, "each.value", "{ for k, mb in local.all : k => mb }"),
        (
            map,
            size,
            "{ for k, f in { for i, g in local.all : i => g } : k => f }",
        ),
    ] {
        let text = format!("{text}{}", of(for_each, memory));
        let patch = patched(Format::Terraform, &text, &[("a", 300)]);
        assert_eq!(patch.text, text.replacen("1024", "300", 1), "{for_each}");
    }
    for (text, for_each) in [
        (list, "{ for i, f in local.all : i => f }"),
        (list, "{ for f in local.all : f.id => f }"),
        (list, "{ for f in local.all : upper(f.name) => f }"),
        (list, "{ for f in local.all : f.name => f if f.mb > 1 }"),
        (list, "{ for f in local.all : f.name => f... }"),
        (list, "[for f in local.all : f]"),
        (map, "{ for k, f in local.all : k => merge(f, {}) }"),
        (map, "{ for k, f in local.all : f => k }"),
        (number, "{ for mb in local.all : mb => mb }"),
        (number, "{ for k, mb in local.all : upper(k) => mb }"),
    ] {
        let text = format!("{text}{}", of(for_each, size));
        let patch = patched(Format::Terraform, &text, &[("a", 300)]);
        assert_eq!(patch.text, text);
        let Became::Missing { hint: Some(hint) } = &patch.rows[0].became else {
            panic!("{for_each}: {patch:?}")
        };
        assert!(hint.contains("is computed"), "{for_each}: {hint}");
    }
    let endless = format!(
        "locals {{\n  all = {{ for k, f in local.all : k => f }}\n}}\n{}",
        of("local.all", size)
    );
    assert_eq!(
        patched(Format::Terraform, &endless, &[("a", 300)]).text,
        endless
    );
}
