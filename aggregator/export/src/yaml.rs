//! YAML into a tree with byte spans.

use std::collections::BTreeSet;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::error::Refused;
use super::node::{DEEPEST, Kind, Node, Style};

/// The tree of the file's only document, and the anchors that are used in it.
pub(super) fn read(text: &str) -> Result<(Node, BTreeSet<usize>), Refused> {
    let mark = text.len() - text.trim_start_matches('\u{feff}').len();
    let body = text.get(mark..).unwrap_or_default();
    let mut builder = Builder {
        offsets: offsets(body, mark),
        open: Vec::new(),
        root: None,
        shared: BTreeSet::new(),
        documents: 0,
    };
    for event in Parser::new_from_str(body) {
        let (event, span) = event.map_err(|e| Refused::Unreadable {
            what: "YAML",
            line: e.marker().line(),
            why: e.info().to_owned(),
        })?;
        builder.take(event, span)?;
    }
    let root = builder.root.ok_or(Refused::Empty)?;
    Ok((root, builder.shared))
}

/// The byte at which each character of `body` begins, and the end. `None` if each is one byte.
fn offsets(body: &str, mark: usize) -> Offsets {
    if body.is_ascii() {
        return Offsets::Ascii { mark };
    }
    let starts = body.char_indices().map(|(at, _)| at + mark);
    Offsets::Each(starts.chain([body.len() + mark]).collect())
}

enum Offsets {
    Ascii { mark: usize },
    Each(Vec<usize>),
}

impl Offsets {
    fn byte(&self, character: usize) -> usize {
        match self {
            Self::Ascii { mark } => character + mark,
            Self::Each(starts) => starts
                .get(character)
                .or(starts.last())
                .copied()
                .unwrap_or_default(),
        }
    }
}

/// A map or a list that is not at its end yet.
struct Open {
    node: Node,
    /// Of a map: a key whose value is still to come.
    key: Option<Node>,
}

struct Builder {
    offsets: Offsets,
    open: Vec<Open>,
    root: Option<Node>,
    shared: BTreeSet<usize>,
    documents: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Refused> {
        let bytes = self.offsets.byte(span.start.index())..self.offsets.byte(span.end.index());
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Refused::SeveralDocuments {
                        line: span.start.line(),
                    });
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                let text = text.into_owned();
                let kind = Kind::Scalar { text, style };
                self.place(node(bytes, anchor, tag.as_deref(), kind));
                Ok(())
            }
            Event::Alias(id) => {
                self.shared.insert(id);
                self.place(node(bytes, 0, None, Kind::Alias));
                Ok(())
            }
            Event::SequenceStart(anchor, tag) => {
                let kind = Kind::Seq(Vec::new());
                self.begin(node(bytes, anchor, tag.as_deref(), kind), span)
            }
            Event::MappingStart(anchor, tag) => {
                let kind = Kind::Map(Vec::new());
                self.begin(node(bytes, anchor, tag.as_deref(), kind), span)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(mut done) = self.open.pop() {
                    done.node.span.end = bytes.end;
                    self.place(done.node);
                }
                Ok(())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn begin(&mut self, node: Node, span: Span) -> Result<(), Refused> {
        if self.open.len() >= DEEPEST {
            return Err(Refused::Unreadable {
                what: "YAML",
                line: span.start.line(),
                why: format!("nested more than {DEEPEST} deep"),
            });
        }
        self.open.push(Open { node, key: None });
        Ok(())
    }

    fn place(&mut self, node: Node) {
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut parent.node.kind {
            Kind::Seq(items) => items.push(node),
            Kind::Map(entries) => match parent.key.take() {
                None => parent.key = Some(node),
                Some(key) => entries.push((key, node)),
            },
            Kind::Scalar { .. } | Kind::Alias => {}
        }
    }
}

fn node(span: Range<usize>, anchor: usize, tag: Option<&Tag>, kind: Kind) -> Node {
    let local = tag.filter(|tag| !tag.is_yaml_core_schema());
    Node {
        span,
        tag: local.map(ToString::to_string),
        anchor: (anchor > 0).then_some(anchor),
        kind,
    }
}
