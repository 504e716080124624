//! `rightsizer approve`, `reject`, `hold`, `release`, `pause`, `resume`: a person's word. Where a
//! server has the store it goes through its review API, else the store is opened here.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde::Deserialize;

use super::StoreArg;
use crate::pipeline::{Accept, Pipeline};
use crate::review::{Action, Done, Word};
use crate::settings::Settings;
use crate::store::{Reader, Store, StoreError};
use crate::wall::now;
use crate::window::ClockMode;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(super) struct WordArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The server that has the store, with its token: `http://HOST:PORT/TOKEN`
    /// [default: the one that the store's lock names]
    #[arg(long, env = "RIGHTSIZER_SERVER", hide_env_values = true)]
    server: Option<String>,
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

#[derive(Deserialize)]
struct ErrorBody {
    error: String,
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
    let done = match args.server {
        Some(server) => at_server(&server, &word)?,
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
        Err(StoreError::InUse { path, holder }) => match serving_address(&holder) {
            Some(address) => at_server(&format!("http://{address}"), word),
            None => Err(StoreError::InUse { path, holder }.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// The address in a lock's `rightsizer serve on ADDRESS (process N)`.
fn serving_address(holder: &str) -> Option<&str> {
    holder
        .strip_prefix("rightsizer serve on ")?
        .split(' ')
        .next()
}

fn at_server(server: &str, word: &Word) -> anyhow::Result<Done> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
        let url = format!("{}/review", server.trim_end_matches('/'));
        let answer = client.post(url).json(word).send().await;
        // Without the URL: it may carry the token.
        let answer = answer
            .map_err(reqwest::Error::without_url)
            .context("the server that has the store does not answer; --server URL names another")?;
        if answer.status().is_success() {
            return Ok(answer.json().await?);
        }
        let status = answer.status();
        let body: Result<ErrorBody, _> = answer.json().await;
        match body {
            Ok(body) => bail!("{}", body.error),
            Err(_) => bail!("the server answered {status}: is it a Rightsizer of this version?"),
        }
    })
}
