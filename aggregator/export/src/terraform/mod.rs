//! Terraform and `OpenTofu`, in HCL and in JSON: `aws_lambda_function` resources, and module calls that take a
//! function's name and its size. `hcl` and `json` read a file into the same declarations; what those come to
//! with the file's locals and variables is decided here.

mod each;
mod hcl;
mod json;
mod module;
mod scope;
mod term;

use std::borrow::Cow;
use std::collections::BTreeMap;

use self::each::{Each, entries};
use self::scope::Scope;
use self::term::{Form, Term};
use super::error::Refused;
use super::insertion::{Insertion, NoPlace};
use super::node::line_of;
use super::pattern::{Part, Pattern};
use super::site::{Memory, Name, Site, number};

const KEY: &str = "memory_size";
/// Attributes that a new one stands behind.
const COMPANIONS: [&str; 5] = ["timeout", "runtime", "handler", "function_name", "name"];
/// Takes `memory_size` by this very name.
const KNOWN_MODULE: &str = "terraform-aws-modules/lambda/aws";

/// What a file has that matters here.
#[derive(Debug, Default)]
struct File {
    declarations: Vec<Declaration>,
    scope: Scope,
}

/// A block that makes one function, or several.
#[derive(Debug)]
struct Declaration {
    /// Its address.
    label: String,
    at: usize,
    /// `function_name`.
    name: Option<Term>,
    /// `name`, which some modules take.
    called: Option<Term>,
    memory: Option<Term>,
    for_each: Option<Term>,
    count: Option<Term>,
    /// `lifecycle.ignore_changes`.
    ignored: Option<Term>,
    /// How `memory_size` would be added.
    insertion: Result<Insertion, NoPlace>,
}

impl Declaration {
    /// The same in a text that has `by` more bytes before it.
    fn moved(self, by: usize) -> Self {
        let moved = |term: Option<Term>| term.map(|term| term.moved(by));
        Self {
            at: self.at + by,
            name: moved(self.name),
            called: moved(self.called),
            memory: moved(self.memory),
            for_each: moved(self.for_each),
            count: moved(self.count),
            ignored: moved(self.ignored),
            insertion: self.insertion.map(|of| Insertion {
                at: of.at + by,
                ..of
            }),
            label: self.label,
        }
    }

    /// A module call, if it is one of a function: it has `function_name`, or `name` with a size.
    fn of_module(mut self) -> Option<Self> {
        let called = self.called.take().filter(|_| self.memory.is_some());
        self.name = Some(self.name.or(called)?);
        Some(self)
    }
}

/// Whether a module of this source takes a memory size is known of one module.
fn takes_memory(source: Option<&Term>) -> Result<(), NoPlace> {
    let source = source.and_then(Term::literal);
    if source.is_some_and(|of| of.contains(KNOWN_MODULE)) {
        Ok(())
    } else {
        Err(NoPlace::UnknownModule)
    }
}

/// The functions of a file.
pub(super) fn sites(text: &str) -> Result<Vec<Site>, Refused> {
    let unmarked = without_mark(text);
    functions(&unmarked, &read(&unmarked)?)
}

pub(super) use self::module::{Joined, sites_of_module};

fn read(text: &str) -> Result<File, Refused> {
    if text.trim_start().starts_with('{') {
        json::read(text)
    } else {
        hcl::read(text)
    }
}

fn functions(text: &str, file: &File) -> Result<Vec<Site>, Refused> {
    let declarations = file.declarations.iter();
    let mut sites: Vec<Site> = declarations
        .flat_map(|of| of_declaration(text, &file.scope, of))
        .collect();
    if sites.is_empty() {
        return Err(Refused::NoFunction {
            looked_for: "a resource aws_lambda_function, or a module with function_name",
        });
    }
    one_number_each(&mut sites);
    Ok(sites)
}

/// Spaces in place of a byte order mark: every other byte keeps its place.
fn without_mark(text: &str) -> Cow<'_, str> {
    match text.strip_prefix('\u{feff}') {
        Some(rest) => Cow::Owned(format!("   {rest}")),
        None => Cow::Borrowed(text),
    }
}

/// The functions that a block makes: one, or one for each entry of `for_each`.
fn of_declaration(text: &str, scope: &Scope, of: &Declaration) -> Vec<Site> {
    let Some(for_each) = &of.for_each else {
        return vec![site(text, scope, of, None)];
    };
    match entries(scope, for_each) {
        Ok(entries) => entries
            .iter()
            .map(|each| site(text, scope, of, Some(each)))
            .collect(),
        Err(lost) => {
            let why = format!("for_each takes its entries from elsewhere: {}", lost.why);
            let line = line_of(text, lost.at.unwrap_or(for_each.at));
            vec![Site {
                memory: ignored(text, of).unwrap_or(Memory::Elsewhere { line, why }),
                ..site(text, scope, of, None)
            }]
        }
    }
}

fn site(text: &str, scope: &Scope, of: &Declaration, each: Option<&Each<'_>>) -> Site {
    let (label, at) = match each {
        // As Terraform writes the address: always with double quotes.
        Some(each) => {
            let written = each.written.trim_matches('"');
            let key = each.key_text().unwrap_or(written);
            (format!("{}[\"{key}\"]", of.label), each.at)
        }
        None => (of.label.clone(), of.at),
    };
    let name = match of.name.as_ref().map(|name| scope.name(name, each)) {
        None => Name::MadeUp,
        Some(parts) => match parts.as_slice() {
            [Part::Text(name)] => Name::Literal(name.clone()),
            _ => Name::Computed(Pattern(parts)),
        },
    };
    let counted = of.count.is_some() && !matches!(name, Name::Literal(_));
    let memory = match ignored(text, of) {
        Some(ignored) => ignored,
        None if counted => Memory::Other {
            line: line_of(text, of.at),
            why: "count makes several functions of it".to_owned(),
        },
        None => memory(text, scope, of, each),
    };
    Site {
        label,
        line: line_of(text, at),
        file: None,
        name,
        memory,
    }
}

/// `ignore_changes` with the memory size in it, or with everything.
fn ignored(text: &str, of: &Declaration) -> Option<Memory> {
    let names = |term: &Term, name: &str| term.is_name(name) || term.literal() == Some(name);
    let covers = |term: &Term| ["all", "*", KEY].iter().any(|name| names(term, name));
    let list = of.ignored.as_ref()?;
    let found = match &list.form {
        Form::List(items) => items.iter().find(|item| covers(item))?,
        _ => Some(list).filter(|list| covers(list))?,
    };
    Some(Memory::Ignored {
        line: line_of(text, found.at),
    })
}

fn memory(text: &str, scope: &Scope, of: &Declaration, each: Option<&Each<'_>>) -> Memory {
    let Some(term) = &of.memory else {
        return Memory::Absent {
            insertion: of.insertion.clone(),
            inherited: None,
        };
    };
    let other = |at: usize, why: String| Memory::Other {
        line: line_of(text, at),
        why: format!("{KEY} is {}{why}", term.written),
    };
    let Some(each) = each.filter(|_| term.mentions_each()) else {
        return written(text, scope, term, None).unwrap_or_else(|| other(term.at, String::new()));
    };
    match scope.find(term, Some(each)) {
        Ok(found) => written(text, scope, found.term, found.variable).unwrap_or_else(|| {
            let written = &found.term.written;
            other(
                found.term.at,
                format!(", and that is {written} for {}", each.written),
            )
        }),
        Err(lost) => other(
            lost.at.unwrap_or(each.at),
            format!(", but for {} {}", each.written, lost.why),
        ),
    }
}

/// A literal number.
fn written(text: &str, scope: &Scope, term: &Term, variable: Option<String>) -> Option<Memory> {
    let Form::Literal {
        text: digits,
        bytes: Some(bytes),
    } = &term.form
    else {
        return None;
    };
    let mb = number(digits).filter(|_| text.get(bytes.clone()) == Some(digits))?;
    Some(Memory::Literal {
        digits: bytes.clone(),
        mb,
        line: line_of(text, term.at),
        note: variable.map(|name| note(scope, &name)),
    })
}

/// When the value of a variable counts.
fn note(scope: &Scope, name: &str) -> String {
    let set = scope.set.get(name).and_then(|set| set.first());
    match set {
        Some(set) if set.by_itself => format!(
            "{} sets var.{name}, so it counts only if no -var-file and no -var sets that variable",
            set.file
        ),
        Some(set) => format!(
            "{} sets var.{name}, so it counts only in a deployment with -var-file={}",
            set.file, set.file
        ),
        None => format!(
            "this is the default of var.{name}, so it counts only if no .tfvars file, -var or \
             TF_VAR_{name} sets that variable"
        ),
    }
}

/// A number, or the place of a new one, that is several functions' is changed for none of them.
fn one_number_each(sites: &mut [Site]) {
    let place = |memory: &Memory| match memory {
        Memory::Literal { digits, .. } => Some(digits.start),
        Memory::Absent { insertion, .. } => insertion.as_ref().ok().map(|of| of.at),
        _ => None,
    };
    let mut labels: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for site in sites.iter() {
        if let Some(at) = place(&site.memory) {
            labels.entry(at).or_default().push(site.label.clone());
        }
    }
    for site in sites {
        let at = place(&site.memory);
        let shared = at.and_then(|at| labels.get(&at)).filter(|of| of.len() > 1);
        let Some(shared) = shared else { continue };
        let (mb, line) = match &site.memory {
            Memory::Literal { mb, line, .. } => (Some(*mb), *line),
            _ => (None, site.line),
        };
        site.memory = Memory::Shared {
            mb,
            line,
            with: several(shared),
        };
    }
}

/// Labels in a message: not more than can be read.
fn several(labels: &[String]) -> String {
    match labels {
        [a, b] => format!("{a} and {b}"),
        [a, b, rest @ ..] => format!("{a}, {b} and {} more", rest.len()),
        _ => labels.concat(),
    }
}
