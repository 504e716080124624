//! `rightsizer`: every command a person types.

use std::process::ExitCode;

use rightsizer::cli::{self, Cli, Log, LogFormat};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Reading evidence is full of short-lived texts: measured, an import takes a fifth less CPU with it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The default log filter. The SDK logs why each way to get credentials gave none, as its whole structures; commands and
/// `serve` report that in one line.
const LOG: &str = "rightsizer=info,aws_config=error,warn";

fn main() -> ExitCode {
    let cli = Cli::parse_arguments();
    let format = cli.log_format();
    let log = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(Log::has_colours(format))
        .with_writer(move || Log::new(format));
    match format {
        LogFormat::Text => log.finish().with(filter()).init(),
        LogFormat::Json => log
            .json()
            .flatten_event(true)
            .finish()
            .with(filter())
            .init(),
    }
    cli::run(cli)
}

/// Returns the filter of `RIGHTSIZER_LOG`, or the default one if it is not set or not a filter.
fn filter() -> Targets {
    let set = std::env::var("RIGHTSIZER_LOG").ok();
    let read = set.and_then(|set| set.parse().ok());
    read.unwrap_or_else(|| LOG.parse().unwrap_or_default())
}
