//! A template with other memory sizes: which bytes change, and proof that nothing else does.

use rightsizer_records::Megabytes;
use similar::{Algorithm, TextDiff};

use super::edit::{Became, Edit, ModuleFile, Row, apply};
use super::error::Refused;
use super::matching::{Found, Rules, find};
use super::site::{Memory, Site};
use super::terraform::Joined;
use super::{Format, Size, cdk, cloudformation, program, sam, serverless, terraform};

/// A template with the result of each size in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// The template after the patch.
    pub text: String,
    /// One for each size, in their order.
    pub rows: Vec<Row>,
}

/// Puts sizes into a template: each into its function's declaration, no other byte changed. A
/// program stays as it is: its rows describe what to change.
pub fn patch(format: Format, text: &str, sizes: &[Size], rules: &Rules) -> Result<Patch, Refused> {
    let (rows, edits) = match plan(format, text, sizes, rules) {
        Ok(plan) => plan,
        Err(refused) => {
            let program = Some(&refused)
                .filter(|refused| refused.is_not_a_template())
                .and_then(|_| program::rows(format, text, sizes));
            return program.ok_or(refused).map(|rows| Patch {
                text: text.to_owned(),
                rows,
            });
        }
    };
    let patched = apply(text, edits)?;
    let (again, edits) = plan(format, &patched, sizes, rules)
        .map_err(|e| Refused::Unsafe(format!("after the change {e}")))?;
    prove(&rows, &again, &edits)?;
    Ok(Patch {
        text: patched,
        rows,
    })
}

/// The files of a module with the result of each size in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModulePatch {
    /// The files after the patch, in their order.
    pub files: Vec<ModuleFile>,
    /// One for each size, in their order.
    pub rows: Vec<Row>,
}

/// Puts sizes into the files of a Terraform module, as [`patch`] does into one.
pub fn patch_module(
    files: &[ModuleFile],
    sizes: &[Size],
    rules: &Rules,
) -> Result<ModulePatch, Refused> {
    let joined = Joined::of(files);
    let (mut rows, edits) = plan_module(&joined, sizes, rules)?;
    let patched = joined.apply(&edits)?;
    let (again, edits) = plan_module(&Joined::of(&patched), sizes, rules)
        .map_err(|e| Refused::Unsafe(format!("after the change {e}")))?;
    prove(&rows, &again, &edits)?;
    for row in &mut rows {
        let (Became::Changed { line, .. } | Became::Already { line } | Became::Left { line, .. }) =
            &mut row.became
        else {
            continue;
        };
        if let Some((file, own)) = joined.place(*line) {
            (row.file, *line) = (Some(file.to_owned()), own);
        }
    }
    Ok(ModulePatch {
        files: patched,
        rows,
    })
}

fn plan_module(joined: &Joined<'_>, sizes: &[Size], rules: &Rules) -> Result<Plan, Refused> {
    let sites = terraform::sites_of_module(joined)?;
    let placed = sites.iter().cloned().map(|mut site| {
        if let Some((file, line)) = joined.place(site.line) {
            (site.file, site.line) = (Some(file.to_owned()), line);
        }
        site
    });
    let placed: Vec<Site> = placed.collect();
    let found = find(Format::Terraform, &placed, sizes, rules)?;
    Ok(become_of(&sites, sizes, found))
}

type Plan = (Vec<Row>, Vec<Edit>);

fn plan(format: Format, text: &str, sizes: &[Size], rules: &Rules) -> Result<Plan, Refused> {
    let sites = match format {
        Format::Terraform => terraform::sites(text)?,
        Format::CloudFormation => cloudformation::sites(text)?,
        Format::Sam => sam::sites(text)?,
        Format::Serverless => serverless::sites(text)?,
        Format::Cdk => return cdk::plan(text, sizes),
    };
    let found = find(format, &sites, sizes, rules)?;
    Ok(become_of(&sites, sizes, found))
}

/// The result for each size that was found.
fn become_of(sites: &[Site], sizes: &[Size], found: Vec<Found>) -> Plan {
    let mut rows = Vec::new();
    let mut edits = Vec::new();
    for (size, found) in sizes.iter().zip(found) {
        let (label, became) = match found {
            Found::Nowhere(hint) => (None, Became::Missing { hint }),
            Found::At(at) => match sites.get(at) {
                Some(site) => (Some(site.label.clone()), change(site, size, &mut edits)),
                None => (None, Became::Missing { hint: None }),
            },
        };
        rows.push(Row {
            function: size.function.clone(),
            label,
            file: None,
            became,
        });
    }
    (rows, edits)
}

/// What happens to a declaration's memory.
fn change(site: &Site, size: &Size, edits: &mut Vec<Edit>) -> Became {
    let Megabytes(to) = size.to_mb;
    match &site.memory {
        Memory::Literal {
            digits,
            mb,
            line,
            note,
        } if *mb != to => {
            edits.push(Edit {
                span: digits.clone(),
                text: to.to_string(),
            });
            Became::Changed {
                line: *line,
                from: Some(*mb),
                to,
                note: note.clone(),
            }
        }
        Memory::Absent {
            insertion: Ok(insertion),
            inherited,
        } if inherited.as_ref().is_none_or(|of| of.mb != Some(to)) => {
            edits.push(Edit {
                span: insertion.at..insertion.at,
                text: format!("{}{to}{}", insertion.before, insertion.after),
            });
            Became::Changed {
                line: site.line,
                from: None,
                to,
                note: None,
            }
        }
        memory => stays(site, memory, to),
    }
}

/// The message for a memory size that is not changed.
fn stays(site: &Site, memory: &Memory, to: u32) -> Became {
    let (line, why) = match memory {
        Memory::Literal { line, .. } => return Became::Already { line: *line },
        Memory::Shared {
            mb: Some(mb), line, ..
        } if *mb == to => return Became::Already { line: *line },
        Memory::Absent {
            inherited: Some(default),
            ..
        } if default.mb == Some(to) => return Became::Already { line: default.line },
        Memory::Absent { insertion, .. } => {
            let why = insertion
                .as_ref()
                .err()
                .map(ToString::to_string)
                .unwrap_or_default();
            let why = format!("it has no memory size, and {why}: add {to} yourself");
            (site.line, why)
        }
        Memory::Other { line, why } => (*line, format!("{why}: give it {to} there")),
        Memory::Ignored { line } => (*line, ignored(to)),
        Memory::Shared { line, with, .. } => (
            *line,
            format!("its memory size is that of {with}: give it one of its own, {to}"),
        ),
        Memory::Elsewhere { line, why } => {
            (*line, format!("{why}: give it {to} in its entry there"))
        }
    };
    Became::Left { line, why }
}

/// A size that is right in the file does not help: the function keeps what it has.
fn ignored(to: u32) -> String {
    format!(
        "ignore_changes makes Terraform ignore memory_size here, so a size in this file never \
         reaches the function: let the updater change it to {to}, which no deployment reverts, or \
         remove memory_size from ignore_changes and export again"
    )
}

/// The patched text reads back with every change made, nothing more to do, and all else as before.
fn prove(before: &[Row], after: &[Row], edits: &[Edit]) -> Result<(), Refused> {
    let fault = |what: &str| Refused::Unsafe(what.to_owned());
    if !edits.is_empty() {
        return Err(fault("a second run would change it again"));
    }
    for (was, is) in before.iter().zip(after) {
        let good = was.label == is.label
            && match (&was.became, &is.became) {
                (Became::Changed { .. } | Became::Already { .. }, Became::Already { .. })
                | (Became::Missing { .. }, Became::Missing { .. }) => true,
                (Became::Left { why: was, .. }, Became::Left { why: is, .. }) => was == is,
                _ => false,
            };
        if !good {
            return Err(fault(&was.function));
        }
    }
    Ok(())
}

/// The change as a unified diff of `file`; empty if there is none.
pub fn diff(file: &str, before: &str, after: &str) -> String {
    let diff = TextDiff::configure()
        .algorithm(Algorithm::Myers)
        .diff_lines(before, after);
    let mut unified = diff.unified_diff();
    let (old, new) = (format!("a/{file}"), format!("b/{file}"));
    unified.header(&old, &new).to_string()
}
