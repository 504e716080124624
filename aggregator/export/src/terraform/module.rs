//! All files of one folder, which Terraform takes as one module: a map may stand in another file than the
//! block that makes functions of it, and its values in a `.tfvars` file.

use std::ops::Range;

use super::scope::{Scope, Set};
use super::{File, functions, hcl, json, read, without_mark};
use crate::edit::{Edit, ModuleFile, apply};
use crate::error::Refused;
use crate::node::line_of;
use crate::site::Site;

/// The files one behind the other, each ended by a line break: places are bytes of the whole.
#[derive(Debug)]
pub(crate) struct Joined<'f> {
    files: &'f [ModuleFile],
    pub(crate) text: String,
    /// The position of each file's text.
    spans: Vec<Range<usize>>,
}

impl<'f> Joined<'f> {
    pub(crate) fn of(files: &'f [ModuleFile]) -> Self {
        let mut text = String::new();
        let spans = files.iter().map(|file| {
            let start = text.len();
            text.push_str(&without_mark(&file.text));
            let end = text.len();
            text.push('\n');
            start..end
        });
        let spans = spans.collect();
        Self { files, text, spans }
    }

    /// The file and its own line that a line of the whole is.
    pub(crate) fn place(&self, line: usize) -> Option<(&'f str, usize)> {
        let spans = self.spans.iter().zip(self.files).rev();
        let mut firsts = spans.map(|(span, file)| (line_of(&self.text, span.start), file));
        let (first, file) = firsts.find(|(first, _)| *first <= line)?;
        Some((&file.name, line - first + 1))
    }

    /// The files with these edits.
    pub(crate) fn apply(&self, edits: &[Edit]) -> Result<Vec<ModuleFile>, Refused> {
        let files = self.files.iter().zip(&self.spans);
        files
            .map(|(file, span)| {
                let of_file = edits
                    .iter()
                    .filter(|edit| span.start <= edit.span.start && edit.span.end <= span.end);
                let edits = of_file.map(|edit| Edit {
                    span: edit.span.start - span.start..edit.span.end - span.start,
                    text: edit.text.clone(),
                });
                Ok(ModuleFile {
                    name: file.name.clone(),
                    text: apply(&file.text, edits.collect())?,
                })
            })
            .collect()
    }
}

/// The functions of a folder's files, placed in the whole.
pub(crate) fn sites_of_module(joined: &Joined<'_>) -> Result<Vec<Site>, Refused> {
    let mut all = File::default();
    all.scope.of_folder = true;
    for (file, span) in joined.files.iter().zip(&joined.spans) {
        let text = joined.text.get(span.clone()).unwrap_or_default();
        // Some files hold nothing but comments, or nothing at all.
        if text.trim().is_empty() {
            continue;
        }
        let read = of_file(&file.name, text).map_err(|refused| Refused::InFile {
            file: file.name.clone(),
            refused: Box::new(refused),
        })?;
        let declarations = read.declarations.into_iter();
        all.declarations
            .extend(declarations.map(|of| of.moved(span.start)));
        all.scope.join(read.scope.moved(span.start));
    }
    functions(&joined.text, &all)
}

fn of_file(name: &str, text: &str) -> Result<File, Refused> {
    let set = match name {
        _ if name.ends_with(".tfvars") => hcl::variables(text)?,
        _ if name.ends_with(".tfvars.json") => json::variables(text)?,
        _ if is_override(name) => return Err(Refused::Override),
        _ => return read(text),
    };
    let set = set.into_iter().map(|(variable, term)| {
        let set = Set {
            term,
            file: name.to_owned(),
            by_itself: name.contains(".auto.tfvars") || name.starts_with("terraform.tfvars"),
        };
        (variable, vec![set])
    });
    let scope = Scope {
        set: set.collect(),
        ..Scope::default()
    };
    Ok(File {
        scope,
        ..File::default()
    })
}

/// Terraform merges such a file over the others.
fn is_override(name: &str) -> bool {
    let stem = name.trim_end_matches(".json").trim_end_matches(".tf");
    stem == "override" || stem.ends_with("_override")
}
