//! The locals and variables of one file, and the values of expressions that use them. Only literal
//! values are followed; a computed value is reported, never evaluated.

use std::collections::BTreeMap;

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
            "local" => {
                let term = self.locals.get(name);
                let lost = || Lost::new(format!("local.{name} is not in this file"));
                Found {
                    term: term.ok_or_else(lost)?,
                    variable: None,
                }
            }
            "var" => {
                let term = self.defaults.get(name);
                let lost = || Lost::new(format!("var.{name} has no default in this file"));
                Found {
                    term: term.ok_or_else(lost)?,
                    variable: Some(name.clone()),
                }
            }
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
