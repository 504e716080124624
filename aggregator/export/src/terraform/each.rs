//! `for_each`: the entries that one block makes functions of.

use super::scope::{Lost, Scope};
use super::term::{For, Form, Step, Term};
use crate::pattern::Part;

/// The longest chain of locals that refer to other locals.
const DEEPEST: usize = 8;

/// One entry: `each.key` and `each.value`.
#[derive(Debug, Clone)]
pub(super) struct Each<'s> {
    /// What `each.key` is.
    pub(super) key: Vec<Part>,
    /// The key as the file writes it.
    pub(super) written: &'s str,
    /// The first byte of the entry.
    pub(super) at: usize,
    /// The value of `each.value`; `None` in a set, in which it is the key.
    pub(super) value: Option<&'s Term>,
    /// The variable whose default has the entry.
    pub(super) variable: Option<String>,
}

impl Each<'_> {
    /// The key, unless it is computed.
    pub(super) fn key_text(&self) -> Option<&str> {
        match self.key.as_slice() {
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }
}

/// The entries of a `for_each`.
pub(super) fn entries<'s>(scope: &'s Scope, for_each: &'s Term) -> Result<Vec<Each<'s>>, Lost> {
    entries_within(scope, for_each, DEEPEST)
}

fn entries_within<'s>(
    scope: &'s Scope,
    for_each: &'s Term,
    depth: usize,
) -> Result<Vec<Each<'s>>, Lost> {
    let mut term = for_each;
    let mut variable = None;
    let mut keys_only = false;
    for left in (0..depth).rev() {
        match &term.form {
            Form::Path(..) => {
                let found = scope.find(term, None)?;
                term = found.term;
                variable = found.variable.or(variable);
            }
            Form::Call(name, args) => match (name.as_str(), args.as_slice()) {
                ("toset" | "tomap" | "tolist", [inner]) => term = inner,
                ("keys", [inner]) => {
                    keys_only = true;
                    term = inner;
                }
                _ => return Err(computed(term)),
            },
            Form::Map(all) => {
                let entries = all.iter().map(|(key, value)| Each {
                    key: scope.name(key, None),
                    written: &key.written,
                    at: key.at,
                    value: Some(value).filter(|_| !keys_only),
                    variable: variable.clone(),
                });
                return filled(entries.collect(), term, variable.as_deref());
            }
            Form::List(all) => {
                let entries = all.iter().map(|key| Each {
                    key: scope.name(key, None),
                    written: &key.written,
                    at: key.at,
                    // In a list of objects, which `for` makes a map of.
                    value: Some(key).filter(|item| matches!(item.form, Form::Map(_))),
                    variable: variable.clone(),
                });
                return filled(entries.collect(), term, variable.as_deref());
            }
            Form::For(of) => {
                let entries = entries_within(scope, &of.of, left)?;
                let made = entries.into_iter().map(|each| made(scope, of, each));
                let made: Option<Vec<Each<'s>>> = made.collect();
                let entries = made.ok_or_else(|| computed(term))?;
                let known = |each: Each<'s>| Each {
                    value: each.value.filter(|_| !keys_only),
                    variable: each.variable.or_else(|| variable.clone()),
                    ..each
                };
                return Ok(entries.into_iter().map(known).collect());
            }
            Form::Literal { .. } | Form::Template(_) | Form::Computed => {
                return Err(computed(term));
            }
        }
    }
    Err(computed(for_each))
}

/// The entry that `for` makes of another: the same value, under its key or under a text of the value.
fn made<'s>(scope: &'s Scope, of: &For, each: Each<'s>) -> Option<Each<'s>> {
    let value = each.value.filter(|_| of.new_value.is_name(&of.value))?;
    let Form::Map(settings) = &value.form else {
        // A number or a text: only a map's key can be its key.
        let key = of.key.as_deref()?;
        return of.new_key.is_name(key).then_some(each);
    };
    let key = match &of.new_key.form {
        Form::Path(root, steps) if *root == of.value => {
            let [Step::Name(name)] = steps.as_slice() else {
                return None;
            };
            let mut of_name = settings
                .iter()
                .filter(|(key, _)| key.literal() == Some(name));
            let (_, text) = of_name.next().filter(|_| of_name.next().is_none())?;
            scope.name(text, None)
        }
        // The key of an object in a list is its position, which no entry has here.
        _ => {
            let known = of.new_key.is_name(of.key.as_deref()?) && each.key != [Part::Unknown];
            known.then(|| each.key.clone())?
        }
    };
    Some(Each { key, ..each })
}

fn computed(term: &Term) -> Lost {
    Lost {
        at: Some(term.at),
        why: format!("`{}` is computed", term.written),
    }
}

/// An empty default is filled from elsewhere.
fn filled<'s>(
    entries: Vec<Each<'s>>,
    term: &Term,
    variable: Option<&str>,
) -> Result<Vec<Each<'s>>, Lost> {
    match variable {
        Some(variable) if entries.is_empty() => Err(Lost {
            at: Some(term.at),
            why: format!(
                "the default of var.{variable} is empty, so its entries are set elsewhere"
            ),
        }),
        _ => Ok(entries),
    }
}
