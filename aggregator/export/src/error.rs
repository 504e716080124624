//! Why an export, or a template, is refused as a whole.

use thiserror::Error;

/// Nothing was exported, and no file touched.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// It cannot be read as what it should be.
    #[error("it is not a readable {what}: line {line}: {why}")]
    Unreadable {
        /// `YAML`, `JSON`, `HCL`.
        what: &'static str,
        /// The place.
        line: usize,
        /// In the parser's words.
        why: String,
    },
    /// One of several files is refused.
    #[error("{file}: {refused}")]
    InFile {
        /// Which.
        file: String,
        /// Why.
        refused: Box<Self>,
    },
    /// Terraform would put other files over these.
    #[error(
        "it overrides the other files, and only Terraform knows the result; pass one file as the \
         template"
    )]
    Override,
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// YAML with `---` in between.
    #[error(
        "it holds several YAML documents (the second begins at line {line}); a template is one"
    )]
    SeveralDocuments {
        /// Of the second.
        line: usize,
    },
    /// Readers differ in which one they take.
    #[error("the key {key} is twice in the same block (again at line {line}); remove one of them")]
    KeyTwice {
        /// The key.
        key: String,
        /// Of the second.
        line: usize,
    },
    /// It is of another kind.
    #[error("it is not a {wanted}: {why}")]
    OtherKind {
        /// What it should be.
        wanted: &'static str,
        /// What is missing, and what it looks like.
        why: String,
    },
    /// It has no function.
    #[error("there is no Lambda function in it ({looked_for})")]
    NoFunction {
        /// What was looked for.
        looked_for: &'static str,
    },
    /// One function, several places.
    #[error("{function} is in the template {} times ({}): {do_this}", .places.len(), .places.join(", "))]
    FunctionTwice {
        /// The function.
        function: String,
        /// The places, with lines.
        places: Vec<String>,
        /// What helps.
        do_this: &'static str,
    },
    /// One place, several functions.
    #[error(
        "{place} stands for several of the functions to be exported ({}): choose by --account, \
         --region, --stack, --stage or --map {label}=FUNCTION",
        .functions.join(", ")
    )]
    PlaceTwice {
        /// The place, with its line.
        place: String,
        /// What `--map` calls it.
        label: String,
        /// The functions.
        functions: Vec<String>,
    },
    /// Sizes of several deployments would be mixed.
    #[error(
        "the functions are of several {what} ({}): the size of one would be deployed to the \
         others; choose by {option}",
        .found.join(", ")
    )]
    SeveralEnvironments {
        /// Of what.
        what: &'static str,
        /// Which.
        found: Vec<String>,
        /// What chooses.
        option: &'static str,
    },
    /// `--map` names nothing.
    #[error("--map {label}=…: the template has no function {label}; it has {}", .known.join(", "))]
    UnknownLabel {
        /// As it was given.
        label: String,
        /// What there is.
        known: Vec<String>,
    },
    /// `--map` contradicts the template.
    #[error("--map {label}={function}: but its name in the template is {name} (line {line})")]
    MapContradicts {
        /// As it was given.
        label: String,
        /// As it was given.
        function: String,
        /// The name in the template.
        name: String,
        /// The place.
        line: usize,
    },
    /// Values go by name, and the name is not enough.
    #[error("{name} would be the name of several values ({}): choose by --account, --region or --stack", .functions.join(", "))]
    NameTwice {
        /// The value's name.
        name: String,
        /// The functions.
        functions: Vec<String>,
    },
    /// The patched text would not read back as what was meant.
    #[error(
        "the patched text does not read back as it should ({0}); nothing was written. This is a fault of this program: please report it with the template"
    )]
    Unsafe(String),
}

impl Refused {
    /// The text is of no kind that can be patched; it may be a program.
    pub(super) const fn is_not_a_template(&self) -> bool {
        matches!(
            self,
            Self::Unreadable { .. } | Self::OtherKind { .. } | Self::SeveralDocuments { .. }
        )
    }
}
