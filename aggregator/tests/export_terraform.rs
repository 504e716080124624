//! `rightsizer export` for Terraform as it is written: maps with `for_each`, JSON, several files.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

mod folder;

use folder::{CommandOutput, Folder};

const MAIN: &str = "resource \"aws_lambda_function\" \"all\" {\n  for_each      = local.functions\n  \
    function_name = each.key\n  memory_size   = each.value.memory\n  handler       = \"index.handler\"\n}\n";
const LOCALS: &str = "locals {\n  functions = {\n    \"shop-cart\" = { memory = 512, timeout = 30 } # busy\n    \
    \"shop-mail\" = { memory = 512, timeout = 30 }\n  }\n}\n";
const JSON: &str = "{\n  \"locals\": {\n    \"functions\": {\n      \"shop-cart\": {\"memory\": 512},\n      \
    \"shop-mail\": {\"memory\": \"512\"}\n    }\n  },\n  \"resource\": {\n    \"aws_lambda_function\": {\n      \
    \"all\": {\n        \"for_each\": \"${local.functions}\",\n        \"function_name\": \"${each.key}\",\n        \
    \"memory_size\": \"${each.value.memory}\"\n      }\n    }\n  }\n}\n";

/// A store in which `shop-cart` and `shop-mail` of 512 MB should have 190 and 400.
fn approved() -> Folder {
    let folder = Folder::new();
    for (name, used) in [("shop-cart", 90), ("shop-mail", 300)] {
        let line = format!(
            "REPORT RequestId: {name}\tDuration: 12.00 ms\tBilled Duration: 12 ms\tMemory Size: 512 MB\t\
             Max Memory Used: {used} MB\n"
        );
        let file = folder.file(&format!("{name}.log"), line);
        let file = file.to_str().unwrap();
        let home = ["--account", "123456789012", "--region", "eu-west-1"];
        let output = folder.run(&[&["import", "--function", name, file], &home[..]].concat());
        assert_eq!(output.code(), 0, "{}", output.err());
        assert_eq!(folder.run(&["approve", name, "--by", "on-call"]).code(), 0);
    }
    folder
}

fn export(folder: &Folder, template: &str, more: &[&str]) -> CommandOutput {
    let arguments = ["export", "--format", "terraform", "--template", template];
    folder.run(&[&arguments[..], more].concat())
}

fn text(folder: &Folder, name: &str) -> String {
    std::fs::read_to_string(folder.path(name)).unwrap()
}

#[test]
fn entries_of_for_each_are_patched_in_hcl_and_in_json() {
    let folder = approved();
    for (name, before, after) in [
        (
            "main.tf",
            format!("{LOCALS}\n{MAIN}"),
            [
                ("memory = 512", "memory = 190"),
                ("memory = 512", "memory = 400"),
            ],
        ),
        (
            "main.tf.json",
            JSON.to_owned(),
            [
                ("\"memory\": 512", "\"memory\": 190"),
                ("\"512\"", "\"400\""),
            ],
        ),
    ] {
        folder.file(name, &before);
        let shown = export(&folder, name, &[]);
        assert_eq!(shown.code(), 0, "{}", shown.err());
        assert!(
            shown.out().starts_with(&format!("--- a/{name}\n")),
            "{}",
            shown.out()
        );
        assert_eq!(text(&folder, name), before);
        assert_eq!(export(&folder, name, &["--yes"]).code(), 0);
        let wanted = after
            .iter()
            .fold(before, |text, (old, new)| text.replacen(old, new, 1));
        assert_eq!(text(&folder, name), wanted);
        let rows = export(&folder, name, &["--json"]).json()["rows"].clone();
        assert_eq!(rows[0]["became"], "already", "{rows}");
        assert_eq!(rows[0]["label"], "aws_lambda_function.all[\"shop-cart\"]");
    }
}

#[test]
fn a_folder_is_patched_in_the_file_that_has_the_map() {
    let folder = approved();
    std::fs::create_dir(folder.path("infra")).unwrap();
    folder.file("infra/main.tf", MAIN);
    folder.file("infra/locals.tf", LOCALS);
    folder.file("infra/README.md", "no Terraform");
    // The file alone does not have the map; the message names where to look.
    let alone = export(&folder, "infra/main.tf", &["--yes"]);
    assert_eq!(alone.code(), 1);
    let words = alone.err();
    assert!(
        words.contains("local.functions is not in this file (--template FOLDER"),
        "{words}"
    );
    let shown = export(&folder, "infra", &[]);
    assert_eq!(shown.code(), 0, "{}", shown.err());
    let diff = shown.out();
    assert!(
        diff.starts_with("--- a/infra/locals.tf\n+++ b/infra/locals.tf\n"),
        "{diff}"
    );
    let words = shown.err();
    for output in [
        "shop-cart: line 3 of locals.tf: 512 → 190",
        "shop-mail: line 4 of locals.tf: 512 → 400",
        "infra: 2 sizes changed",
    ] {
        assert!(words.contains(output), "{words}");
    }
    assert_eq!(text(&folder, "infra/locals.tf"), LOCALS, "only with --yes");
    let written = export(&folder, "infra", &["--yes"]);
    assert!(
        written.err().contains("infra/locals.tf was written"),
        "{}",
        written.err()
    );
    let wanted = LOCALS.replacen("memory = 512", "memory = 190", 1).replacen(
        "memory = 512",
        "memory = 400",
        1,
    );
    assert_eq!(text(&folder, "infra/locals.tf"), wanted);
    assert_eq!(text(&folder, "infra/main.tf"), MAIN);
    let again = export(&folder, "infra", &["--json"]).json();
    assert_eq!(again["rows"][1]["became"], "already");
    assert_eq!(again["rows"][1]["file"], "locals.tf");
    assert_eq!(again["diff"], "");
}

#[test]
fn a_folder_without_terraform_is_reported() {
    let folder = approved();
    std::fs::create_dir(folder.path("docs")).unwrap();
    let output = export(&folder, "docs", &[]);
    assert_eq!(output.code(), 1);
    assert!(
        output.err().contains("has no file of Terraform"),
        "{}",
        output.err()
    );
}
