//! The import of one region or of all, and what it leaves behind if it ends between them.

use std::process::ExitCode;

use aws_config::SdkConfig;
use rightsizer_aws::errors::has_expired;
use serde_json::{Value, json};

use super::{CloudwatchArgs, import};
use crate::cli::fleet_regions::{INTERRUPTED, region_of};
use crate::cli::interrupt::pressed;
use crate::cli::out;
use crate::settings::Settings;

const KEPT: &str = "What was read is kept; run the same command to continue";

/// Imports each region that is meant, one after the other. A region that fails does not end it, unless the session has
/// expired.
pub(super) async fn everywhere(
    args: &CloudwatchArgs,
    settings: &Settings,
) -> anyhow::Result<ExitCode> {
    if !args.all_regions {
        let work = async {
            let config = args.place.config().await?;
            import(args, &config, settings, None).await
        };
        return unless_pressed(Box::pin(work)).await.unwrap_or_else(|| {
            out::note(format_args!("\nrightsizer: stopped. {KEPT}"));
            Ok(ExitCode::from(INTERRUPTED))
        });
    }
    let Some(configs) = unless_pressed(Box::pin(args.place.everywhere())).await else {
        out::note(format_args!("\nrightsizer: stopped. Nothing was read"));
        return Ok(ExitCode::from(INTERRUPTED));
    };
    let (all, code) = each(args, settings, &configs?).await;
    if args.form.is_json() {
        crate::cli::write_json(&all, &mut out::stdout())?;
    }
    Ok(code)
}

/// What each region came to, and the exit code of all.
async fn each(
    args: &CloudwatchArgs,
    settings: &Settings,
    configs: &[SdkConfig],
) -> (Vec<Value>, ExitCode) {
    let mut all = Vec::new();
    let mut end = ExitCode::SUCCESS;
    for (n, config) in configs.iter().enumerate() {
        let region = region_of(config);
        let left = || not_read(configs.get(n + 1..).unwrap_or_default());
        let work = import(args, config, settings, Some(&mut all));
        match unless_pressed(work).await {
            Some(Ok(code)) if code == ExitCode::SUCCESS => {}
            Some(Ok(_)) => end = ExitCode::FAILURE,
            Some(Err(error)) => {
                out::note(format_args!("rightsizer: {region}: {error:#}"));
                let error = format!("{error:#}");
                let is_over = has_expired(&error);
                all.push(json!({"region": region, "error": error}));
                end = ExitCode::FAILURE;
                if is_over {
                    out::note(format_args!("rightsizer: {}{KEPT}", left()));
                    break;
                }
            }
            None => {
                out::note(format_args!(
                    "\nrightsizer: stopped in {region}. {}{KEPT}",
                    left()
                ));
                all.push(json!({"region": region, "error": "interrupted by Ctrl-C"}));
                return (all, ExitCode::from(INTERRUPTED));
            }
        }
    }
    (all, end)
}

/// Names the regions that were not tried.
fn not_read(configs: &[SdkConfig]) -> String {
    let names: Vec<String> = configs.iter().map(region_of).collect();
    match names.as_slice() {
        [] => String::new(),
        names => format!("Not read: {}. ", names.join(", ")),
    }
}

/// Does this work; `None` if Ctrl-C ended it.
async fn unless_pressed<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = pressed().cancelled() => None,
        done = work => Some(done),
    }
}
