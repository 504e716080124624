//! Terraform's own language: `aws_lambda_function` resources, and module calls that take a function's name
//! and its size.

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::parser::parse_body;
use hcl_edit::structure::{Attribute, Block, BlockLabel, Body};

use super::error::Refused;
use super::insertion::{Insertion, before_on_line, end_of_line, line_ending};
use super::node::line_of;
use super::pattern::{Part, Pattern};
use super::site::{Memory, Name, Site, number};

const KEY: &str = "memory_size";
/// Attributes that a new one stands behind.
const COMPANIONS: [&str; 5] = ["timeout", "runtime", "handler", "function_name", "name"];
/// Takes `memory_size` by this very name.
const KNOWN_MODULE: &str = "terraform-aws-modules/lambda/aws";

/// The functions of a file.
pub(super) fn sites(text: &str) -> Result<Vec<Site>, Refused> {
    let body = parse(text)?;
    let blocks = body.blocks();
    let sites: Vec<Site> = blocks.filter_map(|block| site(text, block)).collect();
    if sites.is_empty() {
        return Err(Refused::NoFunction {
            looked_for: "a resource aws_lambda_function, or a module with function_name",
        });
    }
    Ok(sites)
}

fn parse(text: &str) -> Result<Body, Refused> {
    if text.trim_start().starts_with('{') {
        return Err(Refused::OtherKind {
            wanted: "Terraform file",
            why: "it is JSON; Terraform's JSON syntax is not patched: use the values (without \
                  --template)"
                .to_owned(),
        });
    }
    if text.trim().is_empty() {
        return Err(Refused::Empty);
    }
    parse_body(text).map_err(|e| Refused::Unreadable {
        what: "Terraform (HCL)",
        line: e.location().line(),
        why: e.message().to_owned(),
    })
}

fn site(text: &str, block: &Block) -> Option<Site> {
    let labels: Vec<&str> = block.labels.iter().map(BlockLabel::as_str).collect();
    let (label, name) = match (block.ident.as_str(), labels.as_slice()) {
        ("resource", [kind @ "aws_lambda_function", name]) => (
            format!("{kind}.{name}"),
            block.body.get_attribute("function_name"),
        ),
        ("module", [name]) => {
            let function = block.body.get_attribute("function_name");
            let sized = block.body.has_attribute(KEY);
            let called = block.body.get_attribute("name").filter(|_| sized);
            (format!("module.{name}"), Some(function.or(called)?))
        }
        _ => return None,
    };
    let start = block.span().map_or(0, |span| span.start);
    let name = name.map_or(Name::MadeUp, |attribute| named(text, &attribute.value));
    let many = ["for_each", "count"]
        .into_iter()
        .find(|key| block.body.has_attribute(key));
    let memory = match many {
        Some(key) if !matches!(name, Name::Literal(_)) => Memory::Other {
            line: line_of(text, start),
            why: format!("{key} makes several functions of it"),
        },
        _ => memory(text, block),
    };
    Some(Site {
        label,
        line: line_of(text, start),
        name,
        memory,
    })
}

fn named(text: &str, value: &Expression) -> Name {
    match value {
        Expression::String(name) => Name::Literal(name.to_string()),
        Expression::StringTemplate(template) => {
            let written = template.span().and_then(|span| text.get(span));
            let written = written.map(|text| text.trim_matches('"'));
            Name::Computed(match written.filter(|text| !text.contains("%{")) {
                Some(text) => Pattern::parse(text, |_| Part::Unknown),
                None => Pattern(vec![Part::Unknown]),
            })
        }
        _ => Name::Computed(Pattern(vec![Part::Unknown])),
    }
}

fn memory(text: &str, block: &Block) -> Memory {
    let Some(attribute) = block.body.get_attribute(KEY) else {
        return Memory::Absent {
            insertion: insertion(text, block),
            inherited: None,
        };
    };
    let span = attribute.value.span().unwrap_or_default();
    let line = line_of(text, span.start);
    let written = text.get(span.clone()).unwrap_or_default();
    let inner = written
        .strip_prefix('"')
        .and_then(|inner| inner.strip_suffix('"'));
    let digits = inner.unwrap_or(written);
    match number(digits) {
        Some(mb) => {
            let start = span.start + usize::from(inner.is_some());
            Memory::Literal {
                digits: start..start + digits.len(),
                mb,
                line,
            }
        }
        None => Memory::Other {
            line,
            why: format!("{KEY} is {}", written.lines().next().unwrap_or_default()),
        },
    }
}

fn insertion(text: &str, block: &Block) -> Result<Insertion, String> {
    let source = block.body.get_attribute("source");
    let source = source.and_then(|source| source.value.as_str());
    if block.ident.as_str() == "module" && !source.is_some_and(|of| of.contains(KNOWN_MODULE)) {
        return Err(format!("whether the module takes {KEY} is not known"));
    }
    let attribute = |key: &&str| block.body.get_attribute(key);
    let companions = COMPANIONS.iter().filter_map(attribute);
    companions
        .chain(block.body.attributes())
        .find_map(|attribute| beside(text, attribute))
        .ok_or_else(|| "it has no attribute on a line of its own".to_owned())
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
