//! `rightsizer health`: is the server here alive. For whoever restarts it: a container's health
//! check, a service manager. `doctor` looks at more and takes longer.

use std::process::ExitCode;

use clap::Args;

use super::out;
use super::server::Server;

#[derive(Debug, Args)]
pub(super) struct HealthArgs {
    /// The server, with its token where it wants one: `http://HOST:PORT/TOKEN`
    #[arg(
        long,
        env = "RIGHTSIZER_SERVER",
        hide_env_values = true,
        default_value = "http://127.0.0.1:8750",
        value_name = "URL"
    )]
    server: String,
}

pub(super) fn run(args: &HealthArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let health = match runtime.block_on(Server::at(&args.server).health()) {
        Ok(health) => health,
        Err(error) => {
            out::note(format_args!(
                "rightsizer: no server answers there: {error:#}"
            ));
            return Ok(ExitCode::FAILURE);
        }
    };
    let status = health["status"].as_str().unwrap_or("unknown");
    out::line(format_args!("{status}"))?;
    // A shard that cannot be read is not mended by a restart.
    Ok(if matches!(status, "ok" | "degraded") {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
