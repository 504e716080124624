//! `rightsizer detach`: removes the layer and the variables that `attach` added.

use std::process::ExitCode;

use clap::Args;
use rightsizer_aws::fleet::{AwsLayers, Intent};
use rightsizer_aws::inventory::AwsFleet;

use super::fleet::{BAD_USAGE, FleetArgs};
use super::fleet_plan::FleetPlan;
use super::out;
use super::runtime::runtime;

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
    runtime()?.block_on(detach(args))
}

async fn detach(args: &DetachArgs) -> anyhow::Result<ExitCode> {
    let config = args.fleet.place.config().await?;
    let api = AwsLayers::new(&config);
    let selected = args.fleet.selected(&AwsFleet::new(&config)).await?;
    let intent = Intent::Detach {
        layers: args.fleet.layers(&api).await?,
        variables: args.fleet.variables(),
    };
    let mut plan = FleetPlan::plan(&api, &intent, selected).await;
    if args.fleet.yes {
        plan.carry_out(&api, &intent, &args.fleet).await;
    }
    let code = plan.print(&args.fleet, None, None)?;
    if let Some(hint) = plan.hint(&args.fleet).await {
        out::note(format_args!("{}", hint.trim_start()));
    }
    Ok(code)
}
