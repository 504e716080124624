//! The review commands: `rightsizer approve`, `reject`, `hold`, `release`, `pause`, `resume`. If a
//! server has the store, they go through its review API; otherwise the store is opened here.

use rightsizer_records::shown::shown;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use rightsizer_aws::clock::now;
use rightsizer_aws::errors::{NO_RESPONSE, is_unreachable};
use rightsizer_aws::pause_tag::UpdaterSwitch;
use rightsizer_records::FunctionArn;
use rightsizer_records::tags::PAUSED_TAG;
use rightsizer_rules::commands::{Action, Done, ReviewCommand, Switched};
use rightsizer_rules::window::ClockMode;
use rightsizer_store::{Reader, Store, StoreError};

use super::by::ByArg;
use super::flags;
use super::out;
use super::place::{ProfileArg, in_parts};
use super::read_args::meant;
use super::runtime::runtime;
use super::server::{NotDone, Server, ServerArg};
use super::{ConfigArg, StoreArg, UpdaterArg};
use crate::pipeline::{Accept, Pipeline};
use crate::settings::Settings;

#[derive(Debug, Args)]
pub(super) struct ReviewArgs {
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    server: ServerArg,
    #[command(flatten)]
    by: ByArg,
    /// The reason, recorded with the command
    #[arg(long, default_value = "")]
    why: String,
}

#[derive(Debug, Args)]
pub(super) struct StopArgs {
    #[command(flatten)]
    command: ReviewArgs,
    #[command(flatten)]
    updater: UpdaterArg,
    #[command(flatten)]
    profile: ProfileArg,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Debug, Args)]
pub(super) struct TargetArgs {
    /// Name, `local:NAME` or ARN of the function, or a recommendation's id
    #[arg(value_name = "FUNCTION")]
    what: String,
    #[command(flatten)]
    command: ReviewArgs,
}

#[derive(Debug, Args)]
pub(super) struct HoldArgs {
    /// Name, `local:NAME` or ARN of the function
    #[arg(value_name = "FUNCTION")]
    what: String,
    /// The number of days
    #[arg(long, default_value_t = 14, value_parser = flags::hold)]
    days: u32,
    #[command(flatten)]
    command: ReviewArgs,
}

pub(super) fn unapprove(args: TargetArgs) -> anyhow::Result<ExitCode> {
    review(Action::Unapprove { what: args.what }, &args.command)
}

pub(super) fn reject(args: TargetArgs) -> anyhow::Result<ExitCode> {
    review(Action::Reject { what: args.what }, &args.command)
}

pub(super) fn hold(args: HoldArgs) -> anyhow::Result<ExitCode> {
    review(
        Action::Hold {
            what: args.what,
            days: args.days,
        },
        &args.command,
    )
}

pub(super) fn release(args: TargetArgs) -> anyhow::Result<ExitCode> {
    review(Action::Release { what: args.what }, &args.command)
}

pub(super) fn clear(args: TargetArgs) -> anyhow::Result<ExitCode> {
    review(Action::Clear { what: args.what }, &args.command)
}

pub(super) fn forget(args: TargetArgs) -> anyhow::Result<ExitCode> {
    review(Action::Forget { what: args.what }, &args.command)
}

pub(super) fn pause(args: &StopArgs) -> anyhow::Result<ExitCode> {
    switch(Action::Pause, args)
}

pub(super) fn resume(args: &StopArgs) -> anyhow::Result<ExitCode> {
    switch(Action::Resume, args)
}

fn review(action: Action, args: &ReviewArgs) -> anyhow::Result<ExitCode> {
    let command = args.command(action)?;
    let done = carry_out(&command, args).map_err(|error| {
        let server = args.server.named();
        match what(&command.action) {
            Some(what) => meant(error, what, server.as_ref(), &args.store.store),
            None => error,
        }
    })?;
    // The command has been applied, whether or not its output is read.
    let _ = out::prose(format_args!("{}", shown(&done.message)));
    Ok(ExitCode::SUCCESS)
}

/// The function or the recommendation that a command names.
fn what(action: &Action) -> Option<&str> {
    match action {
        Action::Approve { what }
        | Action::Unapprove { what }
        | Action::Reject { what }
        | Action::Hold { what, .. }
        | Action::Release { what }
        | Action::Clear { what }
        | Action::Forget { what } => Some(what),
        Action::Pause | Action::Resume => None,
    }
}

impl ReviewArgs {
    pub(super) const fn store(&self) -> &StoreArg {
        &self.store
    }

    pub(super) const fn server(&self) -> &ServerArg {
        &self.server
    }

    pub(super) fn command(&self, action: Action) -> anyhow::Result<ReviewCommand> {
        Ok(ReviewCommand {
            action,
            by: self.by.name()?,
            why: self.why.clone(),
        })
    }
}

pub(super) fn carry_out(command: &ReviewCommand, args: &ReviewArgs) -> anyhow::Result<Done> {
    match args.server.named() {
        Some(server) => server.post(command),
        None => here_or_at_holder(&args.store.store, command),
    }
}

/// Pauses or resumes the store's sending, then the updater: by the server if it can, else from
/// here.
fn switch(action: Action, args: &StopArgs) -> anyhow::Result<ExitCode> {
    let command = args.command.command(action)?;
    // Unreadable settings must not prevent a pause.
    let settings = Settings::load(args.config.config.as_deref()).unwrap_or_else(|error| {
        out::note(format_args!("rightsizer: {error:#}; continuing without it"));
        Settings::default()
    });
    let carried = carry_out(&command, &args.command);
    let here = args.updater.named(&settings);
    let by_server = match &carried {
        Ok(done) => done.updater.clone(),
        Err(error) => error
            .downcast_ref::<NotDone>()
            .and_then(|not_done| not_done.updater.clone()),
    };
    let (switched, advice) = match (by_server, here) {
        (Some(Switched::Done(updater)), _) => (Switched::Done(updater), None),
        // If the server cannot be reached, the updater is still paused; but it is not resumed.
        (_, Some(updater)) if carried.is_ok() || command.action == Action::Pause => {
            runtime()?.block_on(turn(updater, &args.profile, &command))
        }
        (by_server, _) => (by_server.unwrap_or(Switched::NotNamed), None),
    };
    if let Ok(done) = &carried {
        // The command has been applied, whether or not its output is read.
        let _ = out::prose(format_args!("{}", shown(&done.message)));
    }
    let outcome = outcome(&command.action, &switched, advice.as_deref());
    if matches!(switched, Switched::Failed { .. }) {
        out::note(format_args!("error: {outcome}"));
    } else if carried.is_ok() || switched != Switched::NotNamed {
        let _ = out::prose(format_args!("{}", shown(&outcome)));
    }
    carried?;
    Ok(match switched {
        Switched::Failed { .. } => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

/// Turns the updater's switch from here. Returns also what to do, if the credentials, the clock or the network are the
/// cause of a failure.
async fn turn(
    updater: FunctionArn,
    profile: &ProfileArg,
    command: &ReviewCommand,
) -> (Switched, Option<String>) {
    let place = profile.place(Some(updater.region()));
    let config = place.config().await;
    let switch = UpdaterSwitch::with(updater, &config);
    if let Err(error) = place.want_credentials(&config).await {
        let (why, hint) = in_parts(&error);
        return (switch.failed(why, command, now()), hint);
    }
    let turned = switch.turn(command, now()).await;
    let advice = match &turned {
        Some(Switched::Failed { why, .. }) if is_unreachable(why) => Some(NO_RESPONSE.to_owned()),
        Some(Switched::Failed { why, .. }) => place.advice(why).await,
        _ => None,
    };
    (turned.unwrap_or(Switched::NotNamed), advice)
}

/// What that means, and what remains to do.
fn outcome(action: &Action, switched: &Switched, advice: Option<&str>) -> String {
    let pausing = *action == Action::Pause;
    match switched {
        Switched::Done(updater) if pausing => {
            format!("the updater {} pauses within seconds", updater.name())
        }
        Switched::Done(updater) => format!("the updater {} resumes within seconds", updater.name()),
        Switched::NotNamed if pausing => format!(
            "if an updater is deployed, it may still apply what was sent before: pass --updater \
             ARN, or set RIGHTSIZER_UPDATER or [updater] function in the settings, to pause it too \
             (by hand: its tag {PAUSED_TAG})"
        ),
        Switched::NotNamed => {
            format!("no updater is named; if one has the tag {PAUSED_TAG}, it stays paused")
        }
        Switched::Failed {
            updater,
            why,
            by_hand,
        } => {
            let name = updater.name();
            let means = if pausing {
                format!("could not pause updater {name}; it may still apply what was sent before")
            } else {
                format!("could not resume updater {name}; it still skips changes as `paused`")
            };
            let advice = advice.map_or_else(String::new, |advice| {
                format!("\nhint: {advice}; then run this command again")
            });
            format!(
                "{means} ({why}){advice}\nhint: someone with permission to tag it can run\n  {by_hand}"
            )
        }
    }
}

/// Applies a command to the store, or has the server that holds it do so.
pub(super) fn here_or_at_holder(store: &Path, command: &ReviewCommand) -> anyhow::Result<Done> {
    // Opened for reading first, so that a command does not create a store.
    Reader::open(store)?;
    match Store::open(store, "rightsizer review") {
        Ok(store) => {
            let settings = Settings::default();
            let mut pipeline = Pipeline::new(store, ClockMode::Wall, settings, Accept::default())?;
            Ok(pipeline.review(command, now())??)
        }
        Err(StoreError::InUse { path, holder }) => match Server::holding(&path, &holder)? {
            Some(server) => server.post(command),
            None => Err(StoreError::InUse { path, holder }.into()),
        },
        Err(error) => Err(error.into()),
    }
}
