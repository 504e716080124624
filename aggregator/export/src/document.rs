//! A YAML or JSON file as a tree whose nodes know the bytes they stand on. Nothing is resolved: aliases stay
//! aliases, so what is read is no larger than the file.

use std::collections::BTreeSet;
use std::ops::Range;

use super::error::Refused;
use super::{json, yaml};

/// Deeper nesting is nobody's template.
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
    /// The text of a scalar that is what it says: no tag makes something else of it.
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

/// A file and its tree.
#[derive(Debug)]
pub(super) struct Document<'a> {
    pub(super) text: &'a str,
    pub(super) root: Node,
    /// Anchors that are used: what stands there counts in other places too.
    pub(super) shared: BTreeSet<usize>,
}

impl<'a> Document<'a> {
    /// Reads JSON where it begins with a brace, else YAML, which JSON is too.
    pub(super) fn read(text: &'a str) -> Result<Self, Refused> {
        let begins = text.trim_start_matches('\u{feff}').trim_start();
        let (root, shared) = if begins.starts_with('{') {
            match json::read(text) {
                Ok(root) => (root, BTreeSet::new()),
                Err(json) => yaml::read(text).map_err(|_| json)?,
            }
        } else {
            yaml::read(text)?
        };
        let document = Self { text, root, shared };
        document.without_duplicates(&document.root)?;
        Ok(document)
    }

    /// The line of a byte, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        line_of(self.text, at)
    }

    /// Whether other places of the file use this node as well.
    pub(super) fn is_shared(&self, node: &Node) -> bool {
        node.anchor.is_some_and(|id| self.shared.contains(&id))
    }

    /// A key twice in one map: readers differ in which one they take. `<<` merges.
    fn without_duplicates(&self, node: &Node) -> Result<(), Refused> {
        let children: Vec<&Node> = match &node.kind {
            Kind::Map(entries) => {
                let mut seen = BTreeSet::new();
                for (key, _) in entries {
                    if let Some(text) = key.as_text().filter(|text| *text != "<<")
                        && !seen.insert(text)
                    {
                        return Err(Refused::KeyTwice {
                            key: text.to_owned(),
                            line: self.line(key.span.start),
                        });
                    }
                }
                entries.iter().map(|(_, value)| value).collect()
            }
            Kind::Seq(items) => items.iter().collect(),
            Kind::Scalar { .. } | Kind::Alias => Vec::new(),
        };
        children
            .into_iter()
            .try_for_each(|child| self.without_duplicates(child))
    }
}

/// The line of a byte of a text, from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().iter().take(at);
    before.filter(|byte| **byte == b'\n').count() + 1
}
