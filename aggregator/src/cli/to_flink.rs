//! `rightsizer to-flink FOLDER`: the functions of a store as the states with which the Flink job begins.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::Args;
use rightsizer_aws::clock::now;
use rightsizer_aws::kinesis::read_until;
use rightsizer_formats::states::to_line;
use rightsizer_store::Reader;

use super::text::counted;
use super::{StoreArg, out};

/// Functions of one file, so that several tasks read.
const FILE_FUNCTIONS: u64 = 50_000;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ToFlinkArgs {
    /// The folder to create; it must not exist yet, or must be empty
    folder: PathBuf,
    #[command(flatten)]
    store: StoreArg,
}

const EXAMPLES: &str = "Examples:
  rightsizer to-flink states
  rightsizer to-flink states --store backup.db";

pub(super) fn run(args: &ToFlinkArgs) -> anyhow::Result<ExitCode> {
    let folder = &args.folder;
    let reader = Reader::open(&args.store.store)?;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("could not create {}", folder.display()))?;
    ensure!(
        std::fs::read_dir(folder)?.next().is_none(),
        "{} is not empty, and the job begins with all files in it. Nothing was written.\nhint: give another folder",
        folder.display()
    );
    let mut files = Files::new(folder);
    let count = reader.each_state(|state| files.write(&to_line(&state)))?;
    files.finish()?;
    // What came after that was not read. The job reads a little of it again, and recognises it.
    let positions = reader.positions()?;
    let from = read_until(positions.iter().map(String::as_str)).unwrap_or_else(now);
    out::prose(format_args!(
        "{} in {} ({} KB). Start the job with --initial {} and --from {}, then the aggregator with --engine flink",
        counted(count, "function"),
        folder.display(),
        files.bytes.div_ceil(1024),
        folder.display(),
        from,
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The files of a folder. One gets its name when it is complete: the job does not look at hidden files.
struct Files<'a> {
    folder: &'a Path,
    open: Option<BufWriter<File>>,
    number: u32,
    lines: u64,
    bytes: u64,
}

impl<'a> Files<'a> {
    const fn new(folder: &'a Path) -> Self {
        Self {
            folder,
            open: None,
            number: 0,
            lines: 0,
            bytes: 0,
        }
    }

    fn hidden(&self) -> PathBuf {
        self.folder.join(format!(".states-{}.partial", self.number))
    }

    fn write(&mut self, line: &str) -> anyhow::Result<()> {
        if self.lines == FILE_FUNCTIONS {
            self.finish()?;
        }
        let mut file = match self.open.take() {
            Some(file) => file,
            None => BufWriter::new(File::create_new(self.hidden())?),
        };
        writeln!(file, "{line}")?;
        self.open = Some(file);
        self.lines += 1;
        self.bytes += line.len() as u64 + 1;
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        if let Some(file) = self.open.take() {
            let file = file
                .into_inner()
                .map_err(std::io::IntoInnerError::into_error)?;
            file.sync_all()?;
            let named = self.folder.join(format!("states-{}.txt", self.number));
            std::fs::rename(self.hidden(), named)?;
            self.number += 1;
            self.lines = 0;
        }
        Ok(())
    }
}
