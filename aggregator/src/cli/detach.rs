//! `rightsizer detach`: removes the layer and the variables that `attach` added.

use std::process::ExitCode;

use aws_config::SdkConfig;
use clap::Args;
use rightsizer_aws::fleet::{AwsLayers, Intent};
use rightsizer_aws::inventory::AwsFleet;

use super::fleet::{BAD_USAGE, FleetArgs};
use super::fleet_plan::FleetPlan;
use super::fleet_regions::{NothingHere, Outcome, everywhere, region_of};
use super::out;
use super::runtime::runtime;
use super::waves::{Stopped, interrupted};

/// `attach` names one version, but a function may have any of them.
const LAYER: &str = "The layer to remove, by any of its versions; repeat it for each architecture and region \
                     [default: those of --stack]";

#[derive(Debug, Args)]
#[command(mut_arg("layer", |layer| layer.help(LAYER)))]
pub(super) struct DetachArgs {
    #[command(flatten)]
    fleet: FleetArgs,
}

pub(super) fn run(args: &DetachArgs) -> anyhow::Result<ExitCode> {
    if let Some(wrong) = args.fleet.wrong() {
        out::failure(&wrong);
        return Ok(ExitCode::from(BAD_USAGE));
    }
    args.fleet.see_list()?;
    runtime()?.block_on(everywhere(&args.fleet, "attach", async |config| {
        detach(args, config).await
    }))
}

async fn detach(args: &DetachArgs, config: &SdkConfig) -> anyhow::Result<Outcome> {
    let api = AwsLayers::new(config);
    let mut layers = args.fleet.layers(&api).await?;
    if args.fleet.all_regions {
        let region = region_of(config);
        layers.retain(|layer| layer.region() == region);
        if layers.is_empty() {
            let why = "none of the layers is in this region";
            return Err(NothingHere(why.to_owned()).into());
        }
    }
    let (selected, missing) = args.fleet.selected(&AwsFleet::new(config)).await?;
    let intent = Intent::Detach {
        layers,
        variables: args.fleet.variables(),
    };
    let mut plan = FleetPlan::plan(&api, &intent, selected).await;
    let mut stopped = None;
    if args.fleet.yes {
        plan.carry_out(&api, &intent, &args.fleet).await;
        stopped = interrupted(&plan);
    }
    let json = plan.print(&args.fleet, config, None, stopped.as_ref())?;
    if let Some(hint) = plan.hint(&args.fleet).await {
        out::note(format_args!("{}", hint.trim_start()));
    }
    if let Some(stopped) = &stopped {
        let undo = if plan.changed() > 0 {
            let options = args.fleet.same(Some(&region_of(config)));
            format!("; to add the layer again, run rightsizer attach{options} --yes")
        } else {
            String::new()
        };
        let again = "hint: to continue, run the same command again";
        out::note(format_args!("\n{}\n{again}{undo}", stopped.words()));
    }
    let end = stopped.as_ref().map_or_else(|| plan.end(), Stopped::end);
    Ok(Outcome { end, json, missing })
}
