//! The form of a command's output: the same two options in every command that has a summary. `list` has more forms.

use clap::{Args, ValueEnum};

/// Text or JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Text for people
    Table,
    /// JSON for programs
    Json,
}

/// How a command prints what it did.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct FormArgs {
    /// The form of the output
    #[arg(short, long, value_name = "FORM")]
    output: Option<Output>,
    /// The same as -o json
    #[arg(long)]
    json: bool,
}

impl FormArgs {
    /// Whether programs read it.
    pub(super) const fn is_json(&self) -> bool {
        self.json || matches!(self.output, Some(Output::Json))
    }
}
