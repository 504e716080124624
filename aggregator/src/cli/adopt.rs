//! `rightsizer adopt`: names the account and region of functions that were imported without them, once.

use std::process::ExitCode;

use clap::Args;
use rightsizer_aws::clock::now;
use rightsizer_rules::evidence::FunctionKey;
use rightsizer_rules::inventory::Home;
use rightsizer_rules::window::ClockMode;
use rightsizer_store::{Adopted, Reader, ReviewRow, Store, StoreError};

use super::nearest::nearest;
use super::text::{counted, short};
use super::{ConfigArg, StoreArg, flags, out};
use crate::pipeline::{Accept, Pipeline};
use crate::settings::Settings;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct AdoptArgs {
    /// Names of functions, as `list` shows them with `local:` [default: all that are known by name only]
    #[arg(value_name = "FUNCTION")]
    functions: Vec<String>,
    /// Their account
    #[arg(long, value_parser = flags::account)]
    account: String,
    /// Their region
    #[arg(long, value_parser = flags::region)]
    region: String,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    config: ConfigArg,
}

const EXAMPLES: &str = "Examples:
  rightsizer adopt --account 123456789012 --region eu-west-1
  rightsizer adopt checkout --account 123456789012 --region eu-west-1";

pub(super) fn run(args: &AdoptArgs) -> anyhow::Result<ExitCode> {
    // Opened for reading first, so that the command does not create a store.
    let before = Reader::open(&args.store.store)?.review()?;
    let settings = Settings::load(args.config.config.as_deref())?;
    let store = Store::open(&args.store.store, "rightsizer adopt")?;
    let mut pipeline = Pipeline::new(store, ClockMode::Event, settings, Accept::default())?;
    let home = Home {
        account: args.account.clone(),
        region: args.region.clone(),
    };
    let mut adopted = Adopted::default();
    pipeline.work(now(), |session| {
        adopted = session.adopt(&args.functions, &home)?;
        Ok::<_, StoreError>(())
    })?;
    for (_, arn) in &adopted.done {
        out::line(format_args!("{arn}"))?;
    }
    for arn in &adopted.taken {
        out::note(format_args!(
            "rightsizer: local:{name} stays, because {arn} has evidence of its own; the two are not joined\n\
             hint: if its evidence was imported twice, `rightsizer forget local:{name}` removes the one without \
             an account",
            name = arn.name()
        ));
    }
    let unknown = unknown(&args.functions, &home, &before);
    for error in &unknown {
        out::note(format_args!("error: {error}"));
    }
    if adopted.done.is_empty() && adopted.taken.is_empty() {
        if unknown.is_empty() {
            out::note(format_args!(
                "error: no function without an account and region matches\nhint: `rightsizer list 'local:*'` shows them"
            ));
        }
        return Ok(ExitCode::FAILURE);
    }
    out::prose(format_args!(
        "{} adopted; `rightsizer list` shows what can be approved now. Import later files with --account {} --region {}",
        counted(adopted.done.len(), "function"),
        args.account,
        args.region
    ))?;
    Ok(if adopted.taken.is_empty() && unknown.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Returns an error for each name that no function had before, with or without the account and region.
fn unknown(names: &[String], home: &Home, before: &[ReviewRow]) -> Vec<String> {
    let mut errors = Vec::new();
    for name in names {
        let adopted = home.arn(name.strip_prefix("local:").unwrap_or(name));
        let is = |row: &ReviewRow| {
            let key = FunctionKey::stored(&row.function).ok();
            let called = key.is_some_and(|key| {
                [key.function_name(), key.name(), &row.function].contains(&name.as_str())
            });
            let is_local = row.function.starts_with("local:");
            is_local && called
                || adopted
                    .as_ref()
                    .is_some_and(|arn| arn.as_str() == row.function)
        };
        if before.iter().any(is) {
            continue;
        }
        let locals = before.iter().map(|row| short(&row.function));
        let locals = locals.filter(|name| name.starts_with("local:"));
        let hint = match nearest(name, locals) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => "`rightsizer list 'local:*'` shows them".to_owned(),
        };
        errors.push(format!(
            "no function without an account and region has the name {name:?}\nhint: {hint}"
        ));
    }
    errors
}
