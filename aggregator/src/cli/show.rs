//! `rightsizer show FN`: why a function got its size.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use rightsizer_rules::commands::Refused;
use rightsizer_store::FunctionDetail;
use rightsizer_store::inspect::function_named;

use super::portrait::portrait;
use super::server::ServerArg;
use super::{StoreArg, write_json};

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Name, `local:NAME` or ARN of the function
    function: String,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    server: ServerArg,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let detail: FunctionDetail = match args.server.named() {
        Some(server) => server.read(&format!("/{}", args.function))?,
        None => match function_named(&args.store.store, &args.function)? {
            Ok(detail) => detail,
            Err(Refused::NotFound(name)) => anyhow::bail!(
                "no function {name:?} in {}\nhint: `rightsizer list` shows all functions",
                args.store.store.display()
            ),
            Err(refused) => return Err(refused.into()),
        },
    };
    let mut out = super::out::stdout();
    if args.json {
        write_json(&detail, &mut out)?;
    } else {
        out.write_all(portrait(&detail).as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}
