//! A function as a template declares it: what it is called there, and where its memory stands.

use std::ops::Range;

use super::insertion::{Insertion, NoPlace};
use super::pattern::Pattern;

/// One declaration of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Site {
    /// What `--map` calls it: logical id, address, or key.
    pub(super) label: String,
    /// Its first byte.
    pub(super) line: usize,
    /// In which file, of several.
    pub(super) file: Option<String>,
    pub(super) name: Name,
    pub(super) memory: Memory,
}

impl Site {
    /// As people find it.
    pub(super) fn place(&self) -> String {
        match &self.file {
            None => format!("{}, line {}", self.label, self.line),
            Some(file) => format!("{}, line {} of {file}", self.label, self.line),
        }
    }
}

/// The function's name in its declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    /// A literal number.
    Literal(String),
    /// Made of parts.
    Computed(Pattern),
    /// The deployment makes one up.
    MadeUp,
}

/// Its memory in its declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Memory {
    /// A number: these bytes are its digits.
    Literal {
        digits: Range<usize>,
        mb: u32,
        line: usize,
        /// What to know about it, if it is changed.
        note: Option<String>,
    },
    /// There is no value.
    Absent {
        /// How to write it.
        insertion: Result<Insertion, NoPlace>,
        /// What holds instead.
        inherited: Option<Inherited>,
    },
    /// Something else than a number: it is not replaced.
    Other {
        line: usize,
        /// What it is, and what to do.
        why: String,
    },
    /// Terraform's `ignore_changes` lists it: the function keeps its size, whatever the file has.
    Ignored { line: usize },
    /// One number, or one place for it, is several functions'.
    Shared {
        mb: Option<u32>,
        line: usize,
        /// The functions.
        with: String,
    },
    /// The block makes several functions of entries that are not in the file.
    Elsewhere {
        line: usize,
        /// Their place.
        why: String,
    },
}

/// A default of the whole template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inherited {
    /// Its number, if it is one.
    pub(super) mb: Option<u32>,
    pub(super) line: usize,
    /// What it is called.
    pub(super) what: &'static str,
}

/// The number, if the text has digits only.
pub(super) fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}
