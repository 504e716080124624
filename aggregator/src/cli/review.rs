//! `rightsizer approve`, `reject`, `hold`, `release`, `pause`, `resume`: a person's word. Where a
//! server has the store it goes through its review API, else the store is opened here.

use std::process::ExitCode;

use clap::Args;

use super::StoreArg;
use super::server::{Server, ServerArg};
use crate::pipeline::{Accept, Pipeline};
use crate::review::{Action, Done, Word};
use crate::settings::Settings;
use crate::store::{Reader, Store, StoreError};
use crate::wall::now;
use crate::window::ClockMode;

#[derive(Debug, Args)]
pub(super) struct WordArgs {
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    server: ServerArg,
    /// Who says so
    #[arg(long, env = "USER")]
    by: String,
    /// Why
    #[arg(long, default_value = "")]
    why: String,
}

#[derive(Debug, Args)]
pub(super) struct TargetArgs {
    /// Name, `local:NAME` or ARN of the function, or a recommendation's id
    what: String,
    #[command(flatten)]
    word: WordArgs,
}

#[derive(Debug, Args)]
pub(super) struct HoldArgs {
    /// Name, `local:NAME` or ARN of the function
    what: String,
    /// For how many days
    #[arg(long, default_value_t = 14)]
    days: u32,
    #[command(flatten)]
    word: WordArgs,
}

pub(super) fn approve(args: TargetArgs) -> anyhow::Result<ExitCode> {
    say(Action::Approve { what: args.what }, args.word)
}

pub(super) fn reject(args: TargetArgs) -> anyhow::Result<ExitCode> {
    say(Action::Reject { what: args.what }, args.word)
}

pub(super) fn hold(args: HoldArgs) -> anyhow::Result<ExitCode> {
    say(
        Action::Hold {
            what: args.what,
            days: args.days,
        },
        args.word,
    )
}

pub(super) fn release(args: TargetArgs) -> anyhow::Result<ExitCode> {
    say(Action::Release { what: args.what }, args.word)
}

pub(super) fn pause(args: WordArgs) -> anyhow::Result<ExitCode> {
    say(Action::Pause, args)
}

pub(super) fn resume(args: WordArgs) -> anyhow::Result<ExitCode> {
    say(Action::Resume, args)
}

fn say(action: Action, args: WordArgs) -> anyhow::Result<ExitCode> {
    let word = Word {
        action,
        by: args.by,
        why: args.why,
    };
    let done = match args.server.named() {
        Some(server) => server.say(&word)?,
        None => here_or_at_holder(&args.store, &word)?,
    };
    println!("{}", done.message);
    Ok(ExitCode::SUCCESS)
}

fn here_or_at_holder(store: &StoreArg, word: &Word) -> anyhow::Result<Done> {
    // Reading first: a word about a store that is not there must not make one.
    Reader::open(&store.store)?;
    match Store::open(&store.store, "rightsizer review") {
        Ok(store) => {
            let settings = Settings::default();
            let mut pipeline = Pipeline::new(store, ClockMode::Wall, settings, Accept::default())?;
            Ok(pipeline.review(word, now())??)
        }
        Err(StoreError::InUse { path, holder }) => match Server::holding(&path, &holder)? {
            Some(server) => server.say(word),
            None => Err(StoreError::InUse { path, holder }.into()),
        },
        Err(error) => Err(error.into()),
    }
}
