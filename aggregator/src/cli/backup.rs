//! `rightsizer backup FILE`: a copy of the store between two commits, made while a server continues
//! to write. `VACUUM INTO` reads one snapshot of it; the copy gets its name only when it is
//! complete and on the disk. For a server on another machine, snapshots are the backup.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::Args;
use rightsizer_store::{copy, inspect};

use super::StoreArg;
use super::server::ServerArg;

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The file to create; an existing file is not overwritten
    file: PathBuf,
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    server: ServerArg,
}

pub(super) fn run(args: &BackupArgs) -> anyhow::Result<ExitCode> {
    let (store, file) = (&args.store.store, &args.file);
    ensure!(
        args.server.named().is_none(),
        "backup copies a store on this machine, but --server or RIGHTSIZER_SERVER names a server \
         on another one. Nothing was copied.\nhint: that server has snapshots: rightsizer restore \
         s3://BUCKET/PREFIX --store {} writes the newest to a file (BUCKET is the stack's output \
         SnapshotBucket). For a store on this machine, unset RIGHTSIZER_SERVER",
        file.display()
    );
    ensure!(
        !file.exists(),
        "{} exists already, and a backup never overwrites a file\nhint: give another name",
        file.display()
    );
    let mut partial = file.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    copy(store, &partial)
        .inspect_err(|_| drop(std::fs::remove_file(&partial)))
        .with_context(|| format!("could not write the backup {}", file.display()))?;
    std::fs::rename(&partial, file)
        .with_context(|| format!("could not rename the backup to {}", file.display()))?;
    let bytes = std::fs::metadata(file)?.len();
    super::out::prose(format_args!(
        "{} is a checked copy of the store ({} KB). To restore it: stop the server, put it in the \
         store's place, start",
        file.display(),
        bytes.div_ceil(1024)
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn copy(store: &Path, partial: &Path) -> anyhow::Result<()> {
    copy::copy(&inspect::connect(store)?, partial)?;
    std::fs::File::open(partial)?.sync_all()?;
    Ok(())
}
