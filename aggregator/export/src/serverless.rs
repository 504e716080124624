//! `serverless.yml`: the functions under `functions`, named by `name` or as `service-stage-key`.
//! `provider.memorySize` counts for every function, so it is never changed.

use super::declared::{Spelling, described, inherited, memory};
use super::document::Document;
use super::error::Refused;
use super::node::{Kind, Node};
use super::pattern::{Part, Pattern};
use super::site::{Inherited, Memory, Name, Site};

const SPELLING: Spelling<'_> = Spelling {
    key: "memorySize",
    companions: &["timeout", "runtime", "handler", "name"],
};

/// The functions of a service.
pub(super) fn sites(text: &str) -> Result<Vec<Site>, Refused> {
    let document = Document::read(text)?;
    let root = &document.root;
    let functions = functions(&document)?;
    let provider = root.get("provider");
    let name = provider.and_then(|of| of.get("name").or(Some(of)));
    if let Some(name) = name.and_then(Node::as_text)
        && name != "aws"
    {
        return Err(other_kind(format!("its provider is {name}")));
    }
    let default = provider.and_then(|of| of.get(SPELLING.key));
    let default = inherited(&document, default, "provider.memorySize");
    let sites: Vec<Site> = functions
        .iter()
        .filter_map(|(key, function)| site(&document, key, function, default.as_ref()))
        .collect();
    if sites.is_empty() {
        return Err(Refused::NoFunction {
            looked_for: "a function with a block of its own under functions",
        });
    }
    Ok(sites)
}

fn other_kind(why: String) -> Refused {
    Refused::OtherKind {
        wanted: "serverless.yml of AWS functions",
        why,
    }
}

/// Keys and blocks. The list form holds maps of them.
fn functions<'d>(document: &'d Document<'_>) -> Result<Vec<(&'d str, &'d Node)>, Refused> {
    let root = &document.root;
    let Some(functions) = root.get("functions") else {
        let hint = if root.get("Resources").is_some() {
            "; it looks like a CloudFormation template: --format cloudformation"
        } else {
            ""
        };
        return Err(other_kind(format!("it has no block functions{hint}")));
    };
    let maps: Vec<&Node> = match &functions.kind {
        Kind::Map(_) => vec![functions],
        Kind::Seq(items) => items.iter().collect(),
        Kind::Scalar { .. } | Kind::Alias => {
            return Err(other_kind(format!(
                "its functions are {}: only a file that has them in itself can be patched",
                described(functions)
            )));
        }
    };
    let entries = maps.into_iter().filter_map(Node::entries).flatten();
    Ok(entries
        .filter_map(|(key, block)| Some((key.as_text()?, block)))
        .collect())
}

fn site(
    document: &Document<'_>,
    key: &str,
    block: &Node,
    default: Option<&Inherited>,
) -> Option<Site> {
    if key == "<<" {
        return None;
    }
    let line = document.line(block.span.start);
    let memory = if block.entries().is_some() {
        memory(document, block, &SPELLING, default.cloned(), described)
    } else {
        Memory::Other {
            line,
            why: format!("it is {}", described(block)),
        }
    };
    Some(Site {
        label: key.to_owned(),
        line,
        file: None,
        name: name(&document.root, key, block),
        memory,
    })
}

fn name(root: &Node, key: &str, block: &Node) -> Name {
    let service = root.get("service");
    let service = service.and_then(|of| of.get("name").or(Some(of)));
    let service = service.and_then(Node::as_text);
    let part = |inside: &str| variable(inside, service);
    let pattern = match block.get("name").map(Node::as_text) {
        None => {
            let service = service.map_or(Pattern(vec![Part::Unknown]), |service| {
                Pattern::parse(service, variable_alone)
            });
            let rest = ["-".to_owned(), format!("-{key}")].map(Part::Text);
            let [dash, key] = rest;
            Pattern(
                service
                    .0
                    .into_iter()
                    .chain([dash, Part::Stage, key])
                    .collect(),
            )
        }
        Some(Some(name)) if !name.contains("${") => return Name::Literal(name.to_owned()),
        Some(Some(name)) => Pattern::parse(name, part),
        Some(None) => Pattern(vec![Part::Unknown]),
    };
    Name::Computed(pattern)
}

/// What `${…}` stands for in a name.
fn variable(inside: &str, service: Option<&str>) -> Part {
    if inside == "self:service" || inside == "self:service.name" {
        let plain = service.filter(|service| !service.contains("${"));
        return plain.map_or(Part::Unknown, |service| Part::Text(service.to_owned()));
    }
    variable_alone(inside)
}

/// The same if the service's own name is not known.
fn variable_alone(inside: &str) -> Part {
    // A fallback follows a comma: it is another spelling of the same.
    match inside.split(',').next().unwrap_or_default().trim() {
        "sls:stage" | "opt:stage" | "self:provider.stage" => Part::Stage,
        "aws:region" | "opt:region" | "self:provider.region" => Part::Region,
        "aws:accountId" => Part::Account,
        _ => Part::Unknown,
    }
}
