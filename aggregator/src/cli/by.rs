//! The name of the person who gives a command. It is recorded with the command.

use anyhow::Context as _;
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct ByArg {
    /// Your name, recorded with the command
    #[arg(long, value_name = "NAME", env = "USER")]
    by: Option<String>,
}

impl ByArg {
    /// Returns the name of `--by`, else of the user who runs the command. Cron jobs and containers often have no
    /// `USER`.
    pub(super) fn name(&self) -> anyhow::Result<String> {
        let user = || std::env::var("LOGNAME").ok();
        let name = self.by.clone().or_else(user);
        name.context(
            "your name is unknown, and every command is recorded with one\nhint: pass --by NAME",
        )
    }
}
