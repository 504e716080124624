//! `rightsizer from-flink FOLDER`: the states that the Flink job wrote, back into a store.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::Args;
use rightsizer_aws::clock::now;
use rightsizer_formats::states::of_line;
use rightsizer_rules::state::FunctionState;
use rightsizer_rules::window::ClockMode;
use rightsizer_store::{Store, StoreError};

use super::text::counted;
use super::{ConfigArg, StoreArg, out};
use crate::pipeline::{Accept, Pipeline};
use crate::settings::Settings;

/// States of one commit.
const AT_ONCE: usize = 2_000;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct FromFlinkArgs {
    /// The folder that the job wrote (its option `states`)
    folder: PathBuf,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    config: ConfigArg,
}

const EXAMPLES: &str = "Examples:
  rightsizer from-flink states
  rightsizer from-flink states --store rightsizer.db";

pub(super) fn run(args: &FromFlinkArgs) -> anyhow::Result<ExitCode> {
    let mut files = Vec::new();
    collect(&args.folder, &mut files)?;
    ensure!(
        !files.is_empty(),
        "no finished files in {}. Nothing was changed.\nhint: stop the job with `flink stop --drain`; it writes \
         states if its option `states` names a folder",
        args.folder.display()
    );
    let settings = Settings::load(args.config.config.as_deref())?;
    // All of them are read before the store is opened, so that a line that cannot be used changes nothing.
    for file in &files {
        each_state(file, |_| Ok(())).context("nothing was taken in")?;
    }
    let store = Store::open(&args.store.store, "rightsizer from-flink")?;
    let mut pipeline = Pipeline::new(store, ClockMode::Wall, settings, Accept::default())?;
    let (mut taken, mut known) = (0_usize, 0_usize);
    for file in &files {
        let mut waiting = Vec::new();
        each_state(file, |state| {
            waiting.push(state);
            if waiting.len() == AT_ONCE {
                take(&mut pipeline, &mut waiting, (&mut taken, &mut known))?;
            }
            Ok(())
        })?;
        take(&mut pipeline, &mut waiting, (&mut taken, &mut known))?;
    }
    out::prose(format_args!(
        "{} taken in, {} known already. Start the aggregator without --engine flink: it reads on from the stream, and \
         records that it knows count once",
        counted(taken, "state"),
        known,
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Reads the states of a file, one a line. An error names the file and the line.
fn each_state(
    file: &Path,
    mut take: impl FnMut(FunctionState) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let opened = File::open(file).with_context(|| format!("could not read {}", file.display()))?;
    for (number, line) in (1..).zip(BufReader::new(opened).split(b'\n')) {
        let place = || format!("{}, line {number}", file.display());
        take(of_line(&line.with_context(place)?).with_context(place)?)?;
    }
    Ok(())
}

fn take(
    pipeline: &mut Pipeline,
    waiting: &mut Vec<FunctionState>,
    (taken, known): (&mut usize, &mut usize),
) -> anyhow::Result<()> {
    pipeline.work(now(), |session| {
        for state in waiting.drain(..) {
            let count = if session.take_state(state)? {
                &mut *taken
            } else {
                &mut *known
            };
            *count += 1;
        }
        Ok::<_, StoreError>(())
    })?;
    Ok(())
}

/// The files below a folder; hidden ones are not finished.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("could not read {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(())
}
