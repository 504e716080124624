//! `rightsizer ui`: opens the page of a store. If a server on this machine has the store, its page is opened; else this
//! command serves the page until it is stopped. Either way the browser is signed in by a code that works once.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use rightsizer_rules::commands::ReviewCommand;
use rightsizer_store::{Reader, key};
use tokio_util::sync::CancellationToken;

use super::by::ByArg;
use super::review::here_or_at_holder;
use super::runtime::{run_server, runtime};
use super::server::Server;
use super::{ConfigArg, StoreArg, out};
use crate::serve::DRAIN;
use crate::settings::Settings;
use crate::web::{self, Desk, Hosts, LocalDesk, Page, PageOptions};

#[derive(Debug, Args)]
pub(super) struct UiArgs {
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    by: ByArg,
    /// Loopback address of the page, if no server has the store
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Print the address only, without opening a browser
    #[arg(long)]
    no_browser: bool,
}

pub(super) fn run(args: UiArgs) -> anyhow::Result<ExitCode> {
    Reader::open(&args.store.store)?;
    let holder = key::holder(&args.store.store);
    if let Some(server) = holder.map(|holder| Server::holding(&args.store.store, &holder)) {
        let Some(server) = server? else {
            bail!("another command has the store; try again when it has ended");
        };
        open(&server.entrance(&args.by.name()?)?, args.no_browser)?;
        return Ok(ExitCode::SUCCESS);
    }
    if !args.listen.ip().is_loopback() {
        out::note(format_args!(
            "error: {} can be reached from other machines\nhint: `rightsizer serve --listen` with --token and \
             --review-token serves the page there",
            args.listen
        ));
        return Ok(ExitCode::from(2));
    }
    run_server(runtime()?, serve(args))?;
    Ok(ExitCode::SUCCESS)
}

/// Serves the page until Ctrl-C.
async fn serve(args: UiArgs) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(args.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", args.listen))?;
    let address = listener.local_addr().context("the listening address")?;
    let stopped = CancellationToken::new();
    let page = Page::new(PageOptions {
        store: args.store.store.clone(),
        hosts: Hosts::new(address, Vec::new()),
        reviewers: Vec::new(),
        desk: Desk::Local(desk(args.store.store)),
        settings: Arc::new(Settings::load(args.config.config.as_deref())?),
        stop: stopped.clone(),
    });
    let code = page.code(&args.by.name()?)?;
    open(
        &format!("http://{address}/ui/enter?code={code}"),
        args.no_browser,
    )?;
    out::note(format_args!("rightsizer: press Ctrl-C to end"));
    let serving = web::serve(listener, web::page_router(page), stopped.clone());
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return ended,
        _ = tokio::signal::ctrl_c() => stopped.cancel(),
    }
    // A decision that is being carried out ends; a browser that does not read its answer is not waited for.
    tokio::time::timeout(DRAIN, serving).await.unwrap_or(Ok(()))
}

/// Review commands on a store that this process does not serve: a server that has started since carries them out.
fn desk(store: PathBuf) -> Arc<LocalDesk> {
    Arc::new(move |command: &ReviewCommand| here_or_at_holder(&store, command))
}

/// Prints the address, and opens it in a browser if a person is there.
fn open(address: &str, no_browser: bool) -> anyhow::Result<()> {
    out::line(format_args!("{address}"))?;
    out::note(format_args!(
        "rightsizer: the address signs one browser in, within two minutes"
    ));
    if no_browser || !std::io::stdout().is_terminal() {
        return Ok(());
    }
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let quiet = || Stdio::null();
    let started = Command::new(opener)
        .arg(address)
        .stdin(quiet())
        .stdout(quiet())
        .stderr(quiet())
        .spawn();
    if started.is_err() {
        out::note(format_args!(
            "rightsizer: no browser was found here; open the address in one on this machine"
        ));
    }
    Ok(())
}
