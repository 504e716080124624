//! `ignore_changes`: Terraform leaves the size as it is, so a size in the file reaches no function.

use super::*;

fn resource(lifecycle: &str) -> String {
    format!(
        "resource \"aws_lambda_function\" \"mill\" {{\n  function_name = \"mill\"\n  memory_size   = 1024\n  \
         lifecycle {{\n    prevent_destroy = true\n    ignore_changes  = {lifecycle}\n  }}\n}}\n"
    )
}

fn json(ignored: &str) -> String {
    format!(
        "{{\"resource\": {{\"aws_lambda_function\": {{\"mill\": {{\n  \"function_name\": \"mill\",\n  \
         \"memory_size\": 1024,\n  \"lifecycle\": {ignored}\n}}}}}}}}\n"
    )
}

#[test]
fn a_size_that_terraform_ignores_is_reported_not_patched() {
    let hcl = [
        "[memory_size]",
        "[timeout, memory_size]",
        "[\"memory_size\"]",
        "all",
        "[\"*\"]",
        "[\n    memory_size, # by hand\n  ]",
    ];
    let objects = [
        "{\"ignore_changes\": [\"memory_size\"]}",
        "[{\"ignore_changes\": [\"timeout\", \"memory_size\"]}]",
        "{\"ignore_changes\": \"all\"}",
    ];
    let hcl = hcl.map(resource);
    let json = objects.map(json);
    for text in hcl.iter().chain(&json) {
        // A file that already has the recommended size does not help: the function keeps its size.
        for mb in [300, 1024] {
            let patch = patched(Format::Terraform, text, &[("mill", mb)]);
            assert_eq!(&patch.text, text);
            let Became::Left { line, why } = &patch.rows[0].became else {
                panic!("{patch:?}")
            };
            assert!((4..=7).contains(line), "{line} {text}");
            assert!(
                why.contains("Terraform ignore memory_size")
                    && why.contains(&format!("change it to {mb},")),
                "{why}"
            );
        }
    }
}

#[test]
fn other_settings_that_are_ignored_do_not_matter() {
    let hcl = [
        "[timeout]",
        "[environment[0].variables, tags[\"memory_size\"]]",
        "[]",
    ];
    let objects = [
        "{\"ignore_changes\": [\"timeout\"]}",
        "{\"prevent_destroy\": true}",
        "[]",
    ];
    for text in hcl.map(resource).iter().chain(&objects.map(json)) {
        let patch = patched(Format::Terraform, text, &[("mill", 300)]);
        assert_eq!(patch.text, text.replace("1024", "300"), "{text}");
    }
}

/// No line is added either, and the functions of a map are ignored one and all.
#[test]
fn nothing_is_added_if_terraform_would_ignore_it() {
    let absent = resource("[memory_size]").replace("  memory_size   = 1024\n", "");
    let each = resource("all")
        .replace(
            "function_name = \"mill\"",
            "for_each = { mill = 1024 }\n  function_name = each.key",
        )
        .replace("memory_size   = 1024", "memory_size   = each.value");
    let elsewhere = each.replace("{ mill = 1024 }", "local.mills");
    let rules = Rules {
        map: [("aws_lambda_function.mill".to_owned(), "mill".to_owned())].into(),
        ..Rules::default()
    };
    let mapped = patch(
        Format::Terraform,
        &elsewhere,
        &sizes(&[("mill", 300)]),
        &rules,
    )
    .unwrap();
    assert!(
        why(&mapped.rows[0].became).contains("ignore_changes"),
        "{mapped:?}"
    );
    for text in [absent, each] {
        let patch = patched(Format::Terraform, &text, &[("mill", 300)]);
        assert_eq!(patch.text, text);
        assert!(
            why(&patch.rows[0].became).contains("ignore_changes"),
            "{patch:?}"
        );
    }
}
