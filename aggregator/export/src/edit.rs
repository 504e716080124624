//! What a patch does to a template: bytes to replace, and the result of each size.

use std::ops::Range;

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
