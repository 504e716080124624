//! `make weigh`: the weight of the extension, of the floor under it, of the reference extension, and
//! of any other.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Parser;
use rightsizer_tests::emulator::{extension_binary, reference_extension_binary};
use rightsizer_tests::weigh::bench::Bench;
use rightsizer_tests::weigh::endpoint::Endpoint;
use rightsizer_tests::weigh::life::Subject;
use rightsizer_tests::weigh::share::CpuShare;
use rightsizer_tests::weigh::table::{to_json, to_text};

/// Measures extensions as whole processes: 50 invocations, one flush over TLS.
#[derive(Parser)]
struct Args {
    /// Other extension binaries to measure in the same run.
    others: Vec<PathBuf>,
    /// Runs per number; the median is printed.
    #[arg(long, default_value_t = 10)]
    runs: usize,
    /// A variable for every extension, NAME=VALUE; {endpoint} stands for the stream's URL.
    #[arg(long = "env", value_parser = pair)]
    env: Vec<(String, String)>,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
}

fn pair(text: &str) -> Result<(String, String)> {
    let pair = text.split_once('=').context("wanted NAME=VALUE")?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let folder = tempfile::tempdir()?;
    let endpoint = Endpoint::start(folder.path()).await?;
    let share = CpuShare::new();
    if let Err(why) = &share {
        eprintln!("weigh: {why:#}. The second table is left out.");
    }
    let bench = Bench {
        endpoint: &endpoint,
        env: &args.env,
        runs: args.runs.max(1),
        share: share.as_ref().ok(),
    };
    let pack = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../infra/layer.sh");
    let rows = bench.rows(&subjects(&args.others)?, &pack).await?;
    if args.json {
        println!("{:#}", to_json(&rows, endpoint.roots, bench.runs));
    } else {
        let (runs, roots) = (bench.runs, endpoint.roots);
        println!("Medians of {runs} runs; {roots} trusted roots.\n");
        println!("{}", to_text(&rows));
    }
    Ok(())
}

fn subjects(others: &[PathBuf]) -> Result<Vec<Subject>> {
    let here = std::env::current_exe()?;
    let beside = here.parent().context("no folder of its own")?;
    let subject = |name: &str, binary: PathBuf, ships| Subject {
        name: name.to_owned(),
        binary,
        ships,
    };
    let mut subjects = vec![
        subject(
            "floor: bare sockets, no TLS",
            beside.join("weigh-floor"),
            false,
        ),
        subject("rightsizer-extension", extension_binary()?, true),
        subject(
            "reference: lambda-extension, aws-sdk-kinesis",
            reference_extension_binary()?,
            true,
        ),
    ];
    for path in others {
        let binary = path.canonicalize();
        let binary = binary.with_context(|| format!("{} is not there", path.display()))?;
        subjects.push(subject(&path.display().to_string(), binary, true));
    }
    Ok(subjects)
}
