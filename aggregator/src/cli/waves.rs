//! `attach` in waves: changes a few functions first, checks them for failures, and stops if they fail.

use std::num::NonZeroUsize;
use std::time::Duration;

use aws_config::SdkConfig;
use clap::Args;
use rightsizer_aws::CallFailure;
use rightsizer_aws::clock::now;
use rightsizer_aws::fleet::{AwsLayers, Calls, Intent, Waves, is_harmed};
use rightsizer_aws::metrics::Metrics;
use rightsizer_records::Timestamp;

use super::fleet::FleetArgs;
use super::fleet_plan::FleetPlan;
use super::out;
use super::text::counted;

const MINUTE_MS: i64 = 60 * 1000;
/// The time before a change in which failures are counted for comparison.
const BEFORE_MS: i64 = 60 * 60 * 1000;

#[derive(Debug, Args)]
pub(super) struct WavesArgs {
    /// How many functions the first waves change; the last wave changes the rest. Before each next wave, the
    /// changed functions are checked for failures. `none` changes all at once
    #[arg(long, value_name = "SIZES", default_value = "1,10,100")]
    waves: Waves,
    /// Seconds to wait between two waves; CloudWatch shows an invocation after one to two minutes
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    settle: u64,
    /// Change only the first N functions of the plan
    #[arg(long, value_name = "N")]
    pub(super) first: Option<NonZeroUsize>,
}

/// The reason for which `attach` stopped, with the number of functions that were changed, and that were not.
#[derive(Debug)]
pub(super) enum Stopped {
    /// Functions fail since they were changed: each with its invocations.
    Harmed(Vec<(String, Calls)>, usize, usize),
    /// None of a wave could be changed; the table has the reasons.
    Refused(usize, usize),
    /// The functions could not be checked for failures, for this reason.
    Unchecked(String, usize, usize),
}

impl WavesArgs {
    /// Carries out the plan, wave by wave. Returns why it stopped, if it did.
    pub(super) async fn carry_out(
        &self,
        plan: &mut FleetPlan,
        metrics: &Metrics,
        (api, intent, args): (&AwsLayers, &Intent, &FleetArgs),
    ) -> Option<Stopped> {
        let changes = plan.changes();
        let waves = self.waves.of(changes.len());
        for (n, wave) in waves.iter().enumerate() {
            let of_wave = changes.get(wave.clone()).unwrap_or_default();
            let left = changes.len() - wave.end;
            let names: Vec<String> = of_wave.iter().map(|at| plan.name(*at).to_owned()).collect();
            let began = minute(now());
            // Checked before the change, because without access the result could not be checked either.
            let before = if left == 0 {
                Vec::new()
            } else {
                let hour_ago = Timestamp::from_ms(began.as_ms() - BEFORE_MS).unwrap_or(began);
                match look(metrics, &names, (hour_ago, began)).await {
                    Ok(before) => before,
                    Err(why) => return Some(unchecked(&why, plan, left + of_wave.len())),
                }
            };
            plan.carry_out_some(of_wave, api, intent, args).await;
            if left == 0 {
                break;
            }
            if plan.all_failed(of_wave) {
                // One function may have a reason of its own; what refuses several refuses the others too.
                if of_wave.len() > 1 {
                    return Some(Stopped::Refused(plan.changed(), left));
                }
                continue;
            }
            out::note(format_args!(
                "rightsizer: changed {}, {left} to go; looking for failures in {} s (wave {} of {})",
                counted(plan.changed(), "function"),
                self.settle,
                n + 1,
                waves.len()
            ));
            tokio::time::sleep(Duration::from_secs(self.settle)).await;
            let minute_on = Timestamp::from_ms(now().as_ms() + MINUTE_MS).unwrap_or(began);
            let after = match look(metrics, &names, (began, minute_on)).await {
                Ok(after) => after,
                Err(why) => return Some(unchecked(&why, plan, left)),
            };
            let harmed = harmed(names, before, after);
            if !harmed.is_empty() {
                return Some(Stopped::Harmed(harmed, plan.changed(), left));
            }
        }
        None
    }
}

/// Returns the beginning of a minute, because CloudWatch counts by the minute. Failures earlier in the minute of
/// a change count as caused by it.
fn minute(at: Timestamp) -> Timestamp {
    Timestamp::from_ms(at.as_ms().div_euclid(MINUTE_MS) * MINUTE_MS).unwrap_or(at)
}

async fn look(
    metrics: &Metrics,
    names: &[String],
    window: (Timestamp, Timestamp),
) -> Result<Vec<Calls>, CallFailure> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    metrics.calls(&names, window).await
}

/// Returns the functions that fail since their change, with their calls after it.
fn harmed(names: Vec<String>, before: Vec<Calls>, after: Vec<Calls>) -> Vec<(String, Calls)> {
    let harmed = names.into_iter().zip(before.into_iter().zip(after));
    let harmed = harmed.filter(|(_, (before, after))| is_harmed(*before, *after));
    harmed.map(|(name, (_, after))| (name, after)).collect()
}

fn unchecked(why: &CallFailure, plan: &FleetPlan, left: usize) -> Stopped {
    Stopped::Unchecked(why.to_string(), plan.changed(), left)
}

impl Stopped {
    /// Returns the message: what happened.
    pub(super) fn words(&self) -> String {
        let (what, changed, left) = match self {
            Self::Harmed(harmed, changed, left) => {
                let harmed = harmed.iter().map(|(name, calls)| {
                    format!(
                        "\n  {name}: {} of {} invocations failed",
                        calls.errors, calls.invocations
                    )
                });
                let what = format!(
                    "functions fail since the change:{}",
                    harmed.collect::<String>()
                );
                (what, changed, left)
            }
            Self::Refused(changed, left) => {
                let what = "none of this wave could be changed, for the reasons above";
                (what.to_owned(), changed, left)
            }
            Self::Unchecked(why, changed, left) => {
                let what = format!("cannot check the changed functions for failures: {why}");
                (what, changed, left)
            }
        };
        format!(
            "error: stopped; {} changed, {} not: {what}",
            counted(*changed, "function"),
            counted(*left, "function")
        )
    }

    /// Returns what to do: how to undo the changes, or how to go on.
    pub(super) async fn hint(
        &self,
        plan: &FleetPlan,
        args: &FleetArgs,
        config: &SdkConfig,
    ) -> Option<String> {
        let undo = format!(
            "to remove the layer, run rightsizer detach{} --yes",
            args.same(config.region().map_or("", AsRef::as_ref))
        );
        match self {
            Self::Harmed(..) => Some(format!("hint: {undo}")),
            Self::Refused(..) => plan.hint(args).await,
            Self::Unchecked(why, changed, _) => {
                let allow =
                    "allow cloudwatch:GetMetricData, or change all at once with --waves none";
                let hint = args.place.hint(why, allow).await;
                let undo = if *changed > 0 {
                    format!("; {undo}")
                } else {
                    String::new()
                };
                Some(format!("{hint}{undo}"))
            }
        }
    }
}
