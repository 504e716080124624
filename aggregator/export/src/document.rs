//! A YAML or JSON file read into a tree. Nothing is resolved: aliases stay aliases, so what is read is no
//! larger than the file.

use std::collections::BTreeSet;

use super::error::Refused;
use super::node::{Kind, Node, line_of};
use super::{json, yaml};

/// A file and its tree.
#[derive(Debug)]
pub(super) struct Document<'a> {
    pub(super) text: &'a str,
    pub(super) root: Node,
    /// Anchors that are used: what stands there counts in other places too.
    pub(super) shared: BTreeSet<usize>,
}

impl<'a> Document<'a> {
    /// Reads JSON if it begins with a brace, else YAML, of which JSON is a part.
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
        Self::checked(text, root, shared)
    }

    /// Reads JSON and nothing else.
    pub(super) fn json(text: &'a str) -> Result<Self, Refused> {
        Self::checked(text, json::read(text)?, BTreeSet::new())
    }

    fn checked(text: &'a str, root: Node, shared: BTreeSet<usize>) -> Result<Self, Refused> {
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

    /// A key twice in one map: readers differ in which one they take. `<<` merges, and
    /// `//` is a comment in Terraform's JSON.
    fn without_duplicates(&self, node: &Node) -> Result<(), Refused> {
        let children: Vec<&Node> = match &node.kind {
            Kind::Map(entries) => {
                let mut seen = BTreeSet::new();
                for (key, _) in entries {
                    if let Some(text) = key.as_text().filter(|text| !matches!(*text, "<<" | "//"))
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
