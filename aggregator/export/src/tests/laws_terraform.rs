//! The laws for Terraform's maps, its JSON syntax and `ignore_changes`, and for programs.

use proptest::prelude::*;

use super::laws::{Declared, Function, Layout, function, holds, layout, written};
use super::*;

/// The place of the map of functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Local,
    Variable,
    Inline,
    /// A set of names, and a map of sizes beside it.
    Beside,
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        Just(Place::Local),
        Just(Place::Variable),
        Just(Place::Inline),
        Just(Place::Beside)
    ]
}

fn functions() -> impl Strategy<Value = Vec<Function>> {
    prop::collection::vec(function(), 1..6)
}

/// An entry of a map without a size gets none: it needs a manual edit.
fn of_a_map(functions: Vec<Function>) -> Vec<Function> {
    let declared = |of: Function| Function {
        declared: if of.declared == Declared::Not {
            Declared::ByReference
        } else {
            of.declared
        },
        ..of
    };
    functions.into_iter().map(declared).collect()
}

/// Some of them are ignored by Terraform.
fn some_ignored(functions: Vec<Function>) -> Vec<Function> {
    let declared = |of: Function| Function {
        declared: if of.more & 1 > 0 {
            Declared::Ignored
        } else {
            of.declared
        },
        ..of
    };
    functions.into_iter().map(declared).collect()
}

/// The entries of an HCL map.
fn entries(functions: &[Function], after: bool, depth: usize) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    for (n, of) in functions.iter().enumerate() {
        let quote = if of.quote { "\"" } else { "" };
        let is = if of.more & 1 > 0 { " = " } else { ":" };
        let memory = written(of, after, "local.mb").unwrap_or_default();
        let key = format!("{quote}f{n}{quote}{is}");
        if of.more & 2 > 0 {
            let entry = format!(
                "{key}{{ note = \"mb = 1\", mb{is}{memory} }} # {}",
                of.comment
            );
            lines.push((depth, entry));
            continue;
        }
        lines.push((depth, format!("{key}{{ // {}", of.comment)));
        lines.push((depth + 1, format!("tags{is}[\"mb\", 1024]")));
        lines.push((depth + 1, format!("mb{is}{memory} # {}", of.comment)));
        lines.push((depth, "}".to_owned()));
        if of.more & 4 > 0 {
            lines.push((0, String::new()));
        }
    }
    lines
}

fn hcl(functions: &[Function], layout: Layout, place: Place, after: bool) -> String {
    let text = |depth: usize, text: &str| (depth, text.to_owned());
    let mut lines = vec![text(0, "locals {"), text(1, "mb = 1024")];
    let (for_each, from) = match place {
        Place::Local => ("local.all", "each.value"),
        Place::Variable => ("var.all", "each.value"),
        Place::Inline => ("", "each.value"),
        Place::Beside => ("toset(keys(local.all))", "local.all[each.key]"),
    };
    if matches!(place, Place::Local | Place::Beside) {
        lines.push(text(1, "all = {"));
        lines.extend(entries(functions, after, 2));
        lines.push(text(1, "}"));
    }
    lines.push(text(0, "}"));
    if place == Place::Variable {
        lines.extend([text(0, "variable \"all\" {"), text(1, "default = {")]);
        lines.extend(entries(functions, after, 2));
        lines.extend([text(1, "}"), text(0, "}")]);
    }
    lines.push(text(0, "resource \"aws_lambda_function\" \"all\" {"));
    if place == Place::Inline {
        lines.push(text(1, "for_each = {"));
        lines.extend(entries(functions, after, 2));
        lines.push(text(1, "}"));
    } else {
        lines.push((1, format!("for_each = {for_each}")));
    }
    let (name, memory) = match layout.indent % 3 {
        0 => ("each.key", format!("{from}.mb")),
        1 => ("\"${each.key}\"", format!("lookup({from}, \"mb\", 1)")),
        _ => ("each.key", format!("try({from}[\"mb\"], 1)")),
    };
    lines.push((1, format!("function_name = {name}")));
    lines.push((1, format!("memory_size   = {memory}")));
    lines.push(text(0, "}"));
    layout.finish(&lines)
}

fn json(functions: &[Function], layout: Layout, of_map: bool, after: bool) -> String {
    let reference = "\"${var.memory_size}\"";
    let mut lines = vec![(0, "{".to_owned())];
    let open = if of_map {
        "\"locals\": { \"all\": {"
    } else {
        "\"resource\": [{ \"aws_lambda_function\": {"
    };
    lines.push((1, open.to_owned()));
    for (n, of) in functions.iter().enumerate() {
        let comma = if n + 1 < functions.len() { "," } else { "" };
        let size = if of_map { "mb" } else { "memory_size" };
        lines.push((2, format!("\"f{n}\": {{")));
        // In front of the first entry: where a new one goes.
        if let Some(memory) = written(of, after, reference) {
            lines.push((3, format!("\"{size}\": {memory},")));
        }
        lines.push((3, format!("\"//\": \"{size} = 1 {}\",", of.comment)));
        if of.declared == Declared::Ignored {
            let ignored = "\"lifecycle\": { \"ignore_changes\": [\"memory_size\"] },";
            lines.push((3, ignored.to_owned()));
        }
        let name = if of_map { "handler" } else { "function_name" };
        lines.push((3, format!("\"{name}\": \"f{n}\"")));
        lines.push((2, format!("}}{comma}")));
    }
    if of_map {
        let resource = "}}, \"resource\": [{ \"aws_lambda_function\": { \"all\": { \"for_each\": \
                        \"${local.all}\", \"function_name\": \"${each.key}\", \"memory_size\": \
                        \"${each.value.mb}\" } } }]";
        lines.push((1, resource.to_owned()));
    } else {
        lines.push((1, "}}]".to_owned()));
    }
    lines.push((0, "}".to_owned()));
    layout.finish(&lines)
}

proptest! {
    #[test]
    fn only_memory_changes_in_maps(functions in functions(), layout in layout(), place in place()) {
        let functions = of_a_map(functions);
        let before = hcl(&functions, layout, place, false);
        holds(Format::Terraform, &functions, &before, &hcl(&functions, layout, place, true))?;
    }

    #[test]
    fn only_memory_changes_in_terraforms_json(functions in functions(), layout in layout()) {
        let functions = some_ignored(functions);
        let before = json(&functions, layout, false, false);
        holds(Format::Terraform, &functions, &before, &json(&functions, layout, false, true))?;
    }

    #[test]
    fn only_memory_changes_in_maps_of_terraforms_json(functions in functions(), layout in layout()) {
        let functions = of_a_map(functions);
        let before = json(&functions, layout, true, false);
        holds(Format::Terraform, &functions, &before, &json(&functions, layout, true, true))?;
    }

    /// Whatever is read as Terraform: an answer, never a panic, nothing changed without a function to change, and
    /// what is changed stays so.
    #[test]
    fn garbage_is_answered(
        text in "([ -~\n]|resource \"aws_lambda_function\" \"a\" \\{\n|locals \\{\n|all = \\{ a = \\{ mb = 1024 \\} \\}\n\
                 |for_each = local.all\n|function_name = each.key\n|memory_size = each.value.mb\n|\\}\n|\\$\\{each.key\\}\
                 |ignore_changes = all\n|lifecycle \\{|\\{\"resource\": \\{|\"aws_lambda_function\": ){0,40}"
    ) {
        for name in ["nobody", "a"] {
            let wanted = sizes(&[(name, 300)]);
            let Ok(patch) = patch(Format::Terraform, &text, &wanted, &Rules::default()) else {
                continue;
            };
            if name == "nobody" {
                prop_assert_eq!(&patch.text, &text);
            }
            let again = super::patch(Format::Terraform, &patch.text, &wanted, &Rules::default());
            prop_assert_eq!(again.map(|of| of.text), Ok(patch.text));
        }
    }

    /// A program stays as it is, whatever it holds, and every size has its answer.
    #[test]
    fn programs_stay_as_they_are(
        mark in prop_oneof![
            Just("import * as cdk from 'aws-cdk-lib';"), Just("import pulumi"), Just("import { AWS } from '@serverless/typescript';"),
            Just("export default $config({"), Just("module.exports = {"),
        ],
        more in "[ -~\näß€😀]{0,80}",
    ) {
        let text = format!("{mark}\n {more} 'f0'");
        for format in [Format::Terraform, Format::CloudFormation, Format::Sam, Format::Serverless, Format::Cdk] {
            let wanted = sizes(&[("f0", 300), ("elsewhere", 300)]);
            if let Ok(patch) = patch(format, &text, &wanted, &Rules::default()) {
                prop_assert_eq!(&patch.text, &text);
                prop_assert_eq!(patch.rows.len(), 2);
            }
        }
    }
}
