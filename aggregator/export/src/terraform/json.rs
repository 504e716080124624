//! Terraform's JSON syntax, `.tf.json`: the same blocks as objects, expressions as texts with `${…}`.

use super::term::{Form, Term, interpolated};
use super::{COMPANIONS, Declaration, File, KEY, takes_memory};
use crate::document::Document;
use crate::error::Refused;
use crate::insertion;
use crate::node::{Kind, Node, Style};

/// Reads a `.tf.json` file.
pub(super) fn read(text: &str) -> Result<File, Refused> {
    let document = Document::json(text)?;
    let root = &document.root;
    if root.at(&["//", "metadata", "stackName"]).is_some() {
        return Err(Refused::OtherKind {
            wanted: "Terraform file written by hand",
            why: "CDK for Terraform generates it again before each deployment".to_owned(),
        });
    }
    let mut file = File::default();
    for (name, value) in entries(root.get("locals")) {
        file.scope
            .locals
            .insert(name.to_owned(), term(text, value, true));
    }
    for (name, variable) in entries(root.get("variable")) {
        // A default is not an expression: `${` is plain text in it.
        for default in objects(variable).filter_map(|of| of.get("default")) {
            file.scope
                .defaults
                .insert(name.to_owned(), term(text, default, false));
        }
    }
    for (kind, functions) in entries(root.get("resource")) {
        if kind != "aws_lambda_function" {
            continue;
        }
        for (name, block) in entries(Some(functions)) {
            let label = format!("{kind}.{name}");
            let blocks = objects(block).map(|block| declaration(&document, block, &label, false));
            file.declarations.extend(blocks);
        }
    }
    for (name, block) in entries(root.get("module")) {
        let label = format!("module.{name}");
        let blocks = objects(block).map(|block| declaration(&document, block, &label, true));
        file.declarations
            .extend(blocks.filter_map(Declaration::of_module));
    }
    Ok(file)
}

/// Reads a `.tfvars.json` file: the variables that it sets.
pub(super) fn variables(text: &str) -> Result<Vec<(String, Term)>, Refused> {
    let document = Document::json(text)?;
    let set = entries(Some(&document.root));
    Ok(set
        .map(|(name, value)| (name.to_owned(), term(text, value, false)))
        .collect())
}

/// A block is an object, or a list of objects.
fn objects(node: &Node) -> impl Iterator<Item = &Node> {
    let all = match &node.kind {
        Kind::Seq(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    all.iter().filter(|item| item.entries().is_some())
}

/// What stands in a block by its labels, without comments.
fn entries(node: Option<&Node>) -> impl Iterator<Item = (&str, &Node)> {
    let entries = node.into_iter().flat_map(objects).filter_map(Node::entries);
    let entries = entries
        .flatten()
        .filter_map(|(key, value)| Some((key.as_text()?, value)));
    entries.filter(|(key, _)| *key != "//")
}

fn declaration(document: &Document<'_>, block: &Node, label: &str, is_module: bool) -> Declaration {
    let attribute = |key: &str| Some(term(document.text, block.get(key)?, true));
    let mut lifecycle = block.get("lifecycle").into_iter().flat_map(objects);
    let ignored = lifecycle.find_map(|of| of.get("ignore_changes"));
    let taken = if is_module {
        takes_memory(attribute("source").as_ref())
    } else {
        Ok(())
    };
    Declaration {
        label: label.to_owned(),
        at: block.span.start,
        called: attribute("name"),
        name: attribute("function_name"),
        memory: attribute(KEY),
        for_each: attribute("for_each"),
        count: attribute("count"),
        ignored: ignored.map(|of| term(document.text, of, true)),
        insertion: taken.and_then(|()| insertion::entry(document, block, KEY, &COMPANIONS)),
    }
}

fn term(text: &str, node: &Node, templates: bool) -> Term {
    let at = node.span.start;
    let form = match &node.kind {
        Kind::Scalar { text: value, style } => {
            let opens = templates && (value.contains("${") || value.contains("%{"));
            if opens && *style == Style::Quoted {
                match interpolated(value, at) {
                    Some(inner) => return inner,
                    None => Form::Template(value.clone()),
                }
            } else {
                let start = at + usize::from(*style == Style::Quoted);
                let bytes = start..start + value.len();
                let same = text.get(bytes.clone()) == Some(value);
                Form::Literal {
                    text: value.clone(),
                    bytes: same.then_some(bytes),
                }
            }
        }
        Kind::Map(entries) => Form::Map(
            entries
                .iter()
                .filter(|(key, _)| key.as_text() != Some("//"))
                .map(|(key, value)| (term(text, key, templates), term(text, value, templates)))
                .collect(),
        ),
        Kind::Seq(items) => Form::List(
            items
                .iter()
                .map(|item| term(text, item, templates))
                .collect(),
        ),
        Kind::Alias => Form::Computed,
    };
    let written = text.get(node.span.clone()).unwrap_or_default();
    Term {
        at,
        written: written.lines().next().unwrap_or_default().to_owned(),
        form,
    }
}
