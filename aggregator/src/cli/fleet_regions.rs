//! `attach` and `detach` in one region or in all of them: what each region came to, and the exit code of all.

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::bail;
use aws_config::SdkConfig;
use rightsizer_aws::errors::has_expired;
use serde_json::{Value, json};

use super::fleet::FleetArgs;
use super::interrupt::until_changes;
use super::out;

/// The exit code after Ctrl-C, as shells return it.
pub(super) const INTERRUPTED: u8 = 130;

/// What Ctrl-C came to before the first change.
const STOPPED_EARLY: &str = "interrupted by Ctrl-C; nothing was changed here";

/// There is nothing to do in a region. With `--all-regions` it is skipped; otherwise this is an error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NothingHere(pub(super) String);

/// How the work in a region ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Done,
    Failed,
    Interrupted,
}

impl End {
    fn code(self) -> ExitCode {
        match self {
            Self::Done => ExitCode::SUCCESS,
            Self::Failed => ExitCode::FAILURE,
            Self::Interrupted => ExitCode::from(INTERRUPTED),
        }
    }
}

/// What a region came to.
pub(super) struct Outcome {
    pub(super) end: End,
    /// The plan and the results, if the output is JSON.
    pub(super) json: Option<Value>,
    /// Listed names that no function of the region has.
    pub(super) missing: Vec<String>,
}

/// Works in each region that is meant, one after the other. A region with nothing to do is skipped. With `--yes`, a
/// failure ends it; a plan is made of every region while the session lasts. `undo` is the command that takes the changes back.
pub(super) async fn everywhere(
    args: &FleetArgs,
    undo: &str,
    work: impl AsyncFn(&SdkConfig) -> anyhow::Result<Outcome>,
) -> anyhow::Result<ExitCode> {
    if !args.all_regions {
        return in_one(args, work).await;
    }
    let mut all = All::default();
    for config in args.place.everywhere().await? {
        let region = region_of(&config);
        out::note(format_args!("rightsizer: {region}"));
        let worked_before = all.worked;
        match until_changes(work(&config)).await {
            Some(outcome) => all.add(&region, outcome),
            None => all.stop_early(&region),
        }
        if all.end == End::Interrupted || all.is_over || (all.end == End::Failed && args.yes) {
            out::note(format_args!(
                "rightsizer: the regions after {region} were not tried"
            ));
            if worked_before && args.yes {
                let options = args.same(None);
                out::note(format_args!(
                    "hint: to undo what was changed in earlier regions too, run rightsizer {undo}{options} --yes"
                ));
            }
            all.missing = None;
            break;
        }
    }
    for name in all.missing.iter().flatten() {
        out::note(format_args!(
            "rightsizer: no function of any region has the name {name}"
        ));
        let error = format!("no function of any region has the name {name}");
        all.json.push(json!({"region": null, "error": error}));
        all.end = End::Failed;
    }
    if args.form.is_json() {
        crate::cli::write_json(&all.json, &mut out::stdout())?;
    }
    if !all.worked && all.end == End::Done {
        bail!(
            "there is nothing to do in any region\nhint: check which functions are selected, and --stack or --layer"
        );
    }
    Ok(all.end.code())
}

/// Works in the one region that is meant.
async fn in_one(
    args: &FleetArgs,
    work: impl AsyncFn(&SdkConfig) -> anyhow::Result<Outcome>,
) -> anyhow::Result<ExitCode> {
    let config = args.place.config().await?;
    let Some(outcome) = until_changes(work(&config)).await else {
        let region = region_of(&config);
        out::note(format_args!(
            "error: {STOPPED_EARLY}\nhint: to continue, run the same command again"
        ));
        if args.form.is_json() {
            let stopped = json!({"region": region, "error": STOPPED_EARLY});
            crate::cli::write_json(&stopped, &mut out::stdout())?;
        }
        return Ok(End::Interrupted.code());
    };
    let outcome = outcome?;
    if let Some(json) = &outcome.json {
        crate::cli::write_json(json, &mut out::stdout())?;
    }
    Ok(outcome.end.code())
}

/// The region of a configuration.
pub(super) fn region_of(config: &SdkConfig) -> String {
    let region = config.region();
    region.map_or_else(String::new, ToString::to_string)
}

/// What all regions came to until now.
struct All {
    end: End,
    json: Vec<Value>,
    /// Whether there was something to do in a region.
    worked: bool,
    /// Names that no region had yet; none if that is unknown.
    missing: Option<BTreeSet<String>>,
    begun: bool,
    /// Whether the session has ended, so that no other region can be read.
    is_over: bool,
}

impl Default for All {
    fn default() -> Self {
        Self {
            end: End::Done,
            json: Vec::new(),
            worked: false,
            missing: Some(BTreeSet::new()),
            begun: false,
            is_over: false,
        }
    }
}

impl All {
    fn add(&mut self, region: &str, outcome: anyhow::Result<Outcome>) {
        match outcome {
            Ok(outcome) => {
                self.worked = true;
                if outcome.end != End::Done {
                    self.end = outcome.end;
                }
                self.json.extend(outcome.json);
                self.keep_missing(outcome.missing.into_iter().collect());
            }
            Err(error) if error.is::<NothingHere>() => {
                let why = error.to_string();
                let why = why.lines().next().unwrap_or_default();
                out::note(format_args!("rightsizer: {region}: skipped: {why}"));
                self.json.push(json!({"region": region, "skipped": why}));
            }
            Err(error) => {
                out::note(format_args!("rightsizer: {region}: {error:#}"));
                let error = format!("{error:#}");
                self.is_over = has_expired(&error);
                self.json.push(json!({"region": region, "error": error}));
                self.missing = None;
                self.end = End::Failed;
            }
        }
    }

    /// Ctrl-C ended the work in a region before it had changed anything.
    fn stop_early(&mut self, region: &str) {
        out::note(format_args!(
            "rightsizer: {region}: {STOPPED_EARLY}\nhint: to continue, run the same command again"
        ));
        self.json
            .push(json!({"region": region, "error": STOPPED_EARLY}));
        self.end = End::Interrupted;
    }

    /// A listed function is in one of the regions, so only a name that all of them miss is a failure.
    fn keep_missing(&mut self, here: BTreeSet<String>) {
        if let Some(missing) = &mut self.missing {
            if self.begun {
                missing.retain(|name| here.contains(name));
            } else {
                *missing = here;
            }
        }
        self.begun = true;
    }
}
