//! `rightsizer apply`: applies approved recommendations from this machine, with the updater's own
//! library. It is for a store without a server: a server sends them itself.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use rightsizer_aws::clock::now;
use rightsizer_aws::inventory::{AwsFleet, FleetApi};
use rightsizer_records::{FunctionArn, Outcome, OutcomeStatus, Recommendation, Record, decode};
use rightsizer_rules::limits::Limit;
use rightsizer_rules::window::ClockMode;
use rightsizer_store::inspect::stops;
use rightsizer_store::{Outgoing, Reader, RecommendationKey, Store, StoreError};
use rightsizer_updater::{
    ApiError, LambdaApi, PauseSwitch, PauseTag, Place, RetryLater, RunningClock,
    Settings as UpdaterSettings, Updater,
};
use serde_json::{Value, json};

use super::place::PlaceArgs;
use super::runtime::{progress, runtime};
use super::text::{counted, short};
use super::{ConfigArg, StoreArg, UpdaterArg};
use crate::cli::form::FormArgs;
use crate::pipeline::{Accept, Pipeline};
use crate::settings::Settings;

/// The next run continues with the rest.
const MOST: usize = 10_000;

#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    updater: UpdaterArg,
    #[command(flatten)]
    place: PlaceArgs,
    /// Apply the plan; without this flag it is only shown
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    form: FormArgs,
}

/// An approved recommendation and its result.
struct Approved {
    key: RecommendationKey,
    record: Recommendation,
    answer: Option<Result<Outcome, RetryLater>>,
}

pub(super) fn run(args: &ApplyArgs) -> anyhow::Result<ExitCode> {
    let path = &args.store.store;
    // Opened for reading first, so that the command does not create a store.
    Reader::open(path)?;
    if let Some(who) = stops(path)?.paused {
        bail!("everything is paused ({who}); nothing was changed. `rightsizer resume` ends that");
    }
    let settings = Settings::load(args.config.config.as_deref())?;
    let updater = args.updater.named(&settings);
    let store = Store::open(path, "rightsizer apply").map_err(in_use)?;
    let pipeline = Pipeline::new(store, ClockMode::Wall, settings, Accept::default())?;
    // No evidence is read here, so no day can be closed.
    let mut pipeline = pipeline.holding_days(true);
    let (mut approved, limit) = approved(&mut pipeline)?;
    if args.yes && !approved.is_empty() {
        runtime()?.block_on(apply(&args.place, updater, &mut pipeline, &mut approved))?;
    }
    print(args, &approved, limit)?;
    let bad = |of: &Approved| match &of.answer {
        Some(Ok(outcome)) => outcome.status == OutcomeStatus::Failed,
        Some(Err(_)) => true,
        None => args.yes,
    };
    Ok(if approved.iter().any(bad) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn in_use(error: StoreError) -> anyhow::Error {
    let served = matches!(error, StoreError::InUse { .. });
    let error = anyhow::Error::from(error);
    if served {
        error.context(
            "nothing was changed, because a server has this store. A server that runs with --emit sends \
             approved recommendations itself; `apply` needs a store without a server",
        )
    } else {
        error
    }
}

/// Returns the approved recommendations that may be applied now: not expired, and no decrease of a
/// held function. Also returns the limit that holds others back, if one does.
fn approved(pipeline: &mut Pipeline) -> anyhow::Result<(Vec<Approved>, Option<Limit>)> {
    let mut approved = Vec::new();
    let outbox = pipeline.outbox(Outgoing::Approved, MOST, now())?;
    for entry in outbox.entries {
        let record = decode(&entry.record)
            .with_context(|| format!("the record of {} in the store is damaged", entry.function))?;
        if let Record::Recommendation(record) = record {
            approved.push(Approved {
                key: entry.key,
                record,
                answer: None,
            });
        }
    }
    Ok((approved, outbox.limit))
}

async fn apply(
    place: &PlaceArgs,
    updater: Option<FunctionArn>,
    pipeline: &mut Pipeline,
    approved: &mut [Approved],
) -> anyhow::Result<()> {
    let config = place.config().await?;
    let mut settings = UpdaterSettings::read(|name| std::env::var(name).ok())?;
    if settings.accept.is_empty() {
        settings
            .accept
            .extend(own_place(&AwsFleet::new(&config), place).await?);
    }
    let api = LambdaApi::new(&aws_sdk_lambda::Client::new(&config));
    let pause = Pause(updater.map(|updater| PauseTag::new(api.clone(), updater)));
    let updater = Updater::new(api, pause, RunningClock::set_to(now()), settings);
    let records: Vec<Recommendation> = approved.iter().map(|of| of.record.clone()).collect();
    let bar = progress("applying", records.len());
    let mut unwritten = None;
    updater
        .apply_all(&records, |position, answer| {
            bar.inc(1);
            let Some(of) = approved.get_mut(position) else {
                return;
            };
            if let Ok(outcome) = &answer {
                let written = pipeline.take_outcome(&of.key, outcome, now());
                unwritten = unwritten.take().or(written.err());
            }
            of.answer = Some(answer);
        })
        .await;
    bar.finish_and_clear();
    match unwritten {
        // Nothing is lost: the next run finds the changes made, and writes the outcomes then.
        Some(error) => Err(anyhow::Error::from(error).context(
            "the changes were made, but not every outcome could be written to the store; when it \
             can, run `rightsizer apply --yes` again: nothing is changed twice",
        )),
        None => Ok(()),
    }
}

/// Returns the account and region of the credentials, so that other functions are listed as skipped
/// instead of denied.
async fn own_place(fleet: &AwsFleet, place: &PlaceArgs) -> anyhow::Result<Option<Place>> {
    let page = match fleet.functions(None).await {
        Ok(page) => page,
        Err(error) => {
            let why = error.to_string();
            let hint = "allow lambda:ListFunctions, or set RIGHTSIZER_ACCEPT=ACCOUNT/REGION";
            let hint = place.hint(&why, hint).await;
            bail!("the functions cannot be listed to learn the account: {why}{hint}");
        }
    };
    Ok(page.items.first().map(|facts| Place::of(&facts.function)))
}

/// The updater's tag, if its function is known.
struct Pause(Option<PauseTag>);

impl PauseSwitch for Pause {
    async fn paused(&self) -> Result<Option<String>, ApiError> {
        match &self.0 {
            Some(tag) => tag.paused().await,
            None => Ok(None),
        }
    }
}

fn print(args: &ApplyArgs, approved: &[Approved], limit: Option<Limit>) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = super::out::stdout();
    if args.form.is_json() {
        let all: Vec<Value> = approved.iter().map(Approved::json).collect();
        crate::cli::write_json(&all, &mut out)?;
        return Ok(());
    }
    if let Some(limit) = limit {
        writeln!(
            out,
            "approved decreases wait: {limit} ([limits] in the settings)"
        )?;
    }
    if approved.is_empty() {
        super::out::prose(format_args!(
            "nothing approved can be applied now: `rightsizer list` shows open recommendations, \
             `rightsizer approve FUNCTION` approves one"
        ))?;
        return Ok(());
    }
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(["FUNCTION", "FROM", "TO", "OUTCOME", "WHY"]);
    for of in approved {
        let (outcome, why) = of.words();
        let record = &of.record;
        table.add_row([
            short(record.function.as_str()).to_owned(),
            record.from_mb.to_string(),
            record.to_mb.to_string(),
            outcome,
            why,
        ]);
    }
    writeln!(out, "{}", table.trim_fmt())?;
    if !args.yes {
        let changes = counted(approved.len(), "function");
        writeln!(
            out,
            "\ndry run: nothing was changed; pass --yes to change {changes}"
        )?;
    }
    Ok(())
}

impl Approved {
    /// Its result, and why.
    fn words(&self) -> (String, String) {
        match &self.answer {
            None => ("-".to_owned(), self.approved_by()),
            Some(Err(later)) => ("again".to_owned(), later.error.to_string()),
            Some(Ok(outcome)) if outcome.reason.is_empty() => {
                (outcome.status.name().to_owned(), outcome.detail.clone())
            }
            Some(Ok(outcome)) => (
                outcome.status.name().to_owned(),
                format!("{}: {}", outcome.reason, outcome.detail),
            ),
        }
    }

    fn approved_by(&self) -> String {
        let by = self.record.by.as_deref().unwrap_or("somebody");
        format!("approved by {by}")
    }

    fn json(&self) -> Value {
        let (outcome, why) = self.words();
        let outcome = self.answer.as_ref().map(|_| outcome);
        let reason = match &self.answer {
            Some(Ok(outcome)) if !outcome.reason.is_empty() => Some(&outcome.reason),
            _ => None,
        };
        json!({
            "function": self.record.function,
            "id": self.record.id,
            "from_mb": self.record.from_mb,
            "to_mb": self.record.to_mb,
            "approved_by": self.record.by,
            "outcome": outcome,
            "reason": reason,
            "words": why,
        })
    }
}
