//! `make speed`: how fast the aggregator takes evidence in, and what a large fleet costs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use rightsizer_speed::{bare, curve, files, fleet, import, median, page, rate};

/// Measures the aggregator: medians, beside a bare parse of the same bytes in the same run.
#[derive(Parser)]
struct Args {
    /// Runs per number; the median is printed.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Raw telemetry reports of the first measurement.
    #[arg(long, default_value_t = 2_000_000)]
    telemetry: u64,
    /// Records of 100 invocations of the second.
    #[arg(long, default_value_t = 100_000)]
    records: u64,
    /// Records of the third, from 1,000 functions up to as many as there are records.
    #[arg(long, default_value_t = 1_000_000)]
    growth: u64,
    /// Functions of the last; 0 leaves it out.
    #[arg(long, default_value_t = 100_000)]
    fleet: u64,
    /// The folder for temporary files [default: the system's].
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Keeps the store of the fleet in this file, for --pages
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
    /// Only measures the page of the fleet in this store, of --fleet functions
    #[arg(long, value_name = "FILE")]
    pages: Option<PathBuf>,
    /// Only measures the fleet in this store.
    #[arg(long, hide = true)]
    made: Option<PathBuf>,
}

/// As the product has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(path) = &args.made {
        return fleet_made(args.fleet, path);
    }
    let folder = match &args.folder {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    let binary = std::env::var_os("RIGHTSIZER_RELEASE_BINARY")
        .map(PathBuf::from)
        .context("RIGHTSIZER_RELEASE_BINARY is not set: run this by `make speed`")?;
    if let Some(store) = &args.pages {
        return pages(args.fleet, &binary, store);
    }
    println!(
        "Medians of {} runs; the store is committed to disk.\n",
        args.runs
    );
    if args.telemetry > 0 {
        telemetry(&args, &binary, folder.path())?;
    }
    if args.records > 0 {
        records(&args, &binary, folder.path())?;
    }
    if args.growth > 0 {
        for rows in [100, 10] {
            growth(&args, folder.path(), rows)?;
        }
    }
    let (one, two) = curve::measure(args.runs)?;
    println!(
        "A power curve, which is drawn for functions that compute a lot and cost a dollar a month"
    );
    println!("  from one size with CPU time {one:>12.0?}          goal 1 ms");
    println!("  from two sizes              {two:>12.0?}          goal 1 ms\n");
    if args.fleet > 0 {
        large_fleet(args.fleet, folder.path())?;
        let store = folder.path().join("fleet.db");
        pages(args.fleet, &binary, &store)?;
        if let Some(keep) = &args.keep {
            std::fs::copy(&store, keep)?;
        }
    }
    Ok(())
}

fn telemetry(args: &Args, binary: &Path, folder: &Path) -> Result<()> {
    let file = folder.join("telemetry.jsonl");
    files::telemetry(&file, args.telemetry, 1000)?;
    let mut parsed = 0;
    let floor = median(args.runs, || {
        parsed = bare::parse(&file)?;
        Ok(())
    })?;
    anyhow::ensure!(parsed == args.telemetry, "the bare parse missed something");
    let (time, _) = import::import(binary, &file, args.telemetry, args.runs)?;
    let again = median(args.runs, || bare::parse(&file).map(|_| ()))?;
    let floor = floor.min(again);
    println!("Raw telemetry reports from a file, one a line, 1,000 functions, 14 days");
    println!(
        "  bare parse, 2 threads       {:>12.0} reports/s",
        rate(parsed, floor)
    );
    println!(
        "  import into a new store     {:>12.0} reports/s",
        rate(parsed, time)
    );
    let share = floor.as_secs_f64() / time.as_secs_f64() * 100.0;
    println!("  of the bare parse           {share:>12.0} %        goal 60\n");
    Ok(std::fs::remove_file(file)?)
}

fn records(args: &Args, binary: &Path, folder: &Path) -> Result<()> {
    let file = folder.join("records.jsonl");
    files::records(&file, args.records, 100, 10_000)?;
    let reports = args.records * 100;
    let (time, _) = import::import(binary, &file, args.records, args.runs)?;
    println!("`reports` records of 100 rows from a file, 10,000 functions");
    println!(
        "  import into a new store     {:>12.0} reports/s  goal 8,000,000\n",
        rate(reports, time)
    );
    Ok(std::fs::remove_file(file)?)
}

fn growth(args: &Args, folder: &Path, rows: u64) -> Result<()> {
    println!(
        "Time per record of {rows} rows as functions grow, {} records; each function is decided once at the end",
        args.growth
    );
    let mut first = None;
    for functions in [1_000, 10_000, 100_000, 1_000_000] {
        if functions > args.growth {
            break;
        }
        let file = folder.join("growth.jsonl");
        files::records(&file, args.growth, rows, functions)?;
        let (taken, decided) = import::parts(&file, args.growth)?;
        let micros = 1e6 / rate(args.growth, taken);
        let times = micros / *first.get_or_insert(micros);
        let each = 1e6 / rate(functions, decided);
        let new = if functions == args.growth {
            "all new, "
        } else {
            ""
        };
        println!(
            "  {functions:>9} functions     {micros:>12.2} µs        × {times:.2}  goal < 3   {new}a decision {each:.1} µs"
        );
        std::fs::remove_file(file)?;
    }
    println!();
    Ok(())
}

fn large_fleet(functions: u64, folder: &Path) -> Result<()> {
    let style =
        ProgressStyle::with_template("making the fleet [{bar:30}] {pos}/{len}, {eta} left")?;
    let bar = ProgressBar::new(14 * functions).with_style(style);
    let path = folder.join("fleet.db");
    fleet::make(&path, functions, &|done, _| bar.set_position(done))?;
    bar.finish_and_clear();
    let measured = Command::new(std::env::current_exe()?)
        .arg("--made")
        .arg(&path)
        .args(["--fleet", &functions.to_string()])
        .status()?;
    anyhow::ensure!(measured.success(), "the fleet could not be measured");
    Ok(())
}

fn pages(functions: u64, binary: &Path, store: &Path) -> Result<()> {
    let function = files::function(functions / 2)?.to_string();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let (first, pages) = runtime.block_on(page::measure(binary, store, &function))?;
    println!(
        "The page of {functions} functions, each the median of 21 requests, and the server's CPU time for one"
    );
    println!("  the whole fleet, read once  {first:>9.0?}");
    for page in pages {
        println!(
            "  {:<28}{:>9.1?} {:>9.1?} CPU {:>9.1} KB on the wire   goal {:?}, 100 KB",
            page.name,
            page.took,
            page.cpu,
            f64::from(u32::try_from(page.bytes)?) / 1000.0,
            page.most
        );
    }
    println!();
    Ok(())
}

fn fleet_made(functions: u64, path: &Path) -> Result<()> {
    let found = fleet::measure(functions, path)?;
    let each = |bytes: u64, n: u64| bytes / n.max(1);
    println!("A fleet of {functions} functions with 14 days");
    println!(
        "  on disk, a function-day     {:>12} bytes    goal 400",
        each(found.disk, functions * 14)
    );
    println!(
        "  resident, a function        {:>12} bytes    goal 1024",
        each(found.resident, functions)
    );
    println!(
        "  start until it consumes     {:>12.2?}          goal 10 s at 1,000,000",
        found.start
    );
    println!(
        "  close of a day              {:>12.2?}          goal 20 s at 1,000,000 ({:.2?} of it for {} decisions; {} reports taken in meanwhile, none waited longer than {:.0?})",
        found.close, found.deciding, found.decided, found.meanwhile, found.longest_wait
    );
    Ok(())
}
