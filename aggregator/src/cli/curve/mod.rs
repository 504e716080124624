//! `rightsizer curve FN`: the duration and the cost of a function at every memory size.

mod chart_url;
mod picture;
mod table;

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use rightsizer_rules::power::{Advice, Drawn};
use serde::Serialize;

use self::chart_url::chart_url;
pub(super) use self::picture::drawing;
use self::picture::picture;
use self::table::table;
#[cfg(test)]
pub(super) use self::table::tests;
pub(super) use self::table::{advised, dollars, milliseconds, objectives};
use super::read_args::ReadArgs;
use super::{out, write_json};
use crate::power::{advice, curve};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CurveArgs {
    /// Name, `local:NAME` or ARN of the function
    #[arg(value_name = "FUNCTION")]
    function: String,
    /// Print the address of the chart on the public page of Lambda Power Tuning; the address contains the sizes,
    /// durations and costs
    #[arg(long, conflicts_with_all = ["output", "json"])]
    chart_url: bool,
    #[command(flatten)]
    read: ReadArgs,
}

const EXAMPLES: &str = "Examples:
  rightsizer curve checkout
  rightsizer curve checkout --json | jq .best";

/// The JSON of a curve.
#[derive(Debug, Serialize)]
struct Printed<'a> {
    #[serde(flatten)]
    curve: &'a Drawn,
    /// Advice on the timeout, the architecture and provisioned concurrency.
    advice: Vec<Advice>,
}

pub(super) fn run(args: &CurveArgs) -> anyhow::Result<ExitCode> {
    let settings = args.read.settings()?;
    let detail = args.read.detail(&args.function)?;
    let advice = advice(&detail, &settings);
    let curve = curve(&detail, &settings)
        .with_context(|| format!("{} has no power curve", args.function))?;
    let mut out = out::stdout();
    if args.read.is_json() {
        write_json(
            &Printed {
                curve: &curve,
                advice,
            },
            &mut out,
        )?;
    } else if args.chart_url {
        if let Some(why) = curve.refusal() {
            bail!("{} has no chart: {why}", args.function);
        }
        writeln!(out, "{}", chart_url(&curve))?;
    } else {
        if curve.refusal().is_none() {
            writeln!(out, "{}", picture(&curve))?;
        }
        write!(out, "{}{}", table(&curve), advised(&advice))?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod refusals {
    use rightsizer_store::{ConfigurationLine, FunctionDetail};

    use super::super::function_report::tests::detail;
    use super::*;
    use crate::power::CurveError;
    use crate::settings::Settings;

    /// The size of these functions does not set the CPU share of a request.
    #[test]
    fn managed_instances_and_edge_replicas_have_no_curve() {
        let why = |managed_instances, edge_replica| {
            let configuration = ConfigurationLine {
                package: "zip".to_owned(),
                snap_start: false,
                managed_instances,
                edge_replica,
            };
            let detail = FunctionDetail {
                configuration: Some(configuration),
                ..detail()
            };
            curve(&detail, &Settings::default()).unwrap_err()
        };
        assert_eq!(why(true, false), CurveError::ManagedInstances);
        assert_eq!(why(false, true), CurveError::EdgeReplica);
        assert!(matches!(why(false, false), CurveError::NotMeasured(_)));
    }
}
