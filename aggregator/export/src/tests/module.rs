//! All files of a Terraform module: one file may set the sizes of another's functions.

use super::*;
use crate::{ModuleFile, ModulePatch, patch_module};

const MAIN: &str = "resource \"aws_lambda_function\" \"f\" {\n  for_each      = local.all\n  \
    function_name = each.key\n  memory_size   = each.value.mb\n}\n";
const LOCALS: &str =
    "# sizes\nlocals {\n  all = {\n    a = { mb = 1024 } # busy\n    b = { mb = 1024 }\n  }\n}\n";

fn module(files: &[(&str, &str)], wanted: &[(&str, u32)]) -> Result<ModulePatch, Refused> {
    let files: Vec<ModuleFile> = files
        .iter()
        .map(|(name, text)| ModuleFile {
            name: (*name).to_owned(),
            text: (*text).to_owned(),
        })
        .collect();
    patch_module(&files, &sizes(wanted), &Rules::default())
}

/// The texts of the files after the patch.
fn texts(patch: &ModulePatch) -> Vec<&str> {
    patch.files.iter().map(|file| file.text.as_str()).collect()
}

fn with_variable(main: &str) -> String {
    format!(
        "variable \"all\" {{}}\n{}",
        main.replace("local.all", "var.all")
    )
}

#[test]
fn the_entry_is_changed_in_the_file_that_has_it() {
    let other = "\u{feff}resource \"aws_lambda_function\" \"c\" {\n  function_name = \"c\"\n  memory_size = 512\n}";
    let files = [("c.tf", other), ("locals.tf", LOCALS), ("main.tf", MAIN)];
    let patch = module(&files, &[("b", 300), ("c", 128)]).unwrap();
    let locals = LOCALS.replace("b = { mb = 1024 }", "b = { mb = 300 }");
    let wanted = [other.replace("512", "128"), locals, MAIN.to_owned()];
    assert_eq!(texts(&patch), wanted);
    let rows: Vec<_> = patch
        .rows
        .iter()
        .map(|row| {
            (
                row.label.as_deref().unwrap(),
                row.file.as_deref().unwrap(),
                &row.became,
            )
        })
        .collect();
    let changed = |line, from, to| Became::Changed {
        line,
        from: Some(from),
        to,
        note: None,
    };
    let b = (
        "aws_lambda_function.f[\"b\"]",
        "locals.tf",
        &changed(5, 1024, 300),
    );
    let c = ("aws_lambda_function.c", "c.tf", &changed(3, 512, 128));
    assert_eq!(rows, [b, c]);
}

/// A new line goes into the function's own file, whatever stands before it.
#[test]
fn a_size_is_added_in_the_file_of_its_function() {
    let other = "resource \"aws_lambda_function\" \"c\" {\n  function_name = \"c\"\n}\n";
    let files = [("locals.tf", LOCALS), ("z.tf", other)];
    let patch = module(&files, &[("c", 300)]).unwrap();
    let added = other.replace("\"c\"\n}", "\"c\"\n  memory_size   = 300\n}");
    assert_eq!(texts(&patch), [LOCALS, &added]);
    assert_eq!(patch.rows[0].file.as_deref(), Some("z.tf"));
}

#[test]
fn json_and_hcl_are_one_module() {
    let json =
        "{\n  \"locals\": {\n    \"all\": {\"a\": {\"mb\": 1024}, \"b\": {\"mb\": 1024}}\n  }\n}\n";
    let files = [
        ("empty.tf", "# nothing\n"),
        ("main.tf", MAIN),
        ("sizes.tf.json", json),
    ];
    let patch = module(&files, &[("a", 300)]).unwrap();
    assert_eq!(texts(&patch)[2], json.replacen("1024", "300", 1));
}

/// A file that Terraform loads automatically takes precedence over the default; the note names what
/// would take precedence over it.
#[test]
fn a_value_of_a_variable_is_changed_in_its_file() {
    let main = with_variable(MAIN);
    for (name, values, note) in [
        (
            "terraform.tfvars",
            "all = {\n  a = { mb = 1024 }\n}\n",
            "no -var-file",
        ),
        (
            "sizes.auto.tfvars.json",
            "{\"all\": {\"a\": {\"mb\": 1024}}}",
            "no -var-file",
        ),
        (
            "prod.tfvars",
            "all = { a = { mb = 1024 } }",
            "-var-file=prod.tfvars",
        ),
    ] {
        let patch = module(&[("main.tf", &main), (name, values)], &[("a", 300)]).unwrap();
        assert_eq!(
            texts(&patch),
            [&main, &values.replace("1024", "300")],
            "{name}"
        );
        let Became::Changed {
            note: Some(note_text),
            ..
        } = &patch.rows[0].became
        else {
            panic!("{patch:?}")
        };
        assert!(note_text.contains(note), "{note_text}");
        assert_eq!(patch.rows[0].file.as_deref(), Some(name));
    }
}

/// Only the deployment knows which of several counts: all stay, and that is reported.
#[test]
fn what_is_set_in_several_places_stays() {
    let main = with_variable(MAIN);
    let default = main.replace("{}", "{\n  default = { a = { mb = 1024 } }\n}");
    let one = "all = { a = { mb = 1024 } }\n";
    for (files, words) in [
        (
            vec![
                ("dev.tfvars", one),
                ("main.tf", &main),
                ("prod.tfvars", one),
            ],
            "var.all is set in dev.tfvars and in prod.tfvars, and whether",
        ),
        (
            vec![("main.tf", &default), ("prod.tfvars", one)],
            "var.all is set in prod.tfvars, and whether",
        ),
        (
            vec![("a.tf", LOCALS), ("b.tf", LOCALS), ("main.tf", MAIN)],
            "two files define local.all",
        ),
        (vec![("main.tf", MAIN)], "local.all is not in this folder"),
    ] {
        let patch = module(&files, &[("a", 300)]).unwrap();
        let before: Vec<&str> = files.iter().map(|(_, text)| *text).collect();
        assert_eq!(texts(&patch), before);
        let Became::Missing { hint: Some(hint) } = &patch.rows[0].became else {
            panic!("{patch:?}")
        };
        assert!(hint.contains(words), "{hint}");
        assert!(hint.contains("of main.tf"), "{hint}");
    }
    // One file alone names the way out.
    let alone = patched(Format::Terraform, MAIN, &[("a", 300)]);
    let Became::Missing { hint: Some(hint) } = &alone.rows[0].became else {
        panic!("{alone:?}")
    };
    assert!(hint.contains("--template FOLDER"), "{hint}");
}

#[test]
fn a_bad_file_is_named_and_nothing_is_changed() {
    for (name, text, words) in [
        (
            "z.tf",
            "locals {",
            "z.tf: it is not a readable Terraform (HCL): line 1",
        ),
        ("main_override.tf", LOCALS, "main_override.tf: it overrides"),
        ("override.tf.json", "{}", "override.tf.json: it overrides"),
    ] {
        let files = [("locals.tf", LOCALS), ("main.tf", MAIN), (name, text)];
        let refused = module(&files, &[("a", 300)]).unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
    }
    let none = module(&[("locals.tf", LOCALS)], &[("a", 300)]);
    assert!(matches!(none, Err(Refused::NoFunction { .. })));
}
