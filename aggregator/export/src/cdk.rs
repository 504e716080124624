//! `cdk.json`: a CDK app reads its sizes from the context in it.
//!
//! A CDK app is a program that decides at run time which functions it makes. So its context is
//! patched, not its source.

use std::collections::BTreeMap;

use super::Size;
use super::declared::{described, literal};
use super::document::Document;
use super::edit::{Became, Edit, Row};
use super::error::Refused;
use super::insertion::{before_on_line, in_braces, line_ending};
use super::matching::one_place;
use super::node::Node;

/// The context's key.
pub(super) const KEY: &str = "rightsizer";
const STEP: &str = "  ";

/// What changes in a `cdk.json`.
pub(super) fn plan(text: &str, sizes: &[Size]) -> Result<(Vec<Row>, Vec<Edit>), Refused> {
    if !text.trim_start().starts_with('{') {
        return Err(other_kind(
            "a CDK app decides at run time which functions it makes: use its cdk.json, from whose \
             context the app reads sizes",
        ));
    }
    let document = Document::read(text)?;
    let root = &document.root;
    if root.get("app").is_none() && root.get("context").is_none() {
        return Err(other_kind("it has neither app nor context"));
    }
    one_place(sizes.iter())?;
    let ours = root.at(&["context", KEY]);
    let mut rows = Vec::new();
    let mut edits = Vec::new();
    let mut new: BTreeMap<String, u32> = BTreeMap::new();
    for size in sizes {
        let there = ours.and_then(|ours| ours.get(&size.name));
        let became = if let Some(value) = there {
            replaced(&document, value, size, &mut edits)
        } else {
            if new.insert(size.name.clone(), size.to_mb.0).is_some() {
                return Err(twice(sizes, &size.name));
            }
            Became::Changed {
                line: document.line(ours.unwrap_or(root).span.start),
                from: None,
                to: size.to_mb.0,
                note: None,
            }
        };
        rows.push(Row {
            function: size.function.clone(),
            label: Some(size.name.clone()),
            file: None,
            became,
        });
    }
    if !new.is_empty() {
        edits.push(added(&document, &new)?);
    }
    Ok((rows, edits))
}

fn other_kind(why: &str) -> Refused {
    Refused::OtherKind {
        wanted: "cdk.json",
        why: why.to_owned(),
    }
}

fn twice(sizes: &[Size], name: &str) -> Refused {
    let of_name = sizes.iter().filter(|size| size.name == name);
    Refused::NameTwice {
        name: name.to_owned(),
        functions: of_name.map(Size::distinct_name).collect(),
    }
}

fn replaced(document: &Document<'_>, value: &Node, size: &Size, edits: &mut Vec<Edit>) -> Became {
    let line = document.line(value.span.start);
    let to = size.to_mb.0;
    match literal(document, value) {
        Some((_, mb)) if mb == to => Became::Already { line },
        Some((span, mb)) => {
            edits.push(Edit {
                span,
                text: to.to_string(),
            });
            Became::Changed {
                line,
                from: Some(mb),
                to,
                note: None,
            }
        }
        None => Became::Left {
            line,
            why: format!("it is {}: give it {to} there", described(value)),
        },
    }
}

/// All new entries in one place: in our block, else that block in the context, else the context.
fn added(document: &Document<'_>, new: &BTreeMap<String, u32>) -> Result<Edit, Refused> {
    let root = &document.root;
    let context = root.get("context");
    let ours = context.and_then(|context| context.get(KEY));
    let (block, missing) = match (context, ours) {
        (_, Some(ours)) => (ours, &[][..]),
        (Some(context), None) => (context, &[KEY][..]),
        (None, None) => (root, &["context", KEY][..]),
    };
    let Some(entries) = block.entries() else {
        return Err(other_kind("its context is not a map"));
    };
    let text = document.text;
    let end = line_ending(text, block.span.start);
    if let Some((first, _)) = entries.first() {
        let line = before_on_line(text, first.span.start);
        let indent: String = line.chars().take_while(|c| c.is_whitespace()).collect();
        let mut written = String::new();
        for (key, value) in nested(new, missing, &indent, end) {
            let place = in_braces(document, entries, &key);
            written.push_str(&format!("{}{value}{}", place.before, place.after));
        }
        return Ok(Edit {
            span: first.span.start..first.span.start,
            text: written,
        });
    }
    let line = before_on_line(text, block.span.start);
    let indent: String = line.chars().take_while(|c| c.is_whitespace()).collect();
    let inside = format!("{indent}{STEP}");
    let entries = nested(new, missing, &inside, end);
    Ok(Edit {
        span: block.span.clone(),
        text: object(&entries, &indent, end),
    })
}

/// The new entries as entries of a block that lacks these keys on the way to them.
fn nested(
    new: &BTreeMap<String, u32>,
    missing: &[&str],
    indent: &str,
    end: &str,
) -> Vec<(String, String)> {
    match missing.split_first() {
        None => new
            .iter()
            .map(|(name, mb)| (name.clone(), mb.to_string()))
            .collect(),
        Some((key, rest)) => {
            let entries = nested(new, rest, &format!("{indent}{STEP}"), end);
            vec![((*key).to_owned(), object(&entries, indent, end))]
        }
    }
}

fn object(entries: &[(String, String)], indent: &str, end: &str) -> String {
    let entries = entries.iter();
    let entries: Vec<String> = entries
        .map(|(key, value)| format!("{end}{indent}{STEP}\"{key}\": {value}"))
        .collect();
    format!("{{{}{end}{indent}}}", entries.join(","))
}
