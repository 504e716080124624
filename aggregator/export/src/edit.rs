//! What a patch does to a template: bytes to replace, and the result of each size.

use std::ops::Range;

use super::error::Refused;

/// The result of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The function's ARN or `local:` key.
    pub function: String,
    /// The template's name for it, if it is there.
    pub label: Option<String>,
    /// The file of its lines, if the template has several.
    pub file: Option<String>,
    /// Its result.
    pub became: Became,
}

/// The result of one size in the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Became {
    /// It is changed.
    Changed {
        /// In the file as it was.
        line: usize,
        /// The size before.
        from: Option<u32>,
        /// The size now.
        to: u32,
        /// When the template's size is not what is deployed.
        note: Option<String>,
    },
    /// It was there already.
    Already {
        /// The place of the size.
        line: usize,
    },
    /// The template has it in a form that is not replaced.
    Left {
        /// The place of the size.
        line: usize,
        /// The value, and what to do.
        why: String,
    },
    /// The template does not have the function, or not for certain.
    Missing {
        /// What would make it certain.
        hint: Option<String>,
    },
}

/// Bytes to be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) span: Range<usize>,
    pub(super) text: String,
}

/// One file of a folder that Terraform takes as one module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleFile {
    /// Its name in the folder.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Carries edits out. Two at one place, or over each other, are refused.
pub(super) fn apply(text: &str, mut edits: Vec<Edit>) -> Result<String, Refused> {
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut patched = String::with_capacity(text.len() + 32 * edits.len());
    let mut done = 0;
    for edit in edits {
        let unchanged = text.get(done..edit.span.start);
        let unchanged =
            unchanged.ok_or_else(|| Refused::Unsafe("two changes overlap".to_owned()))?;
        patched.push_str(unchanged);
        patched.push_str(&edit.text);
        done = edit.span.end;
    }
    patched.push_str(text.get(done..).unwrap_or_default());
    Ok(patched)
}
