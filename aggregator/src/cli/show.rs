//! `rightsizer show FN`: why a function got its size.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use rightsizer_rules::commands::Refused;
use rightsizer_store::inspect::function_named;
use rightsizer_store::{FunctionDetail, Reader};

use super::function_report::function_report;
use super::list::{no_function, now_held};
use super::server::ServerArg;
use super::{ConfigArg, StoreArg, write_json};
use crate::cli::form::FormArgs;
use crate::power::{advice, curve};
use crate::settings::Settings;

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Name, `local:NAME` or ARN of the function
    #[arg(value_name = "FUNCTION")]
    function: String,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    server: ServerArg,
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    form: FormArgs,
}

pub(super) fn run(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let settings = Settings::load(args.config.config.as_deref())?;
    let detail = detail(&args.function, &args.store, &args.server)?;
    let mut out = super::out::stdout();
    if args.form.is_json() {
        write_json(&detail, &mut out)?;
    } else {
        let curve = curve(&detail, &settings).ok();
        let advice = advice(&detail, &settings);
        out.write_all(function_report(&detail, curve.as_ref(), &advice).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns everything about a function, from the server if one is named.
pub(super) fn detail(
    function: &str,
    store: &StoreArg,
    server: &ServerArg,
) -> anyhow::Result<FunctionDetail> {
    let mut detail: FunctionDetail = match server.named() {
        Some(server) => server.read(&format!("/{function}"))?,
        None => match function_named(&store.store, function)? {
            Ok(detail) => detail,
            Err(Refused::NotFound(name)) => {
                let rows = Reader::open(&store.store)?.review()?;
                return Err(no_function(&name, &rows).into());
            }
            Err(refused) => return Err(refused.into()),
        },
    };
    now_held(&mut detail.review);
    Ok(detail)
}
