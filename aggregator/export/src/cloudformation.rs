//! `CloudFormation` templates, YAML and JSON: the functions among `Resources`. SAM's are read here too, for
//! a SAM template is one of these with a transform.

use super::declared::{Spelling, described, inherited, memory};
use super::document::Document;
use super::error::Refused;
use super::node::{Kind, Node};
use super::pattern::{Part, Pattern};
use super::site::{Inherited, Memory, Name, Site};

const SPELLING: Spelling<'_> = Spelling {
    key: "MemorySize",
    companions: &["Timeout", "Runtime", "Handler", "FunctionName"],
};
const PLAIN: &str = "AWS::Lambda::Function";
const SERVERLESS: &str = "AWS::Serverless::Function";

/// The functions of a template.
pub(super) fn sites(text: &str) -> Result<Vec<Site>, Refused> {
    of(&Document::read(text)?)
}

/// The functions of a template that was read.
pub(super) fn of(document: &Document<'_>) -> Result<Vec<Site>, Refused> {
    let root = &document.root;
    let Some(resources) = root.get("Resources").and_then(Node::entries) else {
        return Err(Refused::OtherKind {
            wanted: "CloudFormation template",
            why: format!("it has no block Resources{}", looks_like(root)),
        });
    };
    let globals = root.at(&["Globals", "Function", SPELLING.key]);
    let globals = inherited(document, globals, "Globals");
    let sites: Vec<Site> = resources
        .iter()
        .filter_map(|(id, resource)| site(document, id.as_text()?, resource, globals.as_ref()))
        .collect();
    if sites.is_empty() {
        return Err(Refused::NoFunction {
            looked_for: "a resource of type AWS::Lambda::Function or AWS::Serverless::Function",
        });
    }
    Ok(sites)
}

fn looks_like(root: &Node) -> &'static str {
    if root.get("functions").is_some() && root.get("provider").is_some() {
        "; it looks like a serverless.yml: --format serverless"
    } else if root.get("app").is_some() && root.get("context").is_some() {
        "; it looks like a cdk.json: --format cdk"
    } else {
        ""
    }
}

fn site(
    document: &Document<'_>,
    id: &str,
    resource: &Node,
    globals: Option<&Inherited>,
) -> Option<Site> {
    let kind = resource.get("Type")?.as_text()?;
    if kind != PLAIN && kind != SERVERLESS {
        return None;
    }
    let line = document.line(resource.span.start);
    let Some(properties) = resource.get("Properties") else {
        return Some(Site {
            label: id.to_owned(),
            line,
            file: None,
            name: Name::MadeUp,
            memory: Memory::Other {
                line,
                why: "it has no Properties".to_owned(),
            },
        });
    };
    let globals = globals.filter(|_| kind == SERVERLESS).cloned();
    let memory = if properties.entries().is_some() {
        memory(document, properties, &SPELLING, globals, |value| {
            in_words(&document.root, value)
        })
    } else {
        Memory::Other {
            line: document.line(properties.span.start),
            why: format!("its Properties are {}", described(properties)),
        }
    };
    Some(Site {
        label: id.to_owned(),
        line,
        file: None,
        name: name(properties),
        memory,
    })
}

fn name(properties: &Node) -> Name {
    let Some(name) = properties.get("FunctionName") else {
        return Name::MadeUp;
    };
    if let Some(text) = name.as_text() {
        return Name::Literal(text.to_owned());
    }
    let substituted = match &name.kind {
        Kind::Scalar { text, .. } if name.tag.as_deref() == Some("!Sub") => Some(text.as_str()),
        _ => name.get("Fn::Sub").and_then(Node::as_text),
    };
    let part = |inside: &str| match inside {
        "AWS::StackName" => Part::Stack,
        "AWS::Region" => Part::Region,
        "AWS::AccountId" => Part::Account,
        _ => Part::Unknown,
    };
    Name::Computed(substituted.map_or_else(
        || Pattern(vec![Part::Unknown]),
        |text| Pattern::parse(text, part),
    ))
}

/// A default of a parameter is not changed: a stack that exists keeps the value it was deployed with.
fn in_words(root: &Node, value: &Node) -> String {
    let parameter = match &value.kind {
        Kind::Scalar { text, .. } if value.tag.as_deref() == Some("!Ref") => Some(text.as_str()),
        _ => value.get("Ref").and_then(Node::as_text),
    };
    match parameter.filter(|name| root.at(&["Parameters", name]).is_some()) {
        Some(name) => format!(
            "the parameter {name}, which a deployment sets (a stack that exists keeps its value, \
             whatever the Default)"
        ),
        None => described(value),
    }
}
