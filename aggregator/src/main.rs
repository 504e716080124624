//! `rightsizer`: every command a person types.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use rightsizer::cli::{self, Cli};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("RIGHTSIZER_LOG")
        .unwrap_or_else(|_| EnvFilter::new("rightsizer=info,warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    cli::run(Cli::parse())
}
