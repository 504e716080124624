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
use serde_json::{Value, json};

use super::first_reports::{self, ReadRows};
use super::flags;
use super::fleet::FleetArgs;
use super::fleet_plan::FleetPlan;
use super::fleet_regions::{End, region_of};
use super::interrupt::pressed;
use super::out;
use super::text::counted;

const MINUTE_MS: i64 = 60 * 1000;
/// The time before a change in which failures are counted for comparison.
const BEFORE_MS: i64 = 60 * 60 * 1000;

#[derive(Debug, Args)]
pub(super) struct WavesArgs {
    /// How many functions the first waves change; the last wave changes the rest. After each wave, all changed
    /// functions are checked for failures. `none` changes all at once
    #[arg(long, value_name = "SIZES", default_value = "1,10,100")]
    waves: Waves,
    /// Seconds to wait after each wave; CloudWatch shows an invocation after one to two minutes
    #[arg(long, value_name = "SECONDS", default_value_t = 180, value_parser = flags::whole::<u64>)]
    settle: u64,
    /// Change only the first N functions of the plan
    #[arg(long, value_name = "N", value_parser = flags::count)]
    pub(super) first: Option<NonZeroUsize>,
}

/// Why `attach` stopped before its end, with the number of functions that were changed, and that were not.
#[derive(Debug)]
pub(super) struct Stopped {
    why: Why,
    changed: usize,
    left: usize,
}

#[derive(Debug)]
enum Why {
    /// Functions fail since they were changed: each with its invocations.
    Harmed(Vec<(String, Calls)>),
    /// None of a wave could be changed; the table has the reasons.
    Refused,
    /// The functions could not be checked for failures, for this reason.
    Unchecked(String),
    /// By Ctrl-C.
    Interrupted,
}

/// The functions of a wave that were changed, with their calls in the hour before.
struct Watched {
    names: Vec<String>,
    before: Vec<Calls>,
    since: Timestamp,
}

impl WavesArgs {
    /// Carries out the plan, wave by wave. Returns why it stopped, if it did.
    pub(super) async fn carry_out(
        &self,
        plan: &mut FleetPlan,
        metrics: &Metrics,
        (api, intent, args): (&AwsLayers, &Intent, &FleetArgs),
        (region, rows): (&str, ReadRows<'_>),
    ) -> Option<Stopped> {
        let changes = plan.changes();
        let waves = self.waves.of(changes.len());
        let mut watched = Vec::new();
        plan.begin();
        for (n, wave) in waves.iter().enumerate() {
            let of_wave = changes.get(wave.clone()).unwrap_or_default();
            let left = changes.len() - wave.end;
            let names: Vec<String> = of_wave.iter().map(|at| plan.name(*at).to_owned()).collect();
            let since = minute(now());
            // Checked before the change, because without access the result could not be checked either.
            let before = match self.look_before(metrics, &names, since).await {
                Ok(before) => before,
                Err(why) => return Some(stop(why, plan, &changes)),
            };
            plan.carry_out_some(of_wave, api, intent, args).await;
            if pressed().is_cancelled() {
                return Some(stop(Why::Interrupted, plan, &changes));
            }
            // One function may have a reason of its own; what refuses several refuses the others too.
            if left > 0 && of_wave.len() > 1 && plan.all_failed(of_wave) {
                return Some(stop(Why::Refused, plan, &changes));
            }
            let known = of_wave.iter().zip(names.into_iter().zip(before));
            let known = known.filter(|(at, _)| plan.is_changed(**at));
            let (names, before): (Vec<_>, Vec<_>) = known.map(|(_, known)| known).unzip();
            if names.is_empty() || self.waves.is_all_at_once() {
                continue;
            }
            watched.push(Watched {
                names,
                before,
                since,
            });
            out::note(format_args!(
                "rightsizer: changed {}, {left} to go; looking for failures in {} s (wave {} of {})",
                counted(plan.changed(), "function"),
                self.settle,
                n + 1,
                waves.len()
            ));
            match self.settled(metrics, &watched).await {
                Ok(invoked) => first_reports::note(rows, region, &invoked),
                Err(why) => return Some(stop(why, plan, &changes)),
            }
        }
        None
    }

    /// Returns the calls in the hour before a change; zeros if they are not compared.
    async fn look_before(
        &self,
        metrics: &Metrics,
        names: &[String],
        since: Timestamp,
    ) -> Result<Vec<Calls>, Why> {
        if self.waves.is_all_at_once() {
            return Ok(vec![Calls::default(); names.len()]);
        }
        let hour_ago = Timestamp::from_ms(since.as_ms() - BEFORE_MS).unwrap_or(since);
        let before = look(metrics, names, (hour_ago, since)).await;
        before.map_err(|why| Why::Unchecked(why.to_string()))
    }

    /// Waits, and looks at all functions that were changed so far: one that is invoked rarely fails later than the
    /// next wave. Returns those that were invoked since their change, or why to stop.
    async fn settled(
        &self,
        metrics: &Metrics,
        watched: &[Watched],
    ) -> Result<Vec<(String, Timestamp)>, Why> {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(self.settle)) => {}
            () = pressed().cancelled() => return Err(Why::Interrupted),
        }
        let (mut harmed, mut invoked, mut all) = (Vec::new(), Vec::new(), 0);
        for wave in watched {
            let minute_on = Timestamp::from_ms(now().as_ms() + MINUTE_MS).unwrap_or(wave.since);
            let after = match look(metrics, &wave.names, (wave.since, minute_on)).await {
                Ok(after) => after,
                Err(why) => return Err(Why::Unchecked(why.to_string())),
            };
            let known = wave.names.iter().zip(&after);
            let known = known.filter(|(_, calls)| **calls != Calls::default());
            invoked.extend(known.map(|(name, _)| (name.clone(), wave.since)));
            all += wave.names.len();
            harmed.extend(harmed_of(wave, &after));
        }
        if !harmed.is_empty() {
            return Err(Why::Harmed(harmed));
        }
        let idle = all - invoked.len();
        if idle > 0 {
            out::note(format_args!(
                "rightsizer: {idle} of {all} changed functions were not invoked meanwhile, so nothing is known of them"
            ));
        }
        Ok(invoked)
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
fn harmed_of(wave: &Watched, after: &[Calls]) -> Vec<(String, Calls)> {
    let calls = wave.before.iter().zip(after);
    let harmed = wave.names.iter().zip(calls);
    let harmed = harmed.filter(|(_, (before, after))| is_harmed(**before, **after));
    harmed
        .map(|(name, (_, after))| (name.clone(), *after))
        .collect()
}

/// Returns the stop of a plan that Ctrl-C ended, if it did.
pub(super) fn interrupted(plan: &FleetPlan) -> Option<Stopped> {
    let is_pressed = pressed().is_cancelled();
    is_pressed.then(|| stop(Why::Interrupted, plan, &plan.changes()))
}

fn stop(why: Why, plan: &FleetPlan, changes: &[usize]) -> Stopped {
    Stopped {
        why,
        changed: plan.changed(),
        left: changes.len() - plan.tried(),
    }
}

impl Stopped {
    /// How the work in the region ended.
    pub(super) const fn end(&self) -> End {
        match self.why {
            Why::Interrupted => End::Interrupted,
            Why::Harmed(_) | Why::Refused | Why::Unchecked(_) => End::Failed,
        }
    }

    /// Returns why it stopped.
    fn why(&self) -> String {
        match &self.why {
            Why::Harmed(harmed) => {
                let harmed = harmed.iter().map(|(name, calls)| {
                    format!(
                        "\n  {name}: {} of {} invocations failed",
                        calls.errors, calls.invocations
                    )
                });
                format!(
                    "functions fail since the change:{}",
                    harmed.collect::<String>()
                )
            }
            Why::Refused => "none of this wave could be changed, for the reasons above".to_owned(),
            Why::Unchecked(why) => {
                format!("cannot check the changed functions for failures: {why}")
            }
            Why::Interrupted => "interrupted by Ctrl-C".to_owned(),
        }
    }

    /// Returns the message: what happened.
    pub(super) fn words(&self) -> String {
        format!(
            "error: stopped; {} changed, {} not: {}",
            counted(self.changed, "function"),
            counted(self.left, "function"),
            self.why()
        )
    }

    /// Returns the same for programs.
    pub(super) fn json(&self) -> Value {
        let code = match self.why {
            Why::Harmed(_) => "harmed",
            Why::Refused => "refused",
            Why::Unchecked(_) => "unchecked",
            Why::Interrupted => "interrupted",
        };
        json!({
            "code": code,
            "words": self.why(),
            "changed": self.changed,
            "not_tried": self.left,
        })
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
            args.same(Some(&region_of(config)))
        );
        match &self.why {
            Why::Harmed(_) => Some(format!("hint: {undo}")),
            Why::Refused => plan.hint(args).await,
            Why::Unchecked(why) => {
                let allow =
                    "allow cloudwatch:GetMetricData, or change all at once with --waves none";
                let hint = args.place.hint(why, allow).await;
                let undo = (self.changed > 0).then(|| format!("; {undo}"));
                Some(format!("{hint}{}", undo.unwrap_or_default()))
            }
            Why::Interrupted => {
                let undo = (self.changed > 0).then(|| format!("; {undo}"));
                let undo = undo.unwrap_or_default();
                Some(format!(
                    "hint: to continue, run the same command again{undo}"
                ))
            }
        }
    }
}
