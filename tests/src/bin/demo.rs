//! `make demo`: the whole pipeline on this machine, with no AWS account. Emulated environments run
//! the real extension, which puts its reports on the aggregator's embedded stream; the aggregator
//! decides, and the command line shows what it decided.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use futures_util::future::try_join_all;
use indicatif::{ProgressBar, ProgressStyle};
use rightsizer_records::Timestamp;
use rightsizer_tests::aggregator::{Aggregator, rightsizer};
use rightsizer_tests::emulator::Options;
use rightsizer_tests::fleet::Life;

/// Emulated days before the one that closes the window.
const DAYS: usize = 14;
/// Runs the pipeline on emulated functions and shows what it recommends.
#[derive(Parser)]
struct Demo {
    /// A file of REPORT lines, or any other export that `rightsizer import` reads; by default the
    /// one of the checkout that `make demo` runs in
    #[arg(long, default_value = "tests/fixtures/report-lines.txt")]
    logs: PathBuf,
    /// The folder for the stores
    #[arg(long, default_value = "demo-out")]
    out: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Demo::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(demo: &Demo) -> Result<()> {
    let logs = &demo.logs;
    ensure!(
        logs.is_file(),
        "there is no file {}; give one by LOGS=FILE",
        logs.display()
    );
    fresh(&demo.out)?;
    let store = demo.out.join("rightsizer.db");
    live(&store, &demo.out.join("serve.log")).await?;
    show(&["list", "--store", text(&store)?]).await?;
    println!("\nWhy the spiky one got its number:\n");
    show(&["show", "image-resize", "--store", text(&store)?]).await?;
    println!("\nThe store is {}. To review it with SQL:", store.display());
    println!(
        "  sqlite3 -header -column {} \
         'SELECT function, current_mb, peak_mb, to_mb, status, confidence FROM review'",
        store.display()
    );
    import(logs, &demo.out.join("logs.db")).await
}

/// Functions as they are found in accounts: most given far too much, one too little, one spiky.
fn fleet() -> Vec<Life> {
    let mut spikes = vec![210; DAYS];
    spikes[6] = 870;
    vec![
        Life {
            duration_ms: 240_000.0,
            invocations: 12,
            ..Life::steady("nightly-export", 3008, 410)
        },
        Life {
            used_mb: spikes,
            duration_ms: 9_000.0,
            ..Life::steady("image-resize", 1536, 210)
        },
        Life {
            runs_out_on: Some(11),
            ..Life::steady("payment-webhook", 256, 231)
        },
        Life {
            invocations: 10,
            ..Life::steady("session-cleanup", 1024, 92)
        },
        Life::steady("thumbnail-index", 256, 148),
        Life {
            used_mb: vec![96, 97, 101, 99, 104],
            ..Life::steady("audit-log", 512, 96)
        },
    ]
}

/// Fourteen days of the fleet, through the real extension into a fresh store.
async fn live(store: &Path, log: &Path) -> Result<()> {
    let lives = fleet();
    let today = now()?.day();
    println!(
        "demo: {} emulated functions live {DAYS} days, {} to {}, with the real extension",
        lives.len(),
        today.plus(-14),
        today.plus(-1)
    );
    let serve = Aggregator::start(store, &["--clock", "event"], &[], Some(log)).await?;
    let bar = ProgressBar::new(DAYS as u64 + 1).with_style(ProgressStyle::with_template(
        "{msg} [{bar:30}] day {pos} of {len}, {eta} left",
    )?);
    let options = || Options::to("reports", serve.endpoint());
    for (n, day) in (0..DAYS).zip((-14..0).map(|n| today.plus(n))) {
        bar.set_message(day.to_string());
        let lived = lives
            .iter()
            .map(|life| life.live(n, day, life.memory_mb, options()));
        try_join_all(lived).await.with_context(|| read(log))?;
        bar.inc(1);
    }
    let first = lives.first().context("the fleet is empty")?;
    first
        .close_day_before(today, first.memory_mb, options())
        .await?;
    bar.finish_and_clear();
    let status = serve.stop().await?;
    ensure!(
        status.success(),
        "rightsizer serve ended with {status}: {}",
        read(log)
    );
    println!("demo: the window is full; this is what the aggregator recommends\n");
    Ok(())
}

async fn import(logs: &Path, store: &Path) -> Result<()> {
    println!("\ndemo: importing {}\n", logs.display());
    show(&["import", text(logs)?, "--store", text(store)?]).await?;
    println!();
    show(&["list", "--store", text(store)?]).await
}

/// Runs a `rightsizer` command and passes on what it prints.
async fn show(arguments: &[&str]) -> Result<()> {
    let output = rightsizer(arguments).await?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    ensure!(
        output.status.success(),
        "rightsizer {} failed",
        arguments.join(" ")
    );
    Ok(())
}

/// An empty folder. Only what an earlier demo left is removed: its own files.
fn fresh(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    for store in ["rightsizer.db", "logs.db"] {
        for suffix in ["", "-wal", "-shm", ".lock"] {
            let file = folder.join(format!("{store}{suffix}"));
            match std::fs::remove_file(&file) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(e).with_context(|| format!("cannot remove {}", file.display()));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn read(log: &Path) -> String {
    std::fs::read_to_string(log).unwrap_or_default()
}

fn text(path: &Path) -> Result<&str> {
    path.to_str()
        .with_context(|| format!("{} is not UTF-8", path.display()))
}

fn now() -> Result<Timestamp> {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Timestamp::from_ms(i64::try_from(elapsed.as_millis())?).context("the clock is off")
}
