//! `rightsizer show FN`: why a function got its size.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::function_report::function_report;
use super::read_args::ReadArgs;
use super::write_json;
use crate::power::{advice, curve};

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Name, `local:NAME` or ARN of the function, or a pattern such as 'check*' that matches one
    #[arg(value_name = "FUNCTION")]
    function: String,
    #[command(flatten)]
    read: ReadArgs,
}

pub(super) fn run(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let settings = args.read.settings()?;
    let detail = args.read.detail(&args.function)?;
    let mut out = super::out::stdout();
    if args.read.is_json() {
        write_json(&detail, &mut out)?;
    } else {
        let curve = curve(&detail, &settings).ok();
        let advice = advice(&detail, &settings);
        out.write_all(function_report(&detail, curve.as_ref(), &advice).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}
