//! Terraform's own language, HCL.

use hcl_edit::Span;
use hcl_edit::parser::parse_body;
use hcl_edit::structure::{Attribute, Block, BlockLabel, Body};

use super::term::{Source, Term};
use super::{COMPANIONS, Declaration, File, KEY, takes_memory};
use crate::error::Refused;
use crate::insertion::{Insertion, NoPlace, before_on_line, end_of_line, line_ending};

/// Reads a `.tf` file.
pub(super) fn read(text: &str) -> Result<File, Refused> {
    let body = parse(text)?;
    let source = Source { text, inside: None };
    let mut file = File::default();
    for block in body.blocks() {
        let labels: Vec<&str> = block.labels.iter().map(BlockLabel::as_str).collect();
        match (block.ident.as_str(), labels.as_slice()) {
            ("locals", []) => {
                let locals = block.body.attributes();
                file.scope
                    .locals
                    .extend(locals.map(|of| (of.key.as_str().to_owned(), source.term(&of.value))));
            }
            ("variable", [name]) => {
                let default = block.body.get_attribute("default");
                file.scope
                    .defaults
                    .extend(default.map(|of| ((*name).to_owned(), source.term(&of.value))));
            }
            ("resource", [kind @ "aws_lambda_function", name]) => {
                let declaration = declaration(source, block, format!("{kind}.{name}"));
                file.declarations.push(declaration);
            }
            ("module", [name]) => {
                let declaration = declaration(source, block, format!("module.{name}"));
                file.declarations.extend(declaration.of_module());
            }
            _ => {}
        }
    }
    Ok(file)
}

/// Reads a `.tfvars` file: the variables that it sets.
pub(super) fn variables(text: &str) -> Result<Vec<(String, Term)>, Refused> {
    let body = parse(text)?;
    let source = Source { text, inside: None };
    let set = body.attributes();
    Ok(set
        .map(|of| (of.key.as_str().to_owned(), source.term(&of.value)))
        .collect())
}

fn parse(text: &str) -> Result<Body, Refused> {
    if text.trim().is_empty() {
        return Err(Refused::Empty);
    }
    parse_body(text).map_err(|e| Refused::Unreadable {
        what: "Terraform (HCL)",
        line: e.location().line(),
        why: e.message().to_owned(),
    })
}

fn declaration(source: Source<'_>, block: &Block, label: String) -> Declaration {
    let attribute = |key: &str| {
        let attribute = block.body.get_attribute(key)?;
        Some(source.term(&attribute.value))
    };
    let is_module = block.ident.as_str() == "module";
    let lifecycle = block.body.get_blocks("lifecycle");
    let mut ignored = lifecycle.filter_map(|of| of.body.get_attribute("ignore_changes"));
    Declaration {
        label,
        at: block.span().map_or(0, |span| span.start),
        called: attribute("name"),
        name: attribute("function_name"),
        memory: attribute(KEY),
        for_each: attribute("for_each"),
        count: attribute("count"),
        ignored: ignored.next().map(|of| source.term(&of.value)),
        insertion: insertion(source.text, block, is_module, attribute("source").as_ref()),
    }
}

fn insertion(
    text: &str,
    block: &Block,
    is_module: bool,
    module: Option<&Term>,
) -> Result<Insertion, NoPlace> {
    if is_module {
        takes_memory(module)?;
    }
    let attribute = |key: &&str| block.body.get_attribute(key);
    let companions = COMPANIONS.iter().filter_map(attribute);
    companions
        .chain(block.body.attributes())
        .find_map(|attribute| beside(text, attribute))
        .ok_or(NoPlace::NoLine)
}

/// On a line of its own behind an attribute that has one, its `=` under that one's.
fn beside(text: &str, attribute: &Attribute) -> Option<Insertion> {
    let (key, value) = (attribute.key.span()?, attribute.value.span()?);
    let indent = before_on_line(text, key.start);
    let written = text.get(key.start..value.end)?;
    let at = end_of_line(text, value.end);
    let rest = text.get(value.end..at)?.trim_start();
    let alone = rest.is_empty() || rest.starts_with('#') || rest.starts_with("//");
    if !indent.trim().is_empty() || written.contains('\n') || !alone {
        return None;
    }
    let width = written.find('=')?.saturating_sub(1).max(KEY.len());
    let end = line_ending(text, value.end);
    Some(Insertion {
        at,
        before: format!("{end}{indent}{KEY:width$} = "),
        after: String::new(),
    })
}
