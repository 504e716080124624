//! JSON into the tree that YAML is read into.

use jsonc_parser::ast::Value;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::error::Refused;
use super::node::{Kind, Node, Style, line_of};

/// Strict JSON: exactly what its readers accept.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The tree of a JSON file.
pub(super) fn read(text: &str) -> Result<Node, Refused> {
    let parsed = parse_to_ast(text, &CollectOptions::default(), &STRICT);
    let parsed = parsed.map_err(|e| Refused::Unreadable {
        what: "JSON",
        line: line_of(text, e.range().start),
        why: e.kind().to_string(),
    })?;
    Ok(node(&parsed.value.ok_or(Refused::Empty)?))
}

fn node(value: &Value<'_>) -> Node {
    let kind = match value {
        Value::Object(object) => {
            let entries = object.properties.iter();
            Kind::Map(
                entries
                    .map(|entry| {
                        let key = Kind::Scalar {
                            text: entry.name.as_str().to_owned(),
                            style: Style::Quoted,
                        };
                        (placed(entry.name.range(), key), node(&entry.value))
                    })
                    .collect(),
            )
        }
        Value::Array(array) => Kind::Seq(array.elements.iter().map(node).collect()),
        Value::StringLit(string) => Kind::Scalar {
            text: string.value.as_ref().to_owned(),
            style: Style::Quoted,
        },
        Value::NumberLit(number) => plain(number.value),
        Value::BooleanLit(of) => plain(if of.value { "true" } else { "false" }),
        Value::NullKeyword(_) => plain("null"),
    };
    placed(value.range(), kind)
}

fn plain(text: &str) -> Kind {
    Kind::Scalar {
        text: text.to_owned(),
        style: Style::Plain,
    }
}

fn placed(range: jsonc_parser::common::Range, kind: Kind) -> Node {
    Node {
        span: range.start..range.end,
        tag: None,
        anchor: None,
        kind,
    }
}
