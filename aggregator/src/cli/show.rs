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
use super::{StoreArg, write_json};
use crate::cli::form::FormArgs;

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
    form: FormArgs,
}

pub(super) fn run(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let mut detail: FunctionDetail = match args.server.named() {
        Some(server) => server.read(&format!("/{}", args.function))?,
        None => match function_named(&args.store.store, &args.function)? {
            Ok(detail) => detail,
            Err(Refused::NotFound(name)) => {
                let rows = Reader::open(&args.store.store)?.review()?;
                return Err(no_function(&name, &rows).into());
            }
            Err(refused) => return Err(refused.into()),
        },
    };
    now_held(&mut detail.review);
    let mut out = super::out::stdout();
    if args.form.is_json() {
        write_json(&detail, &mut out)?;
    } else {
        out.write_all(function_report(&detail).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}
