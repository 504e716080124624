//! `rightsizer attach`: adds the layer to many functions. Shows a plan, and applies it with
//! `--yes`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use aws_config::SdkConfig;
use clap::Args;
use rightsizer_aws::fleet::{
    Access, AwsLayers, Intent, LayerFacts, LayerVersion, StreamArn, Wish, resource_policy,
    statement,
};
use rightsizer_aws::inventory::AwsFleet;
use rightsizer_aws::metrics::Metrics;
use rightsizer_records::{Arch, FunctionArn, Megabytes};
use rightsizer_store::{Reader, ReviewRow};
use serde_json::{Value, json};

use super::DEFAULT_STORE;
use super::first_reports::ReadRows;
use super::fleet::{BAD_USAGE, FleetArgs};
use super::fleet_plan::{FleetPlan, roles_by_stream};
use super::fleet_regions::{NothingHere, Outcome, everywhere, region_of};
use super::out;
use super::reports_stream::ensure_it_exists;
use super::runtime::{progress, runtime};
use super::server::ServerArg;
use super::waves::{Stopped, WavesArgs};

#[derive(Debug, Args)]
pub(super) struct AttachArgs {
    #[command(flatten)]
    fleet: FleetArgs,
    /// Also attach to functions in a VPC; their VPCs must have a route to the stream
    #[arg(long)]
    vpc_ok: bool,
    /// Also attach to functions with an unknown runtime; try the layer on a copy first
    #[arg(long)]
    any_runtime: bool,
    /// Also attach to functions whose role CloudFront may assume; make sure that no distribution uses them
    #[arg(long)]
    edge_ok: bool,
    #[command(flatten)]
    waves: WavesArgs,
    /// Read memory use from this store, and skip functions within 16 MB of their size [default: that of
    /// --server; else rightsizer.db if it exists]
    #[arg(long, value_name = "FILE", env = "RIGHTSIZER_STORE")]
    store: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArg,
}

pub(super) fn run(args: &AttachArgs) -> anyhow::Result<ExitCode> {
    if let Some(wrong) = args.fleet.wrong() {
        out::failure(&wrong);
        return Ok(ExitCode::from(BAD_USAGE));
    }
    args.fleet.see_list()?;
    let rows = rows(args)?;
    if rows.is_none() {
        out::note(format_args!(
            "rightsizer: without --store or --server, functions near their memory limit are not \
             recognised; the extension takes 4.4 MB"
        ));
    }
    let used = used(rows.unwrap_or_default());
    runtime()?.block_on(everywhere(&args.fleet, "detach", async |config| {
        attach(args, config, used.clone()).await
    }))
}

/// The rows of the store or of the server that is named, else of the store that is here.
fn rows(args: &AttachArgs) -> anyhow::Result<Option<Vec<ReviewRow>>> {
    let here = || Some(PathBuf::from(DEFAULT_STORE)).filter(|store| store.exists());
    match (&args.store, args.server.named()) {
        (None, Some(server)) => Ok(Some(server.read("")?)),
        (store, _) => {
            let store = store.clone().or_else(here);
            store
                .map(|store| anyhow::Ok(Reader::open(&store)?.review()?))
                .transpose()
        }
    }
}

/// What is known of the layers that are in the region of `config`.
async fn layers(
    api: &AwsLayers,
    args: &FleetArgs,
    config: &SdkConfig,
) -> anyhow::Result<Vec<LayerFacts>> {
    let versions = args.layers(api).await?;
    let region = config.region().map_or("", AsRef::as_ref);
    let is_here = |version: &LayerVersion| version.region() == region;
    if !versions.iter().any(is_here) {
        let names: Vec<String> = versions.iter().map(ToString::to_string).collect();
        let why = format!(
            "no layer is in {region}, and functions take layers of their own region only: {}\nhint: check --region, or \
             deploy in {region} too and name its layers",
            names.join(", ")
        );
        return Err(NothingHere(why).into());
    }
    let mut layers = Vec::new();
    for version in versions.into_iter().filter(is_here) {
        let name = version.to_string();
        let read = api.layer(version).await;
        match read {
            Ok(facts) => layers.push(facts),
            Err(error) => {
                let why = error.to_string();
                let hint = "check that it exists and that lambda:GetLayerVersion is allowed, also by the \
                            layer's own policy if it belongs to another account";
                let hint = args.place.hint(&why, hint).await;
                bail!("cannot read the layer {name}: {why}{hint}");
            }
        }
    }
    distinct(&layers)?;
    Ok(layers)
}

/// Fails if two layers are for the same architecture, because only one of them can be meant.
fn distinct(layers: &[LayerFacts]) -> anyhow::Result<()> {
    for arch in [Arch::X86_64, Arch::Arm64] {
        let runs = |layer: &&LayerFacts| layer.runs_on.is_empty() || layer.runs_on.contains(&arch);
        let mut runs = layers.iter().filter(runs).map(|layer| &layer.version);
        let Some(first) = runs.next() else {
            continue;
        };
        if let Some(other) = runs.find(|other| *other != first) {
            bail!(
                "two layers are for {} in {}: {first} and {other}; nothing was changed\nhint: name one --layer for each \
                 architecture and region",
                arch.name(),
                first.region()
            );
        }
    }
    Ok(())
}

async fn attach(
    args: &AttachArgs,
    config: &SdkConfig,
    used: HashMap<FunctionArn, Megabytes>,
) -> anyhow::Result<Outcome> {
    let api = AwsLayers::new(config);
    let layers = layers(&api, &args.fleet, config).await?;
    let (selected, missing) = args.fleet.selected(&AwsFleet::new(config)).await?;
    let stream = selected.functions.first();
    let stream = stream.map(|facts| StreamArn::of(&args.fleet.stream(), &facts.function));
    if let Some(stream) = &stream {
        ensure_it_exists(&api, stream, config, args.fleet.endpoint.as_deref()).await?;
    }
    let intent = Intent::Attach(Wish {
        layers,
        variables: args.fleet.variables(),
        vpc_ok: args.vpc_ok,
        any_runtime: args.any_runtime,
        edge_ok: args.edge_ok,
        stream: stream.map_or_else(String::new, |stream| stream.to_string()),
        used,
    });
    let mut plan = FleetPlan::plan(&api, &intent, selected).await;
    if let Some(first) = args.waves.first {
        plan.only_first(first.get());
    }
    let roles = roles(&api, &plan, &args.fleet).await;
    let mut stopped = None;
    if args.fleet.yes {
        let metrics = Metrics::new(config);
        let going = (&api, &intent, &args.fleet);
        let (region, read) = (region_of(config), || rows(args));
        let seen = (region.as_str(), &read as ReadRows<'_>);
        stopped = args.waves.carry_out(&mut plan, &metrics, going, seen).await;
    }
    let roles_json = json_of(&roles);
    let json = plan.print(&args.fleet, config, Some(&roles_json), stopped.as_ref())?;
    for role in &roles {
        role.print();
    }
    if let Some(stopped) = &stopped {
        out::note(format_args!("\n{}", stopped.words()));
    }
    let hint = match &stopped {
        Some(stopped) => stopped.hint(&plan, &args.fleet, config).await,
        None => plan.hint(&args.fleet).await,
    };
    if let Some(hint) = hint {
        out::note(format_args!("{}", hint.trim_start()));
    }
    let end = stopped.as_ref().map_or_else(|| plan.end(), Stopped::end);
    Ok(Outcome { end, json, missing })
}

/// The highest memory used by each function.
fn used(rows: Vec<ReviewRow>) -> HashMap<FunctionArn, Megabytes> {
    let used = rows.into_iter().filter_map(|row| {
        let function = FunctionArn::parse(&row.function).ok()?;
        Some((function, Megabytes(row.peak_mb?)))
    });
    used.collect()
}

/// Roles that may, and that may not, put records on one stream.
struct Roles {
    stream: StreamArn,
    roles: Vec<(String, Access)>,
}

async fn roles(api: &AwsLayers, plan: &FleetPlan, args: &FleetArgs) -> Vec<Roles> {
    let mut checked = Vec::new();
    for (stream, names) in roles_by_stream(plan, &args.stream()) {
        let bar = progress("checking roles", names.len());
        let mut roles = Vec::new();
        // If the check itself is denied once, every check is.
        let mut given_up = args.endpoint.as_ref().map(|_| {
            Access::NotChecked("records go to --endpoint, not to AWS's own address".to_owned())
        });
        for role in names {
            let access = match &given_up {
                Some(known) => known.clone(),
                None => api.may_put(&role, &stream).await,
            };
            if matches!(access, Access::NotChecked(_)) {
                given_up = Some(access.clone());
            }
            roles.push((role, access));
            bar.inc(1);
        }
        bar.finish_and_clear();
        checked.push(Roles { stream, roles });
    }
    checked
}

fn json_of(roles: &[Roles]) -> Value {
    let one = |of: &Roles| {
        let denied = of.denied();
        json!({
            "stream": of.stream.as_str(),
            "roles": of.roles.iter().map(|(role, access)| json!({
                "role": role,
                "access": access.name(),
                "why": match access { Access::NotChecked(why) => Some(why), _ => None },
            })).collect::<Vec<_>>(),
            "missing_statement": (!denied.is_empty()).then(|| statement(&of.stream)),
            "or_stream_policy": of.stream_policy(),
        })
    };
    roles.iter().map(one).collect()
}

impl Roles {
    fn denied(&self) -> Vec<&str> {
        let denied = self.roles.iter();
        let denied = denied.filter(|(_, access)| *access == Access::Denied);
        denied.map(|(role, _)| role.as_str()).collect()
    }

    /// A policy of the stream is enough only for roles of its own account.
    fn stream_policy(&self) -> Option<Value> {
        let mut denied = self.denied();
        denied.retain(|role| role.split(':').nth(4) == Some(self.stream.account()));
        (!denied.is_empty()).then(|| resource_policy(&self.stream, &denied))
    }

    /// Prints on standard error what is missing.
    fn print(&self) {
        let why = self.roles.iter().find_map(|(_, access)| match access {
            Access::NotChecked(why) => Some(why),
            _ => None,
        });
        let policy = statement(&self.stream);
        if let Some(why) = why {
            out::note(format_args!(
                "\nthe permissions of the roles were not checked: {why}\nhint: roles of the stream's own account need \
                 nothing if the stream's policy allows the account, as that of `make deploy` does; every other role \
                 needs\n{policy}"
            ));
        }
        let denied = self.denied();
        if denied.is_empty() {
            return;
        }
        out::note(format_args!(
            "\nthese roles may not put records on {}:",
            self.stream
        ));
        for role in denied {
            out::note(format_args!("  {role}"));
        }
        out::note(format_args!(
            "these functions keep working but send no reports. Add to each role:\n{policy}"
        ));
        if let Some(policy) = self.stream_policy() {
            out::note(format_args!(
                "or, for all roles of the stream's own account, add to the stream's policy (aws \
                 kinesis put-resource-policy --resource-arn {} --policy …; it replaces the \
                 existing policy)\n{policy}",
                self.stream
            ));
        }
    }
}
