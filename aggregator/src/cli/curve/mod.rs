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

    /// 200 ms at 512 MB on all of its CPU: a larger size would be faster for the same money, but the function's maximum
    /// is 640 MB. A maximum that is not a number is none.
    #[test]
    fn no_best_size_is_above_the_maximum_of_the_function() {
        let size = serde_json::json!({
            "version": "$LATEST", "memory_mb": 512, "first_day": "2026-01-18", "last_day": "2026-01-31",
            "invocations": 7000, "failures": 0, "timeouts": 0, "ooms": 0, "billed_ms": 1_400_000,
            "durations": {
                "count": 7000, "mean_ms": 200.0, "p50_ms": 200.0, "p95_ms": 220.0, "p99_ms": 230.0, "spread": 0.05,
            },
            "cores_used": 0.28, "used_mb": 80.0, "peak_mb": 90, "starts": null,
        });
        let largest = |maximum: &str| {
            let mut detail = detail();
            detail.sizes = vec![serde_json::from_value(size.clone()).unwrap()];
            let row = &mut detail.review;
            (row.current_mb, row.version) = (512, "$LATEST".to_owned());
            (row.target_mb, row.policy_mb, row.reasons) = (Some(256), Some(256), vec![]);
            let tag = ("rightsizer:max-mb".to_owned(), maximum.to_owned());
            row.tags = [tag].into();
            let curve = curve(&detail, &Settings::default()).unwrap();
            let best = [curve.best.cost, curve.best.balanced, curve.best.speed];
            let sizes = curve.points.iter().map(|point| point.memory_mb.0);
            (
                sizes.max(),
                best.into_iter().flatten().max().map(|size| size.0),
            )
        };
        assert_eq!(largest("640").0, Some(640));
        assert!(largest("640").1.is_some_and(|best| best <= 640));
        assert_eq!(largest("much").0, Some(10_240));
        assert!(largest("much").1.is_some_and(|best| best > 640));
        assert_eq!(largest("256").0, Some(512), "its present size is shown");
    }

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
