//! `rightsizer completions` and `rightsizer man`: generates shell completions and man pages from the command line.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use clap_complete::Shell;

use super::{groups, out};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

const EXAMPLES: &str = "Examples:
  rightsizer completions bash > ~/.local/share/bash-completion/completions/rightsizer
  rightsizer completions zsh > \"${fpath[1]}/_rightsizer\"
  rightsizer completions fish > ~/.config/fish/completions/rightsizer.fish";

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Write one page per command into this folder [default: the page of `rightsizer` to standard output]
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub(super) fn completions(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut groups::command(),
        "rightsizer",
        &mut script,
    );
    out::stdout().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn man(args: &ManArgs) -> anyhow::Result<ExitCode> {
    let Some(folder) = &args.folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(groups::command()).render(&mut page)?;
        out::stdout().write_all(&page)?;
        return Ok(ExitCode::SUCCESS);
    };
    let made = || format!("cannot write the pages to {}", folder.display());
    std::fs::create_dir_all(folder).with_context(made)?;
    clap_mangen::generate_to(groups::command(), folder).with_context(made)?;
    Ok(ExitCode::SUCCESS)
}
