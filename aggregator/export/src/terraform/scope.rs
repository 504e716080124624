//! The locals and variables of one file, and the values of expressions that use them. Only literal
//! values are followed; a computed value is reported, never evaluated.

use std::collections::{BTreeMap, BTreeSet};

use super::each::Each;
use super::term::{Form, Step, Term, parsed};
use crate::pattern::{Part, Pattern};

/// Names are made of other names at most so deep.
const DEEPEST: usize = 8;
/// Expressions that one name may be made of.
const MOST: usize = 200;

/// What expressions may name.
#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) locals: BTreeMap<String, Term>,
    /// Defaults of variables.
    pub(super) defaults: BTreeMap<String, Term>,
    /// What `.tfvars` files beside it set.
    pub(super) set: BTreeMap<String, Vec<Set>>,
    /// Names that two files define: which of them counts is not known.
    pub(super) twice: BTreeSet<String>,
    /// It is of all files of a folder.
    pub(super) of_folder: bool,
}

/// The value that a `.tfvars` file gives to a variable.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) term: Term,
    pub(super) file: String,
    /// Terraform takes the file by itself, without `-var-file`.
    pub(super) by_itself: bool,
}

/// An expression that another one leads to.
#[derive(Debug, Clone)]
pub(super) struct Found<'s> {
    pub(super) term: &'s Term,
    /// The variable whose default it is part of.
    pub(super) variable: Option<String>,
}

/// An expression leads to nothing that is written in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lost {
    /// As far as it was followed.
    pub(super) at: Option<usize>,
    pub(super) why: String,
}

impl Lost {
    fn new(why: String) -> Self {
        Self { at: None, why }
    }
}

impl Scope {
    /// Adds what another file of the same folder has.
    pub(super) fn join(&mut self, other: Self) {
        for (name, term) in other.locals {
            if self.locals.insert(name.clone(), term).is_some() {
                self.twice.insert(format!("local.{name}"));
            }
        }
        for (name, term) in other.defaults {
            if self.defaults.insert(name.clone(), term).is_some() {
                self.twice.insert(format!("var.{name}"));
            }
        }
        for (name, set) in other.set {
            self.set.entry(name).or_default().extend(set);
        }
    }

    /// The same in a text that has `by` more bytes before it.
    pub(super) fn moved(self, by: usize) -> Self {
        let all = |terms: BTreeMap<String, Term>| {
            let terms = terms.into_iter();
            terms.map(|(name, term)| (name, term.moved(by))).collect()
        };
        let set = self.set.into_iter().map(|(name, set)| {
            let set = set.into_iter().map(|of| Set {
                term: of.term.moved(by),
                ..of
            });
            (name, set.collect())
        });
        Self {
            locals: all(self.locals),
            defaults: all(self.defaults),
            set: set.collect(),
            ..self
        }
    }

    /// The message for a name that is defined nowhere.
    fn nowhere(&self, name: &str) -> Lost {
        Lost::new(if self.of_folder {
            format!("{name} in this folder")
        } else {
            format!("{name} in this file (--template FOLDER reads all files of a module)")
        })
    }

    /// What a local is.
    fn local(&self, name: &str) -> Result<Found<'_>, Lost> {
        let term = self.locals.get(name);
        let term = term.ok_or_else(|| self.nowhere(&format!("local.{name} is not")))?;
        self.once(&format!("local.{name}"))?;
        Ok(Found {
            term,
            variable: None,
        })
    }

    /// What a variable is: as the only `.tfvars` file sets it that a deployment takes, else by default.
    fn variable(&self, name: &str) -> Result<Found<'_>, Lost> {
        let set = self.set.get(name).map_or(&[][..], Vec::as_slice);
        let default = self.defaults.get(name);
        let term = match (set, default) {
            ([], Some(default)) => default,
            ([], None) => return Err(self.nowhere(&format!("var.{name} has no default"))),
            ([only], default) if only.by_itself || default.is_none() => &only.term,
            ([first, ..], _) => {
                let files: Vec<&str> = set.iter().map(|of| of.file.as_str()).collect();
                return Err(Lost {
                    at: Some(first.term.at),
                    why: format!(
                        "var.{name} is set in {}, and whether that counts is known only to the deployment",
                        files.join(" and in ")
                    ),
                });
            }
        };
        self.once(&format!("var.{name}"))?;
        Ok(Found {
            term,
            variable: Some(name.to_owned()),
        })
    }

    fn once(&self, name: &str) -> Result<(), Lost> {
        if self.twice.contains(name) {
            return Err(Lost::new(format!("two files define {name}")));
        }
        Ok(())
    }

    /// The value that a path or a call leads to, in the entry `each` of `for_each` if there is one.
    pub(super) fn find<'s>(
        &'s self,
        term: &'s Term,
        each: Option<&Each<'s>>,
    ) -> Result<Found<'s>, Lost> {
        match &term.form {
            Form::Path(root, steps) => self.path(term, root, steps, each),
            Form::Call(name, args) => match (name.as_str(), args.as_slice()) {
                ("lookup", [map, key, ..]) => {
                    let map = self.find(map, each)?;
                    let found = step(map.term, key_text(key, each), &key.written)?;
                    Ok(Found { term: found, ..map })
                }
                ("try" | "coalesce" | "tonumber" | "tostring", [first, ..]) => {
                    self.find(first, each)
                }
                _ => Err(Lost::new(format!("`{}` is computed", term.written))),
            },
            _ => Ok(Found {
                term,
                variable: None,
            }),
        }
    }

    fn path<'s>(
        &'s self,
        whole: &Term,
        root: &str,
        steps: &'s [Step],
        each: Option<&Each<'s>>,
    ) -> Result<Found<'s>, Lost> {
        let (Some(Step::Name(name)), Some(rest)) = (steps.first(), steps.get(1..)) else {
            return Err(Lost::new(format!("`{}` is computed", whole.written)));
        };
        let mut found = match root {
            "local" => self.local(name)?,
            "var" => self.variable(name)?,
            "each" if name == "value" => {
                let each = each.and_then(|each| Some((each.value?, each.variable.clone())));
                let lost = || Lost::new("there is only a name".to_owned());
                let (term, variable) = each.ok_or_else(lost)?;
                Found { term, variable }
            }
            _ => return Err(Lost::new(format!("`{}` is computed", whole.written))),
        };
        for next in rest {
            found.term = match next {
                Step::Name(key) => step(found.term, Some(key), key)?,
                Step::At(key) => step(found.term, key_text(key, each), &key.written)?,
            };
        }
        Ok(found)
    }

    /// A function's name in its parts.
    pub(super) fn name(&self, term: &Term, each: Option<&Each<'_>>) -> Vec<Part> {
        let mut left = MOST;
        let mut parts = Vec::new();
        for part in self.parts(term, each, DEEPEST, &mut left) {
            match (parts.last_mut(), part) {
                (Some(Part::Text(before)), Part::Text(text)) => before.push_str(&text),
                (_, part) => parts.push(part),
            }
        }
        parts
    }

    fn parts(
        &self,
        term: &Term,
        each: Option<&Each<'_>>,
        depth: usize,
        left: &mut usize,
    ) -> Vec<Part> {
        let (Some(depth), Some(less)) = (depth.checked_sub(1), left.checked_sub(1)) else {
            return vec![Part::Unknown];
        };
        *left = less;
        match &term.form {
            Form::Literal { text, .. } => vec![Part::Text(text.clone())],
            Form::Template(text) if !text.contains("%{") => {
                let pattern = Pattern::parse_parts(text, |inside| match parsed(inside, term.at) {
                    Some(inner) => self.parts(&inner, each, depth, left),
                    None => vec![Part::Unknown],
                });
                pattern.0
            }
            _ if term.is_path("each", "key") => {
                each.map_or_else(|| vec![Part::Unknown], |each| each.key.clone())
            }
            _ if term.is_path("each", "value") && each.is_some_and(|each| each.value.is_none()) => {
                each.map_or_else(Vec::new, |each| each.key.clone())
            }
            Form::Path(..) => match self.find(term, each) {
                Ok(Found {
                    term,
                    variable: Some(_),
                }) => match term.literal() {
                    Some(text) => vec![Part::Default(text.to_owned())],
                    None => vec![Part::Unknown],
                },
                // A local knows nothing of the entry, so what it is made of must not either.
                Ok(Found { term, .. }) => self.parts(term, None, depth, left),
                Err(_) => vec![Part::Unknown],
            },
            _ => vec![Part::Unknown],
        }
    }
}

/// The text that an index comes to: a literal, or the key of the entry.
fn key_text<'k>(key: &'k Term, each: Option<&'k Each<'_>>) -> Option<&'k str> {
    let each = each.filter(|each| {
        key.is_path("each", "key") || (key.is_path("each", "value") && each.value.is_none())
    });
    match each {
        Some(each) => each.key_text(),
        None => key.literal(),
    }
}

/// The value of a key in an object, which must be written out and have it once.
fn step<'s>(map: &'s Term, key: Option<&str>, written: &str) -> Result<&'s Term, Lost> {
    let lost = |why: String| Lost {
        at: Some(map.at),
        why,
    };
    let Form::Map(entries) = &map.form else {
        return Err(lost(format!("`{}` is computed", map.written)));
    };
    let Some(key) = key else {
        return Err(lost(format!("the key `{written}` is computed")));
    };
    let mut of_key = entries
        .iter()
        .filter(|(name, _)| name.literal() == Some(key))
        .map(|(_, value)| value);
    match (of_key.next(), of_key.next()) {
        (Some(value), None) => Ok(value),
        (Some(_), Some(_)) => Err(lost(format!("there are two `{key}`"))),
        (None, _) => Err(lost(format!("there is no `{key}`"))),
    }
}
