//! The tree that YAML and JSON are read into: nodes that know the bytes they stand on.

use std::ops::Range;

/// No real template is nested deeper.
pub(super) const DEEPEST: usize = 200;

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Quoted,
    /// Over lines of its own, `|` or `>`.
    Block,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Scalar { text: String, style: Style },
    Map(Vec<(Node, Node)>),
    Seq(Vec<Node>),
    Alias,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// Its bytes in the file. Of a map only the beginning is to be relied on.
    pub(super) span: Range<usize>,
    /// A local tag such as `!Ref`.
    pub(super) tag: Option<String>,
    /// The anchor that other places may mean it by.
    pub(super) anchor: Option<usize>,
    pub(super) kind: Kind,
}

impl Node {
    /// The text of a scalar without a tag that would change its meaning.
    pub(super) fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } if self.tag.is_none() => Some(text),
            _ => None,
        }
    }

    /// The entries of a map that no tag makes something else of.
    pub(super) fn entries(&self) -> Option<&[(Node, Node)]> {
        match &self.kind {
            Kind::Map(entries) if self.tag.is_none() => Some(entries),
            _ => None,
        }
    }

    /// The value of `key`.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let mut entries = self.entries()?.iter();
        entries
            .find(|(name, _)| name.as_text() == Some(key))
            .map(|(_, value)| value)
    }

    /// Follows keys down.
    pub(super) fn at(&self, keys: &[&str]) -> Option<&Self> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }
}

/// The line of a byte of a text, from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().iter().take(at);
    before.filter(|byte| **byte == b'\n').count() + 1
}
