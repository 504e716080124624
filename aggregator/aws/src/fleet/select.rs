//! Which functions are meant. Pure.

use std::collections::BTreeSet;

use rightsizer_records::FunctionArn;
use rightsizer_rules::inventory::FunctionFacts;

/// Which functions are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All of the account and region.
    All,
    /// Those whose name begins so.
    Prefix(String),
    /// Those with this tag, of this value.
    Tag(String, String),
    /// These: names or ARNs.
    Named(Vec<String>),
}

/// What was found of what was meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selected {
    /// The functions, by name.
    pub functions: Vec<FunctionFacts>,
    /// Names that no function has.
    pub missing: Vec<String>,
}

/// What cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// No `=`.
    #[error("{0:?} is not a tag: expected KEY=VALUE")]
    NoTag(String),
    /// A line of the list is neither a name nor an ARN.
    #[error("line {line} of the list: {text:?} is neither a function's name nor its ARN")]
    NoName {
        /// Counted from 1.
        line: usize,
        /// Its text.
        text: String,
    },
    /// Nothing in it.
    #[error("the list names no function; write one name or ARN per line")]
    Empty,
    /// Tags are unknown, so functions cannot be selected by them.
    #[error(
        "the tags of the fleet could not be read: allow tag:GetResources, or use --prefix or --file"
    )]
    TagsUnknown,
}

impl Selection {
    /// Reads `KEY=VALUE`.
    pub fn tag(text: &str) -> Result<Self, SelectionError> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                Ok(Self::Tag(key.trim().to_owned(), value.trim().to_owned()))
            }
            _ => Err(SelectionError::NoTag(text.to_owned())),
        }
    }

    /// Reads a list: one name or ARN a line; empty lines and those that begin with `#` are
    /// ignored.
    pub fn list(text: &str) -> Result<Self, SelectionError> {
        let mut named = Vec::new();
        for (n, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let arn = FunctionArn::parse(line)
                .or_else(|_| FunctionArn::new("aws", "us-east-1", "123456789012", line));
            if arn.is_err() {
                return Err(SelectionError::NoName {
                    line: n + 1,
                    text: line.chars().take(200).collect(),
                });
            }
            named.push(line.to_owned());
        }
        if named.is_empty() {
            return Err(SelectionError::Empty);
        }
        Ok(Self::Named(named))
    }

    /// Finds the functions that are meant in the fleet.
    pub fn of(&self, fleet: Vec<FunctionFacts>) -> Result<Selected, SelectionError> {
        let untagged = |facts: &FunctionFacts| facts.tags.is_none();
        if matches!(self, Self::Tag(..)) && fleet.iter().any(untagged) {
            return Err(SelectionError::TagsUnknown);
        }
        let mut missing: BTreeSet<&String> = match self {
            Self::Named(names) => names.iter().collect(),
            _ => BTreeSet::new(),
        };
        let mut functions = Vec::new();
        for facts in fleet {
            let (arn, name) = (facts.function.as_str(), facts.function.name());
            let meant = match self {
                Self::All => true,
                Self::Prefix(prefix) => name.starts_with(prefix.as_str()),
                Self::Tag(key, value) => {
                    facts.tags.as_ref().and_then(|tags| tags.get(key)) == Some(value)
                }
                Self::Named(names) => names.iter().any(|given| given == arn || given == name),
            };
            if meant {
                missing.retain(|given| *given != arn && *given != name);
                functions.push(facts);
            }
        }
        functions.sort_by(|a, b| a.function.cmp(&b.function));
        Ok(Selected {
            missing: missing.into_iter().cloned().collect(),
            functions,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::tests::facts;

    fn found(selection: &Selection) -> (Vec<String>, Vec<String>) {
        let mut fleet = vec![facts("pay-b"), facts("pay-a"), facts("web")];
        let tags = fleet[2].tags.as_mut().unwrap();
        tags.insert("team".to_owned(), "web".to_owned());
        let selected = selection.of(fleet).unwrap();
        let names = selected.functions.iter();
        let names = names.map(|facts| facts.function.name().to_owned());
        (names.collect(), selected.missing)
    }

    #[test]
    fn each_way_finds_whom_it_means() {
        let none = Vec::<String>::new;
        assert_eq!(found(&Selection::All).0, ["pay-a", "pay-b", "web"]);
        let prefix = Selection::Prefix("pay-".to_owned());
        assert_eq!(found(&prefix).0, ["pay-a", "pay-b"]);
        let tag = Selection::tag(" team = web ").unwrap();
        assert_eq!(found(&tag), (vec!["web".to_owned()], none()));
        let other = Selection::tag("team=pay").unwrap();
        assert_eq!(found(&other).0, none());
        let arn = facts("web").function;
        let list = format!("# ours\n\n{arn}\r\npay-a\npay-a\ngone\n");
        let (names, missing) = found(&Selection::list(&list).unwrap());
        assert_eq!((names.len(), missing), (2, vec!["gone".to_owned()]));
    }

    #[test]
    fn contradicting_flags_are_refused() {
        assert!(Selection::tag("team").is_err() && Selection::tag("=a").is_err());
        assert_eq!(Selection::list("# nothing\n"), Err(SelectionError::Empty));
        let error = Selection::list("a\nnot a name").unwrap_err();
        assert!(error.to_string().starts_with("line 2"), "{error}");
        let mut unread = facts("a");
        unread.tags = None;
        let tag = Selection::tag("team=web").unwrap();
        assert_eq!(tag.of(vec![unread]), Err(SelectionError::TagsUnknown));
    }
}
