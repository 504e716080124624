//! `rightsizer backup FILE`: a copy of the store as it stood between two commits, made while a
//! server goes on writing. `VACUUM INTO` reads one snapshot of it; the copy gets its name only when
//! it is whole and on the disk. Of a server's store elsewhere the snapshots are the backup.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::Args;
use rightsizer_store::{copy, inspect};

use super::StoreArg;
use super::server::ServerArg;

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The file to make; one that is there already is not written over
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
        "backup copies a store on this machine, and a server elsewhere is named (--server or \
         RIGHTSIZER_SERVER). Nothing was copied. That server's own copies are its snapshots: rightsizer \
         restore s3://BUCKET/PREFIX --store {} writes the newest to a file (BUCKET is the stack's output \
         SnapshotBucket). For a store on this machine unset RIGHTSIZER_SERVER",
        file.display()
    );
    ensure!(
        !file.exists(),
        "{} is there already; a backup is written over nothing: give another name",
        file.display()
    );
    let mut partial = file.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    copy(store, &partial)
        .inspect_err(|_| drop(std::fs::remove_file(&partial)))
        .with_context(|| format!("no backup was made at {}", file.display()))?;
    std::fs::rename(&partial, file)
        .with_context(|| format!("cannot name the backup {}", file.display()))?;
    let bytes = std::fs::metadata(file)?.len();
    super::out::line(format_args!(
        "{} holds the store as of now ({} KB, checked); to restore it: stop the server, put it in the \
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
