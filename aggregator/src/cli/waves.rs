//! `attach` in waves: changes a few functions first, checks them for failures, and stops if they fail.

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
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
    pub(super) first: Option<usize>,
}

/// The reason for which `attach` stopped.
#[derive(Debug)]
pub(super) struct Stopped {
    /// Failing functions with their invocations.
    harmed: Vec<(String, Calls)>,
    /// Number of changed functions.
    changed: usize,
    /// Number of functions that were not changed.
    left: usize,
}

impl WavesArgs {
    /// Carries out the plan, wave by wave. Returns why it stopped, if it did.
    pub(super) async fn carry_out(
        &self,
        plan: &mut FleetPlan,
        metrics: &Metrics,
        (api, intent, args): (&AwsLayers, &Intent, &FleetArgs),
    ) -> anyhow::Result<Option<Stopped>> {
        let changes = plan.changes();
        let waves = self.waves.of(changes.len());
        for (n, wave) in waves.iter().enumerate() {
            let of_wave = changes.get(wave.clone()).unwrap_or_default();
            let last = n + 1 == waves.len();
            let names: Vec<String> = of_wave.iter().map(|at| plan.name(*at).to_owned()).collect();
            let began = minute(now());
            // Checked before the change, because without access the result could not be checked either.
            let before = if last {
                Vec::new()
            } else {
                let hour_ago = Timestamp::from_ms(began.as_ms() - BEFORE_MS).unwrap_or(began);
                look(metrics, &names, (hour_ago, began)).await?
            };
            plan.carry_out_some(of_wave, api, intent, args).await;
            if last {
                break;
            }
            out::note(format_args!(
                "rightsizer: changed {} of {}; looking for failures in {} s",
                wave.end,
                changes.len(),
                self.settle
            ));
            tokio::time::sleep(Duration::from_secs(self.settle)).await;
            let minute_on = Timestamp::from_ms(now().as_ms() + MINUTE_MS).unwrap_or(began);
            let after = look(metrics, &names, (began, minute_on)).await?;
            let harmed: Vec<(String, Calls)> = names
                .into_iter()
                .zip(before.into_iter().zip(after))
                .filter(|(_, (before, after))| is_harmed(*before, *after))
                .map(|(name, (_, after))| (name, after))
                .collect();
            if !harmed.is_empty() {
                return Ok(Some(Stopped {
                    harmed,
                    changed: wave.end,
                    left: changes.len() - wave.end,
                }));
            }
        }
        Ok(None)
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
) -> anyhow::Result<Vec<Calls>> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    metrics.calls(&names, window).await.context(
        "cannot check the changed functions for failures, so no more are changed: allow \
         cloudwatch:GetMetricData, or change all at once with --waves none",
    )
}

impl Stopped {
    /// Returns the message: what happened, and how to undo it.
    pub(super) fn words(&self, args: &FleetArgs) -> String {
        let harmed: Vec<String> = self
            .harmed
            .iter()
            .map(|(name, calls)| {
                format!(
                    "  {name}: {} of {} invocations failed",
                    calls.errors, calls.invocations
                )
            })
            .collect();
        format!(
            "error: stopped after {}: the functions below fail since the change; {} not changed\n{}\n\
             hint: to remove the layer, run rightsizer detach --all{} --yes",
            counted(self.changed, "function"),
            counted(self.left, "function"),
            harmed.join("\n"),
            args.same()
        )
    }
}
