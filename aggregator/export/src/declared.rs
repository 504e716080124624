//! Reading a declaration out of a YAML or JSON tree: what all of its kinds share.

use super::document::Document;
use super::insertion::{self, NoPlace};
use super::node::{Kind, Node, Style};
use super::site::{Inherited, Memory, number};

/// How a kind of template declares a function's memory.
pub(super) struct Spelling<'a> {
    /// The key.
    pub(super) key: &'static str,
    /// Keys that a new one stands behind.
    pub(super) companions: &'a [&'static str],
}

/// The memory in a declaration's block; `describe` describes a value that is not a number.
pub(super) fn memory(
    document: &Document<'_>,
    block: &Node,
    spelling: &Spelling<'_>,
    inherited: Option<Inherited>,
    describe: impl Fn(&Node) -> String,
) -> Memory {
    let Some(value) = block.get(spelling.key) else {
        let insertion = if document.is_shared(block) {
            Err(NoPlace::SharedBlock)
        } else {
            insertion::entry(document, block, spelling.key, spelling.companions)
        };
        return Memory::Absent {
            insertion,
            inherited,
        };
    };
    let line = document.line(value.span.start);
    let shared = document.is_shared(block) || document.is_shared(value);
    match literal(document, value) {
        Some((digits, mb)) if !shared => Memory::Literal {
            digits,
            mb,
            line,
            note: None,
        },
        _ if shared => Memory::Other {
            line,
            why: format!("{} counts in other places too, by an anchor", spelling.key),
        },
        _ => Memory::Other {
            line,
            why: format!("{} is {}", spelling.key, describe(value)),
        },
    }
}

/// The number of a scalar, and the bytes of its digits.
pub(super) fn literal(
    document: &Document<'_>,
    value: &Node,
) -> Option<(std::ops::Range<usize>, u32)> {
    let Kind::Scalar { text, style } = &value.kind else {
        return None;
    };
    if value.tag.is_some() {
        return None;
    }
    let mb = number(text)?;
    let digits = match style {
        Style::Plain => value.span.start..value.span.start + text.len(),
        Style::Quoted => value.span.start + 1..value.span.start + 1 + text.len(),
        Style::Block => return None,
    };
    // Whatever the parser returned, these bytes must be those digits.
    (document.text.get(digits.clone()) == Some(text)).then_some((digits, mb))
}

/// A default of the whole template: `what` as people know it.
pub(super) fn inherited(
    document: &Document<'_>,
    value: Option<&Node>,
    what: &'static str,
) -> Option<Inherited> {
    let value = value?;
    Some(Inherited {
        mb: literal(document, value).map(|(_, mb)| mb),
        line: document.line(value.span.start),
        what,
    })
}

/// Describes a value that is not a number.
pub(super) fn described(node: &Node) -> String {
    let tag = node.tag.as_deref();
    match &node.kind {
        Kind::Scalar { text, .. } => match tag {
            Some(tag) => format!("{tag} {text}"),
            None => format!("`{text}`"),
        },
        Kind::Alias => "an alias of another place".to_owned(),
        Kind::Map(entries) => match entries.first().and_then(|(key, _)| key.as_text()) {
            Some(key) => format!("computed by {key}"),
            None => "computed".to_owned(),
        },
        Kind::Seq(_) => tag.map_or_else(|| "a list".to_owned(), |tag| format!("computed by {tag}")),
    }
}
